#include "../unit/runtime/frame_image.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define LOOKS_MAX 1000

/* The input: the roots, the depth, the room for the text, then memory from IMAGE_BASE on. */
typedef struct Head {
    FrameRoots roots;
    uint32_t depth, room;
} Head;

static unsigned n_looks;

static bool is_over(void *context)
{
    return ++n_looks > LOOKS_MAX;
}

/* Whole lines of three fields, within the room. */
static void check_text(const FrameText *t, size_t room, uint32_t depth)
{
    uint32_t lines = 0, tabs = 0;

    if (t->used > room || (depth > 0 && t->n_frames > depth))
        abort();
    for (size_t i = 0; i < t->used; i++) {
        uint8_t byte = (uint8_t)t->text[i];

        if (byte == '\t')
            tabs++;
        else if (byte == '\n') {
            if (tabs != 2)
                abort();
            tabs = 0;
            lines++;
        } else if (byte < 0x20 || byte == 0x7f)
            abort();
    }
    if (lines != t->n_frames || tabs != 0 || (t->used > 0 && t->text[t->used - 1] != '\n'))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static Image image;
    FrameMemory memory = {.read = image_read, .is_over = is_over, .context = &image};
    FrameText text = {0};
    Head head;

    if (size < sizeof(head) || size - sizeof(head) > IMAGE_SIZE)
        return 0;
    memcpy(&head, data, sizeof(head));
    image.used = size - sizeof(head);
    memcpy(image.bytes, data + sizeof(head), image.used);
    text.size = head.room % 65536;
    text.text = malloc(text.size + 1);
    if (!text.text)
        abort();
    n_looks = 0;
    frames_write(&memory, &head.roots, head.depth, &text);
    check_text(&text, head.room % 65536, head.depth);
    free(text.text);
    return 0;
}

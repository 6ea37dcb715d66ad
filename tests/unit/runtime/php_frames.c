#include "frame_image.h"

#include "board/trace.h"
#include "../run.h"

#include <errno.h>

static Image image;
static char text[TRACE_TEXT_SIZE + 1];
static uint64_t shop, main_code, total, nap, closure;

static void setup(void)
{
    memset(&image, 0, sizeof(image));
    shop = image_class(&image, "Shop");
    main_code = image_function(&image, NULL, 0, "/srv/index.php");
    total = image_function(&image, "total", shop, "/srv/shop.php");
    closure = image_function(&image, "{closure}", 0, "/srv/shop.php");
    nap = image_function(&image, "sleep", 0, NULL);
}

static FrameText write_frames(uint64_t current, uint32_t depth, int expected)
{
    FrameMemory memory = image_memory(&image);
    FrameText t = {.text = text, .size = TRACE_TEXT_SIZE};

    image.roots.current = current;
    ck_assert_int_eq(frames_write(&memory, &image.roots, depth, &t), expected);
    text[t.used] = 0;
    return t;
}

/* The lines without their addresses, which begin with the frame's. */
static void expect(uint64_t current, const char *wanted)
{
    static char got[TRACE_TEXT_SIZE + 1];
    size_t n = 0;

    write_frames(current, 0, 0);
    for (char *line = text; *line; line = strchr(line, '\n') + 1) {
        char *tab = strchr(line, '\t');

        ck_assert_ptr_nonnull(tab);
        ck_assert_int_eq(strncmp(line, "0x", 2), 0);
        for (tab++; *tab != '\n'; tab++)
            got[n++] = *tab == '\t' ? ' ' : *tab;
        got[n++] = '\n';
    }
    got[n] = 0;
    ck_assert_str_eq(got, wanted);
}

START_TEST(nothing_runs)
{
    write_frames(0, 0, -ESRCH);
}
END_TEST

START_TEST(blocked_in_a_function)
{
    uint64_t f = image_frame(&image, main_code, 7, false, 0);

    f = image_frame(&image, closure, 1, false, f);
    f = image_frame(&image, total, 5, true, f);
    f = image_frame(&image, total, 6, false, f);
    f = image_frame(&image, nap, 0, false, f);
    expect(f, "sleep() /srv/shop.php:6\n"
              "Shop::total() /srv/shop.php:5\n"
              "Shop->total() /srv/shop.php:1\n"
              "{closure}() /srv/index.php:7\n");
    ck_assert_uint_eq(strtoull(text, NULL, 16), f);
}
END_TEST

START_TEST(running_code_shows_where)
{
    uint64_t f = image_frame(&image, main_code, 4, false, 0);

    expect(f, "[RUNNING]() /srv/index.php:4\n");
    f = image_frame(&image, total, 2, false, f);
    expect(f, "[RUNNING]() /srv/shop.php:2\nShop::total() /srv/index.php:4\n");
    /* What is no instruction of the function is not believed. */
    f = image_frame(&image, total, 0, false, f);
    expect(f, "[RUNNING]() /srv/shop.php\nShop::total() /srv/shop.php:2\n"
              "Shop::total() /srv/index.php:4\n");
}
END_TEST

START_TEST(callbacks_have_no_place)
{
    uint64_t map = image_function(&image, "array_map", 0, NULL);
    uint64_t f = image_frame(&image, main_code, 3 + 1, false, 0);

    f = image_frame(&image, map, 0, false, f);
    f = image_frame(&image, closure, 1, false, f);
    f = image_frame(&image, nap, 0, false, f);
    expect(f, "sleep() /srv/shop.php:1\n{closure}() \narray_map() /srv/index.php:4\n");
    /* Of a shutdown function there is nothing before. */
    f = image_frame(&image, closure, 1, false, 0);
    f = image_frame(&image, nap, 0, false, f);
    expect(f, "sleep() /srv/shop.php:1\n{closure}() \n");
}
END_TEST

START_TEST(includes)
{
    uint64_t included = image_function(&image, NULL, 0, "/srv/inc.php");
    uint64_t f = image_frame(&image, main_code, 3, false, 0);

    f = image_frame(&image, included, 2, false, f);
    f = image_frame(&image, nap, 0, false, f);
    expect(f, "sleep() /srv/inc.php:2\n[INCLUDE_OR_EVAL]() /srv/index.php:3\n");
}
END_TEST

/* A file that spl_autoload() includes: no instruction says so. */
START_TEST(included_by_internal_function)
{
    uint64_t included = image_function(&image, NULL, 0, "/srv/inc.php");
    uint64_t load = image_function(&image, "spl_autoload", 0, NULL);
    uint64_t f = image_frame(&image, main_code, 4, false, 0);

    f = image_frame(&image, load, 0, false, f);
    f = image_frame(&image, included, 2, false, f);
    f = image_frame(&image, nap, 0, false, f);
    expect(f, "sleep() /srv/inc.php:2\nspl_autoload() /srv/index.php:4\n");
}
END_TEST

/* An internal function that an instruction other than a call has run. */
START_TEST(hidden_internal_function)
{
    uint64_t magic = image_function(&image, "offsetGet", 0, NULL);
    uint64_t f = image_frame(&image, main_code, 4, false, 0);
    zend_op *ops = image_at(
        &image, (uint64_t)(uintptr_t)((zend_op_array *)image_at(&image, main_code))->opcodes);

    ops[3].opcode = ZEND_FETCH_DIM_R;
    f = image_frame(&image, magic, 0, false, f);
    f = image_frame(&image, closure, 1, false, f);
    f = image_frame(&image, nap, 0, false, f);
    expect(f, "sleep() /srv/shop.php:1\n{closure}() /srv/index.php:4\n");
}
END_TEST

START_TEST(exception_on_its_way)
{
    uint64_t f = image_frame(&image, main_code, 5, false, 0), before;
    zend_op op = {.opcode = ZEND_HANDLE_EXCEPTION};
    zend_execute_data *data = image_at(&image, f);

    before = (uint64_t)(uintptr_t)data->opline;
    data->opline = image_pointer(image_add(&image, &op, sizeof(op)));
    image.roots.before_exception = before;
    f = image_frame(&image, closure, 1, false, f);
    f = image_frame(&image, nap, 0, false, f);
    expect(f, "sleep() /srv/shop.php:1\n{closure}() /srv/index.php:5\n");
}
END_TEST

/* outer() yields from middle(), which yields from inner(), which runs. */
START_TEST(delegating_generators)
{
    uint64_t class_address = image_class(&image, "Generator"), prev, f, generators[3], frames[3];
    const char *const names[] = {"outer", "middle", "inner"};
    zend_generator *g;
    zend_execute_data fake = {0};

    image.roots.generator_class = class_address;
    prev = image_frame(&image, main_code, 8, false, 0);
    for (int i = 0; i < 3; i++) {
        zend_generator generator = {0};
        uint64_t function = image_function(&image, names[i], 0, "/srv/gen.php");

        frames[i] = image_frame(&image, function, (unsigned)i + 1, false, 0);
        generator.std.ce = image_pointer(class_address);
        generator.execute_data = image_pointer(frames[i]);
        generators[i] = image_add(&image, &generator, sizeof(generator));
    }
    for (int i = 0; i < 2; i++) {
        g = image_at(&image, generators[i]);
        g->node.parent = image_pointer(generators[i + 1]);
    }
    Z_TYPE_INFO(fake.This) = IS_OBJECT;
    Z_OBJ(fake.This) = image_pointer(generators[0]);
    fake.prev_execute_data = image_pointer(prev);
    ((zend_execute_data *)image_at(&image, frames[2]))->prev_execute_data =
        image_pointer(image_add(&image, &fake, sizeof(fake)));
    f = image_frame(&image, nap, 0, false, frames[2]);
    expect(f, "sleep() /srv/gen.php:3\ninner() /srv/gen.php:2\nmiddle() /srv/gen.php:1\n"
              "outer() /srv/index.php:8\n");
    /* Parents in a ring end. */
    g = image_at(&image, generators[2]);
    g->node.parent = image_pointer(generators[0]);
    write_frames(f, 0, 0);
}
END_TEST

START_TEST(class_of_the_object)
{
    zend_object object = {.ce = image_pointer(shop)};
    uint64_t f = image_frame(&image, main_code, 7, false, 0);
    zend_execute_data *data;

    f = image_frame(&image, nap, 0, true, f);
    data = image_at(&image, f);
    Z_OBJ(data->This) = image_pointer(image_add(&image, &object, sizeof(object)));
    expect(f, "Shop->sleep() /srv/index.php:7\n");
    Z_OBJ(data->This) = image_pointer(8);
    expect(f, "\?\?\?() \n");
}
END_TEST

START_TEST(hostile_names)
{
    uint64_t anonymous = image_class(&image, "x");
    uint64_t f = image_frame(&image, main_code, 2, false, 0);

    ((zend_class_entry *)image_at(&image, anonymous))->name =
        image_pointer(image_string_n(&image, "class@anonymous\0/srv/a.php:3$0", 30));
    f = image_frame(&image, image_function(&image, "a\tb\nc\x7f", anonymous, "/srv/\r\n\t.php"), 3,
                    true, f);
    f = image_frame(&image, nap, 0, false, f);
    expect(f, "sleep() /srv/???.php:3\nclass@anonymous->a?b?c?() /srv/index.php:2\n");
}
END_TEST

START_TEST(long_names_are_cut)
{
    static char name[100000];
    uint64_t f = image_frame(&image, main_code, 2, false, 0);

    memset(name, 'n', sizeof(name) - 1);
    f = image_frame(&image, image_function(&image, name, image_class(&image, name), name), 1, true,
                    f);
    f = image_frame(&image, nap, 0, false, f);
    write_frames(f, 0, 0);
    ck_assert_uint_lt(strlen(text), 6000);
    ck_assert_ptr_nonnull(strstr(text, "/srv/index.php:2\n"));
}
END_TEST

static uint64_t recursion(unsigned n)
{
    uint64_t f = image_frame(&image, main_code, 2, false, 0);

    for (unsigned i = 0; i < n; i++)
        f = image_frame(&image, total, 3 + 1, true, f);
    return image_frame(&image, nap, 0, false, f);
}

START_TEST(depth)
{
    uint64_t f = recursion(1000);
    FrameText t = write_frames(f, 20, 0);

    ck_assert_uint_eq(t.n_frames, 20);
    ck_assert_uint_eq(t.more, 981);
    t = write_frames(f, 0, 0);
    ck_assert_uint_eq(t.n_frames, 1001);
    ck_assert_uint_eq(t.more, 0);
    t = write_frames(f, 1001, 0);
    ck_assert_uint_eq(t.n_frames, 1001);
    ck_assert_uint_eq(t.more, 0);
}
END_TEST

START_TEST(full_text)
{
    FrameMemory memory = image_memory(&image);
    FrameText t = {.text = text, .size = 1000};

    image.roots.current = recursion(100);
    memset(text, 'x', 2000);
    ck_assert_int_eq(frames_write(&memory, &image.roots, 0, &t), 0);
    ck_assert_uint_le(t.used, 1000);
    ck_assert_int_eq(text[t.used - 1], '\n');
    ck_assert_int_eq(text[1000], 'x');
    ck_assert_uint_gt(t.n_frames, 5);
    ck_assert_uint_eq(t.n_frames + t.more, 101);
}
END_TEST

static bool is_over_now(void *context)
{
    return true;
}

START_TEST(time_is_bounded)
{
    FrameMemory memory = image_memory(&image);
    FrameText t = {.text = text, .size = TRACE_TEXT_SIZE};

    image.roots.current = recursion(1000);
    memory.is_over = is_over_now;
    ck_assert_int_eq(frames_write(&memory, &image.roots, 0, &t), 0);
    ck_assert_uint_lt(t.n_frames, 100);
    ck_assert_uint_gt(t.n_frames, 10);
    ck_assert_uint_gt(t.more, 0);
}
END_TEST

START_TEST(rings_end)
{
    uint64_t f = image_frame(&image, total, 1, true, 0), first = f;
    FrameText t;

    for (int i = 0; i < 3; i++)
        f = image_frame(&image, total, 2, true, f);
    ((zend_execute_data *)image_at(&image, first))->prev_execute_data = image_pointer(f);
    t = write_frames(f, 20, 0);
    ck_assert_uint_eq(t.n_frames, 20);
    ck_assert_uint_gt(t.more, 0);
    ck_assert_uint_lt(image.n_reads, 2000000);
    t = write_frames(f, 0, 0);
    ck_assert_uint_gt(t.n_frames, 100);
}
END_TEST

START_TEST(unreadable)
{
    uint64_t f, g;
    zend_execute_data *data;

    write_frames(UINT64_C(0x1234567890), 0, -EIO);
    write_frames(IMAGE_BASE + 1, 0, -EIO);
    f = image_frame(&image, total, 1, true, UINT64_C(0xdeadbeef000));
    g = image_frame(&image, nap, 0, false, f);
    expect(g, "sleep() /srv/shop.php:1\nShop->total() \n\?\?\?() \n");
    ck_assert_ptr_nonnull(strstr(text, "0xdeadbeef000\t"));
    data = image_at(&image, f);
    data->prev_execute_data = NULL;
    data->func = image_pointer(8);
    expect(g, "sleep() \n\?\?\?() \n");
    data->func = image_pointer(total);
    ((zend_op_array *)image_at(&image, total))->filename = image_pointer(16);
    ((zend_op_array *)image_at(&image, total))->function_name = image_pointer(~UINT64_C(7));
    expect(g, "sleep() \n\?\?\?() \n");
}
END_TEST

/* Every word of an image in turn has every value that hurts: no crash, no endless loop, and only
 * whole lines. */
START_TEST(damaged_word)
{
    static const uint64_t values[] = {
        0, 1, 8, IMAGE_BASE, IMAGE_BASE + 64, UINT64_MAX, INT64_MAX, UINT64_C(0x8000000000000000),
    };
    uint64_t f = recursion(5), *words = (uint64_t *)image.bytes;
    FrameMemory memory = image_memory(&image);

    for (size_t w = 0; w < image.used / sizeof(uint64_t); w++)
        for (size_t v = 0; v < ARRAY_SIZE(values); v++) {
            FrameText t = {.text = text, .size = 4096};
            uint64_t before = words[w];
            unsigned lines = 0;

            words[w] = values[v];
            image.roots.current = f;
            frames_write(&memory, &image.roots, 20, &t);
            words[w] = before;
            for (size_t i = 0; i < t.used; i++)
                lines += text[i] == '\n';
            ck_assert_uint_eq(lines, t.n_frames);
            ck_assert_uint_le(t.used, t.size);
        }
}
END_TEST

static Suite *frames_suite(void)
{
    Suite *s = suite_create("runtime/php_frames");
    TCase *right = tcase_create("right"), *hostile = tcase_create("hostile");

    tcase_add_checked_fixture(right, setup, NULL);
    tcase_add_test(right, nothing_runs);
    tcase_add_test(right, blocked_in_a_function);
    tcase_add_test(right, running_code_shows_where);
    tcase_add_test(right, callbacks_have_no_place);
    tcase_add_test(right, includes);
    tcase_add_test(right, included_by_internal_function);
    tcase_add_test(right, hidden_internal_function);
    tcase_add_test(right, exception_on_its_way);
    tcase_add_test(right, delegating_generators);
    tcase_add_test(right, depth);
    suite_add_tcase(s, right);
    tcase_add_checked_fixture(hostile, setup, NULL);
    tcase_add_test(hostile, class_of_the_object);
    tcase_add_test(hostile, hostile_names);
    tcase_add_test(hostile, long_names_are_cut);
    tcase_add_test(hostile, full_text);
    tcase_add_test(hostile, time_is_bounded);
    tcase_add_test(hostile, rings_end);
    tcase_add_test(hostile, unreadable);
    tcase_add_test(hostile, damaged_word);
    suite_add_tcase(s, hostile);
    return s;
}

TEST_MAIN(frames_suite)

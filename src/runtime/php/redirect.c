#include "runtime/php/redirect.h"

#include "runtime/php/object.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

typedef struct Search {
    uintptr_t code;
    const char *const *names;
    uintptr_t function;
    int result;
} Search;

/* What the dynamic section says of a library. */
typedef struct Tables {
    const char *strings;
    const ElfW(Sym) * symbols;
    const ElfW(Rela) * relocations[2]; /* of calls, of data */
    size_t n[2];
    uintptr_t sealed_start, sealed_end; /* read only since its relocation (PT_GNU_RELRO) */
} Tables;

static const ElfW(Phdr) * find_part(const struct dl_phdr_info *object, ElfW(Word) type)
{
    for (size_t i = 0; i < object->dlpi_phnum; i++)
        if (object->dlpi_phdr[i].p_type == type)
            return &object->dlpi_phdr[i];
    return NULL;
}

/* glibc writes addresses into the dynamic section, except where that is read only. */
static uintptr_t address_of(const struct dl_phdr_info *object, ElfW(Addr) value)
{
    return value < object->dlpi_addr ? object->dlpi_addr + value : value;
}

static bool read_tables(const struct dl_phdr_info *object, Tables *ret)
{
    const ElfW(Phdr) *part = find_part(object, PT_DYNAMIC), *sealed;
    bool calls_have_addends = true;

    if (!part)
        return false;
    *ret = (Tables){0};
    for (const ElfW(Dyn) *d = (const ElfW(Dyn) *)(object->dlpi_addr + part->p_vaddr);
         d->d_tag != DT_NULL; d++) {
        uintptr_t address = address_of(object, d->d_un.d_ptr);

        if (d->d_tag == DT_STRTAB)
            ret->strings = (const char *)address;
        else if (d->d_tag == DT_SYMTAB)
            ret->symbols = (const ElfW(Sym) *)address;
        else if (d->d_tag == DT_JMPREL)
            ret->relocations[0] = (const ElfW(Rela) *)address;
        else if (d->d_tag == DT_PLTRELSZ)
            ret->n[0] = d->d_un.d_val / sizeof(ElfW(Rela));
        else if (d->d_tag == DT_RELA)
            ret->relocations[1] = (const ElfW(Rela) *)address;
        else if (d->d_tag == DT_RELASZ)
            ret->n[1] = d->d_un.d_val / sizeof(ElfW(Rela));
        else if (d->d_tag == DT_PLTREL)
            calls_have_addends = d->d_un.d_val == DT_RELA;
    }
    sealed = find_part(object, PT_GNU_RELRO);
    if (sealed) {
        ret->sealed_start = object->dlpi_addr + sealed->p_vaddr;
        ret->sealed_end = ret->sealed_start + sealed->p_memsz;
    }
    return ret->strings && ret->symbols && calls_have_addends;
}

static int write_slot(const Tables *t, uintptr_t *slot, uintptr_t function)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    void *start = (void *)((uintptr_t)slot & ~(page - 1));
    bool sealed = (uintptr_t)slot >= t->sealed_start && (uintptr_t)slot < t->sealed_end;

    if (sealed && mprotect(start, page, PROT_READ | PROT_WRITE) < 0)
        return -errno;
    *slot = function;
    return sealed && mprotect(start, page, PROT_READ) < 0 ? -errno : 0;
}

static bool is_named(const Tables *t, const ElfW(Rela) * relocation, const char *const names[])
{
    const ElfW(Sym) *symbol = &t->symbols[relocation->r_info >> (sizeof(ElfW(Addr)) == 8 ? 32 : 8)];

    /* An undefined one: a library's own function of that name is another matter. */
    if (relocation->r_addend != 0 || symbol->st_name == 0 || symbol->st_shndx != SHN_UNDEF)
        return false;
    for (size_t i = 0; names[i]; i++)
        if (strcmp(t->strings + symbol->st_name, names[i]) == 0)
            return true;
    return false;
}

static int on_object(struct dl_phdr_info *object, size_t size, void *data)
{
    Search *s = data;
    Tables t;

    if (!object_has_address(object, s->code))
        return 0;
    s->result = 0;
    if (!read_tables(object, &t))
        return 1;
    for (size_t k = 0; k < ARRAY_SIZE(t.relocations); k++)
        for (size_t i = 0; t.relocations[k] && i < t.n[k]; i++) {
            const ElfW(Rela) *relocation = &t.relocations[k][i];
            int r;

            if (!is_named(&t, relocation, s->names))
                continue;
            r = write_slot(&t, (uintptr_t *)(object->dlpi_addr + relocation->r_offset),
                           s->function);
            if (r < 0) {
                s->result = r;
                return 1;
            }
            s->result++;
        }
    return 1;
}

int redirect_calls(uintptr_t code, const char *const names[], uintptr_t function)
{
    Search s = {.code = code, .names = names, .function = function, .result = -ENOENT};

    dl_iterate_phdr(on_object, &s);
    return s.result;
}

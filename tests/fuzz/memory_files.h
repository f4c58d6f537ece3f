/* tests/fuzz/memory_files.h
 *
 * A wm_files with a few files in memory and no disk, for decoders that read what lies in a folder. Only the last part of
 * a path counts. */
#ifndef WM_TESTS_FUZZ_MEMORY_FILES_H
#define WM_TESTS_FUZZ_MEMORY_FILES_H

#include "common/files.h"
#include "tests/fuzz/take.h"

enum { MEMORY_FILES = 4 };

typedef struct memory_files {
    wm_files files;
    struct {
        char     name[32]; /* "" for none */
        uint8_t *bytes;    /* owned */
        size_t   n;
    } items[MEMORY_FILES];
} memory_files;

static inline const char *memory_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash != NULL ? slash + 1 : path;
}

/* The place of that name, or -1. */
static inline int memory_find(const memory_files *self, const char *name)
{
    for (int i = 0; i < MEMORY_FILES; i++)
        if (strcmp(self->items[i].name, name) == 0)
            return i;
    return -1;
}

static inline wm_status memory_replace(const wm_files *files, const char *path, const void *bytes, size_t n,
                                       unsigned mode, wm_error *err)
{
    memory_files *self = files->state;
    const taker   whole = { bytes, n };
    int           i = memory_find(self, memory_name(path));

    (void)mode;
    (void)err;
    if (i < 0)
        must((i = memory_find(self, "")) >= 0);
    free(self->items[i].bytes);
    snprintf(self->items[i].name, sizeof self->items[i].name, "%s", memory_name(path));
    self->items[i].bytes = take_copy(&whole);
    self->items[i].n = n;
    return WM_OK;
}

static inline wm_status memory_append(const wm_files *files, const char *path, const void *bytes, size_t n,
                                      wm_error *err)
{
    memory_files *self = files->state;
    int           i = memory_find(self, memory_name(path));
    uint8_t      *grown;

    if (i < 0)
        return memory_replace(files, path, bytes, n, 0600, err);
    must((grown = realloc(self->items[i].bytes, self->items[i].n + n + 1)) != NULL);
    memcpy(grown + self->items[i].n, bytes, n);
    self->items[i].bytes = grown;
    self->items[i].n += n;
    return WM_OK;
}

static inline wm_status memory_read(const wm_files *files, const char *path, size_t limit, uint8_t **ret, size_t *n,
                                    wm_error *err)
{
    const memory_files *self = files->state;
    int                 i = memory_find(self, memory_name(path));
    uint8_t            *copy;

    if (i < 0)
        return wm_fail(err, WM_E_MISSING, "%s is not there", path);
    if (self->items[i].n > limit)
        return wm_fail(err, WM_E_RANGE, "%s has more than %zu bytes", path, limit);
    must((copy = malloc(self->items[i].n + 1)) != NULL);
    memcpy(copy, self->items[i].bytes, self->items[i].n);
    copy[self->items[i].n] = 0;
    *ret = copy;
    *n = self->items[i].n;
    return WM_OK;
}

static inline wm_status memory_remove(const wm_files *files, const char *path, wm_error *err)
{
    memory_files *self = files->state;
    int           i = memory_find(self, memory_name(path));

    (void)err;
    if (i >= 0 && *memory_name(path) != '\0') {
        free(self->items[i].bytes);
        memset(&self->items[i], 0, sizeof self->items[i]);
    }
    return WM_OK;
}

static inline bool memory_exists(const wm_files *files, const char *path)
{
    return memory_find(files->state, memory_name(path)) >= 0;
}

/* Empty; holds on to its own address. */
static inline void memory_files_init(memory_files *self)
{
    memset(self, 0, sizeof *self);
    self->files = (wm_files){ .replace = memory_replace,
                              .read = memory_read,
                              .append = memory_append,
                              .remove = memory_remove,
                              .exists = memory_exists,
                              .state = self };
}

static inline void memory_files_put(memory_files *self, const char *name, const taker *bytes)
{
    memory_replace(&self->files, name, bytes->n > 0 ? (const void *)bytes->bytes : "", bytes->n, 0600, NULL);
}

static inline void memory_files_release(memory_files *self)
{
    for (int i = 0; i < MEMORY_FILES; i++)
        free(self->items[i].bytes);
}

#endif

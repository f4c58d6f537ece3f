/* tests/server/world/disk.c
 *
 * A disk in memory, that can be full or unreadable. */
#include "tests/server/world/inside.h"

static world *of_files(const wm_files *self)
{
    return self->state;
}

static size_t find_file(const world *w, const char *path)
{
    size_t i = 0;

    while (i < w->n_disk && strcmp(w->disk[i].path, path) != 0)
        i++;
    return i;
}

static wm_status disk_replace(const wm_files *self, const char *path, const void *bytes, size_t n, unsigned mode,
                              wm_error *err)
{
    world   *w = of_files(self);
    size_t   i = find_file(w, path);
    uint8_t *copy = malloc(n + 1);

    (void)mode;
    if (w->full) {
        free(copy);
        return wm_fail(err, WM_E_FULL, "cannot write %s: the disk is full", path);
    }
    check(copy != NULL && i < WORLD_BLOBS_MAX);
    memcpy(copy, bytes, n);
    if (i == w->n_disk) {
        w->disk[i].path = strdup(path);
        w->n_disk++;
    } else {
        free(w->disk[i].bytes);
    }
    w->disk[i].bytes = copy;
    w->disk[i].n = n;
    return WM_OK;
}

static wm_status disk_read(const wm_files *self, const char *path, size_t limit, uint8_t **ret, size_t *n,
                           wm_error *err)
{
    world   *w = of_files(self);
    size_t   i = find_file(w, path);
    uint8_t *copy;

    if (i == w->n_disk)
        return wm_fail(err, WM_E_MISSING, "%s is not there", path);
    if (w->unreadable)
        return wm_fail(err, WM_E_IO, "cannot read %s: input/output error", path);
    if (w->disk[i].n > limit)
        return wm_fail(err, WM_E_RANGE, "%s is too long", path);
    copy = malloc(w->disk[i].n + 1);
    check(copy != NULL);
    memcpy(copy, w->disk[i].bytes, w->disk[i].n);
    *ret = copy;
    *n = w->disk[i].n;
    return WM_OK;
}

static wm_status disk_append(const wm_files *self, const char *path, const void *bytes, size_t n, wm_error *err)
{
    (void)self;
    (void)bytes;
    (void)n;
    return wm_fail(err, WM_E_IO, "nothing is appended to %s", path);
}

static wm_status disk_remove(const wm_files *self, const char *path, wm_error *err)
{
    world *w = of_files(self);
    size_t i = find_file(w, path);

    (void)err;
    if (i == w->n_disk)
        return WM_OK;
    free(w->disk[i].path);
    free(w->disk[i].bytes);
    w->disk[i] = w->disk[--w->n_disk];
    return WM_OK;
}

static wm_status disk_make_folder(const wm_files *self, const char *path, unsigned mode, wm_error *err)
{
    (void)self;
    (void)path;
    (void)mode;
    (void)err;
    return WM_OK;
}

static bool disk_exists(const wm_files *self, const char *path)
{
    const world *w = of_files(self);

    return find_file(w, path) < w->n_disk;
}

void world_lay_disk(world *w)
{
    w->files = (wm_files){ .replace = disk_replace,
                           .read = disk_read,
                           .append = disk_append,
                           .remove = disk_remove,
                           .make_folder = disk_make_folder,
                           .exists = disk_exists,
                           .state = w };
}

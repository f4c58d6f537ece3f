/* common/files.h
 *
 * The seam between the program and its disk. Everything durable goes through a wm_files, so that a test can hand in
 * one that fails, tears or loses what was not synced. wm_files_system() is the real one; it keeps no state, so it
 * may be used by any thread. Paths are the program's own: nothing that came over a network reaches them unchecked. */
#ifndef WM_COMMON_FILES_H
#define WM_COMMON_FILES_H

#include "common/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct wm_files wm_files;

struct wm_files {
    /* The file becomes exactly these bytes or stays what it was: written beside it, synced, renamed over it, the
     * folder synced. `mode` as in chmod. WM_E_FULL, WM_E_IO. */
    wm_status (*replace)(const wm_files *self, const char *path, const void *bytes, size_t n, unsigned mode,
                         wm_error *err);

    /* *ret: the bytes, the caller's to free(), with a zero after the last. WM_E_MISSING, WM_E_RANGE if there are
     * more than `limit`, WM_E_IO. */
    wm_status (*read)(const wm_files *self, const char *path, size_t limit, uint8_t **ret, size_t *n,
                      wm_error *err);

    /* For reading in pieces; *ret goes back by close. WM_E_MISSING, WM_E_IO. */
    wm_status (*open)(const wm_files *self, const char *path, intptr_t *ret, wm_error *err);

    /* bytes[n] <- the file from `offset` on; *got is less than n at its end. *total: bytes of the whole file. By any number
     * of threads at once. WM_E_MISSING: it has lost its name, another may have it by now; WM_E_IO. */
    wm_status (*read_at)(const wm_files *self, intptr_t file, uint64_t offset, void *bytes, size_t n, size_t *got,
                         uint64_t *total, wm_error *err);
    void (*close)(const wm_files *self, intptr_t file);

    /* Adds to the end and leaves it to the system when it reaches the disk; for logs that people read. */
    wm_status (*append)(const wm_files *self, const char *path, const void *bytes, size_t n, wm_error *err);

    /* WM_OK also if it was not there. */
    wm_status (*remove)(const wm_files *self, const char *path, wm_error *err);

    /* The folder and those above it, durable when it returns; WM_OK if it is there. */
    wm_status (*make_folder)(const wm_files *self, const char *path, unsigned mode, wm_error *err);

    bool (*exists)(const wm_files *self, const char *path);

    void *state;
};

const wm_files *wm_files_system(void);

/* folder/name, allocated; NULL if out of memory. */
char *wm_path_join(const char *folder, const char *name);

/* The folder that `path` is in, "." where it names none; allocated; NULL if out of memory. */
char *wm_path_folder(const char *path);

/* The names in a folder, sorted, without those that begin with a dot; the caller frees with wm_names_free. */
wm_status wm_folder_names(const char *path, char ***ret, size_t *n, wm_error *err);
void      wm_names_free(char **names, size_t n);

/* Removes what a replace that was cut off has left in a folder: names that end in ".new-" and six characters. Nobody may
 * be writing there. */
wm_status wm_folder_sweep(const wm_files *files, const char *path, wm_error *err);

/* A folder with all that is in it, links not followed; WM_OK if it was not there. */
wm_status wm_folder_remove(const char *path, wm_error *err);

#endif

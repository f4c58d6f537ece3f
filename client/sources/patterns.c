/* client/sources/patterns.c */
#include "client/sources/patterns.h"

#include "common/files.h"
#include "common/grow.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { PATHS_MAX = 100000, DEPTH_MAX = 16 };

void wm_paths_release(wm_paths *paths)
{
    wm_names_free(paths->items, paths->count);
    *paths = (wm_paths){ 0 };
}

const char *wm_path_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash != NULL ? slash + 1 : path;
}

/* Takes `path` over in any case. */
static wm_status add_path(wm_paths *paths, char *path, wm_error *err)
{
    char **items;

    if (paths->count == PATHS_MAX) {
        free(path);
        return wm_fail(err, WM_E_RANGE, "more than %d files fit data.source's patterns", PATHS_MAX);
    }
    items = wm_grow(paths->items, paths->count, &paths->room, sizeof *items);
    if (items == NULL) {
        free(path);
        return wm_fail(err, WM_E_NOMEM, "no memory for the names of the files");
    }
    paths->items = items;
    paths->items[paths->count++] = path;
    return WM_OK;
}

static bool is_kind(const char *path, mode_t kind)
{
    struct stat info;

    return stat(path, &info) == 0 && (info.st_mode & S_IFMT) == kind;
}

static wm_status walk(const char *folder, const char *pattern, int depth, wm_paths *paths, wm_error *err);

/* Goes on at folder/name: into it if more of the pattern follows, else it is one of the files. */
static wm_status step(const char *folder, const char *name, const char *rest, int depth, wm_paths *paths,
                      wm_error *err)
{
    char     *path = wm_path_join(folder, name);
    wm_status st = WM_OK;

    if (path == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory for the names of the files");
    if (rest != NULL && is_kind(path, S_IFDIR)) {
        st = walk(path, rest, depth + 1, paths, err);
    } else if (rest == NULL && is_kind(path, S_IFREG)) {
        st = add_path(paths, path, err);
        path = NULL;
    }
    free(path);
    return st;
}

/* Adds the files under `folder` that fit `pattern`, a part of the path at a time. A part without a wildcard is not
 * looked for: its folder need not be readable. Above the folder there is nothing. */
static wm_status walk(const char *folder, const char *pattern, int depth, wm_paths *paths, wm_error *err)
{
    const char *slash = strchr(pattern, '/'), *rest = slash != NULL ? slash + 1 : NULL;
    char       *part = slash != NULL ? strndup(pattern, (size_t)(slash - pattern)) : strdup(pattern);
    char      **names = NULL;
    size_t      n = 0;
    wm_status   st = WM_OK;

    if (part == NULL || depth > DEPTH_MAX) {
        st = part == NULL ? wm_fail(err, WM_E_NOMEM, "no memory for a pattern")
                          : wm_fail(err, WM_E_INVALID, "a pattern of more than %d folders", DEPTH_MAX);
        goto out;
    }
    if (strcmp(part, ".") == 0 || *part == '\0') {
        st = rest != NULL ? walk(folder, rest, depth + 1, paths, err) : WM_OK;
        goto out;
    }
    if (strcmp(part, "..") == 0)
        goto out; /* the caller says that nothing fits */
    if (strpbrk(part, "*?[\\") == NULL) {
        st = step(folder, part, rest, depth, paths, err);
        goto out;
    }
    /* A folder that cannot be read holds nothing for us; want of memory is another matter. */
    if (wm_folder_names(folder, &names, &n, NULL) == WM_E_NOMEM)
        st = wm_fail(err, WM_E_NOMEM, "no memory for the names of the files in %s", folder);
    for (size_t i = 0; st == WM_OK && i < n; i++)
        if (fnmatch(part, names[i], FNM_PERIOD) == 0)
            st = step(folder, names[i], rest, depth, paths, err);
out:
    wm_names_free(names, n);
    free(part);
    return st;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Why nothing fits: what is wrong may be the folder. */
static wm_status nothing_fits(const char *folder, const char *pattern, wm_error *err)
{
    struct stat info;

    if (*pattern != '/' && stat(folder, &info) != 0)
        return wm_fail(err, WM_E_MISSING, "cannot read the folder %s: %s", folder, strerror(errno));
    if (*pattern != '/' && !S_ISDIR(info.st_mode))
        return wm_fail(err, WM_E_MISSING, "%s is a file; name the folder that it is in", folder);
    return wm_fail(err, WM_E_MISSING, "no file in %s fits %s: look at --data and data.source", folder, pattern);
}

wm_status wm_paths_find(const char *folder, const wm_words *patterns, wm_paths *ret, wm_error *err)
{
    wm_paths  paths = { 0 };
    size_t    kept = 0;
    wm_status st = WM_OK;

    for (size_t i = 0; st == WM_OK && i < patterns->count; i++) {
        const char *pattern = patterns->items[i];
        size_t      before = paths.count;

        st = walk(*pattern == '/' ? "/" : folder, pattern, 0, &paths, err);
        if (st == WM_OK && paths.count == before)
            st = nothing_fits(folder, pattern, err);
    }
    if (st != WM_OK) {
        wm_paths_release(&paths);
        return st;
    }
    qsort(paths.items, paths.count, sizeof *paths.items, by_text);
    for (size_t i = 0; i < paths.count; i++) {
        if (kept > 0 && strcmp(paths.items[kept - 1], paths.items[i]) == 0)
            free(paths.items[i]);
        else
            paths.items[kept++] = paths.items[i];
    }
    paths.count = kept;
    *ret = paths;
    return WM_OK;
}

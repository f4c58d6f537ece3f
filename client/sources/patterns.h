/* client/sources/patterns.h
 *
 * The files that patterns name: "*.csv.gz", "2013/PRSA_*.csv". Sorted by name and each once, so that what is read
 * does not depend on the order of a folder. */
#ifndef WM_CLIENT_SOURCES_PATTERNS_H
#define WM_CLIENT_SOURCES_PATTERNS_H

#include "common/config/family.h"

typedef struct wm_paths {
    char **items;
    size_t count, room;
} wm_paths;

/* Relative patterns begin at `folder`. WM_E_MISSING: no file fits one of them; WM_E_RANGE: too many do. */
wm_status wm_paths_find(const char *folder, const wm_words *patterns, wm_paths *ret, wm_error *err);
void      wm_paths_release(wm_paths *paths);

const char *wm_path_name(const char *path); /* without its folders */

#endif

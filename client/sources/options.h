/* client/sources/options.h
 *
 * Options of sources as records: for the sources, and for tests that hand them in without a file. */
#ifndef WM_CLIENT_SOURCES_OPTIONS_H
#define WM_CLIENT_SOURCES_OPTIONS_H

#include "common/config/family.h"

typedef struct wm_melt_options {
    const char *name, *value; /* NULL: the table is not wide */
    wm_words    columns;      /* empty: all that the job does not name */
} wm_melt_options;

typedef struct wm_csv_options {
    wm_words        files, missing;
    const char     *separator;
    int             decimal; /* 0: a point, 1: a comma */
    wm_words        header;
    bool            distinct;
    wm_melt_options melt;
} wm_csv_options;

typedef struct wm_idx_options {
    wm_words images, labels;
} wm_idx_options;

#endif

/* client/source.h
 *
 * A source is where readings come from: files of a kind, or a generator. The family's members read, and know nothing
 * of owners, windows or scaling: they hand rows of cells, or images with labels, to the readings (client/readings.h),
 * which say beforehand what is wanted.
 *
 * Adding one: a file in client/sources/, one line in client/sources/sources.c. */
#ifndef WM_CLIENT_SOURCE_H
#define WM_CLIENT_SOURCE_H

#include "common/config/family.h"
#include "client/readings.h"

typedef struct wm_source_ops {
    wm_member member; /* first: see family.h */
    bool      images; /* gives images with a label, not rows of cells; the job's inputs must be the same */

    /* Reads everything below `folder` that the options name, in an order that depends on the names alone.
     * WM_E_MISSING: no file, or a wanted column is not there; WM_E_MALFORMED: "file:line:column: what". */
    wm_status (*read)(const void *options, const char *folder, wm_readings *readings, wm_error *err);
} wm_source_ops;

/* Options struct of the source `synthetic`, so that a program can ask for it without a file. */
typedef struct wm_synthetic_options {
    int64_t gateways, days, seed;
} wm_synthetic_options;

#endif

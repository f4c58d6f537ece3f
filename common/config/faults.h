/* common/config/faults.h
 *
 * Everything that is wrong with a file that a person wrote, collected in one go. A fault has a place and a path, and
 * says what is wrong and what would be right:
 *     air.yaml:14:9: model.layers[2].dense.units: "fifty" is not a whole number */
#ifndef WM_COMMON_CONFIG_FAULTS_H
#define WM_COMMON_CONFIG_FAULTS_H

#include "common/status.h"
#include "common/text.h"

#include <stddef.h>
#include <stdint.h>

/* Where a value stands; line and column count from 1. Line 0: not in the file; then column 0 is the file as a whole (or
 * a default), and column k > 0 the k-th `--set` of the command line. */
typedef struct wm_place {
    uint32_t line, column;
} wm_place;

enum { WM_FAULTS_SHOWN = 50, WM_FAULTS_FILE = 256 };

typedef struct wm_faults {
    char file[WM_FAULTS_FILE]; /* as the user named it, cut to fit: its own, since a report outlives the reading */
    size_t  count;             /* how many were added */
    wm_text lines;             /* one a line, in order of place; after the first WM_FAULTS_SHOWN only counted */
    struct {
        wm_place place;
        size_t   end; /* of its line in lines */
    } shown[WM_FAULTS_SHOWN];
    size_t n_shown;
} wm_faults;

void wm_faults_init(wm_faults *faults, const char *file);
void wm_faults_release(wm_faults *faults);

/* The file that those to come are in. */
void wm_faults_name(wm_faults *faults, const char *file);

/* `path` such as "model.layers[2].dense.units", "" for the file as a whole. What the words quote may come from the
 * file itself: control characters are replaced, and a line is cut at about 1000 bytes. */
__attribute__((format(printf, 4, 5))) void wm_faults_add(wm_faults *faults, wm_place place, const char *path,
                                                         const char *fmt, ...);

/* All of them for a person, one a line, and how many were only counted. */
void wm_faults_report(const wm_faults *faults, wm_text *ret);

/* WM_OK if there is none; else WM_E_INVALID, with the first fault and how many more as the sentence. */
wm_status wm_faults_result(const wm_faults *faults, wm_error *err);

#endif

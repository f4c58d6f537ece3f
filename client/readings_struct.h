/* client/readings_struct.h
 *
 * What readings keep to themselves while they are read: for readings.c, which takes what sources give, and
 * readings_owners.c, which finds whose it is. Nobody else includes this. */
#ifndef WM_CLIENT_READINGS_STRUCT_H
#define WM_CLIENT_READINGS_STRUCT_H

#include "client/readings.h"
#include "client/text_table.h"

enum { WM_NO_OWNER = UINT32_MAX }; /* its readings are not wanted */

struct wm_readings_private {
    wm_ownership  ownership;
    wm_text_table owners;
    wm_text_table members;       /* of groups: texts, and the owner of each */
    wm_text_table series;        /* of the current file, where the job has a column for them */
    int64_t      *owner_before;  /* [owners] time of the reading before */
    int64_t      *series_before; /* [series] the same */
    size_t        owners_room, files_room, series_room;
    uint32_t      file, file_owner, n_series; /* n_series: over all files */
    wm_stamp      start;                      /* data.time.start, placed */
    size_t        row, line;                  /* of the current file: rows so far, and the last one's line */
};

/* Whose a row is: by a text of the data, by the groups that list the text, by the local month of a time. *ret may become
 * WM_NO_OWNER. WM_E_NOMEM; WM_E_MALFORMED: no name can be made of it, or two texts make one; WM_E_RANGE: too many. */
wm_status wm_reading_owner(wm_readings *readings, const char *text, size_t n, uint32_t *ret, wm_error *err);
wm_status wm_reading_owner_of_member(wm_readings *readings, const char *text, size_t n, uint32_t *ret,
                                     wm_error *err);
wm_status wm_reading_owner_of_month(wm_readings *readings, int64_t time, uint32_t *ret, wm_error *err);

/* A number for the next series, which begins in the current file; which of the current file a row's text names. */
wm_status wm_readings_new_series(struct wm_readings_private *self, uint32_t *ret, wm_error *err);
wm_status wm_reading_series(struct wm_readings_private *self, const char *text, size_t n, uint32_t *ret,
                            wm_error *err);

#endif

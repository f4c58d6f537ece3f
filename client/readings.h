/* client/readings.h
 *
 * Readings as they were read, before owners, windows and scaling: rows of codes (client/columns.h) with a time, an
 * owner and a file; or images with labels. It says which columns are wanted, a source fills it, readings_owners.c finds
 * whose each row is, owners.c divides them. Readings of other owners than the one that is asked for are dropped row by
 * row. Owned by one thread. */
#ifndef WM_CLIENT_READINGS_H
#define WM_CLIENT_READINGS_H

#include "client/columns.h"
#include "client/times.h"

typedef struct wm_wanted {
    const char  *name;
    wm_cell_kind kind;
    bool         optional; /* the source may be without it: every cell is missing then */
} wm_wanted;

/* How a row finds its owner. All NULL: everything is one owner's. */
typedef struct wm_ownership {
    const char           *column;    /* its text is the owner's name */
    const struct wm_yaml *groups;    /* owners, each with a list of the column's texts; NULL: each text is one */
    bool                  by_month;  /* the local month of a row's time is: 2014-01 */
    bool                  by_file;   /* the file's name is, or a part of it: */
    const char           *file_part; /* "PRSA_Data_{}_*": what stands for {}; NULL: the name without its endings */
    const char           *alone;     /* the name of the only owner */
    const char           *only;      /* rows of others are dropped; NULL: all are kept */
} wm_ownership;

enum { WM_READINGS_WANTED_MAX = 4096 };

/* Images of one shape in one block, shared by whoever owns some of them. */
typedef struct wm_images {
    wm_shape  shape;
    size_t    size; /* bytes of one */
    size_t    n;
    uint8_t  *pixels; /* [n][size] */
    uint8_t  *labels; /* [n] */
    uint32_t *files;  /* [n] */
} wm_images;

void wm_images_release(wm_images *images);

typedef struct wm_readings {
    const wm_layout *layout; /* borrowed */
    wm_wanted       *wanted; /* what the source gives in each row: times, owner, columns, in this order */
    size_t           n_wanted, n_times, n_codes; /* wanted: n_times, an owner's, a series', then n_codes */
    size_t          *used;                       /* [n_codes] which used column a code is of */

    size_t    n, room;                 /* rows */
    int64_t  *times;                   /* UTC ms; the row's number where there is no time */
    uint32_t *owners, *files, *series; /* series: alike where rows belong together; rises with the files */
    float    *codes;                   /* [n][n_codes] */

    wm_zone *zone; /* of the job; NULL where rows have no time */

    wm_images images;

    char **file_names;
    size_t n_files;
    char **owner_names; /* fit for certificates; one that was dropped is not among them */
    size_t n_owners;

    /* What was not as it should be, for the log and for `check`. */
    size_t  rows_seen; /* kept, or without time or owner; not those of other owners */
    size_t  without_time, without_owner, unreadable, cut_short;
    size_t *present, *outside; /* [n_codes] cells that held a value; of these, those that may not be used */
    char    first_fault[240];  /* "file:line:column: what", of the first of them; "" if there is none */

    struct wm_readings_private *private;
} wm_readings;

/* `zone` is opened by the job's name for it. The ownership's texts must outlive it. */
wm_status wm_readings_new(const wm_layout *layout, const wm_ownership *ownership, wm_readings **ret, wm_error *err);
void      wm_readings_free(wm_readings *readings);

/* ---- for sources ---- */

/* What follows is of this file (its name without the folder). WM_E_MALFORMED: no owner can be made of it. */
wm_status wm_readings_file(wm_readings *readings, const char *name, wm_error *err);

/* A row of the current file, cells[n_wanted]; copied. WM_E_NOMEM, WM_E_RANGE: too many rows; WM_E_MALFORMED: an owner
 * whose name cannot be used. */
wm_status wm_readings_row(wm_readings *readings, const wm_cell *cells, size_t line, wm_error *err);

/* A cell that held something and was taken as missing, or a line that was left out. */
__attribute__((format(printf, 2, 3))) void wm_readings_fault(wm_readings *readings, const char *fmt, ...);

/* Room for n images of the current file, to be filled by the source: (*pixels)[n][...], (*labels)[n]. WM_E_SHAPE if
 * the job, or another file, has another shape. */
wm_status wm_readings_images(wm_readings *readings, const wm_shape *shape, size_t n, uint8_t **pixels,
                             uint8_t **labels, wm_error *err);

#endif

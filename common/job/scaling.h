/* common/job/scaling.h
 *
 * How readings are scaled alike by every client without one of them leaving its gateway: each client sums its
 * training rows in integers (the statistics round), the server adds the sums exactly and derives mean and
 * deviation, and every client of the run gets those. Both ends read this one declaration. */
#ifndef WM_COMMON_JOB_SCALING_H
#define WM_COMMON_JOB_SCALING_H

#include "common/job/job.h"
#include "common/update.h"

/* Mean and deviation per column that is scaled `federated`, in the order of the job's columns; the rest is 0
 * and 1. As bytes (a blob that every client of the run gets): for each column of the job mean and deviation,
 * as little-endian doubles. */
typedef struct wm_scaling {
    size_t n_columns;
    double *mean, *deviation; /* [n_columns], owned */
} wm_scaling;
void wm_scaling_release(wm_scaling *scaling);

/* Is column `i` of the job part of the statistics: a number, used by an input or a target, scaled
 * `federated`? */
bool wm_scaling_covers(const wm_job *job, size_t column);

/* Fixed point of the statistics, and the most rows of one client that they can count: with these, squares
 * stay below 2^48 a client, so that 2^14 clients fit an int64. 2^24 rows are a reading a minute for 32 years.
 */
enum { WM_STATISTICS_BITS = 20, WM_STATISTICS_SQUARE_BITS = 16, WM_STATISTICS_ROWS_MAX = 1 << 24 };

enum { WM_STATISTICS_COUNT, WM_STATISTICS_SUM, WM_STATISTICS_SQUARES, WM_STATISTICS_PARTS };

/* The parts of a statistics update: "count", "sum" and "squares", int64, one value per column of the job (0
 * for those that are not covered), each counted once whatever the update's weight. A reading x in [low, high]
 * counts as u = llrint((x - middle) / half * 2^20); squares is the sum of u * u over all rows (of up to 64
 * bits, unsigned 128 to be safe), divided by 2^16 once at the end, rounding down. At most
 * WM_STATISTICS_ROWS_MAX rows are counted. */
void wm_statistics_spec(const wm_job *job, wm_update_spec *spec);

/* u of a reading in [low, high] of a covered column. */
int64_t wm_statistics_fixed(const wm_job_column *column, double reading);

/* Scaling from the summed statistics: sums[i] is part i's int64 sum, [n_columns]. WM_E_RANGE if a covered
 * column has no reading or no spread at all: the sentence names it. WM_E_NOMEM. */
wm_status wm_scaling_from_statistics(const wm_job *job, const int64_t *const *sums, wm_scaling *ret,
                                     wm_error *err);

/* *ret: the bytes, the caller's to free(). */
wm_status wm_scaling_encode(const wm_scaling *scaling, uint8_t **ret, size_t *n, wm_error *err);

/* WM_E_MALFORMED: not 16 bytes a column, or a mean that is not finite, or a deviation that is not above zero.
 */
wm_status wm_scaling_decode(const wm_job *job, const uint8_t *bytes, size_t n, wm_scaling *ret,
                            wm_error *err);

#endif

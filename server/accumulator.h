/* server/accumulator.h
 *
 * Running weighted sum of one round's updates, exact: per part  sum_k w_k * llrint(value_k * 2^shift)  in
 * int64, whose mean is McMahan et al. 2017, Algorithm 1. Integers make it independent of the order of
 * arrival, of the number of workers and of a restart in the middle. Costs 8 bytes a value however many
 * clients report. Owned by the thread that runs the round; not locked.
 *
 * The sums are kept as the blob that the ledger names, little-endian, so that writing it needs no second
 * copy: "WMSUMS", two zeros, u32 version = 1, u32 parts, u64 total weight, u32 updates, u32 zero, for each
 * part: u32 kind, u32 weight rule, i32 shift, u32 zero, u64 number of values, then the int64 sums of all
 * parts, in the order of the declaration. With the model before, the blob gives the model after, bit for bit:
 * wm_sums_apply. */
#ifndef WM_SERVER_ACCUMULATOR_H
#define WM_SERVER_ACCUMULATOR_H

#include "common/strategies/strategy.h"

typedef struct wm_accumulator wm_accumulator;

/* The fractional bits that a part's sum keeps with up to `clients` updates:
 *     62 - ceil(log2 clients) - ceil(log2 weight cap) - ceil(log2 bound)
 * (the cap counts as 1 for WM_WEIGHT_ONE), 0 for int64 parts. WM_E_RANGE if that is below the part's
 * shift_min, or if int64 values leave no head-room: the sentence has the figures. */
wm_status wm_part_shift(const wm_part_spec *part, uint64_t weight_cap, size_t clients, int *ret, wm_error *err);

/* Room for the sums of up to `clients` > 0 updates of that spec, which is copied. WM_E_RANGE as above,
 * WM_E_NOMEM. */
wm_status wm_accumulator_new(const wm_update_spec *spec, size_t clients, wm_accumulator **ret, wm_error *err);
void      wm_accumulator_free(wm_accumulator *acc);

/* Nothing was added yet. */
void wm_accumulator_reset(wm_accumulator *acc);

/* Adds a checked update (wm_update_open with the same spec); cannot fail. Not more than `clients`, and not
 * between _means and _reset. */
void wm_accumulator_add(wm_accumulator *acc, const wm_update *update);

uint32_t wm_accumulator_updates(const wm_accumulator *acc);
uint64_t wm_accumulator_weight(const wm_accumulator *acc);

/* The int64 sums of a part, valid until the next call that changes them. */
const int64_t *wm_accumulator_sums(const wm_accumulator *acc, size_t part);

/* The blob; the accumulator's own memory. */
const uint8_t *wm_accumulator_bytes(wm_accumulator *acc, size_t *n);

/* means[part][n] <- the exact sum over (2^shift * total weight), or over (2^shift * updates) for
 * WM_WEIGHT_ONE. They replace the sums in place (a second vector of doubles would double the server's
 * memory): _bytes and _sums come before, _reset after. At least one update was added. */
void wm_accumulator_means(wm_accumulator *acc, const double *means[WM_PARTS_MAX]);

/* The size of a blob of sums of that spec; false if it does not fit a size_t. */
bool wm_sums_size(const wm_update_spec *spec, size_t *ret);

/* What a blob of sums says of itself. */
typedef struct wm_sums_facts {
    uint32_t updates;
    uint64_t weight;
    bool     has_train_loss; /* the strategy's updates carry it */
    double   train_loss;
} wm_sums_facts;

/* A blob of sums of that spec: sums[part] <- its values, in bytes[n], which is 8-byte aligned. has_train_loss is not
 * looked at. WM_E_DAMAGED if it is not one. */
wm_status wm_sums_open(const wm_update_spec *spec, const uint8_t *bytes, size_t n, const int64_t *sums[WM_PARTS_MAX],
                       wm_sums_facts *facts, wm_error *err);

/* The next model from the one before and a stored blob of sums, as the round did it: params[n_params] and
 * state[server_state] change in place, and so does bytes[n], which is of no use afterwards. *facts may be NULL.
 * WM_E_DAMAGED if the blob is not one of this job's. */
wm_status wm_sums_apply(const wm_job *job, size_t n_params, uint8_t *bytes, size_t n, float *params, float *state,
                        wm_sums_facts *facts, wm_error *err);

#endif

/* common/update.h
 *
 * What a client hands in: a set of named parts, each a vector of float32 or of int64, and a weight. The
 * strategy declares which parts there are, how long each is, how large a value may be and what its share of
 * the mean goes by; both halves of a strategy read that one declaration. Statistics of the data travel in the
 * same form.
 *
 * As bytes an update is a blob, little-endian, of exactly wm_update_size() bytes:
 *     "WMUPDATE", u32 version = 1, u32 number of parts, u32 kind of task, u32 round, run id (16 bytes),
 *     SHA-256 of the model it started from (32 bytes), u64 weight in examples,
 *     then the values, without padding: the int64 parts first, then the float32 parts (so that both are
 * aligned in memory), each group in the order of the declaration. Its name on the wire and on the client's
 * disk is the SHA-256 of all of that. */
#ifndef WM_COMMON_UPDATE_H
#define WM_COMMON_UPDATE_H

#include "common/crypto/digest.h"
#include "common/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum wm_part_kind { WM_PART_F32, WM_PART_I64 } wm_part_kind;

/* How a client's part counts in the sum. */
typedef enum wm_weight_rule {
    WM_WEIGHT_EXAMPLES, /* times its number of examples */
    WM_WEIGHT_ONE,      /* once: counts and sums, which carry their own weight */
} wm_weight_rule;

typedef struct wm_part_spec {
    char name[24];
    wm_part_kind kind;
    size_t n;     /* values */
    double bound; /* the largest |value| let in */
    wm_weight_rule weight;
    int shift_min; /* F32: fewest fractional bits that the exact sum must keep, or the job is refused */
} wm_part_spec;

enum { WM_PARTS_MAX = 8, WM_RUN_ID_SIZE = 16 };

typedef struct wm_update_spec {
    size_t n_parts;
    wm_part_spec parts[WM_PARTS_MAX];
    uint64_t weight_cap; /* the largest number of examples that one update may claim */
} wm_update_spec;

typedef enum wm_task_kind {
    WM_TASK_STATISTICS = 1, /* count, sum and squares of each column, for scaling */
    WM_TASK_TRAIN = 2,
    WM_TASK_EVALUATE = 3,
} wm_task_kind;

/* The idempotence key of a submission, with the client's certified name beside it. */
typedef struct wm_update_key {
    uint8_t run[WM_RUN_ID_SIZE];
    wm_task_kind kind;
    uint32_t round;  /* 0 for statistics */
    wm_digest model; /* SHA-256 of the parameters that it started from; zero for statistics */
} wm_update_key;

/* An update in memory. `bytes` is the blob; `values[i]` points into it at part i (alignment 4 for F32 and 8
 * for I64 holds, since the header is 80 bytes and int64 parts come first). Little-endian machines only, as
 * yet. */
typedef struct wm_update {
    wm_update_key key;
    uint64_t weight;
    uint8_t *bytes; /* owned */
    size_t n_bytes;
    void *values[WM_PARTS_MAX]; /* float or int64_t */
} wm_update;

enum { WM_UPDATE_HEADER = 80 };

/* The part of that name, or spec->n_parts if there is none. */
size_t wm_update_part(const wm_update_spec *spec, const char *name);

/* The size of every update of this spec; false if it does not fit a size_t. */
bool wm_update_size(const wm_update_spec *spec, size_t *ret);

/* An update with zeroed values, to be filled through values[]. WM_E_NOMEM. */
wm_status wm_update_new(const wm_update_spec *spec, const wm_update_key *key, wm_update *ret, wm_error *err);
void wm_update_release(wm_update *update);

/* Writes the header (key and weight) into the bytes: call once the values and the weight are final. */
void wm_update_seal(wm_update *update, const wm_update_spec *spec);

/* What bytes say of themselves, unchecked but for size and magic: to tell a late update from a wrong one. */
bool wm_update_peek(const uint8_t *bytes, size_t n_bytes, wm_update_key *ret);

/* The checks of a stranger's bytes, before anything is folded. Takes `bytes` (from malloc) over on success.
 * In this order: size of the header, magic and version (WM_E_MALFORMED), number of parts and size
 * (WM_E_SHAPE), run, kind, round and model as in `want` (WM_E_REFUSED: "another round's model"), weight at
 * least 1 and at most the cap (WM_E_RANGE), every F32 finite (WM_E_NONFINITE), every value within its part's
 * bound (WM_E_RANGE). The sentence names the part and the index. */
wm_status wm_update_open(const wm_update_spec *spec, const wm_update_key *want, uint8_t *bytes,
                         size_t n_bytes, wm_update *ret, wm_error *err);

#endif

/* server/accumulator.c */
#include "server/accumulator.h"

#include "common/memory.h"
#include "common/sizes.h"
#include "server/fold.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { HEADER = 32, PART_HEADER = 24, VERSION = 1, AT_VERSION = 8, AT_PARTS = 12, AT_WEIGHT = 16, AT_UPDATES = 24 };

enum { SUM_BITS = 62 }; /* |sum| <= 2^62: a bit of room below the largest int64 */

static const char magic[8] = "WMSUMS\0"; /* and the zero that ends it */

struct wm_accumulator {
    wm_update_spec spec;
    int            shift[WM_PARTS_MAX];
    int            bits[WM_PARTS_MAX]; /* |value| * 2^shift <= 2^bits */
    size_t         clients;            /* most updates */
    uint32_t       updates;
    uint64_t       weight;
    size_t         n_bytes;
    uint8_t       *bytes; /* the blob: headers, then the sums */
    bool           spent; /* the sums have become means */
};

/* The smallest k with 2^k >= x; x > 0. */
static int log2_ceil_real(double x)
{
    int    k;
    double m = frexp(x, &k); /* x = m * 2^k, 1/2 <= m < 1 */

    return m == 0.5 ? k - 1 : k;
}

wm_status wm_part_shift(const wm_part_spec *part, uint64_t weight_cap, size_t clients, int *ret, wm_error *err)
{
    uint64_t cap = part->weight == WM_WEIGHT_ONE ? 1 : weight_cap;
    bool     whole = part->kind == WM_PART_I64;
    int      shift;

    if (!(part->bound > 0) || !isfinite(part->bound) || cap == 0 || clients == 0)
        return wm_fail(err, WM_E_INVALID,
                       "part %s: its bound, the cap on weights and the number of clients must be "
                       "above zero",
                       part->name);
    shift = SUM_BITS - wm_log2_ceil(clients) - wm_log2_ceil(cap) - log2_ceil_real(part->bound);
    if (shift < (whole ? 0 : part->shift_min))
        return wm_fail(
            err, WM_E_RANGE,
            "the exact sum of \"%s\" keeps %d bits, and %d are needed: %zu clients, weights up to %llu "
            "and values up to %g are too many or too large together; lower cohort.weight_cap or cohort.bound",
            part->name, shift, whole ? 0 : part->shift_min, clients, (unsigned long long)cap, part->bound);
    *ret = whole ? 0 : shift;
    return WM_OK;
}

static size_t headers_size(const wm_update_spec *spec)
{
    return HEADER + spec->n_parts * PART_HEADER;
}

bool wm_sums_size(const wm_update_spec *spec, size_t *ret)
{
    size_t size = headers_size(spec), bytes;

    for (size_t i = 0; i < spec->n_parts; i++)
        if (!wm_size_mul(spec->parts[i].n, sizeof(int64_t), &bytes) || !wm_size_add(size, bytes, &size))
            return false;
    *ret = size;
    return true;
}

/* Where part i's sums lie in a blob: 8-byte aligned, since both headers are multiples of 8. */
static size_t at_sums(const wm_update_spec *spec, size_t part)
{
    size_t at = headers_size(spec);

    for (size_t i = 0; i < part; i++)
        at += spec->parts[i].n * sizeof(int64_t);
    return at;
}

static void *sums_in(uint8_t *bytes, const wm_update_spec *spec, size_t part)
{
    return bytes + at_sums(spec, part);
}

wm_status wm_accumulator_new(const wm_update_spec *spec, size_t clients, wm_accumulator **ret, wm_error *err)
{
    wm_accumulator *acc = calloc(1, sizeof *acc);
    wm_status       st = WM_OK;

    if (acc == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory for the sum of updates");
    acc->spec = *spec;
    acc->clients = clients;
    for (size_t i = 0; i < spec->n_parts; i++) {
        st = wm_part_shift(&spec->parts[i], spec->weight_cap, clients, &acc->shift[i], err);
        if (st != WM_OK)
            goto out;
        acc->bits[i] = acc->shift[i] + log2_ceil_real(spec->parts[i].bound);
    }
    if (!wm_sums_size(spec, &acc->n_bytes) || (acc->bytes = wm_memory_large(acc->n_bytes)) == NULL) {
        st = wm_fail(err, WM_E_NOMEM, "no memory for the sum of updates of %zu parts", spec->n_parts);
        goto out;
    }
    memset(acc->bytes, 0, acc->n_bytes);
    *ret = acc;
    acc = NULL;
out:
    wm_accumulator_free(acc);
    return st;
}

void wm_accumulator_free(wm_accumulator *acc)
{
    if (acc == NULL)
        return;
    free(acc->bytes);
    free(acc);
}

void wm_accumulator_reset(wm_accumulator *acc)
{
    memset(acc->bytes, 0, acc->n_bytes);
    acc->updates = 0;
    acc->weight = 0;
    acc->spent = false;
}

static void add_integers(int64_t *sum, const int64_t *x, size_t n, uint64_t weight)
{
    for (size_t i = 0; i < n; i++)
        sum[i] += x[i] * (int64_t)weight;
}

void wm_accumulator_add(wm_accumulator *acc, const wm_update *update)
{
    const wm_update_spec *spec = &acc->spec;

    assert(!acc->spent && acc->updates < acc->clients);
    assert(update->weight >= 1 && update->weight <= spec->weight_cap);
    for (size_t i = 0; i < spec->n_parts; i++) {
        const wm_part_spec *part = &spec->parts[i];
        uint64_t            weight = part->weight == WM_WEIGHT_ONE ? 1 : update->weight;
        int64_t            *sum = sums_in(acc->bytes, spec, i);

        if (part->kind == WM_PART_I64)
            add_integers(sum, update->values[i], part->n, weight);
        else
            wm_fold(sum, update->values[i], part->n, acc->shift[i], acc->bits[i], weight);
    }
    acc->updates++;
    acc->weight += update->weight;
}

uint32_t wm_accumulator_updates(const wm_accumulator *acc)
{
    return acc->updates;
}

uint64_t wm_accumulator_weight(const wm_accumulator *acc)
{
    return acc->weight;
}

const int64_t *wm_accumulator_sums(const wm_accumulator *acc, size_t part)
{
    assert(!acc->spent && part < acc->spec.n_parts);
    return sums_in(acc->bytes, &acc->spec, part);
}

/* One part's header: kind, weight rule, shift, zero, number of values. */
static void put_part(uint8_t to[PART_HEADER], const wm_part_spec *part, int shift)
{
    uint32_t words[4] = { (uint32_t)part->kind, (uint32_t)part->weight, (uint32_t)shift, 0 };
    uint64_t n = part->n;

    memcpy(to, words, sizeof words);
    memcpy(to + sizeof words, &n, sizeof n);
}

const uint8_t *wm_accumulator_bytes(wm_accumulator *acc, size_t *n)
{
    uint32_t version = VERSION, parts = (uint32_t)acc->spec.n_parts;

    assert(!acc->spent);
    memcpy(acc->bytes, magic, sizeof magic);
    memcpy(acc->bytes + AT_VERSION, &version, sizeof version);
    memcpy(acc->bytes + AT_PARTS, &parts, sizeof parts);
    memcpy(acc->bytes + AT_WEIGHT, &acc->weight, sizeof acc->weight);
    memcpy(acc->bytes + AT_UPDATES, &acc->updates, sizeof acc->updates);
    for (size_t i = 0; i < acc->spec.n_parts; i++)
        put_part(acc->bytes + HEADER + i * PART_HEADER, &acc->spec.parts[i], acc->shift[i]);
    *n = acc->n_bytes;
    return acc->bytes;
}

/* In place: malloc's memory takes the type of what was stored last, so sums may become doubles where they
 * lie. */
static const double *mean_in_place(int64_t *sums, size_t n, double divisor)
{
    double *means = (double *)(void *)sums;

    for (size_t i = 0; i < n; i++)
        means[i] = (double)sums[i] / divisor;
    return means;
}

static void means_in_place(uint8_t *bytes, const wm_update_spec *spec, const int *shift, uint64_t weight,
                           uint32_t updates, const double *means[WM_PARTS_MAX])
{
    for (size_t i = 0; i < spec->n_parts; i++) {
        uint64_t shares = spec->parts[i].weight == WM_WEIGHT_ONE ? updates : weight;

        means[i] = mean_in_place(sums_in(bytes, spec, i), spec->parts[i].n, ldexp((double)shares, shift[i]));
    }
}

void wm_accumulator_means(wm_accumulator *acc, const double *means[WM_PARTS_MAX])
{
    assert(!acc->spent && acc->updates > 0);
    means_in_place(acc->bytes, &acc->spec, acc->shift, acc->weight, acc->updates, means);
    acc->spent = true;
}

/* What a single update of weight one would keep. */
static int shift_most(const wm_part_spec *part)
{
    return part->kind == WM_PART_I64 ? 0 : SUM_BITS - log2_ceil_real(part->bound);
}

/* Reads and checks the headers of a blob of sums: shift[], weight and updates. */
static wm_status open_sums(const wm_update_spec *spec, const uint8_t *bytes, size_t n, int shift[WM_PARTS_MAX],
                           uint64_t *weight, uint32_t *updates, wm_error *err)
{
    uint32_t words[2];
    size_t   size;

    if (!wm_sums_size(spec, &size) || n != size)
        return wm_fail(err, WM_E_DAMAGED, "sums: %zu bytes are not this job's", n);
    memcpy(words, bytes + AT_VERSION, sizeof words);
    if (memcmp(bytes, magic, sizeof magic) != 0 || words[0] != VERSION || words[1] != spec->n_parts)
        return wm_fail(err, WM_E_DAMAGED, "sums: the header is not that of a sum of %zu parts", spec->n_parts);
    memcpy(weight, bytes + AT_WEIGHT, sizeof *weight);
    memcpy(updates, bytes + AT_UPDATES, sizeof *updates);
    if (*updates == 0 || *weight < *updates)
        return wm_fail(err, WM_E_DAMAGED, "sums: %u updates with a weight of %llu in all", *updates,
                       (unsigned long long)*weight);
    for (size_t i = 0; i < spec->n_parts; i++) {
        uint8_t        want[PART_HEADER];
        const uint8_t *is = bytes + HEADER + i * PART_HEADER;

        memcpy(&shift[i], is + 8, sizeof shift[i]);
        put_part(want, &spec->parts[i], shift[i]);
        if (memcmp(want, is, PART_HEADER) != 0 || shift[i] < 0 || shift[i] > shift_most(&spec->parts[i]))
            return wm_fail(err, WM_E_DAMAGED, "sums: part %zu is not \"%s\" of this job", i, spec->parts[i].name);
    }
    return WM_OK;
}

wm_status wm_sums_open(const wm_update_spec *spec, const uint8_t *bytes, size_t n,
                       const int64_t *sums[WM_PARTS_MAX], wm_sums_facts *facts, wm_error *err)
{
    int           shift[WM_PARTS_MAX];
    wm_sums_facts found = { 0 };
    wm_status     st = open_sums(spec, bytes, n, shift, &found.weight, &found.updates, err);

    if (st != WM_OK)
        return st;
    for (size_t i = 0; i < spec->n_parts; i++)
        sums[i] = (const int64_t *)(const void *)(bytes + at_sums(spec, i));
    *facts = found;
    return WM_OK;
}

wm_status wm_sums_apply(const wm_job *job, size_t n_params, uint8_t *bytes, size_t n, float *params, float *state,
                        wm_sums_facts *facts, wm_error *err)
{
    wm_update_spec spec;
    int            shift[WM_PARTS_MAX];
    wm_sums_facts  found = { 0 };
    const double  *means[WM_PARTS_MAX];
    size_t         loss_part;
    wm_status      st;

    wm_strategy_spec(job, n_params, &spec);
    st = open_sums(&spec, bytes, n, shift, &found.weight, &found.updates, err);
    if (st != WM_OK)
        return st;
    means_in_place(bytes, &spec, shift, found.weight, found.updates, means);
    loss_part = wm_update_part(&spec, WM_PART_TRAIN_LOSS);
    found.has_train_loss = loss_part < spec.n_parts;
    if (found.has_train_loss)
        found.train_loss = means[loss_part][0];
    wm_strategy_of(job)->server_apply(job->strategy.options, &spec, means, params, n_params, state);
    if (facts != NULL)
        *facts = found;
    return WM_OK;
}

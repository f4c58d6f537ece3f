/* common/update.c
 *
 * The one place that reads a stranger's update. Everything is checked before anybody else sees a value: what
 * passes here can be folded without another branch. The scan of the values is one vectorisable comparison a
 * value, written so that NaN fails it; only when it fails does a slow second look find out which value it
 * was, and why. */
#include "common/update.h"

#include "common/sizes.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "updates and sums are kept as their little-endian bytes");

enum {
    AT_VERSION = 8,
    AT_PARTS = 12,
    AT_KIND = 16,
    AT_ROUND = 20,
    AT_RUN = 24,
    AT_MODEL = 40,
    AT_WEIGHT = 72,
    VERSION = 1,
    SCAN_BLOCK = 4096, /* values looked at between two tests of the outcome */
};

static const char magic[8] = "WMUPDATE"; /* without a zero */

static uint32_t get_u32(const uint8_t *from)
{
    uint32_t value;

    memcpy(&value, from, sizeof value);
    return value;
}

static uint64_t get_u64(const uint8_t *from)
{
    uint64_t value;

    memcpy(&value, from, sizeof value);
    return value;
}

static void put_u32(uint8_t *to, uint32_t value)
{
    memcpy(to, &value, sizeof value);
}

size_t wm_update_part(const wm_update_spec *spec, const char *name)
{
    size_t i = 0;

    while (i < spec->n_parts && strcmp(spec->parts[i].name, name) != 0)
        i++;
    return i;
}

static size_t value_size(wm_part_kind kind)
{
    return kind == WM_PART_I64 ? sizeof(int64_t) : sizeof(float);
}

/* offsets[i] <- where part i begins; *end <- the size of it all. */
static bool lay_out(const wm_update_spec *spec, size_t offsets[WM_PARTS_MAX], size_t *end)
{
    static const wm_part_kind order[] = { WM_PART_I64, WM_PART_F32 };
    size_t                    at = WM_UPDATE_HEADER, bytes;

    assert(spec->n_parts <= WM_PARTS_MAX);
    for (size_t k = 0; k < sizeof order / sizeof *order; k++)
        for (size_t i = 0; i < spec->n_parts; i++) {
            if (spec->parts[i].kind != order[k])
                continue;
            offsets[i] = at;
            if (!wm_size_mul(spec->parts[i].n, value_size(order[k]), &bytes) || !wm_size_add(at, bytes, &at))
                return false;
        }
    *end = at;
    return true;
}

bool wm_update_size(const wm_update_spec *spec, size_t *ret)
{
    size_t offsets[WM_PARTS_MAX];

    return lay_out(spec, offsets, ret);
}

static void point_into(wm_update *update, const wm_update_spec *spec, const size_t offsets[WM_PARTS_MAX])
{
    for (size_t i = 0; i < spec->n_parts; i++)
        update->values[i] = update->bytes + offsets[i];
}

wm_status wm_update_new(const wm_update_spec *spec, const wm_update_key *key, wm_update *ret, wm_error *err)
{
    wm_update made = { .key = *key };
    size_t    offsets[WM_PARTS_MAX];

    if (!lay_out(spec, offsets, &made.n_bytes) || (made.bytes = calloc(made.n_bytes, 1)) == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory for an update of %zu parts", spec->n_parts);
    point_into(&made, spec, offsets);
    *ret = made;
    return WM_OK;
}

void wm_update_release(wm_update *update)
{
    free(update->bytes);
    *update = (wm_update){ 0 };
}

void wm_update_seal(wm_update *update, const wm_update_spec *spec)
{
    uint8_t *to = update->bytes;

    memcpy(to, magic, sizeof magic);
    put_u32(to + AT_VERSION, VERSION);
    put_u32(to + AT_PARTS, (uint32_t)spec->n_parts);
    put_u32(to + AT_KIND, (uint32_t)update->key.kind);
    put_u32(to + AT_ROUND, update->key.round);
    memcpy(to + AT_RUN, update->key.run, WM_RUN_ID_SIZE);
    memcpy(to + AT_MODEL, update->key.model.bytes, WM_DIGEST_SIZE);
    memcpy(to + AT_WEIGHT, &update->weight, sizeof update->weight);
}

static void read_key(const uint8_t *bytes, wm_update_key *ret)
{
    ret->kind = (wm_task_kind)get_u32(bytes + AT_KIND);
    ret->round = get_u32(bytes + AT_ROUND);
    memcpy(ret->run, bytes + AT_RUN, WM_RUN_ID_SIZE);
    memcpy(ret->model.bytes, bytes + AT_MODEL, WM_DIGEST_SIZE);
}

bool wm_update_peek(const uint8_t *bytes, size_t n_bytes, wm_update_key *ret)
{
    if (n_bytes < WM_UPDATE_HEADER || memcmp(bytes, magic, sizeof magic) != 0 ||
        get_u32(bytes + AT_VERSION) != VERSION)
        return false;
    read_key(bytes, ret);
    return true;
}

static wm_status check_form(const wm_update_spec *spec, size_t want, const uint8_t *bytes, size_t n_bytes,
                            wm_error *err)
{
    if (n_bytes < WM_UPDATE_HEADER)
        return wm_fail(err, WM_E_MALFORMED, "update: %zu bytes, fewer than the %d of a header", n_bytes,
                       WM_UPDATE_HEADER);
    if (memcmp(bytes, magic, sizeof magic) != 0)
        return wm_fail(err, WM_E_MALFORMED, "update: does not begin with WMUPDATE");
    if (get_u32(bytes + AT_VERSION) != VERSION)
        return wm_fail(err, WM_E_MALFORMED, "update: form %u, this server reads form %d",
                       get_u32(bytes + AT_VERSION), VERSION);
    if (get_u32(bytes + AT_PARTS) != spec->n_parts)
        return wm_fail(err, WM_E_SHAPE, "update: %u parts, the strategy has %zu", get_u32(bytes + AT_PARTS),
                       spec->n_parts);
    if (n_bytes != want)
        return wm_fail(err, WM_E_SHAPE, "update: %zu bytes, this model's have exactly %zu", n_bytes, want);
    return WM_OK;
}

static wm_status check_key(const wm_update_key *want, const wm_update_key *is, wm_error *err)
{
    if (memcmp(is->run, want->run, WM_RUN_ID_SIZE) != 0)
        return wm_fail(err, WM_E_REFUSED, "update: another run's");
    if (is->kind != want->kind)
        return wm_fail(err, WM_E_REFUSED, "update: kind of task %u, not the %u that was asked for",
                       (unsigned)is->kind, (unsigned)want->kind);
    if (is->round != want->round)
        return wm_fail(err, WM_E_REFUSED, "update: of round %u, not of round %u", is->round, want->round);
    if (!wm_digest_equal(&is->model, &want->model))
        return wm_fail(err, WM_E_REFUSED, "update: started from another round's model");
    return WM_OK;
}

/* True if every |x| <= bound; false for NaN and infinity. */
static bool all_within(const float *x, size_t n, float bound)
{
    while (n > 0) {
        size_t block = n < SCAN_BLOCK ? n : SCAN_BLOCK;
        int    bad = 0;

        for (size_t i = 0; i < block; i++)
            bad |= !(fabsf(x[i]) <= bound);
        if (bad != 0)
            return false;
        x += block;
        n -= block;
    }
    return true;
}

static wm_status check_floats(const wm_part_spec *part, const float *x, wm_error *err)
{
    float bound = (float)part->bound; /* rounds to no further than the next power of two, as the sum allows */

    if (all_within(x, part->n, bound))
        return WM_OK;
    for (size_t i = 0; i < part->n; i++)
        if (!isfinite(x[i]))
            return wm_fail(err, WM_E_NONFINITE, "update: %s[%zu] is %s", part->name, i,
                           isnan(x[i]) ? "not a number" : "infinite");
    for (size_t i = 0; i < part->n; i++)
        if (fabsf(x[i]) > bound)
            return wm_fail(err, WM_E_RANGE, "update: %s[%zu] is %g, beyond the bound of %g", part->name, i,
                           (double)x[i], part->bound);
    assert(false && "a value failed the scan and nothing is wrong with it");
    return WM_OK;
}

static wm_status check_integers(const wm_part_spec *part, const int64_t *x, wm_error *err)
{
    int64_t bound = part->bound < 0x1p63 ? (int64_t)part->bound : INT64_MAX;

    for (size_t i = 0; i < part->n; i++)
        if (x[i] > bound || x[i] < -bound)
            return wm_fail(err, WM_E_RANGE, "update: %s[%zu] is %lld, beyond the bound of %g", part->name, i,
                           (long long)x[i], part->bound);
    return WM_OK;
}

wm_status wm_update_open(const wm_update_spec *spec, const wm_update_key *want, uint8_t *bytes, size_t n_bytes,
                         wm_update *ret, wm_error *err)
{
    wm_update made = { .bytes = bytes, .n_bytes = n_bytes };
    size_t    offsets[WM_PARTS_MAX], size;
    wm_status st;

    if (!lay_out(spec, offsets, &size))
        return wm_fail(err, WM_E_RANGE, "update: this model's updates do not fit into memory");
    st = check_form(spec, size, bytes, n_bytes, err);
    if (st != WM_OK)
        return st;
    read_key(bytes, &made.key);
    st = check_key(want, &made.key, err);
    if (st != WM_OK)
        return st;
    made.weight = get_u64(bytes + AT_WEIGHT);
    if (made.weight < 1 || made.weight > spec->weight_cap)
        return wm_fail(err, WM_E_RANGE, "update: a weight of %llu examples, between 1 and %llu are allowed",
                       (unsigned long long)made.weight, (unsigned long long)spec->weight_cap);
    point_into(&made, spec, offsets);
    for (size_t i = 0; st == WM_OK && i < spec->n_parts; i++)
        if (spec->parts[i].kind == WM_PART_F32)
            st = check_floats(&spec->parts[i], made.values[i], err);
    for (size_t i = 0; st == WM_OK && i < spec->n_parts; i++)
        if (spec->parts[i].kind == WM_PART_I64)
            st = check_integers(&spec->parts[i], made.values[i], err);
    if (st == WM_OK)
        *ret = made;
    return st;
}

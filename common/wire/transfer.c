/* common/wire/transfer.c */
#include "common/wire/transfer.h"

#include "common/crash.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STUCK_MAX = 3 };

struct wm_download {
    wm_digest digest;
    uint8_t  *bytes; /* [ranges.total] */
    wm_ranges ranges;
};

/* ---- down ---- */

wm_status wm_download_new(const wm_digest *digest, uint64_t size, uint64_t limit, wm_download **ret, wm_error *err)
{
    wm_download *d;

    if (size == 0 || size > limit || size > SIZE_MAX)
        return wm_fail(err, WM_E_RANGE, "a blob of %llu bytes, where 1 to %llu are expected",
                       (unsigned long long)size, (unsigned long long)limit);
    if ((d = calloc(1, sizeof *d)) == NULL || (d->bytes = malloc((size_t)size)) == NULL) {
        free(d);
        return wm_fail(err, WM_E_NOMEM, "no memory for a blob of %llu bytes", (unsigned long long)size);
    }
    d->digest = *digest;
    wm_ranges_init(&d->ranges, size);
    *ret = d;
    return WM_OK;
}

void wm_download_free(wm_download *d)
{
    if (d == NULL)
        return;
    free(d->bytes);
    free(d);
}

static wm_status take_range(wm_download *d, const wm_gap *want, const Wm__Envelope *answer, wm_error *err)
{
    const Wm__Range *range = answer->range;

    if (answer->body_case != WM__ENVELOPE__BODY_RANGE)
        return wm_fail(err, WM_E_MALFORMED, "the answer to a fetch is not a range");
    if (range->total != d->ranges.total)
        return wm_fail(err, WM_E_MALFORMED, "a blob of %llu bytes, where %llu were announced",
                       (unsigned long long)range->total, (unsigned long long)d->ranges.total);
    if (range->offset != want->offset || range->bytes.len != want->length)
        return wm_fail(err, WM_E_MALFORMED, "%zu bytes from %llu on, where %llu from %llu on were asked for",
                       range->bytes.len, (unsigned long long)range->offset, (unsigned long long)want->length,
                       (unsigned long long)want->offset);
    memcpy(d->bytes + want->offset, range->bytes.data, range->bytes.len);
    return wm_ranges_add(&d->ranges, want->offset, want->length, NULL, err);
}

static wm_status fetch_one(wm_download *d, const wm_gap *want, wm_exchange *exchange, const wm_clock *clock,
                           uint64_t *come_back_ms, wm_error *err)
{
    Wm__Fetch    fetch = WM__FETCH__INIT;
    Wm__Envelope question = wm_envelope(), *answer = NULL;
    int64_t      start = wm_mono_ms(clock);
    wm_status    st;

    fetch.digest = wm_bytes_field(d->digest.bytes, WM_DIGEST_SIZE);
    fetch.offset = want->offset;
    fetch.length = (uint32_t)want->length;
    question.body_case = WM__ENVELOPE__BODY_FETCH;
    question.fetch = &fetch;
    if ((st = exchange->ask(exchange, &question, wm_pace_patience_ms(&exchange->pace, want->length), &answer,
                            come_back_ms, err)) == WM_OK)
        st = take_range(d, want, answer, err);
    wm_envelope_free(answer);
    if (st == WM_OK)
        wm_pace_saw(&exchange->pace, want->length, wm_mono_ms(clock) - start);
    else
        wm_pace_failed(&exchange->pace);
    return st;
}

wm_status wm_download_run(wm_download *d, wm_exchange *exchange, const wm_clock *clock, uint64_t *come_back_ms,
                          wm_error *err)
{
    wm_gap    want;
    wm_digest digest;
    wm_status st;

    assert(d->bytes != NULL);
    *come_back_ms = 0;
    wm_pace_begin(&exchange->pace, d->ranges.lacking);
    while (wm_ranges_next(&d->ranges, exchange->pace.bytes, &want))
        if ((st = fetch_one(d, &want, exchange, clock, come_back_ms, err)) != WM_OK)
            return st;
    digest = wm_sha256_of(d->bytes, (size_t)d->ranges.total);
    if (wm_digest_equal(&digest, &d->digest))
        return WM_OK;
    wm_ranges_init(&d->ranges, d->ranges.total);
    return wm_fail(err, WM_E_UNTRUSTED, "what was fetched is not what its digest says");
}

uint64_t wm_download_lacking(const wm_download *d)
{
    return d->ranges.lacking;
}

uint8_t *wm_download_take(wm_download *d, size_t *n)
{
    uint8_t *bytes = d->bytes;

    assert(wm_ranges_complete(&d->ranges));
    *n = (size_t)d->ranges.total;
    d->bytes = NULL;
    return bytes;
}

/* ---- up ---- */

static void take_word(const Wm__Receipt *receipt, wm_receipt *ret)
{
    ret->state = receipt->state;
    ret->come_back_ms = receipt->come_back_ms;
    ret->server_time_ms = receipt->server_time_ms;
    snprintf(ret->reason, sizeof ret->reason, "%s", receipt->reason);
}

/* The first gap of a Receipt that says SEND, within our n bytes. */
static wm_status first_gap(const Wm__Receipt *receipt, size_t n, wm_gap *ret, wm_error *err)
{
    wm_gap gap;

    if (receipt->n_gaps == 0)
        return wm_fail(err, WM_E_MALFORMED, "the server wants bytes and does not say which");
    gap = (wm_gap){ .offset = receipt->gaps[0]->offset, .length = receipt->gaps[0]->length };
    if (gap.length == 0 || gap.offset > n || gap.length > n - gap.offset)
        return wm_fail(err, WM_E_MALFORMED, "the server wants bytes %llu to %llu of an update of %zu",
                       (unsigned long long)gap.offset, (unsigned long long)(gap.offset + gap.length), n);
    *ret = gap;
    return WM_OK;
}

static wm_status put_one(const wm_digest *digest, const uint8_t *bytes, const wm_gap *gap, int patience_ms,
                         wm_exchange *exchange, Wm__Envelope **answer, wm_error *err)
{
    Wm__Put      put = WM__PUT__INIT;
    Wm__Envelope question = wm_envelope();
    uint64_t     come_back_ms;
    wm_status    st;

    put.digest = wm_bytes_field(digest->bytes, WM_DIGEST_SIZE);
    put.offset = gap->offset;
    put.bytes = wm_bytes_field(bytes + gap->offset, (size_t)gap->length);
    question.body_case = WM__ENVELOPE__BODY_PUT;
    question.put = &put;
    if ((st = exchange->ask(exchange, &question, patience_ms, answer, &come_back_ms, err)) != WM_OK)
        return st;
    if ((*answer)->body_case == WM__ENVELOPE__BODY_RECEIPT)
        return WM_OK;
    wm_envelope_free(*answer);
    *answer = NULL;
    return wm_fail(err, WM_E_MALFORMED, "the answer to a put is not a receipt");
}

wm_status wm_upload_run(const wm_digest *digest, const uint8_t *bytes, size_t n, const Wm__Receipt *first,
                        wm_exchange *exchange, const wm_clock *clock, wm_receipt *ret, wm_error *err)
{
    const Wm__Receipt *receipt = first;
    Wm__Envelope      *last = NULL, *answer;
    wm_pace           *pace = &exchange->pace;
    wm_gap             gap = { 0 }, before = { 0 };
    int                stuck = 0;
    wm_status          st = WM_OK;

    wm_pace_begin(pace, n);
    while (receipt->state == WM__RECEIPT__STATE__SEND) {
        int64_t start = wm_mono_ms(clock);

        if ((st = first_gap(receipt, n, &gap, err)) != WM_OK)
            break;
        stuck = gap.offset == before.offset && gap.length == before.length ? stuck + 1 : 0;
        before = gap;
        if (stuck == STUCK_MAX) {
            st = wm_fail(err, WM_E_MALFORMED, "the server asks again and again for bytes that it was sent");
            break;
        }
        gap.length = gap.length < pace->bytes ? gap.length : pace->bytes;
        if ((st = put_one(digest, bytes, &gap, wm_pace_patience_ms(pace, gap.length), exchange, &answer, err)) !=
            WM_OK)
            break;
        wm_pace_saw(pace, gap.length, wm_mono_ms(clock) - start);
        wm_envelope_free(last);
        last = answer;
        receipt = answer->receipt;
        wm_crash_point("client-upload-range");
    }
    if (st == WM_OK)
        take_word(receipt, ret);
    wm_envelope_free(last);
    return st;
}

/* ---- on the server ---- */

wm_status wm_range_of(const Wm__Fetch *fetch, const uint8_t *blob, size_t n, Wm__Range *range, wm_error *err)
{
    if (fetch->length == 0 || fetch->length > WM_RANGE_BYTES_MAX)
        return wm_fail(err, WM_E_RANGE, "a range has 1 to %d bytes, not %u", WM_RANGE_BYTES_MAX, fetch->length);
    if (fetch->offset > n || fetch->length > n - fetch->offset)
        return wm_fail(err, WM_E_RANGE, "%u bytes from %llu on are not within a blob of %zu", fetch->length,
                       (unsigned long long)fetch->offset, n);
    wm__range__init(range);
    range->offset = fetch->offset;
    range->total = n;
    range->bytes = wm_bytes_field(blob + fetch->offset, fetch->length);
    return WM_OK;
}

size_t wm_receipt_gaps(const wm_ranges *ranges, Wm__Gap gaps[WM_GAPS_MAX], Wm__Gap *list[WM_GAPS_MAX])
{
    for (size_t i = 0; i < ranges->n_gaps; i++) {
        wm__gap__init(&gaps[i]);
        gaps[i].offset = ranges->gaps[i].offset;
        gaps[i].length = ranges->gaps[i].length;
        list[i] = &gaps[i];
    }
    return ranges->n_gaps;
}

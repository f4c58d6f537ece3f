/* server/fleets/remote_transfers.c
 *
 * What is transferred: blobs down to who has a task that names them, updates up from who is expected to hand one in. */
#include "server/fleets/remote_inside.h"

#include "common/crash.h"

#include <stdlib.h>
#include <string.h>

enum {
    HOLD_SUBMIT_MS = 5000, /* for a place: shorter than a gateway waits for its answer */
    CROWDED_MS = 500,      /* all places were taken all that time */
    AGAIN_MS = 100,        /* the place was lost, say: submit again */
    TROUBLE_MS = 5000,     /* our disk or memory is full */
    CLOSING_MS = 3000,
};

/* ---- down ---- */

/* Stands for bytes that are read later: of them only the length counts. */
static const uint8_t later_bytes[1];

static void answer_range(wm_inquiry *x, uint64_t offset, const uint8_t *bytes, size_t n, uint64_t total)
{
    wm__range__init(&x->body.range);
    x->body.range.offset = offset;
    x->body.range.total = total;
    x->body.range.bytes = wm_bytes_field(bytes, n);
    x->answer.body_case = WM__ENVELOPE__BODY_RANGE;
    x->answer.range = &x->body.range;
}

/* Whether the client's present task names that blob. */
static bool may_fetch(wm_remote *remote, const char *client, const wm_digest *digest)
{
    wm_task   task;
    int64_t   come_back_ms;
    wm_answer answer = wm_run_ask(remote->serving.run, client, &task, &come_back_ms);

    if (answer != WM_ANSWER_TASK)
        return false;
    return wm_digest_equal(digest, &remote->serving.job_digest) ||
           (task.phase != WM_PHASE_STATISTICS && wm_digest_equal(digest, &task.model)) ||
           (!wm_digest_is_zero(&task.scaling) && wm_digest_equal(digest, &task.scaling));
}

static void beyond(wm_inquiry *x, uint64_t total)
{
    wm_inquiry_fault(x, WM_E_RANGE, 0, "the blob has %llu bytes, none at %llu", (unsigned long long)total,
                     (unsigned long long)x->question->fetch->offset);
}

static int64_t fetch_job(wm_remote *remote, wm_inquiry *x)
{
    const Wm__Fetch *fetch = x->question->fetch;
    uint64_t         total = remote->serving.job_bytes;
    size_t           n = fetch->length;

    if (fetch->offset >= total) {
        beyond(x, total);
        return 0;
    }
    n = total - fetch->offset < n ? (size_t)(total - fetch->offset) : n;
    if ((x->bytes = malloc(n)) == NULL) {
        wm_inquiry_fault(x, WM_E_NOMEM, TROUBLE_MS, "the server is short of memory");
        return 0;
    }
    memcpy(x->bytes, remote->serving.record->job_text + fetch->offset, n);
    answer_range(x, fetch->offset, x->bytes, n, total);
    return 0;
}

/* The sentence has a path of ours; a gateway need not know it. */
static void note_unreadable(wm_remote *remote, const wm_error *err)
{
    wm_log_line(remote->settings.log, WM_LOG_ERROR, "round", "a blob of the task cannot be read",
                WM_TEXT_FIELD("why", err->text));
}

bool wm_remote_read(wm_remote *remote, const wm_digest *blob, uint64_t offset, uint8_t *bytes, size_t n)
{
    uint64_t  total;
    size_t    got = 0;
    wm_error  err;
    wm_status st =
        wm_blobs_get_range(wm_store_blobs(remote->settings.store), blob, offset, bytes, n, &got, &total, &err);

    if (st == WM_OK && got < n)
        st = wm_fail(&err, WM_E_DAMAGED, "a blob of a model has become shorter");
    if (st != WM_OK)
        note_unreadable(remote, &err);
    return st == WM_OK;
}

int64_t wm_remote_fetch(wm_remote *remote, wm_inquiry *x)
{
    const Wm__Fetch *fetch = x->question->fetch;
    size_t           got = 0, n = fetch->length;
    uint64_t         total;
    uint8_t          first;
    wm_digest        digest;
    wm_status        st;
    wm_error         err;

    if (!wm_inquiry_digest(&fetch->digest, &digest) || n == 0 || n > WM_RANGE_BYTES_MAX) {
        wm_inquiry_fault(x, WM_E_MALFORMED, 0, "a range of 1 to %d bytes of a named blob can be fetched",
                         (int)WM_RANGE_BYTES_MAX);
        return 0;
    }
    if (remote->serving.run == NULL || atomic_load(&remote->closing)) {
        wm_inquiry_fault(x, WM_E_CLOSED, CLOSING_MS, "no run is served at this moment");
        return 0;
    }
    if (!may_fetch(remote, x->peer->name, &digest)) {
        wm_inquiry_fault(x, WM_E_REFUSED, AGAIN_MS,
                         "that blob does not belong to the task of this gateway: ask for work");
        return 0;
    }
    if (wm_digest_equal(&digest, &remote->serving.job_digest))
        return fetch_job(remote, x);
    st = wm_blobs_get_range(wm_store_blobs(remote->settings.store), &digest, fetch->offset, &first, 1, &got, &total,
                            &err);
    if (st != WM_OK) {
        note_unreadable(remote, &err);
        wm_inquiry_fault(x, WM_E_IO, TROUBLE_MS, "the server cannot read this blob at this moment");
    } else if (got == 0) {
        beyond(x, total);
    } else {
        x->streams = true;
        answer_range(x, fetch->offset, later_bytes, total - fetch->offset < n ? (size_t)(total - fetch->offset) : n,
                     total);
    }
    return 0;
}

/* ---- up ---- */

static int64_t receipt(wm_remote *remote, wm_inquiry *x, Wm__Receipt__State state, uint64_t come_back_ms,
                       const char *reason)
{
    wm_inquiry_receipt(x, state, come_back_ms, reason, wm_wall_ms(&remote->settings.clock));
    return 0;
}

static int64_t later(wm_remote *remote, wm_inquiry *x, uint64_t least_ms)
{
    return receipt(remote, x, WM__RECEIPT__STATE__LATER, wm_remote_come_back(remote, x->peer->name, least_ms),
                   NULL);
}

/* An update that does not hold, seen before the run had its bytes. */
static int64_t refuse(wm_remote *remote, wm_inquiry *x, const char *reason)
{
    wm_run_refuse(remote->serving.run, x->peer->name, reason);
    wm_remote_refused(remote, x->peer->name, reason);
    return receipt(remote, x, WM__RECEIPT__STATE__REFUSED, 0, reason);
}

/* "Send what lies in the gaps." */
static int64_t send_gaps(wm_remote *remote, wm_inquiry *x, const wm_digest *digest)
{
    wm_gap gaps[WM_GAPS_MAX];
    size_t n = wm_staging_gaps(remote->staging, x->peer->name, digest, gaps, WM_GAPS_MAX);

    receipt(remote, x, WM__RECEIPT__STATE__SEND, 0, NULL);
    for (size_t i = 0; i < n; i++) {
        wm__gap__init(&x->gaps[i]);
        x->gaps[i].offset = gaps[i].offset;
        x->gaps[i].length = gaps[i].length;
        x->gap_list[i] = &x->gaps[i];
    }
    x->body.receipt.n_gaps = n;
    x->body.receipt.gaps = x->gap_list;
    return 0;
}

/* What is left to say when the update is not wanted; false: it is. */
static bool is_settled(wm_remote *remote, wm_inquiry *x, const wm_update_key *key)
{
    switch (wm_remote_fate(remote, x->peer->name, key)) {
    case WM_FATE_WANTED:
        return false;
    case WM_FATE_ACCEPTED:
        if (wm_remote_is_served(remote, key))
            receipt(remote, x, WM__RECEIPT__STATE__ACCEPTED, 0, NULL);
        else
            later(remote, x, CROWDED_MS);
        return true;
    case WM_FATE_COMMITTED:
        receipt(remote, x, WM__RECEIPT__STATE__COMMITTED, 0, NULL);
        return true;
    case WM_FATE_OVER:
    default:
        if (wm_remote_is_served(remote, key))
            wm_run_late(remote->serving.run, x->peer->name, key);
        receipt(remote, x, WM__RECEIPT__STATE__OVER, 0, NULL);
        return true;
    }
}

/* Our own trouble, not the gateway's: it keeps its update and comes again. */
static int64_t trouble(wm_remote *remote, wm_inquiry *x, const wm_error *err)
{
    wm_log_line(remote->settings.log, WM_LOG_ERROR, "round", "an update cannot be taken in",
                WM_TEXT_FIELD("client", x->peer->name), WM_TEXT_FIELD("why", err->text));
    return later(remote, x, TROUBLE_MS);
}

/* The update is whole: checks it, hands it to the run, and says what became of it. */
static int64_t hand_in(wm_remote *remote, wm_inquiry *x, const wm_digest *digest)
{
    wm_staged_update update;
    wm_verdict       verdict = WM_VERDICT_NONE;
    wm_error         err = { 0 };
    wm_status        st = wm_staging_take(remote->staging, x->peer->name, digest, &update, &err);

    if (st == WM_OK) {
        verdict = wm_run_hand_in(remote->serving.run, x->peer->name, update.bytes, update.n_bytes, digest,
                                 update.loss, &err);
        wm_staging_done(remote->staging, &update);
    }
    if (st == WM_E_UNTRUSTED)
        return refuse(remote, x, err.text);
    if (st == WM_E_MISSING) /* another connection of the same gateway has handed it in just now */
        return later(remote, x, AGAIN_MS);
    if (st != WM_OK)
        return trouble(remote, x, &err);
    switch (verdict) {
    case WM_VERDICT_ACCEPTED:
        return receipt(remote, x, WM__RECEIPT__STATE__ACCEPTED, 0, NULL);
    case WM_VERDICT_REFUSED:
        wm_remote_refused(remote, x->peer->name, err.text);
        return receipt(remote, x, WM__RECEIPT__STATE__REFUSED, 0, err.text);
    case WM_VERDICT_LATE:
    case WM_VERDICT_DECLINED:
        return receipt(remote, x, WM__RECEIPT__STATE__OVER, 0, NULL);
    case WM_VERDICT_NONE:
    default:
        return later(remote, x, TROUBLE_MS);
    }
}

int64_t wm_remote_submit(wm_remote *remote, wm_inquiry *x)
{
    const Wm__Submit *submit = x->question->submit;
    wm_upload         upload = { .client = x->peer->name, .loss = submit->loss };
    wm_gap            gap;
    wm_phase          phase;
    wm_error          err;
    wm_status         st;

    if (!wm_inquiry_key(submit->key, &phase, &upload.key) || !wm_inquiry_digest(&submit->digest, &upload.digest) ||
        (phase != WM_PHASE_STATISTICS && phase != WM_PHASE_TRAIN)) {
        wm_inquiry_fault(x, WM_E_MALFORMED, 0, "the key or the digest of the update is malformed");
        return 0;
    }
    if (atomic_load(&remote->closing))
        return receipt(remote, x, WM__RECEIPT__STATE__LATER, CLOSING_MS, NULL);
    if (is_settled(remote, x, &upload.key))
        return 0;
    upload.size = wm_run_update_size(remote->serving.run, upload.key.kind);
    if (submit->size != upload.size) {
        wm_fail(&err, WM_E_SHAPE, "the update has %llu bytes, one of this task has %zu",
                (unsigned long long)submit->size, upload.size);
        return refuse(remote, x, err.text);
    }
    st = wm_staging_claim(remote->staging, &upload, &err);
    if (st == WM_E_FULL)
        return x->last ? later(remote, x, CROWDED_MS) : HOLD_SUBMIT_MS;
    if (st != WM_OK)
        return trouble(remote, x, &err);
    if (wm_staging_gaps(remote->staging, x->peer->name, &upload.digest, &gap, 1) == 0)
        return hand_in(remote, x, &upload.digest);
    return send_gaps(remote, x, &upload.digest);
}

int64_t wm_remote_put(wm_remote *remote, wm_inquiry *x)
{
    const Wm__Put *put = x->question->put;
    const char    *client = x->peer->name;
    wm_update_key  key;
    wm_digest      digest;
    wm_error       err;
    wm_status      st;
    bool           whole;

    if (!wm_inquiry_digest(&put->digest, &digest) || put->bytes.len == 0 || put->bytes.len > WM_RANGE_BYTES_MAX) {
        wm_inquiry_fault(x, WM_E_MALFORMED, 0, "an update comes in ranges of 1 to %d bytes",
                         (int)WM_RANGE_BYTES_MAX);
        return 0;
    }
    if (!wm_staging_key(remote->staging, client, &digest, &key))
        return later(remote, x, AGAIN_MS);
    if (is_settled(remote, x, &key)) {
        wm_staging_drop(remote->staging, client);
        return 0;
    }
    st = wm_staging_put(remote->staging, client, &digest, put->offset, put->bytes.data, put->bytes.len, &whole,
                        &err);
    if (st == WM_E_RANGE) {
        wm_staging_drop(remote->staging, client);
        return refuse(remote, x, err.text);
    }
    if (st == WM_E_MISSING)
        return later(remote, x, AGAIN_MS);
    if (st == WM_E_IO || st == WM_E_NOMEM)
        return trouble(remote, x, &err);
    if (whole)
        return hand_in(remote, x, &digest);
    wm_crash_point("upload-in-part");
    return send_gaps(remote, x, &digest); /* also after WM_E_FULL: the first gaps are to be filled first */
}

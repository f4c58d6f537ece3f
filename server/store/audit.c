/* server/store/audit.c */
#include "server/store/audit.h"

#include "common/text.h"
#include "server/store/inside.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

static void add_number(wm_sha256 *sha, uint64_t value, size_t n_bytes)
{
    uint8_t bytes[8];

    for (size_t i = 0; i < n_bytes; i++)
        bytes[i] = (uint8_t)(value >> 8 * i);
    wm_sha256_add(sha, bytes, n_bytes);
}

static void add_sized(wm_sha256 *sha, const void *bytes, size_t n)
{
    add_number(sha, n, 4);
    if (n > 0)
        wm_sha256_add(sha, bytes, n);
}

wm_digest wm_audit_link(const wm_digest *before, const wm_audit_line *line)
{
    wm_sha256 sha;
    wm_digest digest;

    wm_sha256_init(&sha);
    wm_sha256_add(&sha, before->bytes, WM_DIGEST_SIZE);
    add_number(&sha, line->line, 8);
    add_number(&sha, (uint64_t)line->wall_ms, 8);
    add_sized(&sha, line->run, line->has_run ? WM_RUN_ID_SIZE : 0);
    add_sized(&sha, line->what, strlen(line->what));
    add_sized(&sha, line->detail, strlen(line->detail));
    wm_sha256_take(&sha, &digest);
    return digest;
}

wm_status wm_audit_head_read(wm_db *db, wm_audit_head *ret, wm_error *err)
{
    wm_query      q;
    wm_audit_head head = { 0 };
    bool          there;

    wm_query_init(&q, db, "SELECT lines, hash FROM audit_head", err);
    there = wm_query_row(&q);
    if (there) {
        head.lines = (uint64_t)wm_column_within(&q, 0, INT64_MAX - 1);
        wm_column_blob(&q, head.hash.bytes, WM_DIGEST_SIZE);
    }
    if (wm_query_done(&q) != WM_OK)
        return q.st;
    if (!there)
        return wm_fail(err, WM_E_DAMAGED, "%s has lost the head of its audit; put it back from a backup", db->path);
    *ret = head;
    return WM_OK;
}

static wm_status write_line(wm_db *db, const wm_audit_line *line, wm_error *err)
{
    wm_query q;

    wm_query_init(&q, db, "INSERT INTO audit (line, wall_ms, what, detail, hash, run) VALUES (?, ?, ?, ?, ?, ?)",
                  err);
    wm_bind_u64(&q, line->line);
    wm_bind_int(&q, line->wall_ms);
    wm_bind_text(&q, line->what);
    wm_bind_text(&q, line->detail);
    wm_bind_blob(&q, line->hash.bytes, WM_DIGEST_SIZE);
    if (line->has_run)
        wm_bind_blob(&q, line->run, WM_RUN_ID_SIZE);
    if (wm_query_done(&q) != WM_OK)
        return q.st;
    wm_query_init(&q, db, "UPDATE audit_head SET lines = ?, hash = ?", err);
    wm_bind_u64(&q, line->line);
    wm_bind_blob(&q, line->hash.bytes, WM_DIGEST_SIZE);
    return wm_query_done(&q);
}

wm_status wm_audit_add_text(wm_store *store, const uint8_t *run, const char *what, const wm_text *detail,
                            wm_error *err)
{
    wm_audit_head head;
    wm_audit_line line;
    wm_status     st;

    if (detail->bad)
        return wm_fail(err, WM_E_NOMEM, "no memory for a line of the audit");
    st = wm_audit_head_read(&store->db, &head, err);
    if (st != WM_OK)
        return st;
    line = (wm_audit_line){ .line = head.lines + 1,
                            .wall_ms = wm_wall_ms(&store->clock),
                            .has_run = run != NULL,
                            .what = what,
                            .detail = wm_text_chars(detail) };
    if (run != NULL)
        memcpy(line.run, run, WM_RUN_ID_SIZE);
    line.hash = wm_audit_link(&head.hash, &line);
    return write_line(&store->db, &line, err);
}

wm_status wm_audit_add(wm_store *store, const uint8_t *run, const char *what, wm_error *err, const char *fmt, ...)
{
    wm_text   detail = WM_TEXT_INIT;
    va_list   args;
    wm_status st;

    va_start(args, fmt);
    wm_text_vprintf(&detail, fmt, args);
    va_end(args);
    st = wm_audit_add_text(store, run, what, &detail, err);
    wm_text_release(&detail);
    return st;
}

/* What was accepted, in order of client; a client that is found to be late after the commit changes nothing
 * here. */
static wm_digest contributions_digest(const wm_round_record *round)
{
    wm_sha256 sha;
    wm_digest digest;

    wm_sha256_init(&sha);
    for (size_t i = 0; i < round->n_contributions; i++) {
        const wm_contribution *c = &round->contributions[i];

        assert(i == 0 || round->contributions[i - 1].client < c->client);
        if (c->verdict != WM_VERDICT_ACCEPTED)
            continue;
        add_number(&sha, c->client, 4);
        wm_sha256_add(&sha, c->digest.bytes, WM_DIGEST_SIZE);
        add_number(&sha, c->weight, 8);
    }
    wm_sha256_take(&sha, &digest);
    return digest;
}

/* What became of everybody who was drawn or heard of: refusals with their reasons. Who is found to be late after the commit
 * changes it, so it stands in the commit's line and again in the evaluation's. */
static void add_answers(const wm_round_record *round, wm_text *text)
{
    wm_sha256 sha;
    wm_digest digest;
    char      digest_text[WM_DIGEST_TEXT];

    wm_sha256_init(&sha);
    for (size_t i = 0; i < round->n_contributions; i++) {
        const wm_contribution *c = &round->contributions[i];

        add_number(&sha, c->client, 4);
        add_number(&sha, c->verdict, 4);
        add_sized(&sha, c->reason, strlen(c->reason));
    }
    wm_sha256_take(&sha, &digest);
    wm_text_printf(text, " answers=%s", wm_digest_text(&digest, digest_text));
}

/* The names, so that the audit says whom a run was drawn from. */
static wm_digest population_digest(const wm_run_record *run)
{
    wm_sha256 sha;
    wm_digest digest;

    wm_sha256_init(&sha);
    for (size_t i = 0; i < run->n_population; i++)
        wm_sha256_add(&sha, run->population[i], strlen(run->population[i]) + 1);
    wm_sha256_take(&sha, &digest);
    return digest;
}

/* A number that reads back as the same bits; NaN has many, and is stored as none of them. */
static void add_real(wm_text *text, const char *name, double value)
{
    if (isnan(value))
        wm_text_printf(text, " %s=-", name);
    else
        wm_text_printf(text, " %s=%.17g", name, value);
}

void wm_audit_start_text(const wm_run_record *run, const wm_digest *model, wm_text *text)
{
    wm_digest job = wm_sha256_of(run->job_text, strlen(run->job_text)), names = population_digest(run);
    char      job_text[WM_DIGEST_TEXT], names_text[WM_DIGEST_TEXT], model_text[WM_DIGEST_TEXT];

    wm_text_printf(text, "job=%s seed=%" PRIu64 " keep=%" PRId64 " text=%s population=%s clients=%zu model=%s",
                   run->job_name, run->seed, run->keep, wm_digest_text(&job, job_text),
                   wm_digest_text(&names, names_text), run->n_population, wm_digest_text(model, model_text));
}

void wm_audit_queue_text(const wm_queued_job *job, wm_text *text)
{
    wm_digest digest = wm_sha256_of(job->job_text, strlen(job->job_text));
    char      digest_text[WM_DIGEST_TEXT];

    wm_text_printf(text, "job=%s seed=%" PRIu64 " text=%s", job->job_name, job->seed,
                   wm_digest_text(&digest, digest_text));
}

void wm_audit_open_text(const wm_standing *standing, wm_text *text)
{
    wm_text_printf(text, "phase=%d round=%" PRIu32 " attempt=%" PRIu32, (int)standing->phase, standing->round,
                   standing->attempt);
}

void wm_audit_substitute_text(uint32_t round, const wm_substitution *drawn, wm_text *text)
{
    wm_text_printf(text, "round=%" PRIu32 " client=%" PRIu32 " place_of=%" PRIu32, round, drawn->client,
                   drawn->place_of);
}

void wm_audit_close_text(const wm_standing *standing, wm_text *text)
{
    char model[WM_DIGEST_TEXT];

    wm_text_printf(text, "outcome=%d round=%" PRIu32 " model=%s why=%s", (int)standing->outcome, standing->round,
                   wm_digest_text(&standing->model, model), standing->why);
}

void wm_audit_scaled_text(const wm_digest *scaling, const wm_round_record *round, wm_text *text)
{
    wm_digest contributions = contributions_digest(round);
    char      scaling_text[WM_DIGEST_TEXT], accepted[WM_DIGEST_TEXT], sums[WM_DIGEST_TEXT];

    wm_text_printf(text, "scaling=%s clients=%zu contributions=%s", wm_digest_text(scaling, scaling_text),
                   round->n_contributions, wm_digest_text(&contributions, accepted));
    if (!wm_digest_is_zero(&round->sums)) /* in a run from before they were kept */
        wm_text_printf(text, " sums=%s", wm_digest_text(&round->sums, sums));
}

void wm_audit_round_text(const wm_round_record *round, wm_text *text)
{
    wm_digest contributions = contributions_digest(round);
    char      before[WM_DIGEST_TEXT], after[WM_DIGEST_TEXT], sums[WM_DIGEST_TEXT], state[WM_DIGEST_TEXT],
        accepted[WM_DIGEST_TEXT];

    wm_text_printf(text,
                   "round=%" PRIu32 " attempts=%" PRIu32 " selected=%" PRIu32 " accepted=%" PRIu32
                   " weight=%" PRIu64 " before=%s model=%s state=%s sums=%s contributions=%s",
                   round->round, round->attempts, round->selected, round->accepted, round->total_weight,
                   wm_digest_text(&round->model_before, before), wm_digest_text(&round->model_after, after),
                   wm_digest_text(&round->server_state, state), wm_digest_text(&round->sums, sums),
                   wm_digest_text(&contributions, accepted));
    add_real(text, "train_loss", round->train_loss);
    add_answers(round, text);
}

void wm_audit_evaluated_text(const wm_round_record *round, wm_text *text)
{
    wm_text_printf(
        text, "round=%" PRIu32 " refused=%" PRIu32 " late=%" PRIu32 " bytes_up=%" PRIu64 " bytes_down=%" PRIu64,
        round->round, round->refused, round->late, round->bytes_up, round->bytes_down);
    add_real(text, "seconds", round->seconds);
    add_real(text, "loss", round->evaluation.present ? round->evaluation.loss : (double)NAN);
    add_answers(round, text);
}

/* ---- reading ---- */

static void column_line(wm_query *q, wm_audit_line *ret)
{
    *ret = (wm_audit_line){ .line = wm_column_u64(q), .wall_ms = wm_column_int(q) };
    ret->has_run = wm_column_int(q) != 0;
    if (ret->has_run)
        wm_column_blob(q, ret->run, WM_RUN_ID_SIZE);
    else
        q->column++;
    ret->what = wm_column_text(q);
    ret->detail = wm_column_text(q);
    wm_column_blob(q, ret->hash.bytes, WM_DIGEST_SIZE);
}

static const char all_lines[] =
    "SELECT line, wall_ms, run IS NOT NULL, run, what, detail, hash FROM audit ORDER BY line";

wm_status wm_audit_walk(wm_db *db, wm_status (*each)(void *context, const wm_audit_line *line, wm_error *err),
                        void *context, wm_error *err)
{
    wm_query      q;
    wm_audit_line line;

    wm_query_init(&q, db, all_lines, err);
    while (wm_query_row(&q)) {
        column_line(&q, &line);
        if (q.st == WM_OK)
            q.st = each(context, &line, err);
    }
    return wm_query_done(&q);
}

wm_status wm_store_audit_head(wm_store *store, wm_audit_head *ret, wm_error *err)
{
    wm_status st;

    wm_store_lock(store);
    st = wm_audit_head_read(&store->db, ret, err);
    wm_store_unlock(store);
    return st;
}

wm_status wm_store_audit_verify(wm_store *store, wm_audit_head *ret, wm_error *err)
{
    wm_status st;

    wm_store_lock(store);
    st = wm_audit_check(&store->db, ret, err);
    wm_store_unlock(store);
    return st;
}

typedef struct telling {
    void (*each)(void *context, const wm_audit_line *line);
    void *context;
} telling;

static wm_status tell(void *context, const wm_audit_line *line, wm_error *err)
{
    telling *to = context;

    (void)err;
    to->each(to->context, line);
    return WM_OK;
}

wm_status wm_store_audit_each(wm_store *store, void (*each)(void *context, const wm_audit_line *line),
                              void *context, wm_error *err)
{
    wm_status st;

    wm_store_lock(store);
    st = wm_audit_walk(&store->db, tell, &(telling){ each, context }, err);
    wm_store_unlock(store);
    return st;
}

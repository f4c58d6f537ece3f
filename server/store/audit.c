/* server/store/audit.c */
#include "server/store/audit.h"

#include "common/text.h"
#include "server/store/inside.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
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

static wm_digest link_of(const wm_digest *before, const wm_audit_line *line)
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

static wm_status read_head(wm_db *db, wm_audit_head *ret, wm_error *err)
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

wm_status wm_audit_add(wm_store *store, const uint8_t *run, const char *what, wm_error *err, const char *fmt, ...)
{
    wm_text       detail = WM_TEXT_INIT;
    wm_audit_head head;
    wm_audit_line line;
    va_list       args;
    wm_status     st = read_head(&store->db, &head, err);

    if (st != WM_OK)
        return st;
    va_start(args, fmt);
    wm_text_vprintf(&detail, fmt, args);
    va_end(args);
    line = (wm_audit_line){ .line = head.lines + 1,
                            .wall_ms = wm_wall_ms(&store->clock),
                            .has_run = run != NULL,
                            .what = what,
                            .detail = wm_text_chars(&detail) };
    if (run != NULL)
        memcpy(line.run, run, WM_RUN_ID_SIZE);
    line.hash = link_of(&head.hash, &line);
    st = detail.bad ? wm_fail(err, WM_E_NOMEM, "no memory for a line of the audit")
                    : write_line(&store->db, &line, err);
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

void wm_audit_round_text(const wm_round_record *round, wm_text *text)
{
    wm_digest contributions = contributions_digest(round);
    char      before[WM_DIGEST_TEXT], after[WM_DIGEST_TEXT], sums[WM_DIGEST_TEXT], accepted[WM_DIGEST_TEXT];

    wm_text_printf(text,
                   "round=%" PRIu32 " accepted=%" PRIu32 " weight=%" PRIu64
                   " before=%s model=%s sums=%s contributions=%s",
                   round->round, round->accepted, round->total_weight, wm_digest_text(&round->model_before, before),
                   wm_digest_text(&round->model_after, after), wm_digest_text(&round->sums, sums),
                   wm_digest_text(&contributions, accepted));
}

/* ---- checking ---- */

typedef struct round_check {
    const char *want; /* the line's text */
    bool        seen, same;
} round_check;

static void check_round(void *context, const wm_round_record *round)
{
    round_check *check = context;
    wm_text      text = WM_TEXT_INIT;

    wm_audit_round_text(round, &text);
    check->seen = true;
    check->same = !text.bad && strcmp(wm_text_chars(&text), check->want) == 0;
    wm_text_release(&text);
}

/* Is the round that a line tells of still what the line says? */
static wm_status compare_round(wm_db *db, const wm_audit_line *line, wm_error *err)
{
    round_check check = { .want = line->detail };
    uint32_t    round;
    wm_status   st;

    if (sscanf(line->detail, "round=%" SCNu32, &round) != 1)
        return wm_fail(err, WM_E_DAMAGED, "%s: audit line %" PRIu64 " names no round", db->path, line->line);
    st = wm_rounds_read(db, line->run, round, round, check_round, &check, err);
    if (st == WM_OK && !check.same)
        st = wm_fail(err, WM_E_DAMAGED, "%s: round %" PRIu32 " is %s audit line %" PRIu64 " says", db->path, round,
                     check.seen ? "not what" : "missing, of which", line->line);
    return st;
}

static wm_status check_line(wm_db *db, const wm_audit_head *before, const wm_audit_line *line, wm_error *err)
{
    wm_digest want = link_of(&before->hash, line);

    if (line->line != before->lines + 1)
        return wm_fail(err, WM_E_DAMAGED, "%s: audit line %" PRIu64 " is missing", db->path, before->lines + 1);
    if (!wm_digest_equal(&want, &line->hash))
        return wm_fail(err, WM_E_DAMAGED,
                       "%s: audit line %" PRIu64 " (%.20s) is not what was written: it was changed or moved",
                       db->path, line->line, line->what);
    return line->has_run && strcmp(line->what, "commit") == 0 ? compare_round(db, line, err) : WM_OK;
}

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

wm_status wm_audit_check(wm_db *db, wm_audit_head *ret, wm_error *err)
{
    wm_query      q;
    wm_audit_head walked = { 0 }, head;
    uint64_t      commits = 0;
    int64_t       rounds;
    wm_audit_line line;
    wm_status     st = read_head(db, &head, err);

    if (st != WM_OK)
        return st;
    wm_query_init(&q, db, all_lines, err);
    while (wm_query_row(&q)) {
        column_line(&q, &line);
        if (q.st != WM_OK)
            break;
        q.st = check_line(db, &walked, &line, err);
        walked = (wm_audit_head){ .lines = line.line, .hash = line.hash };
        commits += strcmp(line.what, "commit") == 0;
    }
    st = wm_query_done(&q);
    if (st == WM_OK && (walked.lines != head.lines || !wm_digest_equal(&walked.hash, &head.hash)))
        st = wm_fail(err, WM_E_DAMAGED, "%s: audit line %" PRIu64 " is missing: the last ones were cut off",
                     db->path, walked.lines + 1);
    if (st == WM_OK)
        st = wm_db_number(db, "SELECT count(*) FROM rounds", &rounds, err);
    if (st == WM_OK && (uint64_t)rounds != commits)
        st = wm_fail(err, WM_E_DAMAGED, "%s has %" PRId64 " rounds, but its audit tells of %" PRIu64, db->path,
                     rounds, commits);
    if (st == WM_OK && ret != NULL)
        *ret = head;
    return st;
}

wm_status wm_store_audit_head(wm_store *store, wm_audit_head *ret, wm_error *err)
{
    wm_status st;

    wm_store_lock(store);
    st = read_head(&store->db, ret, err);
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

wm_status wm_store_audit_each(wm_store *store, void (*each)(void *context, const wm_audit_line *line),
                              void *context, wm_error *err)
{
    wm_query      q;
    wm_audit_line line;
    wm_status     st;

    wm_store_lock(store);
    wm_query_init(&q, &store->db, all_lines, err);
    while (wm_query_row(&q)) {
        column_line(&q, &line);
        if (q.st == WM_OK)
            each(context, &line);
    }
    st = wm_query_done(&q);
    wm_store_unlock(store);
    return st;
}

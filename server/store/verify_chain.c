/* server/store/verify_chain.c
 *
 * The audit's own order. Each line is judged by the hash that the line before it has, right or wrong, so that one bad
 * line is one finding (or two: a changed hash is missed by its own line and by the next) and not all that follow. */
#include "server/store/verify_inside.h"

#include "common/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

typedef struct chain_walk {
    wm_verifier  *verifier;
    wm_audit_head walked;  /* the last line as it stands there */
    uint64_t      all;     /* lines, as the head says */
    uint64_t      commits; /* lines that tell of a round */
} chain_walk;

typedef struct round_check {
    const char *want; /* the line's text */
    bool        seen, same;
    bool        unknown; /* for want of memory */
} round_check;

/* Of an evaluated round the answers, last in the line, may have changed since: the evaluation's line has them. */
static void pass_over_answers(const wm_round_record *round, const char *want, wm_text *text)
{
    size_t n = WM_DIGEST_TEXT - 1;

    if (round->evaluated && !text->bad && text->size >= n && strlen(want) == text->size)
        memcpy(text->chars + text->size - n, want + text->size - n, n);
}

static void check_round(void *context, const wm_round_record *round)
{
    round_check *check = context;
    wm_text      text = WM_TEXT_INIT;

    wm_audit_round_text(round, &text);
    pass_over_answers(round, check->want, &text);
    check->seen = true;
    check->unknown = text.bad;
    check->same = strcmp(wm_text_chars(&text), check->want) == 0;
    wm_text_release(&text);
}

static wm_finding at_line(const wm_audit_line *line, uint32_t round)
{
    wm_finding where = {
        .violation = true, .area = "audit", .line = line->line, .has_run = line->has_run, .round = round
    };

    memcpy(where.run, line->run, WM_RUN_ID_SIZE);
    return where;
}

/* Is the round that a line tells of still what the line says? */
static wm_status compare_round(chain_walk *walk, const wm_audit_line *line, wm_error *err)
{
    wm_verifier *v = walk->verifier;
    round_check  check = { .want = line->detail };
    wm_finding   where = at_line(line, 0);
    char         run[WM_RUN_TEXT];
    wm_status    st;

    if (!line->has_run || sscanf(line->detail, "round=%" SCNu32, &where.round) != 1) {
        wm_verify_say(v, &where, "%s: audit line %" PRIu64 " names no round", v->db.path, line->line);
        return WM_OK;
    }
    st = wm_rounds_read(&v->db, line->run, where.round, where.round, check_round, &check, err);
    if (st == WM_OK && check.unknown)
        return wm_fail(err, WM_E_NOMEM, "no memory to check a line of the audit");
    if (st == WM_OK && !check.same)
        wm_verify_say(v, &where, "%s: run %s, round %" PRIu32 " is %s audit line %" PRIu64 " says", v->db.path,
                      wm_run_id_text(line->run, run), where.round, check.seen ? "not what" : "missing, of which",
                      line->line);
    return st;
}

static void missing(chain_walk *walk, uint64_t first, uint64_t behind, const char *how)
{
    wm_finding where = { .violation = true, .area = "audit", .line = first };

    if (behind - first > 1)
        wm_verify_say(walk->verifier, &where, "%s: audit lines %" PRIu64 " to %" PRIu64 " are missing%s",
                      walk->verifier->db.path, first, behind - 1, how);
    else
        wm_verify_say(walk->verifier, &where, "%s: audit line %" PRIu64 " is missing%s", walk->verifier->db.path,
                      first, how);
}

static wm_status check_line(void *context, const wm_audit_line *line, wm_error *err)
{
    chain_walk *walk = context;
    wm_digest   want = wm_audit_link(&walk->walked.hash, line);
    uint64_t    next = walk->walked.lines + 1;
    wm_finding  where = at_line(line, 0);
    bool        tells_of_round = strcmp(line->what, "commit") == 0;

    if (line->line > next)
        missing(walk, next, line->line, "");
    else if (line->line < next)
        wm_verify_say(walk->verifier, &where, "%s: audit line %" PRIu64 " (%.20s) stands before the first one",
                      walk->verifier->db.path, line->line, line->what);
    else if (!wm_digest_equal(&want, &line->hash))
        wm_verify_say(walk->verifier, &where,
                      "%s: audit line %" PRIu64 " (%.20s) is not what was written: it was changed or moved",
                      walk->verifier->db.path, line->line, line->what);
    walk->walked = (wm_audit_head){ .lines = line->line, .hash = line->hash };
    walk->commits += tells_of_round;
    if (line->line % 1024 == 0)
        wm_verify_progress(walk->verifier, "audit lines", line->line, walk->all);
    return tells_of_round ? compare_round(walk, line, err) : WM_OK;
}

/* The head says how far the lines went, so that one cut off the end is missed as well. */
static void check_head(chain_walk *walk, const wm_audit_head *head)
{
    wm_finding where = { .violation = true, .area = "audit", .line = head->lines };

    if (walk->walked.lines < head->lines)
        missing(walk, walk->walked.lines + 1, head->lines + 1, ": the last ones were cut off");
    else if (walk->walked.lines > head->lines)
        wm_verify_say(walk->verifier, &where,
                      "%s: there are %" PRIu64 " audit lines, and the head tells of %" PRIu64
                      ": lines were put in, or the head was changed",
                      walk->verifier->db.path, walk->walked.lines, head->lines);
    else if (!wm_digest_equal(&walk->walked.hash, &head->hash))
        wm_verify_say(walk->verifier, &where, "%s: the audit's head is not the hash of its last line, %" PRIu64,
                      walk->verifier->db.path, head->lines);
}

wm_status wm_verify_chain(wm_verifier *v, wm_error *err)
{
    wm_finding    where = { .violation = true, .area = "audit" };
    wm_audit_head head;
    chain_walk    walk = { .verifier = v };
    int64_t       rounds = 0;
    wm_status     st = wm_audit_head_read(&v->db, &head, err);

    if (st != WM_OK)
        return st;
    walk.all = head.lines;
    st = wm_audit_walk(&v->db, check_line, &walk, err);
    if (st != WM_OK)
        return st;
    check_head(&walk, &head);
    st = wm_db_number(&v->db, "SELECT count(*) FROM rounds", &rounds, err);
    if (st == WM_OK && (uint64_t)rounds != walk.commits)
        wm_verify_say(v, &where, "%s has %" PRId64 " rounds, but its audit tells of %" PRIu64, v->db.path, rounds,
                      walk.commits);
    v->result.head = head;
    return st;
}

/* ---- the first one as an error ---- */

static void first_finding(void *context, const wm_finding *finding)
{
    wm_error *first = context;

    if (first->status == WM_OK && finding->violation)
        wm_fail(first, WM_E_DAMAGED, "%s", finding->text);
}

wm_status wm_audit_check(wm_db *db, wm_audit_head *ret, wm_error *err)
{
    wm_error                 first = { WM_OK, "" };
    const wm_verify_settings set = { .finding = first_finding, .context = &first };
    wm_verifier              verifier = { .set = &set, .db = *db };
    wm_status                st = wm_verify_chain(&verifier, err);

    if (st == WM_OK && first.status != WM_OK)
        st = wm_fail(err, first.status, "%s", first.text);
    if (st == WM_OK && ret != NULL)
        *ret = verifier.result.head;
    return st;
}

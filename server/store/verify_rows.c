/* server/store/verify_rows.c
 *
 * The audit against the tables, for what needs no model: rows that no line tells of, lines of which there is no row,
 * updates in two rounds or in none. Each check is a statement that finds what must not be there. The database is the
 * verifier's own copy, so it may have an index for it. */
#include "server/store/verify_inside.h"

#include <inttypes.h>
#include <string.h>

/* As wm_store_certificate and wm_store_revoke write them. */
#define CERTIFICATE_TEXT "printf('name=%s serial=%s not_after_ms=%d', name, serial, not_after_ms)"
/* As wm_audit_substitute_text does. */
#define SUBSTITUTE_TEXT "printf('round=%d client=%d place_of=%d', s.round, s.client, s.place_of)"
#define BEGINS_REVOKE   "substr(a.detail, 1, length(g.name) + 10) = 'name=' || g.name || ' why='"
#define RUN_TEXT(id)    "'run ' || lower(hex(" id "))"

/* Each answers, for every violation: line (0: none), run (NULL: none), round, client (NULL: none), and the subject of
 * the sentence. */
static const struct {
    const char *area, *sql, *says;
} checks[] = {
    { "audit",
      "SELECT 0, id, 0, NULL, " RUN_TEXT(
          "id") " FROM runs "
                "WHERE (SELECT count(*) FROM audit WHERE what = 'start' AND run = id) <> 1",
      "is there, and the audit does not tell of its start exactly once" },
    { "audit",
      "SELECT line, run, 0, NULL, 'audit line ' || line FROM audit "
      "WHERE what IN ('start', 'open', 'substitute', 'scaled', 'commit', 'evaluated', 'close') "
      "AND (run IS NULL OR NOT EXISTS (SELECT 1 FROM runs WHERE id = run))",
      "tells of a run that is not there" },
    { "audit",
      "SELECT 0, id, 0, NULL, " RUN_TEXT("id") " FROM runs WHERE (SELECT count(*) FROM audit "
                                               "WHERE what = 'close' AND run = id) <> (ended_ms IS NOT NULL)",
      "is over in its row or in the audit, but not in both" },
    { "audit",
      "SELECT 0, s.run, s.round, p.name, " RUN_TEXT(
          "s.run") " || ', round ' || s.round || ': the place of ' || coalesce(p.name, 'client ' || s.client) "
                   "FROM substitutes s LEFT JOIN population p USING (run, client) WHERE NOT EXISTS (SELECT 1 FROM audit a "
                   "WHERE a.what = 'substitute' AND a.run = s.run AND a.detail = " SUBSTITUTE_TEXT ")",
      "is not what the audit says, which has no line of it" },
    { "audit",
      "SELECT a.line, a.run, 0, NULL, 'audit line ' || a.line FROM audit a WHERE a.what = 'substitute' "
      "AND NOT EXISTS (SELECT 1 FROM substitutes s WHERE s.run = a.run AND a.detail = " SUBSTITUTE_TEXT ")",
      "tells of a client that was drawn in another's place, and that is not there" },
    { "audit",
      "SELECT 0, q.run, 0, NULL, 'the waiting job of ' || " RUN_TEXT(
          "q.run") " FROM queue q "
                   "WHERE (SELECT count(*) FROM audit WHERE what = 'queue' AND run = q.run) <> 1 "
                   "OR EXISTS (SELECT 1 FROM audit WHERE what IN ('start', 'unqueue') AND run = q.run)",
      "does not wait by the audit" },
    { "audit",
      "SELECT a.line, a.run, 0, NULL, 'audit line ' || a.line FROM audit a WHERE a.what = 'queue' "
      "AND NOT EXISTS (SELECT 1 FROM audit b WHERE b.what IN ('start', 'unqueue') AND b.run = a.run) "
      "AND NOT EXISTS (SELECT 1 FROM queue q WHERE q.run = a.run)",
      "tells of a job that neither waits nor was started or taken off" },
    { "audit",
      "SELECT 0, NULL, 0, name, 'certificate ' || serial || ' of ' || name FROM certificates "
      "WHERE NOT EXISTS (SELECT 1 FROM audit WHERE what = 'certificate' AND detail = " CERTIFICATE_TEXT ")",
      "is not what the audit says, which has no line of it" },
    { "audit",
      "SELECT line, NULL, 0, NULL, 'audit line ' || line FROM audit WHERE what = 'certificate' "
      "AND detail NOT IN (SELECT " CERTIFICATE_TEXT " FROM certificates)",
      "tells of a certificate that is not there" },
    { "audit",
      "SELECT 0, NULL, 0, g.name, 'gateway ' || g.name FROM gateways g WHERE g.revoked_ms <> 0 "
      "AND NOT EXISTS (SELECT 1 FROM audit a WHERE a.what = 'revoke' AND " BEGINS_REVOKE ")",
      "is revoked, and no audit line tells of it" },
    { "audit",
      "SELECT a.line, NULL, 0, NULL, 'audit line ' || a.line FROM audit a WHERE a.what = 'revoke' "
      "AND NOT EXISTS (SELECT 1 FROM gateways g WHERE g.revoked_ms <> 0 AND " BEGINS_REVOKE ")",
      "tells of a revocation, and that gateway is not revoked" },
    { "audit",
      "SELECT 0, NULL, 0, c.name, 'certificate ' || c.serial || ' of ' || c.name FROM certificates c "
      "JOIN gateways g USING (name) WHERE (g.revoked_ms <> 0) <> (c.revoked_ms <> 0)",
      "and its gateway do not say the same of being revoked" },
    { "update",
      "SELECT 0, c.run, c.round, p.name, " RUN_TEXT(
          "c.run") " || ', round ' || c.round || ': the part of ' "
                   "|| coalesce(p.name, 'client ' || c.client) FROM contributions c LEFT JOIN population p USING (run, client) "
                   "WHERE c.round > 0 AND NOT EXISTS (SELECT 1 FROM rounds r WHERE r.run = c.run AND r.round = c.round)",
      "belongs to a round that was never committed" },
    { "update",
      "SELECT 0, max(run), max(round), NULL, 'update ' || lower(hex(digest)) || ' of ' || " RUN_TEXT(
          "max(run)") " FROM contributions WHERE verdict = 1 AND round > 0 GROUP BY digest "
                      "HAVING count(DISTINCT hex(run) || round) > 1",
      "is in more than one committed round" },
    { "round",
      "SELECT 0, run, round, NULL, " RUN_TEXT(
          "run") " || ', round ' || round FROM results e WHERE round > 0 "
                 "AND NOT EXISTS (SELECT 1 FROM rounds r WHERE r.run = e.run AND r.round = e.round AND r.evaluated = 1)",
      "has figures of an evaluation that did not take place" },
};

static wm_status run_check(wm_verifier *v, const char *area, const char *sql, const char *says, wm_error *err)
{
    wm_query q;

    wm_query_init(&q, &v->db, sql, err);
    while (wm_query_row(&q)) {
        wm_finding where = { .violation = true, .area = area, .line = wm_column_u64(&q) };

        where.has_run = q.st == WM_OK && sqlite3_column_type(q.stmt, q.column) != SQLITE_NULL;
        if (where.has_run)
            wm_column_blob(&q, where.run, sizeof where.run);
        else
            q.column++;
        where.round = wm_column_u32(&q);
        where.client = wm_column_text(&q);
        if (*where.client == '\0')
            where.client = NULL;
        if (q.st == WM_OK)
            wm_verify_say(v, &where, "%s: %s %s", v->db.path, wm_column_text(&q), says);
    }
    return wm_query_done(&q);
}

typedef struct queue_check {
    wm_verifier *verifier;
    wm_status    failed;
    wm_error    *err;
} queue_check;

/* The text of a waiting job is what will run: the line has its digest. */
static void check_job(void *context, const wm_queued_job *job)
{
    queue_check *check = context;
    wm_verifier *v = check->verifier;
    wm_finding   where = { .violation = true, .area = "audit", .has_run = true };
    wm_text      text = WM_TEXT_INIT;
    wm_query     q;
    char         id[WM_RUN_TEXT];

    memcpy(where.run, job->id, sizeof where.run);
    wm_audit_queue_text(job, &text);
    if (text.bad) {
        check->failed = wm_fail(check->err, WM_E_NOMEM, "no memory to check a line of the audit");
        wm_text_release(&text);
        return;
    }
    wm_query_init(&q, &v->db, "SELECT line FROM audit WHERE what = 'queue' AND run = ? AND detail <> ?",
                  check->err);
    wm_bind_blob(&q, job->id, sizeof job->id);
    wm_bind_text(&q, wm_text_chars(&text));
    if (wm_query_row(&q)) {
        where.line = wm_column_u64(&q);
        wm_verify_say(v, &where, "%s: the waiting job of run %s is not what audit line %" PRIu64 " says",
                      v->db.path, wm_run_id_text(job->id, id), where.line);
    }
    if (wm_query_done(&q) != WM_OK)
        check->failed = q.st;
    wm_text_release(&text);
}

wm_status wm_verify_rows(wm_verifier *v, wm_error *err)
{
    queue_check queue = { .verifier = v, .err = err };
    wm_status   st = wm_db_run(&v->db,
                               "CREATE INDEX verify_by_run ON audit (what, run, detail);"
                                 "CREATE INDEX verify_by_detail ON audit (what, detail)",
                               err);

    for (size_t i = 0; st == WM_OK && i < sizeof checks / sizeof *checks; i++) {
        wm_verify_progress(v, "rows", i, sizeof checks / sizeof *checks);
        st = run_check(v, checks[i].area, checks[i].sql, checks[i].says, err);
    }
    if (st == WM_OK)
        st = wm_queue_read(&v->db, check_job, &queue, err);
    return st == WM_OK ? queue.failed : st;
}

/* server/store/gateways.c */
#include "server/store/gateways.h"

#include "server/store/inside.h"

#include <inttypes.h>

/* When the name was revoked; 0 if it was not, -1 if there is no such gateway. */
static wm_status revoked_ms_of(wm_store *store, const char *name, int64_t *ret, wm_error *err)
{
    wm_query q;
    int64_t  revoked_ms = -1;

    wm_query_init(&q, &store->db, "SELECT revoked_ms FROM gateways WHERE name = ?", err);
    wm_bind_text(&q, name);
    if (wm_query_row(&q))
        revoked_ms = wm_column_int(&q);
    if (wm_query_done(&q) == WM_OK)
        *ret = revoked_ms;
    return q.st;
}

static wm_status insert_certificate(wm_store *store, const char *name, const char *serial, int64_t not_after_ms,
                                    int64_t now_ms, wm_error *err)
{
    wm_query q;

    wm_query_init(&q, &store->db,
                  "INSERT INTO certificates (serial, name, not_after_ms, issued_ms) VALUES (?, ?, ?, ?)", err);
    wm_bind_text(&q, serial);
    wm_bind_text(&q, name);
    wm_bind_int(&q, not_after_ms);
    wm_bind_int(&q, now_ms);
    if (wm_query_done(&q) == WM_E_EXISTS)
        return wm_fail(err, WM_E_EXISTS, "certificate %s was issued already", serial);
    if (q.st != WM_OK)
        return q.st;
    wm_query_init(&q, &store->db,
                  "INSERT INTO gateways (name, serial, not_after_ms, enrolled_ms) VALUES (?, ?, ?, ?) "
                  "ON CONFLICT DO UPDATE SET serial = excluded.serial, not_after_ms = excluded.not_after_ms, "
                  "enrolled_ms = iif(enrolled_ms = 0, excluded.enrolled_ms, enrolled_ms)",
                  err);
    wm_bind_text(&q, name);
    wm_bind_text(&q, serial);
    wm_bind_int(&q, not_after_ms);
    wm_bind_int(&q, now_ms);
    return wm_query_done(&q);
}

wm_status wm_store_certificate(wm_store *store, const char *name, const char *serial, int64_t not_after_ms,
                               wm_error *err)
{
    int64_t   revoked_ms = 0;
    char      when[WM_TIME_TEXT];
    wm_status st = wm_store_begin(store, err);

    if (st != WM_OK)
        return st;
    st = revoked_ms_of(store, name, &revoked_ms, err);
    if (st == WM_OK && revoked_ms > 0)
        st = wm_fail(err, WM_E_REFUSED, "%s was revoked on %s; give the gateway another name", name,
                     wm_time_text(revoked_ms, when));
    if (st == WM_OK)
        st = insert_certificate(store, name, serial, not_after_ms, wm_wall_ms(&store->clock), err);
    if (st == WM_OK)
        st = wm_audit_add(store, NULL, "certificate", err, "name=%s serial=%s not_after_ms=%" PRId64, name, serial,
                          not_after_ms);
    return wm_store_end(store, "certificate", st, err);
}

static wm_status mark_revoked(wm_store *store, const char *name, const char *why, int64_t now_ms, wm_error *err)
{
    wm_query q;

    wm_query_init(&q, &store->db,
                  "UPDATE certificates SET revoked_ms = ?, why = ? WHERE name = ? AND revoked_ms = 0", err);
    wm_bind_int(&q, now_ms);
    wm_bind_text(&q, why);
    wm_bind_text(&q, name);
    if (wm_query_done(&q) != WM_OK)
        return q.st;
    wm_query_init(&q, &store->db, "UPDATE gateways SET revoked_ms = ? WHERE name = ?", err);
    wm_bind_int(&q, now_ms);
    wm_bind_text(&q, name);
    return wm_query_done(&q);
}

wm_status wm_store_revoke(wm_store *store, const char *name, const char *why, wm_error *err)
{
    int64_t   revoked_ms = -1, now_ms = wm_wall_ms(&store->clock);
    wm_status st = wm_store_begin(store, err);

    if (st != WM_OK)
        return st;
    if (now_ms < 1)
        now_ms = 1; /* 0 says "not revoked" */
    st = revoked_ms_of(store, name, &revoked_ms, err);
    if (st == WM_OK && revoked_ms < 0)
        st = wm_fail(err, WM_E_MISSING, "there is no gateway %s; `clients` lists them", name);
    if (st == WM_OK && revoked_ms == 0) {
        st = mark_revoked(store, name, why, now_ms, err);
        if (st == WM_OK)
            st = wm_audit_add(store, NULL, "revoke", err, "name=%s why=%s", name, why);
    }
    return wm_store_end(store, "revoke", st, err);
}

wm_status wm_store_sightings(wm_store *store, const wm_sighting *sightings, size_t n, wm_error *err)
{
    wm_query  q;
    wm_status st;

    if (n == 0)
        return WM_OK;
    st = wm_store_begin(store, err);
    if (st != WM_OK)
        return st;
    /* Times only go forward: batches may come in any order. */
    wm_query_init(&q, &store->db,
                  "INSERT INTO gateways (name, last_seen_ms, refusal, refused_ms, rows, serial, "
                  "not_after_ms, enrolled_ms) "
                  "VALUES (?, ?, ?, ?, ?, '', 0, 0) ON CONFLICT DO UPDATE SET "
                  "last_seen_ms = max(last_seen_ms, excluded.last_seen_ms), "
                  "refusal = iif(excluded.refused_ms > refused_ms, excluded.refusal, refusal), "
                  "refused_ms = max(refused_ms, excluded.refused_ms), "
                  "rows = iif(excluded.rows > 0, excluded.rows, rows)",
                  err);
    for (size_t i = 0; i < n; i++) {
        const wm_sighting *s = &sightings[i];

        wm_bind_text(&q, s->name);
        wm_bind_int(&q, s->last_seen_ms);
        wm_bind_text(&q, s->refusal != NULL ? s->refusal : "");
        wm_bind_int(&q, s->refusal != NULL ? s->refused_ms : 0);
        wm_bind_u64(&q, s->rows);
        if (i + 1 < n)
            wm_query_again(&q);
    }
    st = wm_query_done(&q);
    return wm_store_end(store, "sightings", st, err);
}

wm_status wm_store_gateways(wm_store *store, void (*each)(void *context, const wm_gateway *gateway), void *context,
                            wm_error *err)
{
    wm_query   q;
    wm_gateway g;

    wm_store_lock(store);
    wm_query_init(
        &q, &store->db,
        "SELECT name, serial, not_after_ms, enrolled_ms, last_seen_ms, refused_ms, refusal, rows, revoked_ms "
        "FROM gateways ORDER BY name",
        err);
    while (wm_query_row(&q)) {
        g = (wm_gateway){ .name = wm_column_text(&q) };
        g.serial = wm_column_text(&q);
        g.not_after_ms = wm_column_int(&q);
        g.enrolled_ms = wm_column_int(&q);
        g.last_seen_ms = wm_column_int(&q);
        g.refused_ms = wm_column_int(&q);
        g.refusal = wm_column_text(&q);
        g.rows = wm_column_u64(&q);
        g.revoked_ms = wm_column_int(&q);
        if (q.st == WM_OK)
            each(context, &g);
    }
    wm_query_done(&q);
    wm_store_unlock(store);
    return q.st;
}

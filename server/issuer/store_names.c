/* server/issuer/store_names.c: the names that are barred, and those of the server */
#include "server/issuer/statements.h"

#include "common/crypto/authority.h"

wm_status wm_issuer_store_revoke(wm_issuer_store *store, const char *name, int64_t wall_ms, wm_error *err)
{
    wm_status    st = wm_issuer_store_begin(store, err);
    wm_statement q;

    if (st != WM_OK)
        return st;
    q = wm_statement_of(
        store, "revoke certificates",
        "UPDATE certificates SET revoked_ms = ? WHERE name = ? AND purpose = 1 AND revoked_ms IS NULL");
    _Static_assert(WM_PURPOSE_GATEWAY == 1, "as the statement has it");
    wm_statement_int(&q, wall_ms);
    wm_statement_text(&q, name);
    st = wm_statement_do(&q, err);
    if (st == WM_OK)
        st = wm_issuer_store_on_name(store, "drop tokens",
                                     "DELETE FROM tokens WHERE name = ? AND spent_key IS NULL", name, err);
    if (st == WM_OK) {
        q = wm_statement_of(store, "bar a name", "INSERT OR IGNORE INTO revoked (name, revoked_ms) VALUES (?, ?)");
        wm_statement_text(&q, name);
        wm_statement_int(&q, wall_ms);
        st = wm_statement_do(&q, err);
    }
    return wm_issuer_store_finish(store, st, "issuer-revoke-before-commit", "issuer-revoke-after-commit", err);
}

wm_status wm_issuer_store_is_revoked(wm_issuer_store *store, const char *name, bool *ret, wm_error *err)
{
    wm_statement q = wm_statement_of(store, "look up a name", "SELECT 1 FROM revoked WHERE name = ?");
    bool         found;
    wm_status    st;

    wm_statement_text(&q, name);
    found = wm_statement_row(&q);
    st = wm_statement_end(&q, err);
    if (st == WM_OK)
        *ret = found;
    return st;
}

wm_status wm_issuer_store_allow_names(wm_issuer_store *store, const char *const *names, size_t n, wm_error *err)
{
    int64_t   count = 0;
    wm_status st = wm_issuer_store_begin(store, err);

    if (st != WM_OK)
        return st;
    for (size_t i = 0; st == WM_OK && i < n; i++)
        st = wm_issuer_store_on_name(store, "add a name", "INSERT OR IGNORE INTO server_names (name) VALUES (?)",
                                     names[i], err);
    if (st == WM_OK)
        st = wm_issuer_store_number(store, "SELECT count(*) FROM server_names", &count, err);
    if (st == WM_OK && count > WM_SERVER_NAMES_MAX)
        st = wm_fail(err, WM_E_RANGE, "the server would have %lld names, at most %d go into its certificate",
                     (long long)count, WM_SERVER_NAMES_MAX);
    return wm_issuer_store_finish(store, st, "issuer-names-before-commit", "issuer-names-after-commit", err);
}

wm_status wm_issuer_store_names(wm_issuer_store *store, char (*names)[WM_HOST_TEXT], size_t *n, wm_error *err)
{
    wm_statement q =
        wm_statement_of(store, "read the server's names", "SELECT name FROM server_names ORDER BY position");
    size_t    count = 0;
    bool      good = true;
    wm_status st;

    while (good && wm_statement_row(&q)) {
        good = count < WM_SERVER_NAMES_MAX && wm_statement_column_name(&q, 0, names[count], WM_HOST_TEXT);
        count++;
    }
    st = wm_statement_end(&q, err);
    if (st != WM_OK)
        return st;
    if (count > WM_SERVER_NAMES_MAX)
        return wm_fail(err, WM_E_RANGE, "the server has more than %d names", WM_SERVER_NAMES_MAX);
    if (!good)
        return wm_issuer_store_damaged("server's name", err);
    *n = count;
    return WM_OK;
}

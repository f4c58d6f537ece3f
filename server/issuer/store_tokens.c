/* server/issuer/store_tokens.c: made, looked up, spent once */
#include "server/issuer/statements.h"

#include <string.h>

static wm_status insert_token(wm_issuer_store *store, const wm_token_record *token, wm_error *err)
{
    wm_statement q = wm_statement_of(
        store, "add a token", "INSERT INTO tokens (id, name, secret, made_ms, ends_ms) VALUES (?, ?, ?, ?, ?)");

    wm_statement_blob(&q, token->id, sizeof token->id);
    wm_statement_text(&q, token->name);
    wm_statement_blob(&q, token->secret.bytes, WM_DIGEST_SIZE);
    wm_statement_int(&q, token->made_ms);
    wm_statement_int(&q, token->ends_ms);
    return wm_statement_do(&q, err);
}

wm_status wm_issuer_store_add_token(wm_issuer_store *store, const wm_token_record *token, int64_t forget_before_ms,
                                    wm_error *err)
{
    wm_status st = wm_issuer_store_begin(store, err);

    if (st != WM_OK)
        return st;
    st = wm_issuer_store_on_time(store, "forget old tokens",
                                 "DELETE FROM tokens WHERE spent_key IS NULL AND ends_ms <= ?", forget_before_ms,
                                 err);
    if (st == WM_OK)
        st = insert_token(store, token, err);
    return wm_issuer_store_finish(store, st, "issuer-token-before-commit", "issuer-token-after-commit", err);
}

wm_status wm_issuer_store_token(wm_issuer_store *store, const uint8_t id[WM_TOKEN_ID_SIZE], wm_token_record *ret,
                                wm_error *err)
{
    wm_statement q =
        wm_statement_of(store, "look up a token",
                        "SELECT name, secret, made_ms, ends_ms, spent_key, serial FROM tokens WHERE id = ?");
    wm_token_record token = { .spent = false };
    bool            found, good;
    wm_status       st;

    wm_statement_blob(&q, id, WM_TOKEN_ID_SIZE);
    found = wm_statement_row(&q);
    good = !found;
    if (found) {
        memcpy(token.id, id, sizeof token.id);
        token.made_ms = sqlite3_column_int64(q.statement, 2);
        token.ends_ms = sqlite3_column_int64(q.statement, 3);
        token.spent = sqlite3_column_type(q.statement, 4) != SQLITE_NULL;
        good = wm_statement_column_name(&q, 0, token.name, sizeof token.name) &&
               wm_statement_column_exactly(&q, 1, token.secret.bytes, WM_DIGEST_SIZE) &&
               (!token.spent || (wm_statement_column_exactly(&q, 4, token.spent_key.bytes, WM_DIGEST_SIZE) &&
                                 wm_statement_column_serial(&q, 5, &token.serial)));
    }
    st = wm_statement_end(&q, err);
    if (st != WM_OK)
        return st;
    if (!good)
        return wm_issuer_store_damaged("token", err);
    if (!found)
        return wm_fail(err, WM_E_MISSING, "there is no such token");
    *ret = token;
    return WM_OK;
}

wm_status wm_issuer_store_spend(wm_issuer_store *store, const wm_token_record *token,
                                const wm_certificate_record *certificate, wm_error *err)
{
    wm_status    st = wm_issuer_store_begin(store, err);
    wm_statement q;

    if (st != WM_OK)
        return st;
    q = wm_statement_of(store, "spend a token",
                        "UPDATE tokens SET spent_key = ?, serial = ? WHERE id = ? AND spent_key IS NULL AND"
                        " NOT EXISTS (SELECT 1 FROM revoked WHERE revoked.name = tokens.name)");
    wm_statement_blob(&q, certificate->key.bytes, WM_DIGEST_SIZE);
    wm_statement_blob(&q, certificate->serial.bytes, certificate->serial.size);
    wm_statement_blob(&q, token->id, sizeof token->id);
    st = wm_statement_do(&q, err);
    if (st == WM_OK)
        st = wm_issuer_store_changed_one(store, "the token was spent already", err);
    if (st == WM_OK)
        st = wm_issuer_store_insert(store, certificate, err);
    return wm_issuer_store_finish(store, st, "issuer-spend-before-commit", "issuer-spend-after-commit", err);
}

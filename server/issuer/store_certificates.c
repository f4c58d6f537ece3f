/* server/issuer/store_certificates.c: issued, renewed once, listed; a certificate's row stays for ever */
#include "server/issuer/statements.h"

#include <stdlib.h>
#include <string.h>

void wm_certificate_record_release(wm_certificate_record *record)
{
    free(record->chain);
    record->chain = NULL;
}

#define CERTIFICATE_COLUMNS "serial, name, purpose, key, issued_ms, not_before_ms, not_after_ms, revoked_ms, next"

/* The columns above, from the row that the query stands on. */
static bool read_certificate(wm_statement *q, wm_certificate_record *ret)
{
    ret->purpose =
        sqlite3_column_int(q->statement, 2) == WM_PURPOSE_SERVER ? WM_PURPOSE_SERVER : WM_PURPOSE_GATEWAY;
    ret->issued_ms = sqlite3_column_int64(q->statement, 4);
    ret->not_before_ms = sqlite3_column_int64(q->statement, 5);
    ret->not_after_ms = sqlite3_column_int64(q->statement, 6);
    ret->revoked = sqlite3_column_type(q->statement, 7) != SQLITE_NULL;
    return wm_statement_column_serial(q, 0, &ret->serial) &&
           wm_statement_column_name(q, 1, ret->name, sizeof ret->name) &&
           wm_statement_column_exactly(q, 3, ret->key.bytes, WM_DIGEST_SIZE) &&
           wm_statement_column_serial(q, 8, &ret->next);
}

/* The one certificate that a bound query finds, with its chain in column 9. */
static wm_status one_certificate(wm_statement *q, wm_certificate_record *ret, wm_error *err)
{
    wm_certificate_record record = { .chain = NULL };
    bool                  found = wm_statement_row(q), good = !found;
    wm_status             st;

    if (found) {
        const char *chain = (const char *)sqlite3_column_text(q->statement, 9);

        good = read_certificate(q, &record);
        if (chain != NULL && (record.chain = strdup(chain)) == NULL)
            q->code = SQLITE_NOMEM;
    }
    st = wm_statement_end(q, err);
    if (st == WM_OK && !good)
        st = wm_issuer_store_damaged("certificate", err);
    if (st == WM_OK && !found)
        st = wm_fail(err, WM_E_MISSING, "there is no such certificate");
    if (st == WM_OK)
        *ret = record;
    else
        wm_certificate_record_release(&record);
    return st;
}

wm_status wm_issuer_store_certificate(wm_issuer_store *store, const wm_serial *serial, wm_certificate_record *ret,
                                      wm_error *err)
{
    wm_statement q = wm_statement_of(store, "look up a certificate",
                                     "SELECT " CERTIFICATE_COLUMNS ", chain FROM certificates WHERE serial = ?");

    wm_statement_blob(&q, serial->bytes, serial->size);
    return one_certificate(&q, ret, err);
}

wm_status wm_issuer_store_server_certificate(wm_issuer_store *store, const wm_digest *key,
                                             wm_certificate_record *ret, wm_error *err)
{
    wm_statement q = wm_statement_of(
        store, "look up the server's certificate",
        "SELECT " CERTIFICATE_COLUMNS ", chain FROM certificates"
        " WHERE purpose = 0 AND key = ? AND chain IS NOT NULL ORDER BY issued_ms DESC, serial LIMIT 1");

    _Static_assert(WM_PURPOSE_SERVER == 0, "as the statement has it");
    wm_statement_blob(&q, key->bytes, WM_DIGEST_SIZE);
    return one_certificate(&q, ret, err);
}

wm_status wm_issuer_store_insert(wm_issuer_store *store, const wm_certificate_record *record, wm_error *err)
{
    wm_statement q = wm_statement_of(
        store, "add a certificate",
        "INSERT INTO certificates (serial, name, purpose, key, issued_ms, not_before_ms, not_after_ms, chain)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)");

    wm_statement_blob(&q, record->serial.bytes, record->serial.size);
    wm_statement_text(&q, record->name);
    wm_statement_int(&q, record->purpose);
    wm_statement_blob(&q, record->key.bytes, WM_DIGEST_SIZE);
    wm_statement_int(&q, record->issued_ms);
    wm_statement_int(&q, record->not_before_ms);
    wm_statement_int(&q, record->not_after_ms);
    wm_statement_text(&q, record->chain);
    return wm_statement_do(&q, err);
}

wm_status wm_issuer_store_renew(wm_issuer_store *store, const wm_serial *old,
                                const wm_certificate_record *certificate, int64_t forget_before_ms, wm_error *err)
{
    wm_status    st = wm_issuer_store_begin(store, err);
    wm_statement q;

    if (st != WM_OK)
        return st;
    q = wm_statement_of(
        store, "renew a certificate",
        "UPDATE certificates SET next = ? WHERE serial = ? AND next IS NULL AND revoked_ms IS NULL");
    wm_statement_blob(&q, certificate->serial.bytes, certificate->serial.size);
    wm_statement_blob(&q, old->bytes, old->size);
    st = wm_statement_do(&q, err);
    if (st == WM_OK)
        st = wm_issuer_store_changed_one(store, "the certificate was renewed already", err);
    if (st == WM_OK)
        st = wm_issuer_store_insert(store, certificate, err);
    if (st == WM_OK)
        st = wm_issuer_store_on_time(
            store, "drop old chains",
            "UPDATE certificates SET chain = NULL WHERE chain IS NOT NULL AND not_after_ms <= ?", forget_before_ms,
            err);
    return wm_issuer_store_finish(store, st, "issuer-renew-before-commit", "issuer-renew-after-commit", err);
}

wm_status wm_issuer_store_add_server(wm_issuer_store *store, const wm_certificate_record *certificate,
                                     wm_error *err)
{
    wm_status st = wm_issuer_store_begin(store, err);

    if (st != WM_OK)
        return st;
    st = wm_issuer_store_insert(store, certificate, err);
    return wm_issuer_store_finish(store, st, "issuer-server-before-commit", "issuer-server-after-commit", err);
}

wm_status wm_issuer_store_list(wm_issuer_store *store, const wm_serial *after, const char *name, int64_t from_ms,
                               size_t most, void (*each)(void *context, const wm_certificate_record *record),
                               void *context, wm_error *err)
{
    bool         good = true;
    wm_statement q =
        wm_statement_of(store, "list certificates",
                        "SELECT " CERTIFICATE_COLUMNS " FROM certificates WHERE serial > ?1 AND not_after_ms >= ?2"
                        " AND (?3 IS NULL OR name = ?3) ORDER BY serial LIMIT ?4");

    wm_statement_blob(&q, after->bytes, after->size);
    wm_statement_int(&q, from_ms);
    wm_statement_text(&q, name); /* NULL binds NULL */
    wm_statement_int(&q, (int64_t)most);
    while (good && wm_statement_row(&q)) {
        wm_certificate_record record = { .chain = NULL };

        good = read_certificate(&q, &record);
        if (good)
            each(context, &record);
    }
    if (!good) {
        (void)wm_statement_end(&q, NULL);
        return wm_issuer_store_damaged("certificate", err);
    }
    return wm_statement_end(&q, err);
}

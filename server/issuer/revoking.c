/* server/issuer/revoking.c
 *
 * REVOKE and LIST. Revoking bars a name for good: its certificates, its tokens and its renewals. The aggregator bars by name
 * too, so a name that came back would bring its stolen certificate back with it. */
#include "server/issuer/issuing.h"

#include <stdlib.h>

/* With names of 253 characters they still fit into one message. */
enum { LIST_MOST = 48 };

/* A list on its way into the reply. */
typedef struct listing {
    Wm__Issued *reply;
    bool        failed; /* no memory */
} listing;

static void add_listed(void *context, const wm_certificate_record *record)
{
    listing    *l = context;
    Wm__Listed *listed;

    if (l->reply->n_certificates == LIST_MOST) {
        l->reply->more = true;
        return;
    }
    listed = malloc(sizeof *listed);
    if (listed == NULL) {
        l->failed = true;
        return;
    }
    wm__listed__init(listed);
    l->reply->certificates[l->reply->n_certificates++] = listed;
    listed->server = record->purpose == WM_PURPOSE_SERVER;
    listed->revoked = record->revoked;
    listed->not_before_ms = (uint64_t)record->not_before_ms;
    listed->not_after_ms = (uint64_t)record->not_after_ms;
    if (!wm_put_bytes(&listed->serial, record->serial.bytes, record->serial.size) ||
        !wm_put_text(&listed->name, record->name))
        l->failed = true;
}

/* Certificates that can still do something: be used, or be renewed. */
static wm_status list(wm_issuing *x, const wm_serial *after, const char *name)
{
    listing   l = { .reply = x->reply };
    wm_status st;

    x->reply->certificates = calloc(LIST_MOST, sizeof(Wm__Listed *));
    if (x->reply->certificates == NULL)
        return wm_refuse(x, WM_E_NOMEM, WM_HEARS_TROUBLE, "no memory for a list");
    st = wm_issuer_store_list(x->issuer->store, after, name, x->now_ms - x->issuer->settings.late_ms, LIST_MOST + 1,
                              add_listed, &l, &x->err);
    if (st == WM_OK && l.failed)
        st = wm_refuse(x, WM_E_NOMEM, WM_HEARS_TROUBLE, "no memory for a list");
    return st;
}

wm_status wm_issuing_revoke(wm_issuing *x)
{
    const char *name = x->ask->name;
    wm_status   st = wm_gateway_name_check(name, &x->err);

    if (st != WM_OK)
        return wm_refuse_as(x, st, WM_HEARS_REQUEST);
    st = wm_issuer_store_revoke(x->issuer->store, name, x->now_ms, &x->err);
    if (st != WM_OK)
        return st;
    wm_done(x, "revoked", name, NULL);
    if (!wm_put_text(&x->reply->name, name))
        return wm_refuse(x, WM_E_NOMEM, WM_HEARS_TROUBLE, "no memory for an answer");
    return list(x, &(wm_serial){ .size = 0 }, name);
}

wm_status wm_issuing_list(wm_issuing *x)
{
    wm_serial after = { .size = 0 };

    if (x->ask->serial.len > 0 && !wm_take_serial(&x->ask->serial, &after))
        return wm_refuse(x, WM_E_MALFORMED, WM_HEARS_REQUEST, "a list after a serial that cannot be");
    return list(x, &after, x->ask->name[0] != '\0' ? x->ask->name : NULL);
}

/* server/issuer/issuing.h
 *
 * What the issuer's verbs share: the issuer's insides, one request on its way to its answer, and the few deeds that every
 * verb is made of. For the files of this folder alone. All of it runs under the issuer's lock. */
#ifndef WM_SERVER_ISSUER_ISSUING_H
#define WM_SERVER_ISSUER_ISSUING_H

#include "common/crypto/authority.h"
#include "common/tries.h"
#include "server/issuer/issuer.h"
#include "server/issuer/store.h"

#include <pthread.h>

struct wm_issuer {
    pthread_mutex_t    lock; /* guards all below but the settings */
    wm_issuer_settings settings;
    int                lock_fd;
    wm_authority       authority;
    wm_certificate    *root;
    char              *root_pem;
    size_t             n_root_pem;
    wm_issuer_store   *store;
    wm_tries           tries;
    int64_t            latest_ms; /* wall time of the newest deed */
};

/* What a stranger hears. One sentence for all wrong tokens: which of them exist is nobody's business. */
typedef enum wm_hears {
    WM_HEARS_TROUBLE, /* ours, not the stranger's; also where nothing else was said */
    WM_HEARS_TOKEN,
    WM_HEARS_RENEWAL,
    WM_HEARS_REQUEST,
    WM_HEARS_OFTEN,
    WM_HEARS_EARLY,
} wm_hears;

/* One request on its way to its answer. */
typedef struct wm_issuing {
    wm_issuer       *issuer;
    const Wm__Issue *ask;
    Wm__Issued      *reply;
    wm_hears         hears;  /* if it fails */
    int64_t          now_ms; /* wall */
    int64_t          come_back_ms;
    wm_error         err; /* for our log, if it fails */
} wm_issuing;

/* The verbs. On failure x->err and x->hears are set, and the reply is thrown away. */
wm_status wm_issuing_token(wm_issuing *x);
wm_status wm_issuing_enrol(wm_issuing *x);
wm_status wm_issuing_renew(wm_issuing *x);
wm_status wm_issuing_server(wm_issuing *x);
wm_status wm_issuing_revoke(wm_issuing *x);
wm_status wm_issuing_list(wm_issuing *x);

/* ENROL with an old certificate in the place of a token. */
wm_status wm_issuing_renew_late(wm_issuing *x, const Wm__Enrol *enrol);

/* What went wrong, for our log, and what the stranger hears of it. */
__attribute__((format(printf, 4, 5))) wm_status wm_refuse(wm_issuing *x, wm_status status, wm_hears hears,
                                                          const char *fmt, ...);

/* A failure of a lower layer, which has said why in x->err. */
wm_status wm_refuse_as(wm_issuing *x, wm_status status, wm_hears hears);

/* Copies for the reply, by malloc as protobuf-c frees them. false: no memory. */
bool wm_put_bytes(ProtobufCBinaryData *to, const void *bytes, size_t n);
bool wm_put_text(char **to, const char *text);

/* The answer that carries a certificate. */
wm_status wm_give_certificate(wm_issuing *x, const wm_certificate_record *record);

/* Signs, and fills a record that is not in the store yet; *ret to wm_certificate_record_release. */
wm_status wm_make_certificate(wm_issuing *x, wm_key *key, wm_purpose purpose, const char *const *names,
                              size_t n_names, wm_certificate_record *ret);

/* The key of a request, to wm_key_free, and its digest. */
wm_status wm_take_request(wm_issuing *x, const ProtobufCBinaryData *request, wm_key **key, wm_digest *digest);

bool wm_take_serial(const ProtobufCBinaryData *bytes, wm_serial *ret);

/* A deed is durable: its line in the log, and the clock must not go back before it. serial NULL: none. */
void wm_done(wm_issuing *x, const char *sentence, const char *name, const wm_serial *serial);

#endif

/* tests/wire/town.h
 *
 * The scene of the tests over sockets: an authority, a server's and a gateway's certificate, a listener that
 * echoes (or keeps, or answers with as many bytes as it is told), and callers of it. Refusals are kept for
 * the test to look at. */
#ifndef WM_TESTS_WIRE_TOWN_H
#define WM_TESTS_WIRE_TOWN_H

#include "tests/unit.h"

#include "common/wire/caller.h"
#include "common/wire/listener.h"
#include "tests/wire/certificates.h"

#include <pthread.h>
#include <stdatomic.h>

enum { TOWN_REFUSALS = 64, TOWN_KEPT = 8 };

typedef struct town_refusal {
    char remote[64], name[64], why[200];
    bool verified;
} town_refusal;

typedef struct town {
    test_authority *authority;
    test_identity   server, north; /* serials 100 and 7 */
    wm_tls         *server_tls, *north_tls;
    wm_listener    *listener;
    char            url[256];
    char            folder[4096]; /* of the UNIX socket */
    _Atomic size_t  answer_bytes; /* 0: the question itself */
    atomic_bool     keep;         /* requests are kept, not answered */
    _Atomic long    revoked;      /* a serial that `allow` refuses; 0: none */
    atomic_int      gone;         /* how often the listener said so */
    atomic_int      left;         /* how often it said that somebody has no connection any more */

    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t  changed;
    wm_request     *kept[TOWN_KEPT];
    size_t          n_kept;
    town_refusal    refusals[TOWN_REFUSALS];
    size_t          n_refusals;
} town;

/* Settings that a test may change before town_open; url, tls and callbacks are filled in there. */
wm_listener_settings town_settings(void);

void town_open(town *t, const wm_listener_settings *settings); /* TLS on loopback, any port */
void town_found(town *t); /* certificates alone: to be followed by town_listen, here or in a child */
void town_open_local(town *t, const wm_listener_settings *settings); /* a UNIX socket */
void town_listen(town *t, const wm_listener_settings *settings); /* again, over TLS, after its listener was freed */
void town_close(town *t);                                        /* gives back what is kept, too */

wm_tls    *town_client_tls(const town *t, const test_identity *identity); /* identity NULL: no certificate */
wm_caller *town_caller(const town *t, wm_tls *tls);                       /* tls NULL: over the UNIX socket */

/* Asks, and checks that the answer is the question. */
wm_status town_echo(wm_caller *caller, const void *bytes, size_t n, wm_error *err);

void        town_wait_gone(town *t, int times); /* until it was said so often that a kept request's peer is gone */
void        town_wait_left(town *t, int times);
void        town_wait_kept(town *t, size_t n);            /* until so many requests are kept */
void        town_wait_refusal(town *t, const char *part); /* until a refusal's `why` has this in it, or 10 s */
void        town_wait_connections(town *t, size_t n);     /* until so many are open */
wm_request *town_take(town *t);                           /* one of those that are kept */

void town_wait_sockets(int most); /* until no more than so many are open: nng closes its own a little later */

int town_sockets(void); /* descriptors of this process that are sockets; a sanitizer may open others */

#endif

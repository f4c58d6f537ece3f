/* tests/wire/stranger.h
 *
 * A client without manners: a plain socket with OpenSSL on it, which can stop, lie and vanish at any point. */
#ifndef WM_TESTS_WIRE_STRANGER_H
#define WM_TESTS_WIRE_STRANGER_H

#include "tests/wire/town.h"

#include <openssl/ssl.h>

typedef struct stranger {
    int  fd;
    SSL *ssl; /* NULL before stranger_shake */
} stranger;

/* A context for strangers with this certificate (NULL: none), and with no TLS newer than `newest` (0: any). It
 * believes every server. To be given to SSL_CTX_free. */
SSL_CTX *stranger_context(const test_identity *identity, int newest);

stranger stranger_dial(const town *t);          /* TCP, or the UNIX socket; 10 s of patience for each read */
bool stranger_shake(stranger *s, SSL_CTX *ctx); /* TLS; with TLS 1.3 true does not mean that the server agrees */
bool stranger_say(stranger *s, const void *bytes, size_t n); /* over TLS if there is TLS */
bool stranger_hear(stranger *s, void *bytes, size_t n);      /* exactly n bytes */
bool stranger_greet(stranger *s);                            /* hello, both ways */
bool stranger_ask(stranger *s, const void *bytes, size_t n); /* a message with its head and route */
bool stranger_is_cut_off(stranger *s); /* waits: the server has closed, and nothing came before */

typedef enum stranger_end { STRANGER_CLOSES, STRANGER_RESETS, STRANGER_SAYS_BYE } stranger_end;
void stranger_leave(stranger *s, stranger_end end);

#endif

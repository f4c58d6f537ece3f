/* common/wire/engine.h
 *
 * nng's TLS by OpenSSL: an engine for nng's public engine interface (nng 1.5 brings mbed TLS, which stops at
 * TLS 1.2 and costs 4 to 9 times the CPU). Private to this folder. Once started it serves every tls+tcp://
 * stream of the process. */
#ifndef WM_COMMON_WIRE_ENGINE_H
#define WM_COMMON_WIRE_ENGINE_H

#include "common/crypto/tls_session.h"

#include <nng/nng.h>
#include <nng/supplemental/tls/tls.h>

/* Starts nng with this engine; the first call does it, from any thread. WM_E_IO: nng would not start. */
wm_status wm_engine_start(wm_error *err);

/* What nng wants for NNG_OPT_TLS_CONFIG; keeps `tls` alive. To be freed with nng_tls_config_free once the
 * listener or dialer has it. `server_name` as in wm_tls_session_new; NULL for a listener. */
wm_status wm_engine_config(wm_tls *tls, const char *server_name, nng_tls_config **ret, wm_error *err);

/* What TLS knows of a stream's other end: at any time until the stream is freed, also after it has failed. */
typedef struct wm_engine_answer {
    bool           known; /* the handshake is over, and the peer is who it says */
    wm_peer        peer;
    wm_tls_failure failure;
} wm_engine_answer;

void wm_engine_ask(nng_stream *stream, wm_engine_answer *ret);

/* A clause for an nng error number that TLS has nothing to say about. */
const char *wm_engine_error(int rv);

#endif

/* tests/wire/nng_tls.h
 *
 * nng's own TLS transport by OpenSSL: an engine for nng's public engine interface, since the mbed TLS that nng 1.5 brings
 * stops at TLS 1.2. With it a plain nng socket, as a program in any language would have it, speaks to our listener. */
#ifndef WM_TESTS_WIRE_NNG_TLS_H
#define WM_TESTS_WIRE_NNG_TLS_H

#include "tests/unit.h"

#include "common/crypto/tls_session.h"

#include <nng/nng.h>
#include <nng/supplemental/tls/tls.h>

/* For NNG_OPT_TLS_CONFIG of a dialer; to be freed with nng_tls_config_free once the dialer has it. */
nng_tls_config *nng_tls_config_of(wm_tls *tls, const char *server_name);

#endif

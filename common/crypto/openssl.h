/* common/crypto/openssl.h
 *
 * OpenSSL's failures as ours. For the files of this folder; nobody else needs it. */
#ifndef WM_COMMON_CRYPTO_OPENSSL_H
#define WM_COMMON_CRYPTO_OPENSSL_H

#include "common/status.h"

/* Fills *err with the sentence and, in brackets, OpenSSL's own reason; empties this thread's queue of errors,
 * so that a later failure is never explained by this one. Returns `status`. */
__attribute__((format(printf, 3, 4))) wm_status wm_openssl_fail(wm_error *err, wm_status status, const char *fmt,
                                                                ...);

#endif

/* common/crypto/openssl.c */
#include "common/crypto/openssl.h"

#include <openssl/err.h>
#include <stdarg.h>
#include <stdio.h>

wm_status wm_openssl_fail(wm_error *err, wm_status status, const char *fmt, ...)
{
    char          sentence[WM_ERROR_TEXT];
    unsigned long code = ERR_peek_last_error();
    const char   *reason = code != 0 ? ERR_reason_error_string(code) : NULL;
    va_list       args;

    va_start(args, fmt);
    vsnprintf(sentence, sizeof sentence, fmt, args);
    va_end(args);
    ERR_clear_error();
    if (reason == NULL)
        return wm_fail(err, status, "%s", sentence);
    return wm_fail(err, status, "%s (%s)", sentence, reason);
}

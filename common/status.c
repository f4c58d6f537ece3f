/* common/status.c */
#include "common/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

wm_status wm_fail(wm_error *err, wm_status status, const char *fmt, ...)
{
    if (err != NULL) {
        va_list args;

        err->status = status;
        va_start(args, fmt);
        vsnprintf(err->text, sizeof err->text, fmt, args);
        va_end(args);
    }
    return status;
}

void wm_error_prefix(wm_error *err, const char *fmt, ...)
{
    char    text[2 * WM_ERROR_TEXT + 4];
    va_list args;
    int     n;

    if (err == NULL)
        return;
    va_start(args, fmt);
    n = vsnprintf(text, WM_ERROR_TEXT, fmt, args);
    va_end(args);
    if (n < 0)
        return;
    n = n < WM_ERROR_TEXT ? n : WM_ERROR_TEXT - 1;
    snprintf(text + n, sizeof text - (size_t)n, ": %s", err->text);
    memcpy(err->text, text, sizeof err->text - 1);
    err->text[sizeof err->text - 1] = '\0';
}

const char *wm_status_name(wm_status status)
{
    static const char *const names[] = {
        [WM_OK] = "ok",
        [WM_E_NOMEM] = "out of memory",
        [WM_E_INVALID] = "invalid",
        [WM_E_MALFORMED] = "malformed",
        [WM_E_SHAPE] = "wrong shape",
        [WM_E_NONFINITE] = "not finite",
        [WM_E_RANGE] = "out of range",
        [WM_E_IO] = "input/output failed",
        [WM_E_FULL] = "full",
        [WM_E_MISSING] = "missing",
        [WM_E_EXISTS] = "already there",
        [WM_E_REFUSED] = "refused",
        [WM_E_UNTRUSTED] = "untrusted",
        [WM_E_TIMEOUT] = "timed out",
        [WM_E_CLOSED] = "closed",
        [WM_E_DAMAGED] = "damaged",
        [WM_E_EXPIRED] = "expired",
        [WM_E_REVOKED] = "revoked",
    };

    return (size_t)status < sizeof names / sizeof *names ? names[status] : "unknown";
}

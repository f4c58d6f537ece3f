/* common/status.h
 *
 * How a call says that it failed: a status for the program, a sentence for the person. The sentence belongs to
 * the call, never to the thread: the caller owns the wm_error and passes it down (NULL where nobody will read). */
#ifndef WM_COMMON_STATUS_H
#define WM_COMMON_STATUS_H

typedef enum wm_status {
    WM_OK = 0,
    WM_E_NOMEM,     /* an allocation failed or an arena is full */
    WM_E_INVALID,   /* a setting from outside is out of range, or does not go with another */
    WM_E_MALFORMED, /* bytes that do not decode */
    WM_E_SHAPE,     /* decodes, but does not fit this round's model */
    WM_E_NONFINITE, /* NaN or infinity where a number was promised */
    WM_E_RANGE,     /* a number outside what the job allows */
    WM_E_IO,        /* a file, a disk or a socket failed */
    WM_E_FULL,      /* no room: a disk, a quota, a queue */
    WM_E_MISSING,   /* what was asked for is not there */
    WM_E_EXISTS,    /* what was to be made is there already, or was done already */
    WM_E_REFUSED,   /* the other side, or a policy of ours, says no */
    WM_E_UNTRUSTED, /* a certificate, signature, digest or token that does not hold */
    WM_E_TIMEOUT,   /* the deadline of the call passed */
    WM_E_CLOSED,    /* the peer is gone, or we are stopping */
    WM_E_DAMAGED,   /* stored data that is not what was stored */
    WM_E_EXPIRED,   /* our certificate has run out: so says the server, whose own holds. Never sent */
    WM_E_REVOKED,   /* our certificate was taken back, likewise. Never sent */
} wm_status;

enum { WM_ERROR_TEXT = 400 };

/* text: one sentence for a person, without a full stop, that says what to do where that is known. */
typedef struct wm_error {
    wm_status status;
    char      text[WM_ERROR_TEXT];
} wm_error;

/* Fills *err (NULL is allowed) and returns `status`, so that a failure is one line. */
__attribute__((format(printf, 3, 4))) wm_status wm_fail(wm_error *err, wm_status status, const char *fmt, ...);

/* Puts "fmt: " before what *err already says; for a caller that knows where the failure happened. */
__attribute__((format(printf, 2, 3))) void wm_error_prefix(wm_error *err, const char *fmt, ...);

/* "out of memory", "malformed", ... : for logs and tables. Never NULL. */
const char *wm_status_name(wm_status status);

#endif

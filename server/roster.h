/* server/roster.h
 *
 * Who belongs to this office, and what was heard of each gateway since the server started: the living half of the
 * store's register. Made from the store at start; what changes with every message stays here and is handed to the
 * store by the batch, so that a poll never costs a write.
 *
 * Admission is by the certified name: a name that was revoked, or that this office never enrolled, is nobody, whatever
 * its certificate says. Thread-safe; every call is short. */
#ifndef WM_SERVER_ROSTER_H
#define WM_SERVER_ROSTER_H

#include "common/clock.h"
#include "server/store/gateways.h"

enum { WM_ROSTER_NAME = 64, WM_ROSTER_PROGRAM = 48, WM_ROSTER_MOST = 1 << 16 };

/* What is known of one gateway. Times are wall times, 0 for never. */
typedef struct wm_presence {
    char     name[WM_ROSTER_NAME];
    char     serial[48]; /* of its newest certificate, hexadecimal */
    int64_t  enrolled_ms, not_after_ms, revoked_ms;
    int64_t  last_seen_ms, refused_ms;
    char     refusal[WM_REASON_TEXT]; /* the last one's reason */
    uint64_t refusals;                /* since the server started */
    char     program[WM_ROSTER_PROGRAM];
    uint64_t rows;
    wm_phase busy_phase; /* WM_PHASE_NONE: with nothing */
    uint32_t busy_round;
    uint32_t busy_done; /* thousandths of that work */
    bool     changed;   /* since the last batch */
} wm_presence;

typedef struct wm_roster wm_roster;

wm_status wm_roster_new(wm_clock clock, wm_roster **ret, wm_error *err);
void      wm_roster_free(wm_roster *roster);

/* Everybody that the store's register has. */
wm_status wm_roster_load(wm_roster *roster, wm_store *store, wm_error *err);

/* The fact is durable already: a certificate was issued; a name was revoked (unknown names are passed over). */
wm_status wm_roster_enrolled(wm_roster *roster, const char *name, const char *serial, int64_t not_after_ms,
                             wm_error *err);
void      wm_roster_revoked(wm_roster *roster, const char *name);

/* WM_E_REFUSED with a clause ("is revoked", "is not enrolled here") if that name is not to be served. */
wm_status wm_roster_admit(const wm_roster *roster, const char *name, wm_error *err);

size_t wm_roster_revoked_count(const wm_roster *roster);

/* What was heard. Unknown names are passed over. */
void wm_roster_seen(wm_roster *roster, const char *name);
void wm_roster_checked_in(wm_roster *roster, const char *name, const char *program, uint64_t rows);
void wm_roster_busy(wm_roster *roster, const char *name, wm_phase phase, uint32_t round, uint32_t done);
void wm_roster_refused(wm_roster *roster, const char *name, const char *reason);

/* false: nobody of that name. */
bool wm_roster_find(const wm_roster *roster, const char *name, wm_presence *ret);

/* A copy of everybody, in order of name; *ret is the caller's to free(). */
wm_status wm_roster_list(const wm_roster *roster, wm_presence **ret, size_t *n, wm_error *err);

/* The names of all who are not revoked, sorted: a run's population. Freed with wm_names_free. */
wm_status wm_roster_names(const wm_roster *roster, char ***ret, size_t *n, wm_error *err);

/* Hands what changed since the last call to the store, in one transaction. After a failure it is handed in again by
 * the next call. */
wm_status wm_roster_flush(wm_roster *roster, wm_store *store, wm_error *err);

#endif

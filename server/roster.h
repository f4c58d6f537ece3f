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

/* Who works is heard every five seconds, who waits asks again after 25 at most, and who cannot reach us tries again after
 * 30 at most (client/gateway.c). */
typedef struct wm_patience {
    int64_t silence_ms; /* nothing was heard for so long: it is not there, whatever its connection looks like */
    int64_t gone_ms;    /* its connection ended, and it has not come back by another: it is not just dialling */
} wm_patience;

/* Why a gateway is not there. */
typedef enum wm_absence {
    WM_ABSENCE_NONE,       /* it is there */
    WM_ABSENCE_UNHEARD,    /* it has not been heard since the server started */
    WM_ABSENCE_SIGNED_OFF, /* it said that it goes */
    WM_ABSENCE_GONE,       /* its connection ended */
    WM_ABSENCE_SILENT,     /* it has a connection, and nothing comes over it */
} wm_absence;

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

    int64_t heard_ms;     /* mono; the last word of it; -1: none since the server started */
    int64_t left_ms;      /* wall; since when it is away, if it signed off or its connection ended; else 0 */
    int64_t left_mono_ms; /* the same moment */
    bool    signed_off;
    bool    told; /* by wm_roster_newly_absent */
} wm_presence;

typedef struct wm_roster wm_roster;

wm_status wm_roster_new(wm_clock clock, wm_roster **ret, wm_error *err);

/* Instead of 45 s and 10 s. Before anybody else uses the roster. */
void wm_roster_set_patience(wm_roster *roster, const wm_patience *patience);
void wm_roster_free(wm_roster *roster);

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

/* It says that it goes, or the last of its connections has ended. Until something is heard of it. */
void wm_roster_left(wm_roster *roster, const char *name, bool signed_off);

/* At this moment, by a record that was found or listed. */
wm_absence  wm_roster_absence(const wm_roster *roster, const wm_presence *presence);
const char *wm_absence_text(wm_absence absence); /* "signed off"; "" for NONE */

/* Names of some who are not there and of whom this has not said so since they were heard last, at most `most`; who may
 * just be dialling again, or has not had the time to since the server started, is not among them. */
size_t wm_roster_newly_absent(wm_roster *roster, char (*names)[WM_ROSTER_NAME], size_t most);

/* A new listener: wm_roster_newly_absent names them all again. */
void wm_roster_tell_anew(wm_roster *roster);

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

/* server/store/audit.h
 *
 * The audit: one line for each durable transition, written in its transaction, each chained to the one before
 * by hash_i = SHA-256(hash_{i-1} || u64 i || u64 wall_ms || run || what || detail),  hash_0 = 32 zero bytes,
 * integers little-endian, each of the three texts (run: 16 bytes or none) after its length as a u32. Lines
 * are only added. The head goes out with every offer, so a history cannot be rewritten behind the gateways'
 * backs. */
#ifndef WM_SERVER_STORE_AUDIT_H
#define WM_SERVER_STORE_AUDIT_H

#include "server/store/store.h"

typedef struct wm_audit_line {
    uint64_t    line; /* from 1 */
    int64_t     wall_ms;
    bool        has_run;
    uint8_t     run[WM_RUN_ID_SIZE];
    const char *what;   /* "start", "open", "commit", ... */
    const char *detail; /* "round=3 model=... sums=..." */
    wm_digest   hash;
} wm_audit_line;

typedef struct wm_audit_head {
    uint64_t  lines;
    wm_digest hash; /* of the last line; zero if there is none */
} wm_audit_head;

wm_status wm_store_audit_head(wm_store *store, wm_audit_head *ret, wm_error *err);

/* Goes through all lines, and compares each committed round with what its line says of it. WM_E_DAMAGED: the
 * sentence names the first line that is changed, missing or out of place, or the round. *ret (may be NULL):
 * what was checked. */
wm_status wm_store_audit_verify(wm_store *store, wm_audit_head *ret, wm_error *err);

/* Calls `each` with every line, in order; a line is valid during the call. */
wm_status wm_store_audit_each(wm_store *store, void (*each)(void *context, const wm_audit_line *line),
                              void *context, wm_error *err);

#endif

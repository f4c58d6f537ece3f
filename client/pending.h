/* client/pending.h
 *
 * The gateway's own small store: the one finished update that the server has not yet said is in a committed model, and
 * what is kept between rounds: the strategy's, and the gateway's own layers of the model. An update that is kept is always
 * in one of two durable places: a committed model, or here. One that is only held is trained again after a crash.
 *
 * Sparing with an SD card: one file, `pending`, written once when training ends and removed when the server lets it
 * go; `strategy-state` only where something is kept. Both written whole, synced and renamed, with SHA-256
 * over all of it: what does not hold is dropped by name, since training again gives the same bits.
 * Owned by one thread. */
#ifndef WM_CLIENT_PENDING_H
#define WM_CLIENT_PENDING_H

#include "common/files.h"
#include "common/task.h"
#include "common/update.h"

typedef struct wm_pending wm_pending;

/* What is held. The bytes belong to the store, until it is let go or replaced. */
typedef struct wm_held {
    wm_phase       phase;
    uint32_t       round;
    uint8_t        run[WM_RUN_ID_SIZE];
    wm_digest      model;
    wm_digest      digest; /* of the bytes: the update's name */
    double         loss;
    const uint8_t *bytes;
    size_t         n_bytes;
} wm_held;

/* Reads what a former life left in `folder`. *note (may be NULL) gets a sentence if something there did not hold and
 * was dropped, else "". */
wm_status wm_pending_open(const wm_files *files, const char *folder, wm_pending **ret, wm_error *note, wm_error *err);
void      wm_pending_free(wm_pending *pending);

/* false if nothing is held. */
bool wm_pending_held(const wm_pending *pending, wm_held *ret);

/* Durable when it returns. `state`, of n_state floats, is what the strategy keeps if this update is committed. Takes
 * the update's bytes over on success. */
wm_status wm_pending_keep(wm_pending *pending, wm_phase phase, wm_update *update, double loss, const float *state,
                          size_t n_state, wm_error *err);

/* As wm_pending_keep, but in memory alone and without a state: for what is sooner trained again, to the same bits, than
 * written to flash. After a crash nothing is held. */
wm_status wm_pending_hold(wm_pending *pending, wm_phase phase, wm_update *update, double loss, wm_error *err);

/* The server has it in a committed model (`committed`), or does not want it any more. */
wm_status wm_pending_let_go(wm_pending *pending, bool committed, wm_error *err);

/* *ret: a copy of what the strategy kept for that run, the caller's to free(); NULL and 0 if there is nothing. */
wm_status wm_pending_state(const wm_pending *pending, const uint8_t run[WM_RUN_ID_SIZE], float **ret, size_t *n,
                           wm_error *err);

#endif

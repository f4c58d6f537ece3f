/* client/offer.h
 *
 * An offer of work, checked, and with it what the work needs: the job's text, the model, the scaling, each fetched by
 * ranges of a content-addressed blob. A fetch that was cut goes on where it was; the scaling is fetched once a run, and a
 * model that is not large once for all its tasks: what is evaluated after a round is what the next one begins with. */
#ifndef WM_CLIENT_OFFER_H
#define WM_CLIENT_OFFER_H

#include "client/hand_in.h"

typedef struct wm_fetcher {
    wm_exchange *bulk; /* borrowed */
    wm_clock     clock;
    int64_t      used_ms;           /* when it was last used, on the monotonic clock; -1 for never */
    wm_download *download;          /* one that was cut; NULL for none */
    wm_digest    downloading;       /* its name */
    uint64_t     downloading_bytes; /* as it was announced */
    bool         has_scaling;
    wm_digest    scaling_name;
    uint8_t     *scaling; /* [n_scaling], owned */
    size_t       n_scaling;
    wm_digest    model_name; /* of the last one; zero for none */
    uint8_t     *model;      /* [n_model], owned */
    size_t       n_model;
} wm_fetcher;

void wm_fetcher_init(wm_fetcher *fetcher, wm_exchange *bulk, wm_clock clock);
void wm_fetcher_release(wm_fetcher *fetcher);

/* What an offer says, without fetching anything. WM_E_MALFORMED names what does not hold. */
wm_status wm_offer_read(const Wm__Work *work, wm_task *task, uint8_t run[WM_RUN_ID_SIZE], wm_digest *job,
                        wm_error *err);

/* *ret: the order for the desk, the caller's to release. job_is_here: its text need not be fetched. On failure the next
 * call with the same offer goes on; *wait_ms is set if the server named a time. */
wm_status wm_offer_collect(wm_fetcher *fetcher, const Wm__Work *work, bool job_is_here, wm_order *ret,
                           int64_t *wait_ms, wm_error *err);

#endif

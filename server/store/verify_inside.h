/* server/store/verify_inside.h
 *
 * What the checks of a history share. For server/store/verify*.c alone. */
#ifndef WM_SERVER_STORE_VERIFY_INSIDE_H
#define WM_SERVER_STORE_VERIFY_INSIDE_H

#include "common/strategies/strategy.h"
#include "server/admission.h"
#include "server/store/inside.h"
#include "server/store/verify.h"

typedef struct wm_verifier {
    const wm_verify_settings *set;
    wm_db                     db;           /* a copy, with the path of what it is a copy of */
    const char               *office;       /* whose runs/ it is */
    wm_blobs                 *blobs;        /* NULL: there is no such folder */
    char                     *blobs_folder; /* for sentences */
    wm_verify_result          result;
} wm_verifier;

/* A run that is being checked. */
typedef struct wm_verified_run {
    wm_verifier   *verifier;
    wm_run_record *record;
    wm_standing    standing;
    char           id[WM_RUN_TEXT];
    bool           admitted; /* the job's text is a job: what follows is set */
    wm_admitted    job;
    wm_update_spec spec;
    size_t         n_params, n_trained, n_state;
    wm_digest      model, server_state; /* as the rounds so far have left them */
    uint32_t       round;               /* the last one that was looked at */
    uint32_t       newest;              /* committed round */
    uint32_t       let_go;              /* the newest round whose files were let go */
    wm_status      failed;              /* the check itself could not be made */
    wm_error      *err;
} wm_verified_run;

/* Counts a finding and tells it. `where` has all but the text. */
__attribute__((format(printf, 3, 4))) void wm_verify_say(wm_verifier *verifier, const wm_finding *where,
                                                         const char *fmt, ...);
void wm_verify_progress(wm_verifier *verifier, const char *what, uint64_t done, uint64_t all);

/* A violation of `area` in the run, in `round` if that is not 0; client NULL: of none. */
wm_finding wm_verify_in_run(const wm_verified_run *run, const char *area, uint32_t round, const char *client);

/* The chain, and each committed round against its line. */
wm_status wm_verify_chain(wm_verifier *verifier, wm_error *err);

/* Rows that no line tells of, and lines of which there is no row. */
wm_status wm_verify_rows(wm_verifier *verifier, wm_error *err);

/* What gateways have written down: is it in the chain? WM_E_MISSING, WM_E_IO: such a file cannot be read. */
wm_status wm_verify_heads(wm_verifier *verifier, wm_error *err);

/* Every run with its rounds. */
wm_status wm_verify_runs(wm_verifier *verifier, wm_error *err);

/* Every named file of blobs/. */
wm_status wm_verify_files(wm_verifier *verifier, wm_error *err);

/* The round computed again, if its files are held. */
wm_status wm_verify_round(wm_verified_run *run, const wm_round_record *round, wm_error *err);

/* The scaling computed again from the stored sums: `round` has the statistics' contributions, and their sums' name. */
wm_status wm_verify_scaling(wm_verified_run *run, const wm_round_record *round, wm_error *err);

/* The run's own folder. */
wm_status wm_verify_folder(wm_verified_run *run, wm_error *err);

#endif

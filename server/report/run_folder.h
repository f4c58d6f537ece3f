/* server/report/run_folder.h
 *
 * The folder that a run leaves, which needs no program of ours:
 *     job.yaml           the job as it runs
 *     rounds.csv         one line a round
 *     clients.csv        one line a client
 *     model.safetensors  the newest model; its metadata holds "job", "run", "round", "sha256" and, if the job scales,
 *                        "scaling": the bytes of the scaling in hexadecimal, so that it can be evaluated alone; of a
 *                        detector of anomalies "threshold": the loss from which on an example is one
 *     summary.json       how it stands or ended
 *     report.html        all of it on a page
 *
 * rounds.csv grows with each round; the others are replaced whole, so a reader never sees half a file, after a round
 * that ends at least WM_FLUSH_MS after they were last written, and at the end. Each costs a sync of the disk, and in
 * simulation rounds may take milliseconds. The folder is made from the ledger: opened again after a restart, everything
 * is written anew, so that nothing is missing or twice.
 *
 * For one thread at a time. */
#ifndef WM_SERVER_REPORT_RUN_FOLDER_H
#define WM_SERVER_REPORT_RUN_FOLDER_H

#include "common/blobs.h"
#include "common/clock.h"
#include "models/model.h"
#include "server/ledger.h"

typedef struct wm_run_folder wm_run_folder;

enum { WM_FLUSH_MS = 1000 };

/* All borrowed, and outlive the folder. */
typedef struct wm_run_folder_settings {
    const wm_files      *files;
    const char          *path; /* made if it is not there */
    const wm_job        *job;
    const wm_model      *model;
    const wm_run_record *record;
    wm_ledger           *ledger; /* where the run was started already */
    wm_blobs            *blobs;  /* its models */
    wm_clock             clock;
} wm_run_folder_settings;

/* Writes everything as the ledger has it now. */
wm_status wm_run_folder_open(const wm_run_folder_settings *settings, wm_run_folder **ret, wm_error *err);
void      wm_run_folder_free(wm_run_folder *folder);

/* A round was committed, or its evaluation has come: told twice it is one round. A failure leaves what is on the disk
 * as it was, and the next call tries again. */
wm_status wm_run_folder_round(wm_run_folder *folder, const wm_round_record *round, wm_error *err);

/* The run is over; `final` may be NULL. */
wm_status wm_run_folder_close(wm_run_folder *folder, const wm_standing *standing, const wm_final_record *final,
                              wm_error *err);

#endif

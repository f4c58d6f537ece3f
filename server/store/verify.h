/* server/store/verify.h
 *
 * The history of an office, checked from what it has on its disk, by code that had no part in writing it:
 *
 *   audit    the lines are one hash chain up to its head; none is changed, missing or out of place; and every row that
 *            a line tells of (runs, clients, rounds, evaluations, certificates, revocations, waiting jobs) is still
 *            what the line says, with no row that no line tells of
 *   round    rounds follow each other, each begins with the model that the one before has made, and counts and
 *            weights are those of the accepted updates
 *   update   every accepted update is in exactly one committed round, by a client that was drawn into its cohort
 *   model    the first model is what the seed gives; model r+1 is computed again, bit for bit, from model r and the
 *            stored integer sums, as far as their files are kept; so is the scaling from the sums of the statistics
 *   file     every file in blobs/ that is named is there and has the bytes that its name promises, and the model in the
 *            run's own folder is one of that run
 *   head     what gateways have written down of the chain's head is in the chain
 *
 * What does not hold is a violation. What cannot be checked (a job keeps the files of its newest rounds only) is said as
 * a note, never passed over. Nothing in the folder is changed: the database is copied first, and read there. */
#ifndef WM_SERVER_STORE_VERIFY_H
#define WM_SERVER_STORE_VERIFY_H

#include "server/store/audit.h"

typedef struct wm_finding {
    bool        violation; /* false: a note */
    const char *area;      /* "audit", "round", "update", "model", "file" or "head" */
    bool        has_run;
    uint8_t     run[WM_RUN_ID_SIZE];
    uint32_t    round;  /* 0: of none */
    uint64_t    line;   /* of the audit; 0: of none */
    const char *client; /* name; NULL: of none */
    const char *text;   /* one sentence, which names run, round, client or line, and the file */
} wm_finding;

typedef struct wm_verify_settings {
    const wm_files *files;
    const char     *folder; /* has store.db and blobs/: an office or a backup of one */
    const char     *office; /* whose it is, for sentences and for the folders of its runs; NULL: `folder` itself */
    const char *const *heads; /* [n_heads] files of gateways, DIR/audit-heads: what they were shown of the audit */
    size_t             n_heads;
    /* Either may be NULL. Texts are valid during the call. */
    void (*finding)(void *context, const wm_finding *finding);
    void (*progress)(void *context, const char *what, uint64_t done, uint64_t all);
    void *context;
} wm_verify_settings;

typedef struct wm_verify_result {
    wm_audit_head head; /* what was checked */
    uint64_t      runs, rounds, updates;
    uint64_t      recomputed; /* rounds */
    uint64_t      let_go;     /* rounds that could not be: their files were let go by the job's `keep` */
    uint64_t      files;      /* of blobs/, that are named */
    uint64_t      heads;      /* lines of the files of gateways */
    uint64_t      violations, notes;
} wm_verify_result;

/* WM_OK: everything was looked at, and result->violations says whether it holds. WM_E_REFUSED: a server has the office
 * open (see wm_verify_store). WM_E_MISSING: there is no store. Another error: the check itself could not be made.
 * Takes memory for one model, its sums and its state. */
wm_status wm_verify(const wm_verify_settings *settings, wm_verify_result *ret, wm_error *err);

/* The same of an open store, as it is at this moment; it may go on meanwhile. settings->folder is not looked at. */
wm_status wm_verify_store(wm_store *store, const wm_verify_settings *settings, wm_verify_result *ret,
                          wm_error *err);

#endif

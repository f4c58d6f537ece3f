/* server/records.h
 *
 * What is known of a run, a round and a client's part in it: plain records that the round engine fills, the ledger
 * keeps and the run folder shows. Strings are owned by whoever owns the record. */
#ifndef WM_SERVER_RECORDS_H
#define WM_SERVER_RECORDS_H

#include "common/crypto/digest.h"
#include "common/job/job.h"
#include "common/task.h"
#include "common/update.h"

/* What became of one client's part in a round. */
typedef enum wm_verdict {
    WM_VERDICT_NONE,     /* drawn, nothing heard (a round that is closed: missed) */
    WM_VERDICT_ACCEPTED, /* folded, or its report taken */
    WM_VERDICT_REFUSED,  /* came, and did not hold: `reason` says why */
    WM_VERDICT_DECLINED, /* the client said that it will not: `reason` is its word */
    WM_VERDICT_LATE,     /* came when the round was over */
} wm_verdict;

enum { WM_REASON_TEXT = 160 };

typedef struct wm_contribution {
    uint32_t   client; /* index in the run's population */
    wm_verdict verdict;
    char       reason[WM_REASON_TEXT];
    wm_digest  digest; /* of the update's bytes */
    uint64_t   weight; /* examples */
    double     loss;   /* its training loss */
    double     seconds; /* from the offer to the verdict */
} wm_contribution;

/* A client that was drawn into a round while it was open, in the place of one who was away. */
typedef struct wm_substitution {
    uint32_t client, place_of; /* indices in the run's population */
} wm_substitution;

enum { WM_RESULT_METRICS = 8 };

/* A contender's figures, for one client or for all of them together. NaN where there is none. */
typedef struct wm_result {
    bool     present;
    uint64_t examples;
    double   loss;
    double   metrics[WM_RESULT_METRICS]; /* as many as the job has */
} wm_result;

/* One committed round, and its evaluation once that is closed. */
typedef struct wm_round_record {
    uint32_t         round, attempts; /* attempts: deadlines that passed below the quorum before it was committed */
    int64_t          opened_wall_ms;
    double           seconds; /* from open to the end of its evaluation, without the time that the server was down */
    uint32_t         selected, accepted, refused, late;
    double           train_loss; /* weighted by examples */
    uint64_t         bytes_up, bytes_down;
    wm_digest        model_before, model_after, sums, server_state; /* blobs; server_state zero if there is none */
    uint64_t         total_weight;
    wm_contribution *contributions; /* [n_contributions], in order of client */
    size_t           n_contributions;
    bool             evaluated;
    wm_result        evaluation; /* of the federated model, on the validation part (the test part if there is none) */
} wm_round_record;

/* The end of a run. */
typedef enum wm_outcome {
    WM_OUTCOME_NONE,    /* still going */
    WM_OUTCOME_DONE,    /* all rounds */
    WM_OUTCOME_EARLY,   /* the loss has stopped getting better */
    WM_OUTCOME_STOPPED, /* by the operator */
    WM_OUTCOME_FAILED,  /* the quorum was not met as often as the job allows, or the job cannot run; `why` says it */
} wm_outcome;

const char *wm_outcome_name(wm_outcome outcome); /* "running", "done", "stopped early", "stopped", "failed" */
const char *wm_verdict_name(wm_verdict verdict);

/* The last evaluation, on the test part: all contenders, for each client and together. */
typedef struct wm_final_record {
    wm_result  together[WM_CONTENDERS];
    wm_result *clients; /* [n_population][WM_CONTENDERS] */
} wm_final_record;

/* What a run is, fixed at its start. */
typedef struct wm_run_record {
    uint8_t      id[WM_RUN_ID_SIZE];
    const char  *job_name;
    const char  *job_text; /* the YAML as run, with its seed */
    uint64_t     seed;
    uint32_t     rounds; /* of the job; 0: not said */
    int64_t      keep;   /* of the job: checkpoints kept, the newest ones; 0: all */
    int64_t      started_wall_ms;
    char       **population; /* sorted names; [n_population] */
    size_t       n_population;
} wm_run_record;

/* 32 hexadecimal digits and a zero. */
enum { WM_RUN_TEXT = 33 };
const char *wm_run_id_text(const uint8_t id[WM_RUN_ID_SIZE], char text[WM_RUN_TEXT]);
bool        wm_run_id_parse(const char *text, uint8_t id[WM_RUN_ID_SIZE]);

#endif

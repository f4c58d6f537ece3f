/* server/operator.h
 *
 * What an operator may ask of a data office: jobs, gateways, state, backup. The same commands are carried out by the
 * server that runs (they come through its socket), and by the program itself where none does: then on the store alone,
 * under its lock. Answers are JSON, so that there is one form for programs, and tables are made from it. */
#ifndef WM_SERVER_OPERATOR_H
#define WM_SERVER_OPERATOR_H

#include "server/front.h"
#include "server/issuer/issuer_client.h"
#include "server/jobs.h"
#include "wardmote.pb-c.h"

typedef struct wm_operator {
    const char *office; /* the folder */
    wm_store   *store;
    wm_roster  *roster;
    wm_clock    clock;

    /* Only of a server that runs; NULL otherwise. */
    wm_jobs   *jobs;
    wm_remote *remote;
    wm_front  *front;
    int64_t    started_ms;          /* wall */
    uint64_t   update_bytes;        /* room for an update; 0: no limit */
    void (*stirred)(void *context); /* there is a new job */
    void *context;

    wm_asker issuer; /* is told of revocations */
} wm_operator;

/* *ret: the answer as JSON, or the sentence (for a job: all its faults, one a line). Thread-safe. */
wm_status wm_operator_do(const wm_operator *self, const Wm__Command *command, wm_text *ret);

#endif

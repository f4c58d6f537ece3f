/* tests/e2e/nineteen.h
 *
 * The nineteen faults under which a peer of ours was poisoned, hung or lost its run, each done to a whole office: what the
 * files of test_nineteen_faults.c share. The office has five gateways; the last one is the victim, or the bad one, and its
 * process does not run when a fault begins and when it is over. The others run all the time. */
#ifndef WM_TESTS_E2E_NINETEEN_H
#define WM_TESTS_E2E_NINETEEN_H

#include "tests/e2e/office.h"

enum { FAULT_GATEWAYS = 5, FAULT_VICTIM = 4 };

/* What fault_office says in server.yaml: shorter than an office would have it, so that nobody waits for long. */
enum { FAULT_GONE_MS = 2000, FAULT_SILENCE_MS = 8000 };

typedef struct fault {
    int         number; /* in the peer's table */
    const char *says;

    /* Does it, and fails the test unless all is as it has to be: refused by name, counted, the run done. Returns the
     * seconds from the fault to the next progress; negative: nothing had to be waited for. */
    double (*happens)(office *o);
} fault;

/* Ends with a row without a sentence. */
extern const fault faults_of_updates[], faults_of_processes[], faults_of_connections[];

/* A job of so many rounds; with `long_fit` a training takes about half a second. */
void fault_job(office *o, int rounds, const char *cohort, bool long_fit);

/* The text must be in `clients --json`, in the server's log and in the run's report: what the operator sees of it. */
void fault_is_seen(office *o, const char *text);

/* Waits until so many rounds are done; the seconds since then. */
double fault_progress(office *o, int rounds, int64_t since_ms);

#endif

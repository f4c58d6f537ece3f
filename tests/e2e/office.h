/* tests/e2e/office.h
 *
 * A data office, its gateways and a job, as real processes that speak TLS over loopback: what an operator would do by
 * hand, and what a power cut would do to him. Nothing here sleeps for a fixed time: whoever waits looks at a file, at
 * `status --json` or at a process until it is so, and fails with the logs when DEADLINE_MS have passed.
 *
 * The programs are those of the build tree. All files are in one folder, removed at the end; the processes are children
 * of the test and die with it. */
#ifndef WM_TESTS_E2E_OFFICE_H
#define WM_TESTS_E2E_OFFICE_H

#include "tests/unit.h"

#include "common/text.h"

#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>

enum { OFFICE_GATEWAYS = 8, OFFICE_PORTS = 3, OFFICE_DEADLINE_MS = 90 * 1000 };

/* The ports, by listener. */
enum { OFFICE_CONTROL, OFFICE_BULK, OFFICE_ENROLMENT };

typedef enum office_program { WARDMOTE, WARDMOTE_SERVER, WARDMOTE_CLIENT } office_program;

typedef struct office {
    char   folder[4096]; /* all of it */
    char   dir[4200];    /* the office's own: DIR of the commands */
    char   data[4200];   /* readings, a file for each gateway */
    char   job[4200];    /* job.yaml */
    char   server_log[4200];
    int    ports[OFFICE_PORTS];
    size_t n_gateways;
    char   names[OFFICE_GATEWAYS][64];        /* sorted */
    pid_t  server, gateways[OFFICE_GATEWAYS]; /* 0: does not run */
    char   run[64];                           /* the run's id, once it is started */
    bool   damaged; /* the test has damaged what is on the disk: it need not verify at the end */

    /* What the last command said. */
    wm_text output, complaint;
} office;

/* What a job of a test differs in; zero is the usual. */
typedef struct office_wish {
    size_t n_gateways; /* 3 */
    int    rounds;     /* 3 */
    const char
        *cohort; /* "{select: all, quorum: 1, deadline: 10m}": nobody is left out, and no restart is too long */
    const char *more; /* whole lines that are added to server.yaml */
    const char *host; /* the address that the server has and is called by; NULL: loopback, by its name */
    const char *days; /* "24": of hourly readings */
} office_wish;

/* Readings, the job, and an office that was initialised and does not run. */
void office_open(office *o, const office_wish *wish);
void office_close(office *o); /* kills what still runs, and verifies what is left, unless o->damaged */

/* For the set-up and the tear-down of a test whose *state is an office: opens one that is its own; closes it. */
office *office_begin(void **state, const office_wish *wish);
int     office_end(void **state);

/* The history checker finds nothing (`wardmote-server verify`), whether the server runs or not. */
void office_verified(office *o);

/* job.yaml anew, with other rounds and another cohort (NULL: the usual). */
void office_write_job(office *o, int rounds, const char *cohort);

/* In job.yaml, `from` becomes `to`; fails if it is not there. */
void office_change_job(office *o, const char *from, const char *to);

/* server.yaml anew, by the wish's `host` and `more`. */
void office_write_server_yaml(office *o, const office_wish *wish);

/* ---- commands ---- */

/* Runs a program to its end and returns its exit code, -1 if a signal killed it; `input` may be NULL; the words end with
 * NULL. What it says is in output and complaint until the next one. */
int office_run(office *o, const char *input, office_program program, ...) __attribute__((sentinel));

/* The same, and fails the test unless it exits with 0. */
void office_do(office *o, const char *input, office_program program, ...) __attribute__((sentinel));

/* ---- processes ---- */

/* With `crash` (NULL: none) as WARDMOTE_CRASH. The server answers its commands when this returns, or has died of it. */
void office_server_start(office *o, const char *crash);
void office_server_stop(office *o);    /* SIGTERM; fails unless it exits with 0 */
void office_server_kill(office *o);    /* kill -9 */
void office_server_crashes(office *o); /* waits until it has died at its crash point */

/* A token, enrolment and the `data` of client.yaml. The server runs. */
void office_enrol(office *o, size_t k);
void office_enrol_all(office *o);
void office_gateway_start(office *o, size_t k, const char *crash);
void office_gateways_start(office *o);
void office_gateway_stop(office *o, size_t k); /* SIGTERM; fails unless it exits with 0 */
void office_gateway_kill(office *o, size_t k); /* kill -9 */
void office_gateway_crashes(office *o, size_t k);
void office_gateway_folder(const office *o, size_t k, char path[4300]);
void office_gateway_log(const office *o, size_t k, char path[4300]);

/* Fails the test if that process does not run: the pid is 0 then, which would be the test itself and all its children. */
void office_signal(office *o, pid_t pid, int number);

/* In that gateway's client.yaml: the line that begins with `key` becomes "key value". */
void office_client_yaml(office *o, size_t k, const char *key, const char *value);

/* ---- runs ---- */

/* Starts job.yaml; o->run is its id. */
void office_job_start(office *o);

/* Waits until the run is over; its summary.json, to json_decref. */
json_t *office_wait_over(office *o);

/* Waits until it is over, and fails unless it is done, after so many rounds (0: however many), with the model of this
 * SHA-256 (NULL: whichever). */
void office_wait_done(office *o, int rounds, const char *sha);

/* Waits until so many rounds are in rounds.csv. */
void office_wait_rounds(office *o, int rounds);

/* Waits for so many rounds more than there are; how many seconds it took. */
double office_wait_more_rounds(office *o, int more);

/* The model's SHA-256 of the same job and data in memory: what a disturbed run is held against. It is in FOLDER/simulated,
 * that of processes over TLS in FOLDER/tls. */
void office_simulate(office *o, const char *workers, char sha[65]);
void office_simulate_tls(office *o, char sha[65]); /* as processes */

/* `status --json`, to json_decref. */
json_t *office_status(office *o);

void office_run_path(const office *o, const char *name, char path[4400]);

/* A file of the run's folder, whole; to free(). */
char *office_run_file(office *o, const char *name);

/* The value of that column in the row that begins with `row`, of a CSV text; fails if there is none. */
void office_csv(const char *csv, const char *row, const char *column, char value[256]);
long office_csv_long(const char *csv, const char *row, const char *column);

/* ---- waiting ---- */

/* Fails the test with the sentence and the ends of the logs. */
__attribute__((format(printf, 2, 3), noreturn)) void office_fail(office *o, const char *fmt, ...);

/* Until is() says so; `what` is said when it never does. */
void office_wait(office *o, bool (*is)(office *o, void *context), void *context, const char *what);

/* Until the file has the text. */
void office_wait_text(office *o, const char *path, const char *text);

/* Whether the file has the text now. */
bool office_has_text(const char *path, const char *text);

int64_t office_now_ms(void);

#endif

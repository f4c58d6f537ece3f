/* tests/e2e/inside.h: what the files of office.h share. Nobody else includes this. */
#ifndef WM_TESTS_E2E_INSIDE_H
#define WM_TESTS_E2E_INSIDE_H

#include "tests/e2e/office.h"

#include "common/files.h"

/* ---- files ---- */

char *office_read_text(const char *path); /* NULL: not there; to free() */
void  office_write_text(const char *path, const char *text);

/* ---- processes ---- */

/* `program verb folder`, its words added to a log, with `crash` (NULL: none) as WARDMOTE_CRASH. */
pid_t office_process_start(office_program program, const char *verb, const char *folder, const char *log,
                           const char *crash);

/* SIGTERM, and fails unless it then exits with 0. *pid is 0 after this and the next two. */
void office_process_stop(office *o, pid_t *pid, const char *what);
void office_process_kill(pid_t *pid); /* SIGKILL; nothing if it does not run */

/* Waits until it was killed by its own hand: it has died at its crash point. */
void office_process_crashes(office *o, pid_t *pid, const char *what);

/* Whether it has ended, without reaping it; *by_signal: it was killed. */
bool office_process_is_dead(pid_t pid, bool *by_signal);

#endif

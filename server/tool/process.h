/* server/tool/process.h
 *
 * Other programs of ours, started as processes: found beside this one, fed and read through pipes, gone when this one is
 * gone. */
#ifndef WM_SERVER_TOOL_PROCESS_H
#define WM_SERVER_TOOL_PROCESS_H

#include "common/status.h"
#include "common/text.h"

#include <stdbool.h>
#include <sys/types.h>

/* The path of `name`: in this program's own folder, in the folders beside it (a build tree), or on PATH; the caller's to
 * free(), NULL if it is nowhere. */
char *wm_program_path(const char *name);

/* Starts argv (ends with NULL), standard error and output added to the file `log`. */
wm_status wm_process_start(char *const *argv, const char *log, pid_t *ret, wm_error *err);

/* Runs argv to its end: `input` (may be NULL) on standard input, standard output into *output (may be NULL). WM_E_IO if it
 * ends with another code than 0: the sentence is what it said on standard error. */
wm_status wm_process_run(char *const *argv, const char *input, wm_text *output, wm_error *err);

/* Whether it has ended; it is then reaped, and *pid becomes 0, since the number may soon be another process's. */
bool wm_process_ended(pid_t *pid);

/* SIGTERM to those that have not ended, and SIGKILL after ten seconds; waits. All become 0. */
void wm_process_stop(pid_t *pids, size_t n);

#endif

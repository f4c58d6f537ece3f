/* server/issuer/issuer_process.h
 *
 * The issuer as a process of its own. The aggregator starts it first of all, before it has a thread, a socket or its own
 * key, and talks to it over a socket pair that nobody else can reach; the operator's commands find it at
 * OFFICE/issuer/issuer.sock, mode 0600. It ends when the aggregator does, however that ends.
 *
 * Started as root where there is a user `wardmote-issuer`, it becomes that user, for good, before it opens anything:
 * then a broken aggregator of another user can neither read the issuing key nor write the store. Otherwise it stays who
 * it is, and says so. In any case it can gain no privileges, leaves no core, and cannot be looked into by its user's
 * other processes (PR_SET_DUMPABLE). */
#ifndef WM_SERVER_ISSUER_PROCESS_H
#define WM_SERVER_ISSUER_PROCESS_H

#include "server/issuer/issuer_client.h"

#include <sys/types.h>

#define WM_ISSUER_USER "wardmote-issuer"

typedef struct wm_issuer_process_settings {
    const char *office;       /* the folder above issuer/ */
    const char *user;         /* NULL: WM_ISSUER_USER */
    wm_log     *log;          /* to standard output or error: the process closes all others. NULL for none */
    wm_door     door;         /* what the socket pair may ask for */
    bool        listen;       /* at the operator's socket */
    bool        say_ready;    /* _run: stop_fd is a socket, and one byte goes out there as soon as it serves */
    int         lock_wait_ms; /* for the one before it to end; 0: 5 s */

    int64_t gateway_life_ms, server_life_ms; /* of certificates; 0: as wm_issuer_settings */
} wm_issuer_process_settings;

typedef struct wm_issuer_process {
    pid_t             pid;
    wm_issuer_client *client;
} wm_issuer_process;

/* Starts it and waits until it serves; the errors of wm_issuer_open are the process's own and come through. No thread may
 * be there yet, and nng may not have been used. */
wm_status wm_issuer_process_start(const wm_issuer_process_settings *settings, wm_issuer_process *ret,
                                  wm_error *err);

/* Hangs up and waits until it has ended. */
void wm_issuer_process_end(wm_issuer_process *process);

/* Serves in this process, without a socket pair, at OFFICE/issuer/issuer.sock for the operator and
 * OFFICE/issuer/aggregator.sock for an aggregator of the same user, until `stop_fd` is readable: `wardmote-server issuer
 * DIR`. Drops privileges as above, for good. */
wm_status wm_issuer_process_run(const wm_issuer_process_settings *settings, int stop_fd, wm_error *err);

/* For the operator's commands: asks the process that runs, or, where none does, one that is started for this one
 * question. */
wm_status wm_issuer_ask_at(const char *office, const Wm__Issue *issue, int timeout_ms, Wm__Issued **ret,
                           wm_error *err);

#endif

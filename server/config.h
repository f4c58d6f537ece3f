/* server/config.h
 *
 * server.yaml: where the aggregator listens, what gateways call it, and how much of the machine a crowd of them may
 * take. Written by `init` with every default as a comment, edited by the operator, read by `run` and the commands.
 * Every key is in docs/configuration.md. */
#ifndef WM_SERVER_CONFIG_H
#define WM_SERVER_CONFIG_H

#include "common/arena.h"
#include "common/config/family.h"
#include "common/files.h"
#include "common/text.h"

typedef struct wm_listen_config {
    const char *control, *bulk, *enrolment; /* "0.0.0.0:7400", "[::]:7400" */
} wm_listen_config;

typedef struct wm_upload_config {
    int64_t at_once;  /* updates that are taken in at a time */
    int64_t memory;   /* bytes: an update above this is staged in a file */
    int64_t room;     /* bytes of updates that are staged in all, those that were broken off included */
    int64_t stall_ms; /* nothing came for so long: the place goes to another */
    int64_t turn_ms;  /* a place is held for so long at most while others wait */
} wm_upload_config;

typedef struct wm_connection_config {
    int64_t most, per_gateway, strangers;
    int64_t idle_ms;
    int64_t memory; /* bytes of requests, and again of answers, in memory at once, for each listener */
} wm_connection_config;

typedef struct wm_presence_config {
    int64_t silence_ms, gone_ms; /* wm_patience */
} wm_presence_config;

typedef struct wm_certificate_config {
    int64_t gateway_ms, server_ms; /* how long a certificate is valid */
} wm_certificate_config;

typedef struct wm_server_config {
    wm_listen_config listen;
    wm_words         names;     /* of the server, as gateways dial it: in its certificate, and in tokens */
    wm_words         addresses; /* what tokens carry in their place, host:port; empty: names and listen.enrolment */
    wm_upload_config uploads;
    wm_connection_config  connections;
    wm_presence_config    presence;
    wm_certificate_config certificates;
} wm_server_config;

/* The table, for the reader, the reference and its test. */
extern const wm_member wm_server_table;

/* Reads DIR/server.yaml; *memory, the caller's to give to wm_arena_free, owns what *ret points to. WM_E_MISSING: there
 * is no such file; WM_E_INVALID: faults, all of them as lines in *faults. */
wm_status wm_server_config_read(const wm_files *files, const char *folder, wm_faults *faults, wm_server_config *ret,
                                wm_arena **memory, wm_error *err);

/* A first server.yaml. */
wm_status wm_server_config_write(const wm_files *files, const char *folder, const char *const *names,
                                 size_t n_names, wm_error *err);

/* The addresses that a token carries, at most `most`: addresses[i] is an allocated text, to be freed each. */
wm_status wm_server_config_addresses(const wm_server_config *config, char **addresses, size_t most, size_t *n,
                                     wm_error *err);

#endif

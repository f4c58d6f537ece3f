/* client/config.h
 *
 * client.yaml: where the aggregator is, where this gateway's readings lie, and what may be done with them. Written by
 * `enroll`, edited by the installer, read by `run` and `check`. Every key is in docs/configuration.md. */
#ifndef WM_CLIENT_CONFIG_H
#define WM_CLIENT_CONFIG_H

#include "client/workplace.h"
#include "common/arena.h"
#include "common/files.h"

typedef struct wm_client_limits {
    int64_t memory; /* bytes; 0: no limit of its own */
    int64_t nice;   /* 0 to 19: how far training steps back behind the gateway's other work */
    int64_t redo;   /* ms: work that took less is done again after a crash, and not written to flash before it is sent */
} wm_client_limits;

typedef struct wm_client_config {
    wm_words         servers; /* host names or addresses; the next is tried when one does not answer */
    int64_t          control_port, bulk_port, enrolment_port;
    wm_data_policy   data; /* memory_max is set from limits */
    wm_client_limits limits;
} wm_client_config;

/* The tables, for the reader, the reference and its test. */
extern const wm_member wm_client_table;

/* Reads DIR/client.yaml; *memory, the caller's to give to wm_arena_free, owns what *ret points to. A relative
 * data.folder is taken from `folder`. Faults are in *faults. */
wm_status wm_client_config_read(const wm_files *files, const char *folder, wm_faults *faults, wm_client_config *ret,
                                wm_arena **memory, wm_error *err);

/* A first client.yaml, for `enroll`: servers and ports as given, the rest as comments. */
wm_status wm_client_config_write(const wm_files *files, const char *folder, const char *const *servers,
                                 size_t n_servers, int control_port, int bulk_port, int enrolment_port,
                                 wm_error *err);

#endif

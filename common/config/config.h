/* common/config/config.h
 *
 * A program's own configuration file (server.yaml, client.yaml) by one table: its sections are tables, its
 * families choices (see family.h). The job file has more to it and is read by common/job. */
#ifndef WM_COMMON_CONFIG_CONFIG_H
#define WM_COMMON_CONFIG_CONFIG_H

#include "common/config/options.h"

enum { WM_CONFIG_BYTES_MAX = 256 << 10 };

/* record[table->options_size], zeroed by the caller, is filled; what it points to lives in *memory, the
 * caller's to give to wm_arena_free. text[n]: YAML. `families` as in wm_reader. Every fault is added to
 * *faults, as one of `file`; WM_E_INVALID if there is one, WM_E_NOMEM; *memory is then untouched and
 * the record of no use. */
wm_status wm_config_read(const char *file, const char *text, size_t n, const wm_member *table, const void *families,
                         wm_faults *faults, void *record, wm_arena **memory, wm_error *err);

#endif

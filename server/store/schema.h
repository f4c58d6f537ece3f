/* server/store/schema.h
 *
 * The tables, as steps from one version to the next. The version stands in the file (PRAGMA user_version);
 * opening an older file takes the steps that it lacks, each in a transaction of its own with its number, so a
 * death in between leaves a whole version. A newer file is refused. Steps that were released are never
 * edited: a change is a new one. */
#ifndef WM_SERVER_STORE_SCHEMA_H
#define WM_SERVER_STORE_SCHEMA_H

#include "server/store/database.h"

/* steps[i] leads from version i to i + 1. WM_E_REFUSED: the file is newer than the last step; WM_E_DAMAGED:
 * it is a database of another program. */
wm_status wm_schema_apply(wm_db *db, const char *const *steps, size_t n_steps, wm_error *err);

/* The store's own steps. */
extern const char *const wm_schema_steps[];
extern const size_t      wm_schema_n_steps;

#endif

/* server/opening.h
 *
 * The first that a daemon does with its office: its store is opened, its history looked at, the clock held against the last
 * commit, and the roster of gateways read. */
#ifndef WM_SERVER_OPENING_H
#define WM_SERVER_OPENING_H

#include "server/daemon.h"
#include "server/roster.h"

/* *store and *roster are the caller's as far as they are set, also after a failure. WM_E_REFUSED: another process has the
 * store open, and went on having it. WM_E_INVALID: the clock is behind the last commit. */
wm_status wm_office_open(const wm_daemon_settings *settings, wm_store **store, wm_roster **roster, wm_error *err);

#endif

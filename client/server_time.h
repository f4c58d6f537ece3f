/* client/server_time.h
 *
 * The time, for a gateway that has no clock to trust: the latest moment that an authenticated server named, plus what
 * has passed since on the monotonic clock. It never goes back; certificates are judged by it. Kept in DIR/server-time
 * so that a restart does not forget it, and written at most once an hour, to spare the SD card. Thread-safe. */
#ifndef WM_CLIENT_SERVER_TIME_H
#define WM_CLIENT_SERVER_TIME_H

#include "common/clock.h"
#include "common/files.h"

typedef struct wm_server_time wm_server_time;

/* A file that is not there or does not hold counts as "never heard of a server". */
wm_status wm_server_time_open(const wm_files *files, const char *folder, wm_clock clock, wm_server_time **ret,
                              wm_error *err);
void      wm_server_time_free(wm_server_time *time);

/* A verified server says that it is now this late. */
void wm_server_time_heard(wm_server_time *time, int64_t wall_ms);

/* 0 if no server was ever heard: dates are then not judged. */
int64_t wm_server_time_now(wm_server_time *time);

#endif

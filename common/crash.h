/* common/crash.h
 *
 * Named crash points, at every durable transition of the server and the client. In a build for tests, with
 * WARDMOTE_CRASH=name or name@N in the environment, the N-th passage through that point kills the process as
 * `kill -9` would. In a release the call compiles to nothing. */
#ifndef WM_COMMON_CRASH_H
#define WM_COMMON_CRASH_H

#ifdef WM_CRASH_POINTS
void wm_crash_point(const char *name);
#else
static inline void wm_crash_point(const char *name)
{
    (void)name;
}
#endif

#endif

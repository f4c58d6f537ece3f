/* common/crash.c */
#include "common/crash.h"

#ifdef WM_CRASH_POINTS

#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

void wm_crash_point(const char *name)
{
    static atomic_int passed; /* how often the named point was passed: the one thing that a process counts here */
    const char       *wish = getenv("WARDMOTE_CRASH");
    size_t            n = strlen(name);

    if (wish == NULL || strncmp(wish, name, n) != 0 || (wish[n] != '\0' && wish[n] != '@'))
        return;
    if (atomic_fetch_add(&passed, 1) + 1 == (wish[n] == '@' ? atoi(wish + n + 1) : 1))
        raise(SIGKILL);
}

#else
typedef int wm_crash_points_are_off; /* ISO C wants a declaration in every file */
#endif

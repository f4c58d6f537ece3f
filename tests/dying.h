/* tests/dying.h: a child that is killed at a crash point, as by a power cut to the process. */
#ifndef WM_TESTS_DYING_H
#define WM_TESTS_DYING_H

#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* 0: we are the child, which does the deed that it is to die in, and exits. */
static inline pid_t fork_to_die_at(const char *point)
{
    pid_t child = fork();

    if (child == 0)
        setenv("WARDMOTE_CRASH", point, 1);
    return child;
}

/* Waits for its end; false: it went past the point, or there was no child. */
static inline bool was_killed(pid_t child)
{
    int how;

    return child > 0 && waitpid(child, &how, 0) == child && WIFSIGNALED(how) && WTERMSIG(how) == SIGKILL;
}

#endif

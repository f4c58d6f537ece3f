/* server/bell.c */
#include "server/bell.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* A handler has no context: what it needs is the one thing here that belongs to the process and not to a daemon. A
 * signalfd would need the signals blocked in every thread, and some threads are made by libraries before main. */
static struct {
    atomic_int            fd;
    volatile sig_atomic_t number;
} stop_signal = { .fd = -1 };

static void ring(int fd)
{
    uint64_t one = 1;
    ssize_t  done = write(fd, &one, sizeof one); /* full: it is rung already */

    (void)done;
}

static void on_stop_signal(int number)
{
    int saved = errno;

    stop_signal.number = number;
    ring(atomic_load(&stop_signal.fd));
    errno = saved;
}

wm_status wm_bell_open(wm_bell *bell, wm_error *err)
{
    struct sigaction action = { .sa_handler = on_stop_signal, .sa_flags = SA_RESTART };

    bell->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    bell->stir_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (bell->stop_fd < 0 || bell->stir_fd < 0)
        return wm_fail(err, WM_E_IO, "cannot wait for signals: %s", strerror(errno));
    atomic_store(&stop_signal.fd, bell->stop_fd);
    sigemptyset(&action.sa_mask);
    signal(SIGPIPE, SIG_IGN);
    if (sigaction(SIGTERM, &action, NULL) != 0 || sigaction(SIGINT, &action, NULL) != 0)
        return wm_fail(err, WM_E_IO, "cannot take over the signals: %s", strerror(errno));
    return WM_OK;
}

void wm_bell_stir(wm_bell *bell)
{
    ring(bell->stir_fd);
}

bool wm_bell_wait(wm_bell *bell, int64_t most_ms)
{
    struct pollfd fds[] = { { .fd = bell->stop_fd, .events = POLLIN }, { .fd = bell->stir_fd, .events = POLLIN } };
    uint64_t      count;

    (void)poll(fds, 2, most_ms > 0 ? (int)most_ms : 0);
    if (read(bell->stop_fd, &count, sizeof count) == (ssize_t)sizeof count)
        return true;
    while (read(bell->stir_fd, &count, sizeof count) == (ssize_t)sizeof count)
        ;
    return false;
}

const char *wm_bell_signal(void)
{
    return stop_signal.number == SIGTERM ? "TERM" : "INT";
}

void wm_bell_close(wm_bell *bell)
{
    signal(SIGTERM, SIG_DFL);
    signal(SIGINT, SIG_DFL);
    if (bell->stop_fd >= 0)
        close(bell->stop_fd);
    if (bell->stir_fd >= 0)
        close(bell->stir_fd);
}

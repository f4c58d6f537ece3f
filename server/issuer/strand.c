/* server/issuer/strand.c */
#include "server/issuer/strand.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { HEAD = 8 };

/* WM_OK: the socket is ready for `events`, or has something to say about its end. */
static wm_status wait_for(const wm_strand *strand, short events, int64_t until_ms, wm_error *err)
{
    for (;;) {
        struct pollfd fds[2] = { { .fd = strand->fd, .events = events },
                                 { .fd = strand->stop_fd, .events = POLLIN } };
        int64_t       left = until_ms == WM_STRAND_NO_DEADLINE ? -1 : until_ms - wm_mono_ms(&strand->clock);
        int           n;

        if (until_ms != WM_STRAND_NO_DEADLINE && left <= 0)
            return wm_fail(err, WM_E_TIMEOUT, "the issuer does not answer in time");
        n = poll(fds, 2, left > INT_MAX ? INT_MAX : (int)left);
        if (n < 0 && errno != EINTR)
            return wm_fail(err, WM_E_IO, "cannot wait for the issuer: %s", strerror(errno));
        if (n > 0 && fds[1].revents != 0)
            return wm_fail(err, WM_E_CLOSED, "told to stop");
        if (n > 0 && fds[0].revents != 0)
            return WM_OK;
    }
}

static wm_status send_all(const wm_strand *strand, const uint8_t *bytes, size_t n, int64_t until_ms, wm_error *err)
{
    while (n > 0) {
        ssize_t   done;
        wm_status st = wait_for(strand, POLLOUT, until_ms, err);

        if (st != WM_OK)
            return st;
        done = send(strand->fd, bytes, n, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (done < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (done < 0)
            return wm_fail(err, errno == EPIPE || errno == ECONNRESET ? WM_E_CLOSED : WM_E_IO,
                           "the issuer cannot be reached: %s", strerror(errno));
        bytes += done;
        n -= (size_t)done;
    }
    return WM_OK;
}

static wm_status receive_all(const wm_strand *strand, uint8_t *bytes, size_t n, int64_t until_ms, bool *begun,
                             wm_error *err)
{
    while (n > 0) {
        ssize_t   got;
        wm_status st = wait_for(strand, POLLIN, until_ms, err);

        if (st != WM_OK)
            return st;
        got = recv(strand->fd, bytes, n, MSG_DONTWAIT);
        if (got < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (got == 0 || (got < 0 && errno == ECONNRESET))
            return wm_fail(err, WM_E_CLOSED, "the other process is gone");
        if (got < 0)
            return wm_fail(err, WM_E_IO, "cannot read from the issuer's socket: %s", strerror(errno));
        *begun = true;
        bytes += got;
        n -= (size_t)got;
    }
    return WM_OK;
}

static void put_u32(uint8_t *to, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        to[i] = (uint8_t)(value >> (24 - 8 * i));
}

static uint32_t get_u32(const uint8_t *from)
{
    return (uint32_t)from[0] << 24 | (uint32_t)from[1] << 16 | (uint32_t)from[2] << 8 | from[3];
}

wm_status wm_strand_send(const wm_strand *strand, uint32_t number, const void *bytes, size_t n, int64_t until_ms,
                         wm_error *err)
{
    uint8_t   head[HEAD];
    wm_status st;

    if (n > UINT32_MAX)
        return wm_fail(err, WM_E_RANGE, "a message of %zu bytes", n);
    put_u32(head, (uint32_t)n);
    put_u32(head + 4, number);
    st = send_all(strand, head, sizeof head, until_ms, err);
    return st == WM_OK ? send_all(strand, bytes, n, until_ms, err) : st;
}

wm_status wm_strand_receive(const wm_strand *strand, size_t limit, int64_t until_ms, uint32_t *number,
                            uint8_t **ret, size_t *n, bool *begun, wm_error *err)
{
    uint8_t   head[HEAD], *bytes;
    size_t    size;
    wm_status st;

    *begun = false;
    st = receive_all(strand, head, sizeof head, until_ms, begun, err);
    if (st != WM_OK)
        return st;
    size = get_u32(head);
    if (size > limit)
        return wm_fail(err, WM_E_RANGE, "a message of %zu bytes is announced, at most %zu are read", size, limit);
    bytes = malloc(size > 0 ? size : 1);
    if (bytes == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory for a message of %zu bytes", size);
    st = receive_all(strand, bytes, size, until_ms, begun, err);
    if (st != WM_OK) {
        free(bytes);
        return st;
    }
    *number = get_u32(head + 4);
    *ret = bytes;
    *n = size;
    return WM_OK;
}

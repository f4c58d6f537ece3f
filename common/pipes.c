/* common/pipes.c */
#include "common/pipes.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

void wm_pipes_drain(int out, int errors, size_t most, wm_text *output, wm_text *complaint)
{
    struct pollfd fds[2] = { { .fd = out, .events = POLLIN }, { .fd = errors, .events = POLLIN } };
    wm_text      *to[2] = { output, complaint };
    char          bytes[4096];

    while (fds[0].fd >= 0 || fds[1].fd >= 0) {
        if (poll(fds, 2, -1) < 0 && errno != EINTR)
            return;
        for (int i = 0; i < 2; i++) {
            ssize_t n;

            if (fds[i].fd < 0 || fds[i].revents == 0)
                continue;
            n = read(fds[i].fd, bytes, sizeof bytes);
            if (n > 0 && to[i] != NULL && to[i]->size < most)
                wm_text_add_bytes(to[i], bytes, (size_t)n);
            if (n == 0 || (n < 0 && errno != EINTR))
                fds[i].fd = -1;
        }
    }
}

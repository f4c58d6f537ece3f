/* server/descriptors.c */
#include "server/descriptors.h"

#include <sys/resource.h>

enum {
    LISTENERS = 3,
    OTHER_FILES = 128, /* the store, blobs, uploads, pipes, nng's own */
    LEFT_LEAST = 32,
};

void wm_descriptors_raise(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

uint64_t wm_descriptors_allowed(void)
{
    struct rlimit limit;

    return getrlimit(RLIMIT_NOFILE, &limit) == 0 ? (uint64_t)limit.rlim_cur : UINT64_MAX;
}

static size_t fixed(size_t strangers)
{
    return LISTENERS * strangers + WM_ENROLMENT_CONNECTIONS + OTHER_FILES;
}

bool wm_descriptors_share(const wm_connection_config *limits, uint64_t allowed, wm_descriptor_shares *ret)
{
    size_t most = (size_t)limits->most, strangers = (size_t)limits->strangers, have, left;

    *ret = (wm_descriptor_shares){ .control = most, .bulk = most, .strangers = strangers };
    if (allowed >= fixed(strangers) + 2 * most)
        return true;
    have = (size_t)allowed;
    if (strangers > have / 16)
        strangers = have / 16 > 0 ? have / 16 : 1;
    left = have > fixed(strangers) + LEFT_LEAST ? have - fixed(strangers) : LEFT_LEAST;
    ret->strangers = strangers;
    ret->control = left / 4 * 3 < most ? left / 4 * 3 : most;
    ret->bulk = left - ret->control < most ? left - ret->control : most;
    return false;
}

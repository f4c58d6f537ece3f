/* server/gathering.c */
#include "server/gathering.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static wm_status open_file(const char *folder, int *ret, wm_error *err)
{
    int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

    if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR)) { /* a file system without O_TMPFILE */
        char path[4096];

        snprintf(path, sizeof path, "%s/.upload-XXXXXX", folder);
        fd = mkostemp(path, O_CLOEXEC);
        if (fd >= 0)
            unlink(path);
    }
    if (fd < 0)
        return wm_fail(err, WM_E_IO, "cannot make a file for an update in %s: %s", folder, strerror(errno));
    *ret = fd;
    return WM_OK;
}

wm_status wm_gathering_init(wm_gathering *g, size_t size, uint8_t *memory, const char *folder, wm_error *err)
{
    wm_gathering made = { .size = size, .memory = memory, .fd = -1 };
    wm_status    st = memory == NULL ? open_file(folder, &made.fd, err) : WM_OK;

    if (st != WM_OK)
        return st;
    wm_ranges_init(&made.have, size);
    wm_sha256_init(&made.sha);
    *g = made;
    pthread_mutex_init(&g->lock, NULL);
    return WM_OK;
}

wm_status wm_gathering_reserve(wm_gathering *g, wm_error *err)
{
    int e;

    if (g->fd < 0)
        return WM_OK;
    pthread_mutex_lock(&g->lock); /* libc may have to do it by writing zeros: nobody's range may come between */
    e = posix_fallocate(g->fd, 0, (off_t)g->size);
    pthread_mutex_unlock(&g->lock);
    return e == 0 ? WM_OK : wm_fail(err, WM_E_IO, "no room for an update of %zu bytes: %s", g->size, strerror(e));
}

void wm_gathering_release(wm_gathering *g)
{
    if (g->fd >= 0)
        close(g->fd);
    pthread_mutex_destroy(&g->lock);
}

/* ---- ranges ---- */

/* Under the lock. */
static wm_status write_range(wm_gathering *g, uint64_t offset, const uint8_t *bytes, size_t n, wm_error *err)
{
    if (g->memory != NULL) {
        memcpy(g->memory + offset, bytes, n);
        return WM_OK;
    }
    while (n > 0) {
        ssize_t done = pwrite(g->fd, bytes, n, (off_t)offset);

        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return wm_fail(err, WM_E_IO, "cannot write an update to its file: %s", strerror(errno));
        bytes += done;
        offset += (uint64_t)done;
        n -= (size_t)done;
    }
    return WM_OK;
}

/* Under the lock. What is hashed stays as it is: a range that comes again with other bytes changes nothing there. */
static wm_status take_range(wm_gathering *g, uint64_t offset, const uint8_t *bytes, size_t n, wm_error *err)
{
    wm_status st;

    if (offset < g->hashed) {
        size_t known = g->hashed - offset < n ? (size_t)(g->hashed - offset) : n;

        offset += known;
        bytes += known;
        n -= known;
    }
    if (n == 0)
        return WM_OK;
    st = write_range(g, offset, bytes, n, err);
    if (st == WM_OK)
        st = wm_ranges_add(&g->have, offset, n, NULL, err);
    if (st == WM_OK && offset == g->hashed) {
        wm_sha256_add(&g->sha, bytes, n);
        g->hashed += n;
    }
    return st;
}

wm_status wm_gathering_put(wm_gathering *g, uint64_t offset, const uint8_t *bytes, size_t n, bool *whole,
                           wm_error *err)
{
    wm_status st = WM_OK;
    bool      was_whole;

    if (n == 0 || offset > g->size || n > g->size - offset)
        return wm_fail(err, WM_E_RANGE, "a range of %zu bytes at %llu is not within an update of %zu", n,
                       (unsigned long long)offset, g->size);
    pthread_mutex_lock(&g->lock);
    was_whole = wm_ranges_complete(&g->have);
    if (!was_whole)
        st = take_range(g, offset, bytes, n, err);
    *whole = st == WM_OK && !was_whole && wm_ranges_complete(&g->have);
    pthread_mutex_unlock(&g->lock);
    return st;
}

size_t wm_gathering_gaps(wm_gathering *g, wm_gap *gaps, size_t most)
{
    size_t n;

    pthread_mutex_lock(&g->lock);
    n = g->have.n_gaps < most ? g->have.n_gaps : most;
    memcpy(gaps, g->have.gaps, n * sizeof *gaps);
    pthread_mutex_unlock(&g->lock);
    return n;
}

bool wm_gathering_is_whole(wm_gathering *g)
{
    bool whole;

    pthread_mutex_lock(&g->lock);
    whole = wm_ranges_complete(&g->have);
    pthread_mutex_unlock(&g->lock);
    return whole;
}

/* ---- the whole ---- */

static wm_status read_file(const wm_gathering *g, uint8_t *room, wm_error *err)
{
    for (size_t at = 0; at < g->size;) {
        ssize_t done = pread(g->fd, room + at, g->size - at, (off_t)at);

        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return wm_fail(err, WM_E_IO, "cannot read an update from its file: %s",
                           done < 0 ? strerror(errno) : "it is cut short");
        at += (size_t)done;
    }
    return WM_OK;
}

wm_status wm_gathering_read(wm_gathering *g, uint8_t *room, const uint8_t **ret, wm_digest *digest, wm_error *err)
{
    const uint8_t *bytes = g->memory != NULL ? g->memory : room;
    wm_status      st = WM_OK;

    pthread_mutex_lock(&g->lock);
    assert(wm_ranges_complete(&g->have));
    if (g->memory == NULL)
        st = read_file(g, room, err);
    if (st == WM_OK) {
        wm_sha256 sha = g->sha;

        wm_sha256_add(&sha, bytes + g->hashed, g->size - g->hashed);
        wm_sha256_take(&sha, digest);
        *ret = bytes;
    }
    pthread_mutex_unlock(&g->lock);
    return st;
}

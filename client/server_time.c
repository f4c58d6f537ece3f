/* client/server_time.c */
#include "client/server_time.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { WRITE_EVERY_MS = 3600 * 1000, TEXT_MAX = 64 };

/* The end of the year 9999: what is later is no time that a server means, and would overflow with what passes. */
static const int64_t LATEST_MS = 253402300799999;

struct wm_server_time {
    const wm_files *files;
    char           *path;
    wm_clock        clock;
    pthread_mutex_t lock;       /* guards what follows */
    int64_t         latest_ms;  /* wall time that a server named; 0 for never */
    int64_t         heard_mono; /* when we heard it */
    int64_t         written_ms; /* what the file says */
};

static int64_t read_file(wm_server_time *self)
{
    uint8_t *bytes;
    size_t   n;
    int64_t  value = 0;
    char     rest;

    if (self->files->read(self->files, self->path, TEXT_MAX, &bytes, &n, NULL) != WM_OK)
        return 0;
    if (sscanf((const char *)bytes, "%" SCNd64 " %c", &value, &rest) != 1 || value < 0 || value > LATEST_MS)
        value = 0;
    free(bytes);
    return value;
}

wm_status wm_server_time_open(const wm_files *files, const char *folder, wm_clock clock, wm_server_time **ret,
                              wm_error *err)
{
    wm_server_time *self = calloc(1, sizeof *self);

    if (self == NULL || (self->path = wm_path_join(folder, "server-time")) == NULL) {
        free(self);
        return wm_fail(err, WM_E_NOMEM, "no memory for the server's time");
    }
    self->files = files;
    self->clock = clock;
    pthread_mutex_init(&self->lock, NULL);
    self->latest_ms = self->written_ms = read_file(self);
    self->heard_mono = wm_mono_ms(&clock);
    *ret = self;
    return WM_OK;
}

void wm_server_time_free(wm_server_time *time)
{
    if (time == NULL)
        return;
    pthread_mutex_destroy(&time->lock);
    free(time->path);
    free(time);
}

/* Lock held. */
static int64_t now(const wm_server_time *self)
{
    return self->latest_ms == 0 ? 0 : self->latest_ms + wm_mono_ms(&self->clock) - self->heard_mono;
}

void wm_server_time_heard(wm_server_time *time, int64_t wall_ms)
{
    char text[TEXT_MAX];
    int  n;

    pthread_mutex_lock(&time->lock);
    if (wall_ms > now(time) && wall_ms <= LATEST_MS) {
        time->latest_ms = wall_ms;
        time->heard_mono = wm_mono_ms(&time->clock);
    }
    if (time->latest_ms > 0 && now(time) - time->written_ms >= WRITE_EVERY_MS) {
        n = snprintf(text, sizeof text, "%" PRId64 "\n", now(time));
        /* A full disk must not stop the work: the time is then a little older after a restart. */
        if (n > 0 && time->files->replace(time->files, time->path, text, (size_t)n, 0600, NULL) == WM_OK)
            time->written_ms = now(time);
    }
    pthread_mutex_unlock(&time->lock);
}

int64_t wm_server_time_now(wm_server_time *time)
{
    int64_t ms;

    pthread_mutex_lock(&time->lock);
    ms = now(time);
    pthread_mutex_unlock(&time->lock);
    return ms;
}

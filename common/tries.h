/* common/tries.h
 *
 * How often each stranger may fail: so many tries at once, then one every so often. The generic cell rate algorithm
 * (ITU-T I.371), which needs one time per source: when the source's debt will be paid. A table of fixed size; when it
 * is full, the source nearest to being forgiven is forgotten, so that a flood of sources costs no memory and frees
 * only those who had least to wait. Time is handed in. Owned by its user; not locked. */
#ifndef WM_COMMON_TRIES_H
#define WM_COMMON_TRIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { WM_TRIES_SOURCES = 256, WM_TRIES_NAME = 64 };

typedef struct wm_tries {
    int64_t every_ms; /* one more try each */
    int64_t burst;    /* tries at once */
    struct {
        char    name[WM_TRIES_NAME]; /* cut to fit; "" is a source as any other */
        int64_t paid_ms;             /* mono time at which it owes nothing more; in the past: a free place */
    } sources[WM_TRIES_SOURCES];
} wm_tries;

void wm_tries_init(wm_tries *tries, int64_t burst, int64_t every_ms);

/* 0: it may try now; else in how many milliseconds. */
int64_t wm_tries_wait(const wm_tries *tries, const char *source, int64_t mono_ms);

/* It has tried and failed. */
void wm_tries_charge(wm_tries *tries, const char *source, int64_t mono_ms);

#endif

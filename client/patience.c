/* client/patience.c */
#include "client/patience.h"

#include <string.h>

enum {
    AGAIN_FIRST_MS = 1000,
    AGAIN_LAST_MS = 60000, /* the longest wait before the same task is taken on once more */
};

static bool is_last(const wm_patience *self, const wm_task *task)
{
    return self->last.phase == task->phase && self->last.round == task->round &&
           self->last.attempt == task->attempt && wm_digest_equal(&self->last.model, &task->model);
}

/* The next wait begins. */
static void wait_longer(wm_patience *self, int64_t now_ms)
{
    int64_t pause = AGAIN_FIRST_MS;

    for (unsigned i = 0; i < self->again && pause < AGAIN_LAST_MS; i++)
        pause *= 2;
    self->again_at_ms = now_ms + (pause < AGAIN_LAST_MS ? pause : AGAIN_LAST_MS);
    self->again++;
}

wm_patience_word wm_patience_with(wm_patience *patience, const wm_task *task, const uint8_t *run, int64_t now_ms,
                                  int64_t *wait_ms)
{
    bool same_run = memcmp(patience->run, run, WM_RUN_ID_SIZE) == 0, same = same_run && is_last(patience, task);

    if (!same && !(patience->declined && same_run)) {
        patience->again = 0;
        patience->again_at_ms = now_ms;
        return WM_PATIENCE_NOW;
    }
    if (patience->again_at_ms < 0)
        wait_longer(patience, now_ms);
    if (now_ms >= patience->again_at_ms)
        return WM_PATIENCE_NOW;
    if (patience->declined && !same) {
        patience->last = *task;
        return WM_PATIENCE_DECLINED;
    }
    *wait_ms = patience->again_at_ms - now_ms;
    return WM_PATIENCE_LATER;
}

void wm_patience_taken(wm_patience *patience, const wm_task *task, const uint8_t *run)
{
    patience->last = *task;
    memcpy(patience->run, run, sizeof patience->run);
    patience->again_at_ms = -1;
    patience->declined = false;
}

void wm_patience_declined(wm_patience *patience, const wm_error *why)
{
    patience->declined = true;
    patience->why = *why;
}

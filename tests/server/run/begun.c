/* tests/server/run/begun.c */
#include "tests/server/run/begun.h"

#include "tests/server/level.h"

const char job_text[] = LEVEL_JOB("test", "3", "federated",
                                  "model: {layers: [flatten, {dense: 2}, relu, {dense: 1}], loss: mse}\n"
                                  "training: {optimiser: sgd, rate: 0.1, batch: 8, epochs: 2}\n"
                                  "rounds: 3\n"
                                  "cohort: {select: all, quorum: 0.5, deadline: 60s, attempts: 2}\n"
                                  "strategy: fedavg\n"
                                  "evaluate: {every: 1, metrics: [mae]}\n"
                                  "seed: 1\n");

void begin(world *w)
{
    wm_error err;

    world_init(w, job_text, N, 1);
    assert_ok(world_open(w, &err), &err);
}

wm_task task_of(world *w, size_t k)
{
    wm_task task;
    int64_t come_back_ms;

    assert_int_equal(wm_run_ask(w->run, w->names[k], &task, &come_back_ms), WM_ANSWER_TASK);
    return task;
}

wm_verdict submit(world *w, size_t k, uint8_t *bytes, size_t n, wm_error *err)
{
    return wm_run_submit(w->run, w->names[k], bytes, n, 0.5, err);
}

wm_verdict submit_good(world *w, size_t k)
{
    wm_task  task = task_of(w, k);
    size_t   n;
    uint8_t *bytes = world_update(w, k, &task, &n);

    return submit(w, k, bytes, n, NULL);
}

void through_statistics(world *w)
{
    for (size_t k = 0; k < N; k++)
        assert_int_equal(submit_good(w, k), WM_VERDICT_ACCEPTED);
    assert_int_equal(w->standing.phase, WM_PHASE_TRAIN);
}

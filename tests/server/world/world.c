/* tests/server/world/world.c
 *
 * The world made, and clients that play in it. */
#include "tests/server/world/inside.h"

#include "common/job/scaling.h"
#include "common/strategies/strategy.h"
#include "server/admission.h"

#include <math.h>

uint64_t world_seed_in_work;

static bool die(void *context, const char *point)
{
    world *w = context;

    if (w->die_in > 0 && --w->die_in == 0) {
        w->died = true;
        w->died_at = point;
    }
    return w->died;
}

static void on_changed(void *context)
{
    ((world *)context)->changed_told++;
}

static void on_round_done(void *context, const wm_round_record *round)
{
    world *w = context;

    check(round->round > w->last_round_told);
    w->last_round_told = round->round;
    w->rounds_told++;
}

static void on_closed(void *context, const wm_standing *standing, const wm_final_record *final)
{
    world *w = context;

    (void) final;
    check(standing->phase == WM_PHASE_CLOSED && w->closed_told == 0);
    w->closed_told++;
}

void world_init(world *w, const char *text, size_t n, uint64_t seed)
{
    wm_faults faults;
    wm_job   *job;
    wm_error  err;

    *w = (world){ .seed = seed, .time = { .mono_ms = 1000, .wall_ms = 1700000000000 } };
    wm_faults_init(&faults, "test.yaml");
    if (wm_job_parse("test.yaml", text, strlen(text), &wm_server_families, NULL, 0, &faults, &job, &err) != WM_OK)
        fail_msg("%s", wm_text_chars(&faults.lines));
    wm_faults_release(&faults);
    w->job = *job; /* the record is ours to change; its memory stays the parsed one's */
    w->parsed = job;
    assert_ok(wm_model_new(&w->job, NULL, &w->model, &err), &err);

    w->record = (wm_run_record){ .id = "a run of a test",
                                 .job_name = w->job.name,
                                 .job_text = w->job.text,
                                 .seed = seed,
                                 .started_wall_ms = w->time.wall_ms,
                                 .population = w->names,
                                 .n_population = n };
    check(n <= WORLD_CLIENTS_MAX);
    for (size_t k = 0; k < n; k++)
        check(asprintf(&w->names[k], "ward-%02zu", k) > 0);
    world_lay_disk(w);
    assert_ok(wm_blobs_new(&w->files, "blobs", &w->blobs, &err), &err);
    world_lay_ledger(w);
}

void world_release(world *w)
{
    wm_run_free(w->run);
    wm_model_free(w->model);
    wm_blobs_free(w->blobs);
    wm_job_free(w->parsed);
    for (size_t k = 0; k < w->record.n_population; k++)
        free(w->names[k]);
    for (size_t i = 0; i < w->n_disk; i++) {
        free(w->disk[i].path);
        free(w->disk[i].bytes);
    }
    for (size_t i = 0; i < w->n_rounds; i++)
        free(w->rounds[i].contributions);
}

wm_status world_open(world *w, wm_error *err)
{
    wm_run_settings settings = {
        .job = &w->job,
        .model = w->model,
        .record = &w->record,
        .ledger = &w->ledger,
        .blobs = w->blobs,
        .clock = wm_clock_manual(&w->time),
        .grace_ms = 30000,
        .patient = w->patient,
        .lean = w->record.seed % 2 == 0,
        .die = die,
        .die_context = w,
        .observer = { on_changed, on_round_done, on_closed, w },
    };

    check(w->run == NULL);
    w->died = false;
    return wm_run_open(&settings, &w->run, err);
}

void world_kill(world *w)
{
    wm_run_free(w->run);
    w->run = NULL;
}

/* ---- clients ---- */

static void fill_statistics(wm_update *update, const wm_job *job, bool flat, wm_rng *rng)
{
    int64_t **values = (int64_t **)(void *)update->values;

    for (size_t c = 0; c < job->data.n_columns; c++) {
        if (!wm_scaling_covers(job, c))
            continue;
        if (flat) { /* all in the middle of the range */
            values[WM_STATISTICS_COUNT][c] = 100;
            continue;
        }
        values[WM_STATISTICS_COUNT][c] = 100 + (int64_t)wm_rng_below(rng, 900);
        values[WM_STATISTICS_SUM][c] = values[WM_STATISTICS_COUNT][c] * (int64_t)wm_rng_below(rng, 1 << 18);
        values[WM_STATISTICS_SQUARES][c] = values[WM_STATISTICS_COUNT][c] << 22; /* about half of the range */
    }
}

/* A step towards a point of its own, and noise. */
static void fill_training(wm_update *update, size_t n, const float *params, wm_rng *rng)
{
    float *delta = update->values[0];

    for (size_t p = 0; p < n; p++)
        delta[p] = (float)(0.25 * (wm_rng_unit(rng) - (double)params[p]) + 0.01 * wm_rng_normal(rng));
    *(float *)update->values[1] = (float)wm_rng_unit(rng);
}

uint8_t *world_update_from(world *w, size_t k, wm_task_kind kind, uint32_t round, const wm_digest *model,
                           const float *params, size_t *n)
{
    size_t         n_params = wm_model_n_params(w->model);
    wm_update_key  key = { .kind = kind, .round = round, .model = *model };
    wm_update_spec spec;
    wm_update      update;
    wm_rng         rng;
    wm_error       err;

    memcpy(key.run, w->record.id, sizeof key.run);
    wm_rng_init_keyed(&rng, w->seed, "train", round, w->names[k]);
    if (kind == WM_TASK_STATISTICS)
        wm_statistics_spec(&w->job, &spec);
    else
        wm_strategy_spec(&w->job, n_params, &spec);
    assert_ok(wm_update_new(&spec, &key, &update, &err), &err);
    update.weight = 1 + wm_rng_below(&rng, 1000);
    if (kind == WM_TASK_STATISTICS)
        fill_statistics(&update, &w->job, w->flat, &rng);
    else
        fill_training(&update, n_params, params, &rng);
    wm_update_seal(&update, &spec);
    *n = update.n_bytes;
    return update.bytes;
}

uint8_t *world_update(world *w, size_t k, const wm_task *task, size_t *n)
{
    float   *params = calloc(wm_model_n_params(w->model), sizeof *params);
    uint8_t *bytes;

    check(params != NULL);
    if (task->phase == WM_PHASE_TRAIN)
        check(wm_run_params(w->run, &task->model, params));
    bytes = world_update_from(w, k, task->phase == WM_PHASE_TRAIN ? WM_TASK_TRAIN : WM_TASK_STATISTICS, task->round,
                              &task->model, params, n);
    free(params);
    return bytes;
}

unsigned world_report(world *w, size_t k, wm_phase phase, uint32_t round, wm_evaluation results[WM_CONTENDERS])
{
    wm_rng rng;

    memset(results, 0, WM_CONTENDERS * sizeof *results);
    wm_rng_init_keyed(&rng, w->seed, phase == WM_PHASE_FINAL ? "final" : "evaluate", round, w->names[k]);
    results[WM_FEDERATED].examples = 1 + wm_rng_below(&rng, 50);
    results[WM_FEDERATED].count = (double)results[WM_FEDERATED].examples;
    results[WM_FEDERATED].loss_sum =
        w->plateau ? results[WM_FEDERATED].count : wm_rng_unit(&rng) * results[WM_FEDERATED].count / round;
    results[WM_FEDERATED].sums[0] = results[WM_FEDERATED].loss_sum;
    results[WM_NAIVE] = results[WM_FEDERATED];
    results[WM_NAIVE].loss_sum = NAN;
    return phase == WM_PHASE_FINAL ? 1u << WM_FEDERATED | 1u << WM_NAIVE : 1u << WM_FEDERATED;
}

static void play_one(world *w, size_t k, const wm_task *task)
{
    wm_evaluation results[WM_CONTENDERS];
    wm_error      err = { 0 };
    size_t        n;
    wm_verdict    verdict;

    if (task->phase == WM_PHASE_STATISTICS || task->phase == WM_PHASE_TRAIN) {
        uint8_t *bytes = world_update(w, k, task, &n);

        verdict = wm_run_submit(w->run, w->names[k], bytes, n, 0.5, &err);
    } else {
        unsigned present = world_report(w, k, task->phase, task->round, results);

        verdict = wm_run_report(w->run, w->names[k], task->phase, task->round, present, results, &err);
    }
    if (verdict != WM_VERDICT_ACCEPTED)
        fail_msg("seed %llu: %s", (unsigned long long)world_seed_in_work, err.text);
}

void world_turn(world *w)
{
    for (size_t k = 0; k < w->record.n_population; k++) {
        int64_t come_back_ms;
        wm_task task;

        if (wm_run_ask(w->run, w->names[k], &task, &come_back_ms) == WM_ANSWER_TASK)
            play_one(w, k, &task);
    }
    w->time.mono_ms += 100;
    w->time.wall_ms += 100;
    wm_run_tick(w->run);
}

void world_play(world *w)
{
    for (int turns = 0; w->standing.phase != WM_PHASE_CLOSED; turns++) {
        check(turns < 10000);
        world_turn(w);
    }
}

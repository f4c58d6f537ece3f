/* tests/server/world.c */
#include "tests/server/world.h"

#include "common/job/scaling.h"
#include "common/strategies/strategy.h"
#include "server/accumulator.h"
#include "server/fold.h"
#include "server/selection/selection.h"
#include "tests/unit.h"

#include <math.h>

uint64_t world_seed_in_work;

#define check(truth)                                                                                            \
    do {                                                                                                        \
        if (!(truth))                                                                                           \
            fail_msg("seed %llu: not so: %s (%s:%d)", (unsigned long long)world_seed_in_work, #truth, __FILE__, \
                     __LINE__);                                                                                 \
    } while (0)

/* ---- the disk ---- */

static world *of_files(const wm_files *self)
{
    return self->state;
}

static size_t find_file(const world *w, const char *path)
{
    size_t i = 0;

    while (i < w->n_disk && strcmp(w->disk[i].path, path) != 0)
        i++;
    return i;
}

static wm_status disk_replace(const wm_files *self, const char *path, const void *bytes, size_t n, unsigned mode,
                              wm_error *err)
{
    world   *w = of_files(self);
    size_t   i = find_file(w, path);
    uint8_t *copy = malloc(n + 1);

    (void)mode;
    if (w->full) {
        free(copy);
        return wm_fail(err, WM_E_FULL, "cannot write %s: the disk is full", path);
    }
    check(copy != NULL && i < WORLD_BLOBS_MAX);
    memcpy(copy, bytes, n);
    if (i == w->n_disk) {
        w->disk[i].path = strdup(path);
        w->n_disk++;
    } else {
        free(w->disk[i].bytes);
    }
    w->disk[i].bytes = copy;
    w->disk[i].n = n;
    return WM_OK;
}

static wm_status disk_read(const wm_files *self, const char *path, size_t limit, uint8_t **ret, size_t *n,
                           wm_error *err)
{
    world   *w = of_files(self);
    size_t   i = find_file(w, path);
    uint8_t *copy;

    if (i == w->n_disk)
        return wm_fail(err, WM_E_MISSING, "%s is not there", path);
    if (w->unreadable)
        return wm_fail(err, WM_E_IO, "cannot read %s: input/output error", path);
    if (w->disk[i].n > limit)
        return wm_fail(err, WM_E_RANGE, "%s is too long", path);
    copy = malloc(w->disk[i].n + 1);
    check(copy != NULL);
    memcpy(copy, w->disk[i].bytes, w->disk[i].n);
    *ret = copy;
    *n = w->disk[i].n;
    return WM_OK;
}

static wm_status disk_append(const wm_files *self, const char *path, const void *bytes, size_t n, wm_error *err)
{
    (void)self;
    (void)bytes;
    (void)n;
    return wm_fail(err, WM_E_IO, "nothing is appended to %s", path);
}

static wm_status disk_remove(const wm_files *self, const char *path, wm_error *err)
{
    world *w = of_files(self);
    size_t i = find_file(w, path);

    (void)err;
    if (i == w->n_disk)
        return WM_OK;
    free(w->disk[i].path);
    free(w->disk[i].bytes);
    w->disk[i] = w->disk[--w->n_disk];
    return WM_OK;
}

static wm_status disk_make_folder(const wm_files *self, const char *path, unsigned mode, wm_error *err)
{
    (void)self;
    (void)path;
    (void)mode;
    (void)err;
    return WM_OK;
}

static bool disk_exists(const wm_files *self, const char *path)
{
    const world *w = of_files(self);

    return find_file(w, path) < w->n_disk;
}

/* ---- the ledger ---- */

static wm_status full(wm_error *err)
{
    return wm_fail(err, WM_E_FULL, "the ledger cannot be written: the disk is full");
}

/* Every transition is looked at: nothing skips, nothing happens twice. */
static wm_status turn(wm_ledger *self, const uint8_t *run, const wm_standing *standing, wm_error *err)
{
    world             *w = self->state;
    const wm_standing *was = &w->standing;

    check(memcmp(run, w->record.id, WM_RUN_ID_SIZE) == 0);
    check(w->started && was->phase != WM_PHASE_CLOSED);
    if (w->full)
        return full(err);
    check(standing->round >= was->round && standing->round <= was->round + 1);
    check((standing->outcome != WM_OUTCOME_NONE) == (standing->phase == WM_PHASE_CLOSED));
    if (standing->phase == was->phase && standing->round == was->round) {
        check(standing->attempt == was->attempt + 1);
        w->attempts[was->phase]++;
    } else {
        check(standing->attempt == 0);
        w->turns[was->phase][standing->phase]++;
    }
    if (standing->phase == WM_PHASE_CLOSED)
        w->ended_in = was->phase;
    w->standing = *standing;
    w->transactions++;
    return WM_OK;
}

static wm_status ledger_start(wm_ledger *self, const wm_run_record *run, const wm_standing *first, wm_error *err)
{
    world *w = self->state;

    check(!w->started && run == &w->record);
    if (w->full)
        return full(err);
    check(wm_blobs_has(w->blobs, &first->model));
    w->started = true;
    w->standing = *first;
    w->transactions++;
    return WM_OK;
}

static wm_status ledger_open(wm_ledger *self, const uint8_t *run, const wm_standing *standing, wm_error *err)
{
    world *w = self->state;

    check(wm_digest_equal(&standing->model, &w->standing.model));
    return turn(self, run, standing, err);
}

static wm_status ledger_substitute(wm_ledger *self, const uint8_t *run, uint32_t round,
                                   const wm_substitution *drawn, size_t n, wm_error *err)
{
    world *w = self->state;

    (void)run;
    check(w->standing.phase == WM_PHASE_TRAIN && w->standing.round == round && n > 0);
    if (w->full)
        return full(err);
    for (size_t i = 0; i < n; i++) {
        check(drawn[i].client < w->record.n_population && drawn[i].place_of < w->record.n_population);
        for (size_t j = 0; j < w->n_drawn_later; j++)
            check(w->drawn_later[j].round != round || (w->drawn_later[j].drawn.client != drawn[i].client &&
                                                       w->drawn_later[j].drawn.place_of != drawn[i].place_of));
        check(w->n_drawn_later < WORLD_SUBSTITUTES_MAX);
        w->drawn_later[w->n_drawn_later].round = round;
        w->drawn_later[w->n_drawn_later++].drawn = drawn[i];
    }
    w->transactions++;
    return WM_OK;
}

static wm_status ledger_substitutes(wm_ledger *self, const uint8_t *run, uint32_t round, wm_substitution *ret,
                                    size_t room, size_t *n, wm_error *err)
{
    world *w = self->state;

    (void)run;
    (void)err;
    *n = 0;
    for (size_t i = 0; i < w->n_drawn_later; i++)
        if (w->drawn_later[i].round == round) {
            check(*n < room);
            ret[(*n)++] = w->drawn_later[i].drawn;
        }
    return WM_OK;
}

static wm_status ledger_scaled(wm_ledger *self, const uint8_t *run, const wm_standing *standing,
                               const wm_digest *sums, const wm_contribution *contributions, size_t n, wm_error *err)
{
    world    *w = self->state;
    wm_status st;

    check(w->standing.phase == WM_PHASE_STATISTICS && standing->phase == WM_PHASE_TRAIN && standing->round == 1);
    check(contributions != NULL && n >= 1 && n <= w->record.n_population);
    check(wm_blobs_has(w->blobs, &standing->scaling) && wm_blobs_has(w->blobs, sums));
    st = turn(self, run, standing, err);
    for (size_t i = 0; st == WM_OK && i < n; i++)
        w->in_scaling[contributions[i].client] = contributions[i].verdict == WM_VERDICT_ACCEPTED;
    return st;
}

static void keep_round(world *w, const wm_round_record *round)
{
    wm_round_record *kept = &w->rounds[w->n_rounds];

    check(w->n_rounds < WORLD_ROUNDS_MAX);
    *kept = *round;
    kept->contributions = calloc(round->n_contributions + 1, sizeof *kept->contributions);
    check(kept->contributions != NULL);
    memcpy(kept->contributions, round->contributions, round->n_contributions * sizeof *kept->contributions);
    w->n_rounds++;
}

static wm_status ledger_commit(wm_ledger *self, const uint8_t *run, const wm_standing *standing,
                               const wm_round_record *round, wm_error *err)
{
    world    *w = self->state;
    wm_status st;

    check(w->standing.phase == WM_PHASE_TRAIN && round->round == w->standing.round);
    check(wm_digest_equal(&round->model_before, &w->standing.model));
    check(wm_digest_equal(&round->model_after, &standing->model));
    check(wm_blobs_has(w->blobs, &round->model_after) && wm_blobs_has(w->blobs, &round->sums));
    st = turn(self, run, standing, err);
    if (st == WM_OK)
        keep_round(w, round);
    return st;
}

static wm_status ledger_evaluated(wm_ledger *self, const uint8_t *run, const wm_standing *standing,
                                  const wm_round_record *round, wm_error *err)
{
    world    *w = self->state;
    wm_status st;

    check(w->standing.phase == WM_PHASE_EVALUATE && round->round == w->standing.round &&
          w->n_rounds == round->round);
    check(round->evaluated && wm_digest_equal(&round->model_after, &w->rounds[w->n_rounds - 1].model_after));
    st = turn(self, run, standing, err);
    if (st == WM_OK) {
        w->rounds[w->n_rounds - 1].evaluated = true;
        w->rounds[w->n_rounds - 1].evaluation = round->evaluation;
        w->rounds[w->n_rounds - 1].seconds = round->seconds;
    }
    return st;
}

static wm_status ledger_close(wm_ledger *self, const uint8_t *run, const wm_standing *standing,
                              const wm_final_record *final, wm_error *err)
{
    world    *w = self->state;
    wm_status st;

    check(standing->phase == WM_PHASE_CLOSED);
    st = turn(self, run, standing, err);
    if (st == WM_OK && final != NULL) {
        w->has_final = true;
        w->final_together = final->together[WM_FEDERATED];
    }
    return st;
}

static wm_status ledger_load(wm_ledger *self, const uint8_t *run, wm_standing *ret, wm_error *err)
{
    world *w = self->state;

    (void)run;
    if (!w->started)
        return wm_fail(err, WM_E_MISSING, "that run was never started");
    *ret = w->standing;
    return WM_OK;
}

static wm_status ledger_rounds(wm_ledger *self, const uint8_t                                  *run,
                               void (*each)(void *context, const wm_round_record *round), void *context,
                               wm_error *err)
{
    world *w = self->state;

    (void)run;
    (void)err;
    for (size_t i = 0; i < w->n_rounds; i++)
        each(context, &w->rounds[i]);
    return WM_OK;
}

/* ---- the world ---- */

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
    wm_job_families families = { .layers = &wm_layers,
                                 .initialisers = &wm_initialisers,
                                 .losses = &wm_losses,
                                 .optimisers = &wm_optimisers,
                                 .schedules = &wm_schedules,
                                 .metrics = &wm_metrics,
                                 .selections = &wm_selections,
                                 .strategies = &wm_strategies };
    wm_faults       faults;
    wm_job         *job;
    wm_error        err;

    *w = (world){ .seed = seed, .time = { .mono_ms = 1000, .wall_ms = 1700000000000 } };
    wm_faults_init(&faults, "test.yaml");
    if (wm_job_parse("test.yaml", text, strlen(text), &families, NULL, 0, &faults, &job, &err) != WM_OK)
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
    w->files = (wm_files){ .replace = disk_replace,
                           .read = disk_read,
                           .append = disk_append,
                           .remove = disk_remove,
                           .make_folder = disk_make_folder,
                           .exists = disk_exists,
                           .state = w };
    assert_ok(wm_blobs_new(&w->files, "blobs", &w->blobs, &err), &err);
    w->ledger = (wm_ledger){ .start = ledger_start,
                             .open = ledger_open,
                             .substitute = ledger_substitute,
                             .scaled = ledger_scaled,
                             .commit = ledger_commit,
                             .evaluated = ledger_evaluated,
                             .close = ledger_close,
                             .load = ledger_load,
                             .substitutes = ledger_substitutes,
                             .rounds = ledger_rounds,
                             .state = w };
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

/* ---- looking at it from outside ---- */

float *world_params(world *w, const wm_digest *name)
{
    uint8_t *bytes;
    size_t   n;
    wm_error err;

    assert_ok(wm_blobs_get(w->blobs, name, (size_t)1 << 20, &bytes, &n, &err), &err);
    check(n == wm_model_n_params(w->model) * sizeof(float));
    return (float *)(void *)bytes;
}

static void check_model_follows(world *w, const wm_round_record *round)
{
    float    *params = world_params(w, &round->model_before);
    size_t    n_params = wm_model_n_params(w->model), n;
    uint8_t  *sums;
    wm_digest after;
    wm_error  err;

    assert_ok(wm_blobs_get(w->blobs, &round->sums, (size_t)1 << 20, &sums, &n, &err), &err);
    assert_ok(wm_sums_apply(&w->job, n_params, sums, n, params, NULL, NULL, &err), &err);
    after = wm_params_digest(params, n_params);
    check(wm_digest_equal(&after, &round->model_after));
    free(sums);
    free(params);
}

/* The sums from the accepted updates, each made once more by its client: no other is in them, none is twice. */
static void check_sums(world *w, const wm_round_record *round)
{
    float          *params = world_params(w, &round->model_before);
    size_t          n_params = wm_model_n_params(w->model), size;
    wm_update_spec  spec;
    wm_accumulator *acc;
    const uint8_t  *bytes;
    uint64_t        weight = 0;
    uint32_t        accepted = 0;
    wm_digest       digest;
    wm_error        err;

    wm_strategy_spec(&w->job, n_params, &spec);
    assert_ok(wm_accumulator_new(&spec, w->record.n_population, &acc, &err), &err);
    for (size_t i = 0; i < round->n_contributions; i++) {
        const wm_contribution *part = &round->contributions[i];
        wm_update_key want = { .kind = WM_TASK_TRAIN, .round = round->round, .model = round->model_before };
        wm_update     update;
        uint8_t      *made;
        size_t        n;

        check(i == 0 || part->client > round->contributions[i - 1].client);
        if (part->verdict != WM_VERDICT_ACCEPTED)
            continue;
        memcpy(want.run, w->record.id, sizeof want.run);
        made = world_update_from(w, part->client, WM_TASK_TRAIN, round->round, &round->model_before, params, &n);
        digest = wm_sha256_of(made, n);
        check(wm_digest_equal(&digest, &part->digest));
        assert_ok(wm_update_open(&spec, &want, made, n, &update, &err), &err);
        check(update.weight == part->weight);
        wm_accumulator_add(acc, &update);
        accepted++;
        weight += part->weight;
        wm_update_release(&update);
    }
    check(accepted == round->accepted && weight == round->total_weight);
    bytes = wm_accumulator_bytes(acc, &size);
    digest = wm_sha256_of(bytes, size);
    check(wm_digest_equal(&digest, &round->sums));
    wm_accumulator_free(acc);
    free(params);
}

/* Drawn once more, from the keys and from who was drawn in another's place. */
static void check_cohort(world *w, const wm_round_record *round)
{
    const wm_selection_ops *select = wm_selection_of(&w->job.cohort.select);
    const void             *options = w->job.cohort.select.options;
    size_t                  n = w->record.n_population, goal = select->goal(options, n), draw, drawn = 0;
    bool                    in[WORLD_CLIENTS_MAX] = { false };

    draw = (size_t)ceil((double)goal * w->job.cohort.over);
    draw = draw > n ? n : draw;
    for (uint32_t attempt = 0; attempt <= round->attempts; attempt++) {
        uint32_t cohort[WORLD_CLIENTS_MAX];
        char     name[16];
        wm_rng   rng;

        snprintf(name, sizeof name, "%u", attempt);
        wm_rng_init_keyed(&rng, w->seed, "cohort", round->round, name);
        select->draw(options, &rng, n, draw, cohort);
        for (size_t i = 0; i < draw; i++) {
            drawn += !in[cohort[i]];
            in[cohort[i]] = true;
        }
    }
    for (size_t i = 0; i < w->n_drawn_later; i++)
        if (w->drawn_later[i].round == round->round && !in[w->drawn_later[i].drawn.client]) {
            check(w->away_told > 0);
            in[w->drawn_later[i].drawn.client] = true;
            w->substitutes++;
            drawn++;
        }
    check(round->selected == drawn);
    for (size_t i = 0; i < round->n_contributions; i++)
        check(round->contributions[i].verdict != WM_VERDICT_ACCEPTED || in[round->contributions[i].client]);
    check((double)round->accepted >= w->job.cohort.quorum * (double)goal - 1e-9 && round->accepted <= goal);
}

/* Once more from the evaluations: did patience end it when it should have, and only then? */
static void check_patience(const world *w)
{
    int64_t patience = w->job.evaluate.patience, without = 0;
    double  best = NAN;

    for (size_t i = 0; i < w->n_rounds; i++) {
        const wm_round_record *round = &w->rounds[i];
        double                 loss = round->evaluation.loss;

        check(patience == 0 || without < patience); /* or this round should not have been */
        if (!round->evaluated)
            continue;
        without = isnan(best) ? (isnan(loss) ? without + 1 : 0) : loss < best ? 0 : without + 1;
        if (without == 0)
            best = loss;
    }
    if (w->standing.outcome == WM_OUTCOME_EARLY)
        check(patience > 0 && without >= patience);
}

void world_check_history(world *w)
{
    wm_digest model = { 0 };

    for (size_t i = 0; i < w->n_rounds; i++) {
        const wm_round_record *round = &w->rounds[i];

        check(round->round == i + 1);
        check(i == 0 || wm_digest_equal(&round->model_before, &model));
        check_model_follows(w, round);
        check_sums(w, round);
        check_cohort(w, round);
        model = round->model_after;
    }
    check(w->n_rounds == 0 || wm_digest_equal(&model, &w->standing.model));
    if (w->standing.phase != WM_PHASE_CLOSED)
        return;
    check(w->standing.outcome != WM_OUTCOME_NONE && w->standing.why[0] != '\0');
    if (w->standing.outcome == WM_OUTCOME_DONE)
        check((int64_t)w->n_rounds == w->job.rounds);
    check_patience(w);
}

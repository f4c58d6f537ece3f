/* tests/server/report/fixture.c */
#include "tests/server/report/fixture.h"

#include "common/rng.h"
#include "common/strategies/strategy.h"
#include "server/admission.h"

#include <math.h>

static const char job_text[] =
    "job: air-quality\n"
    "data:\n"
    "  time: {columns: [year, month, day, hour], zone: Asia/Shanghai}\n"
    "  columns:\n"
    "    PM2.5: {range: [0, 1000]}\n"
    "    TEMP: {range: [-40, 60]}\n"
    "  inputs:\n"
    "    past: {window: {columns: [PM2.5, TEMP], length: 24}}\n"
    "  targets:\n"
    "    pm25: {column: PM2.5, ahead: 6h}\n"
    "  split: {time: [0.7, 0.1, 0.2]}\n"
    "model:\n"
    "  layers: [flatten, {dense: 8}, relu, {dense: 1}]\n"
    "  loss: mse\n"
    "training: {optimiser: sgd, rate: 0.05, batch: 32, epochs: 1}\n"
    "rounds: 30\n"
    "cohort: {select: all, quorum: 0.7, deadline: 5m}\n"
    "strategy: fedavg\n"
    "evaluate: {every: 1, metrics: [rmse, mae], baselines: [naive, alone, pooled, tuned]}\n"
    "seed: 1\n";

static char  *stations[] = { "aotizhongxin", "changping",    "dingling", "dongsi",  "guanyuan", "gucheng",
                             "huairou",      "nongzhanguan", "shunyi",   "tiantan", "wanliu",   "wanshouxigong" };
const uint8_t RUN[WM_RUN_ID_SIZE] = { 0xab, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 };

static void read_job(fixture *f)
{
    wm_faults faults;
    wm_error  err;

    wm_faults_init(&faults, "job");
    assert_ok(wm_job_parse("job", job_text, strlen(job_text), &wm_server_families, NULL, 0, &faults, &f->job, &err),
              &err);
    assert_ok(wm_model_new(f->job, &faults, &f->model, &err), &err);
    wm_faults_release(&faults);
    f->params = calloc(wm_model_n_params(f->model), sizeof *f->params);
    assert_non_null(f->params);
}

int set_up(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    char     base[4096];
    wm_error err;

    assert_non_null(f);
    f->now = (wm_manual_clock){ .wall_ms = 1795341600000, .mono_ms = 100000 };
    wm_test_folder(base);
    snprintf(f->folder, sizeof f->folder, "%.4000s/store", base);
    snprintf(f->out, sizeof f->out, "%.4000s/run", base);
    read_job(f);
    assert_ok(wm_store_open(wm_files_system(), f->folder, wm_clock_manual(&f->now), &f->store, &err), &err);
    f->record = (wm_run_record){ .job_name = f->job->name,
                                 .job_text = job_text,
                                 .seed = 1,
                                 .rounds = 30,
                                 .started_wall_ms = f->now.wall_ms,
                                 .population = stations,
                                 .n_population = N_STATIONS };
    memcpy(f->record.id, RUN, sizeof RUN);
    *state = f;
    return 0;
}

int tear_down(void **state)
{
    fixture *f = *state;
    wm_error err;

    wm_store_close(f->store);
    wm_model_free(f->model);
    wm_job_free(f->job);
    free(f->params);
    *strrchr(f->folder, '/') = '\0';
    assert_ok(wm_folder_remove(f->folder, &err), &err);
    free(f);
    return 0;
}

static wm_digest put_params(fixture *f, uint32_t round)
{
    wm_digest digest;
    wm_error  err;

    for (size_t p = 0; p < wm_model_n_params(f->model); p++)
        f->params[p] = (float)p / 64 + (float)round;
    assert_ok(wm_blobs_put(wm_store_blobs(f->store), f->params, wm_model_n_params(f->model) * sizeof *f->params,
                           &digest, &err),
              &err);
    return digest;
}

static wm_standing standing_at(fixture *f, wm_phase phase, uint32_t round)
{
    return (wm_standing){ .phase = phase,
                          .round = round,
                          .opened_wall_ms = f->now.wall_ms,
                          .model = put_params(f, round),
                          .best_loss = (double)NAN };
}

void start(fixture *f)
{
    wm_standing first = standing_at(f, WM_PHASE_NONE, 0);
    wm_error    err;

    assert_ok(wm_store_ledger(f->store)->start(wm_store_ledger(f->store), &f->record, &first, &err), &err);
}

wm_run_folder *open_folder_on(const wm_files *files, fixture *f, const char *path)
{
    wm_run_folder_settings settings = { .files = files,
                                        .path = path,
                                        .job = f->job,
                                        .model = f->model,
                                        .record = &f->record,
                                        .ledger = wm_store_ledger(f->store),
                                        .blobs = wm_store_blobs(f->store),
                                        .clock = wm_clock_manual(&f->now) };
    wm_run_folder         *folder;
    wm_error               err;

    assert_ok(wm_run_folder_open(&settings, &folder, &err), &err);
    return folder;
}

wm_run_folder *open_folder(fixture *f, const char *path)
{
    return open_folder_on(wm_files_system(), f, path);
}

/* What became of client k: mostly accepted; one station sends NaN now and then, one is slow, one was off for a while. */
static wm_contribution contribution_of(wm_rng *rng, uint32_t round, uint32_t k, double loss)
{
    wm_contribution c = { .client = k,
                          .verdict = WM_VERDICT_ACCEPTED,
                          .weight = 18000 + 311 * k,
                          .loss = loss,
                          .seconds = 1 + wm_rng_unit(rng) };

    if (k % 12 == 4 && round % 7 == 3) {
        c.verdict = WM_VERDICT_REFUSED;
        snprintf(c.reason, sizeof c.reason, "update: part \"delta\" is not finite at index %u", 17 * (round % 2));
    } else if (k % 12 == 9 && round >= 11 && round < 16)
        c.verdict = WM_VERDICT_NONE;
    else if (k % 12 == 6 && wm_rng_unit(rng) < 0.25)
        c.verdict = WM_VERDICT_LATE;
    else if (k % 12 == 2 && round == 21) {
        c.verdict = WM_VERDICT_DECLINED;
        snprintf(c.reason, sizeof c.reason, "fewer than 100 training rows");
    }
    if (c.verdict != WM_VERDICT_ACCEPTED) {
        c.weight = 0;
        c.loss = (double)NAN;
    }
    return c;
}

wm_round_record round_of(fixture *f, uint32_t round, wm_contribution *contributions)
{
    wm_rng          rng;
    double          loss = 0.42 + 0.5 * exp(-(double)round / 5);
    wm_round_record r = { .round = round,
                          .opened_wall_ms = f->now.wall_ms,
                          .contributions = contributions,
                          .n_contributions = f->record.n_population,
                          .selected = (uint32_t)f->record.n_population };

    wm_rng_init_keyed(&rng, 5, "made-up round", round, "");
    for (uint32_t k = 0; k < f->record.n_population; k++) {
        contributions[k] = contribution_of(&rng, round, k, loss);
        r.accepted += contributions[k].verdict == WM_VERDICT_ACCEPTED;
        r.refused += contributions[k].verdict == WM_VERDICT_REFUSED;
        r.late += contributions[k].verdict == WM_VERDICT_LATE;
        r.total_weight += contributions[k].weight;
    }
    r.seconds = 2.25 + wm_rng_unit(&rng) + (round == 12 ? 4 : 0);
    r.train_loss = loss + 0.01 * wm_rng_normal(&rng);
    r.bytes_up = 52340u * r.accepted;
    r.bytes_down = 50120u * r.selected;
    r.model_before = put_params(f, round - 1);
    r.model_after = put_params(f, round);
    r.sums = r.model_after;
    r.evaluated = true;
    r.evaluation = (wm_result){ .present = true,
                                .examples = 41210,
                                .loss = loss + 0.05 + 0.012 * wm_rng_normal(&rng),
                                .metrics = { 58 + 40 * exp(-(double)round / 6) + 0.4 * wm_rng_normal(&rng),
                                             36 + 28 * exp(-(double)round / 6) + 0.3 * wm_rng_normal(&rng) } };
    return r;
}

void commit(fixture *f, const wm_round_record *round)
{
    wm_standing standing = standing_at(f, WM_PHASE_TRAIN, round->round);
    wm_error    err;

    assert_ok(wm_store_ledger(f->store)->commit(wm_store_ledger(f->store), RUN, &standing, round, &err), &err);
}

void do_rounds(fixture *f, wm_run_folder *folder, uint32_t first, uint32_t last)
{
    wm_contribution *contributions = calloc(f->record.n_population, sizeof *contributions);
    wm_error         err;

    assert_non_null(contributions);
    for (uint32_t i = first; i <= last; i++) {
        wm_round_record round = round_of(f, i, contributions);

        f->now.wall_ms += 3000;
        f->now.mono_ms += 400; /* so that only some rounds flush the pages */
        commit(f, &round);
        assert_ok(wm_run_folder_round(folder, &round, &err), &err);
    }
    free(contributions);
}

void finish(fixture *f, wm_run_folder *folder, uint32_t rounds)
{
    static const double gain[WM_CONTENDERS] = { 1, 0.975, 1.09, 0.965, 1.31 };
    wm_final_record final = { .clients = calloc(f->record.n_population, WM_CONTENDERS * sizeof *final.clients) };
    wm_standing     standing = standing_at(f, WM_PHASE_CLOSED, rounds);
    wm_rng          rng;
    wm_error        err;

    assert_non_null(final.clients);
    wm_rng_init_keyed(&rng, 5, "made-up end", 0, "");
    for (size_t k = 0; k < f->record.n_population; k++) {
        double rmse = 52 + 16 * wm_rng_unit(&rng);

        for (size_t c = 0; c < WM_CONTENDERS; c++) {
            wm_result r = { .present = true,
                            .examples = 6870,
                            .loss = c == WM_NAIVE ? (double)NAN : rmse * gain[c] / 130 };

            r.metrics[0] = rmse * gain[c] * (0.985 + 0.03 * wm_rng_unit(&rng));
            r.metrics[1] = r.metrics[0] * 0.62;
            final.clients[k * WM_CONTENDERS + c] = r;
            r.metrics[0] = 60.5 * gain[c];
            r.metrics[1] = 37.2 * gain[c];
            r.examples *= f->record.n_population;
            final.together[c] = r;
        }
    }
    standing.outcome = WM_OUTCOME_DONE;
    f->now.wall_ms += 1500;
    standing.opened_wall_ms = f->now.wall_ms;
    assert_ok(wm_store_ledger(f->store)->close(wm_store_ledger(f->store), RUN, &standing, &final, &err), &err);
    assert_ok(wm_run_folder_close(folder, &standing, &final, &err), &err);
    free(final.clients);
}

char *file_of(const char *folder, const char *name, size_t *n)
{
    char    *path = wm_path_join(folder, name);
    uint8_t *bytes;
    size_t   size;
    wm_error err;

    assert_ok(wm_files_system()->read(wm_files_system(), path, 1 << 26, &bytes, &size, &err), &err);
    if (n != NULL)
        *n = size;
    free(path);
    return (char *)bytes;
}

void keep(const fixture *f, const char *as)
{
    const char *folder = getenv("WM_REPORT_KEEP");
    char       *command;

    if (folder == NULL)
        return;
    assert_true(asprintf(&command, "mkdir -p '%s' && cp -r '%s' '%s/%s'", folder, f->out, folder, as) > 0);
    assert_int_equal(system(command), 0);
    free(command);
}

size_t count_char(const char *text, char c)
{
    size_t n = 0;

    for (; *text != '\0'; text++)
        n += *text == c;
    return n;
}

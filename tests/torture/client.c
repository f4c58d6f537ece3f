/* tests/torture/client.c: a gateway: its readings, its work, what it keeps, the answers that it gets. */
#include "client/city.h"
#include "client/offer.h"
#include "client/pending.h"
#include "client/server_time.h"
#include "client/workplace.h"
#include "common/config/config.h"
#include "tests/torture/scenario.h"
#include "tests/torture/sights.h"

#include "client/check.h"
#include "client/config.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

static wm_status write_file(const char *folder, const char *name, const void *bytes, size_t n, wm_error *err)
{
    char      path[4300];
    FILE     *file;
    wm_status st = WM_OK;

    snprintf(path, sizeof path, "%s/%s", folder, name);
    file = fopen(path, "wb");
    if (file == NULL || fwrite(bytes, 1, n, file) != n)
        st = wm_fail(err, WM_E_IO, "cannot write %s", path);
    if (file != NULL)
        fclose(file);
    return st;
}

/* Sixty hours of a plain series. */
static wm_status write_readings(const char *folder, const char *name, wm_error *err)
{
    char   text[4096];
    size_t n = (size_t)snprintf(text, sizeof text, "time,no2,wd\n");

    for (int i = 0; i < 60; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "2024-03-%02d %02d:00,%d,%s\n", 1 + i / 24, i % 24,
                              10 + i % 7, i % 9 == 0 ? "" : "NW");
    return write_file(folder, name, text, n, err);
}

static const char job_text[] = SMALL_JOB;

static wm_data_policy policy_of(const char *folder)
{
    return (wm_data_policy){ .folder = folder, .source = csv_source(), .examples_min = 1 };
}

static wm_status a_gateway_works_on_a_job(const char *folder, wm_error *err)
{
    static const uint8_t run[WM_RUN_ID_SIZE] = { 1 };
    const wm_data_policy policy = policy_of(folder);
    wm_workplace        *place = NULL;
    wm_work_result       statistics = { .has_update = false }, trained = { .has_update = false };
    wm_work_result       judged = { .has_update = false };
    float               *params = NULL;
    double               scaling[6] = { 12, 2, 0, 1, 0, 1 };
    wm_task task = { .phase = WM_PHASE_STATISTICS, .left_ms = INT64_MAX, .baselines = ~0u, .passes = 1 };
    wm_examples_summary summary;
    wm_status           st;

    TRY(write_readings(folder, "north.csv", err));
    TRY(wm_workplace_open(&policy, "north", job_text, sizeof job_text - 1, NULL, &place, err));
    wm_workplace_summary(place, &summary);
    params = calloc(wm_workplace_n_params(place), sizeof *params);
    TRY(wm_workplace_work(place, &task, run, NULL, NULL, 0, NULL, NULL, &statistics, err));
    task.phase = WM_PHASE_TRAIN;
    task.round = 1;
    TRY(wm_workplace_work(place, &task, run, params, (const uint8_t *)scaling, sizeof scaling, NULL, NULL, &trained,
                          err));
    task.phase = WM_PHASE_FINAL;
    TRY(wm_workplace_work(place, &task, run, params, (const uint8_t *)scaling, sizeof scaling, NULL, NULL, &judged,
                          err));
out:
    free(params);
    wm_update_release(&statistics.update);
    wm_update_release(&trained.update);
    wm_update_release(&judged.update);
    wm_workplace_free(place);
    return st;
}

static wm_status packed_readings_are_read(const char *folder, wm_error *err)
{
    const wm_data_policy policy = policy_of(folder);
    wm_workplace        *place = NULL;
    char                 path[4300], from[4300], text[4096];
    gzFile               packed;
    FILE                *plain;
    size_t               n;
    wm_status            st;

    TRY(write_readings(folder, "plain", err));
    snprintf(path, sizeof path, "%s/north.csv.gz", folder);
    snprintf(from, sizeof from, "%s/plain", folder);
    plain = fopen(from, "rb");
    packed = gzopen(path, "wb");
    n = fread(text, 1, sizeof text, plain);
    fclose(plain);
    gzwrite(packed, text, (unsigned)n);
    gzclose(packed);
    TRY(wm_workplace_open(&policy, "north", job_text, sizeof job_text - 1, NULL, &place, err));
out:
    wm_workplace_free(place);
    return st;
}

static wm_status pictures_are_read(const char *folder, wm_error *err)
{
    static const uint8_t images[] = { 0, 0, 8, 3, 0, 0, 0, 8, 0, 0, 0, 1, 0, 0, 0, 1, 1, 2, 3, 4, 5, 6, 7, 8 };
    static const uint8_t labels[] = { 0, 0, 8, 1, 0, 0, 0, 8, 0, 1, 2, 3, 0, 1, 2, 3 };
    static const char    text[] =
        "job: digits\ndata:\n  source: {idx: {images: images, labels: labels}}\n  owner: {iid: 2}\n"
        "  inputs: {image: {pixels: [1, 1, 1]}}\n  targets: {digit: {column: label, classes: 4}}\n"
        "  split: {random: [0.5, 0, 0.5]}\n"
        "model: {layers: [flatten, {dense: 4}], loss: cross_entropy}\n"
        "training: {rate: 0.1, batch: 2}\nrounds: 1\nevaluate: {metrics: accuracy}\n";
    wm_faults          faults;
    wm_job            *job = NULL;
    wm_owners         *owners = NULL;
    wm_owners_settings settings = { .folder = folder };
    wm_status          st;

    wm_faults_init(&faults, "digits.yaml");
    TRY(write_file(folder, "images", images, sizeof images, err));
    TRY(write_file(folder, "labels", labels, sizeof labels, err));
    TRY(wm_job_parse("digits.yaml", text, sizeof text - 1, &wm_client_families, NULL, 0, &faults, &job, err));
    settings.source = &job->data.source;
    settings.owner = &job->data.owner;
    TRY(wm_owners_open(job, &settings, &owners, err));
out:
    wm_owners_free(owners);
    wm_job_free(job);
    wm_faults_release(&faults);
    return st;
}

static wm_status a_city_is_made_up(const char *folder, wm_error *err)
{
    char path[4300];

    snprintf(path, sizeof path, "%s/city", folder);
    return wm_city_write(path, &(wm_city_settings){ .gateways = 2, .days = 2, .seed = 5 }, err);
}

static wm_status a_zone_is_opened(const char *folder, wm_error *err)
{
    wm_zone  *zone = NULL;
    wm_status st;

    (void)folder;
    TRY(wm_zone_open("Europe/Berlin", &zone, err));
out:
    wm_zone_free(zone);
    return st;
}

static wm_status an_update_is_kept_and_let_go(const char *folder, wm_error *err)
{
    static const wm_update_spec spec = {
        .n_parts = 1,
        .parts = { { .name = "delta", .kind = WM_PART_F32, .n = 3, .bound = 16, .weight = WM_WEIGHT_EXAMPLES } },
        .weight_cap = 100,
    };
    const wm_files     *files = wm_files_system();
    const float         strategy[] = { 1, 2 };
    const wm_update_key key = { .kind = WM_TASK_TRAIN, .round = 1, .run = { 7 } };
    wm_update           update = { .bytes = NULL };
    wm_pending         *pending = NULL, *again = NULL;
    wm_server_time     *time = NULL;
    wm_held             held;
    float              *state = NULL;
    size_t              n;
    wm_error            note;
    wm_status           st;

    TRY(wm_pending_open(files, folder, &pending, &note, err));
    TRY(wm_update_new(&spec, &key, &update, err));
    TRY(wm_pending_keep(pending, WM_PHASE_TRAIN, &update, 0.5, strategy, 2, err));
    TRY(wm_pending_open(files, folder, &again, &note, err));
    if (note.status != WM_OK ||
        !wm_pending_held(again, &held)) /* what is on the disk is sound: it must not be dropped */
        TRY(wm_fail(err, WM_E_DAMAGED, "an update on the disk was dropped: %s", note.text));
    TRY(wm_pending_let_go(again, true, err));
    TRY(wm_pending_state(again, key.run, &state, &n, err));
    TRY(wm_server_time_open(files, folder, wm_clock_system(), &time, err));
    wm_server_time_heard(time, 1790000000000);
out:
    free(state);
    wm_server_time_free(time);
    wm_pending_free(again);
    wm_pending_free(pending);
    wm_update_release(&update);
    return st;
}

static wm_status the_settings_are_written_and_read(const char *folder, wm_error *err)
{
    static const char *const servers[] = { "office.example" };
    const wm_files          *files = wm_files_system();
    wm_client_config         config;
    wm_arena                *memory = NULL;
    wm_faults                faults;
    wm_text                  report = WM_TEXT_INIT;
    wm_status                st;

    wm_faults_init(&faults, "client.yaml");
    TRY(wm_client_config_write(files, folder, servers, 1, 1, 2, 3, err));
    st = wm_client_config_read(files, folder, &faults, &config, &memory, err);
    wm_faults_report(&faults, &report);
    if (st == WM_E_INVALID) /* the data section is the installer's to write */
        st = WM_OK;
out:
    wm_arena_free(memory);
    wm_text_release(&report);
    wm_faults_release(&faults);
    return st;
}

/* Everything that an offer names, from a shelf. */
static wm_status answer_fetch(wm_exchange *self, const Wm__Envelope *question, int timeout_ms,
                              Wm__Envelope **answer, uint64_t *come_back_ms, wm_error *err)
{
    static const uint8_t zeroes[64] = { 0 };
    Wm__Envelope         envelope = wm_envelope();
    Wm__Range            range;
    uint8_t              bytes[256];
    size_t               n;
    wm_status            st;

    (void)self;
    (void)timeout_ms;
    *come_back_ms = 0;
    if ((st = wm_range_of(question->fetch, zeroes, sizeof zeroes, &range, err)) != WM_OK)
        return st;
    envelope.body_case = WM__ENVELOPE__BODY_RANGE;
    envelope.range = &range;
    n = wm_envelope_pack(&envelope, bytes);
    return wm_envelope_unpack(bytes, n, WM_BULK_BYTES_MAX, answer, err);
}

static wm_status an_offer_is_collected(const char *folder, wm_error *err)
{
    static const uint8_t zeroes[64] = { 0 };
    const wm_digest      name = wm_sha256_of(zeroes, sizeof zeroes);
    uint8_t              run[WM_RUN_ID_SIZE] = { 1 };
    wm_exchange          exchange = { .ask = answer_fetch, .limit = WM_BULK_BYTES_MAX };
    wm_fetcher           fetcher;
    wm_order             order = { 0 };
    Wm__Key              key = WM__KEY__INIT;
    Wm__Work             work = WM__WORK__INIT;
    int64_t              wait_ms;
    wm_status            st;

    (void)folder;
    key.phase = WM_PHASE_TRAIN;
    key.run = wm_bytes_field(run, sizeof run);
    key.model = work.job = work.scaling = wm_bytes_field(name.bytes, WM_DIGEST_SIZE);
    work.key = &key;
    work.job_bytes = work.model_bytes = work.scaling_bytes = sizeof zeroes;
    wm_fetcher_init(&fetcher, &exchange, wm_clock_system());
    TRY(wm_offer_collect(&fetcher, &work, false, &order, &wait_ms, err));
out:
    wm_order_release(&order);
    wm_fetcher_release(&fetcher);
    return st;
}

/* With a thread: who has an order must hear of it. */
static wm_status a_desk_takes_an_order(const char *folder, wm_error *err)
{
    const wm_data_policy policy = policy_of(folder);
    wm_desk             *desk = NULL;
    wm_order             order = { .task = { .phase = WM_PHASE_STATISTICS, .left_ms = 60000 } };
    wm_outcome_of_work   outcome;
    wm_status            st;

    TRY(write_readings(folder, "north.csv", err));
    TRY(wm_desk_new(&policy, "north", 0, wm_clock_system(), NULL, &desk, err));
    order.job = wm_sha256_of(job_text, sizeof job_text - 1);
    order.text = strdup(job_text);
    order.n_text = sizeof job_text - 1;
    wm_desk_give(desk, &order);
    if (!wm_desk_take(desk, 20000, &outcome))
        TRY(wm_fail(err, WM_E_TIMEOUT, "nothing is heard of an order"));
    st = outcome.status;
    if (err != NULL)
        *err = outcome.error;
    wm_outcome_of_work_release(&outcome);
out:
    wm_desk_free(desk);
    return st;
}

const scenario client_scenarios[] = {
    { "a_gateway_works_on_a_job", a_gateway_works_on_a_job, false },
    { "packed_readings_are_read", packed_readings_are_read, false },
    { "pictures_are_read", pictures_are_read, false },
    { "a_city_is_made_up", a_city_is_made_up, false },
    { "a_zone_is_opened", a_zone_is_opened, false },
    { "an_update_is_kept_and_let_go", an_update_is_kept_and_let_go, false },
    { "the_settings_are_written_and_read", the_settings_are_written_and_read, false },
    { "an_offer_is_collected", an_offer_is_collected, false },
    { "a_desk_takes_an_order", a_desk_takes_an_order, false },
};
const size_t n_client_scenarios = COUNT(client_scenarios);

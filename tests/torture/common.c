/* tests/torture/common.c: the floor: jobs, settings, blobs, updates, keys, certificates, envelopes, transfers. */
#include "common/blobs.h"
#include "common/crypto/authority.h"
#include "common/crypto/enrolment.h"
#include "common/crypto/request.h"
#include "common/crypto/tls.h"
#include "common/job/scaling.h"
#include "common/wire/transfer.h"
#include "models/plan.h"
#include "models/safetensors.h"
#include "tests/torture/scenario.h"

#include "client/workplace.h"
#include "server/accumulator.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const int64_t now_ms = 1790000000000;

static const char job_text[] =
    "job: air\n"
    "data:\n"
    "  source: {csv: {files: \"*.csv\"}}\n"
    "  time: {column: time, zone: UTC}\n"
    "  columns:\n"
    "    no2: {range: [0, 500], missing: {fill: last, limit: 3}}\n"
    "    wd: {compass: 8}\n"
    "    hour: {cycle: 24h}\n"
    "  inputs: {past: {window: {columns: [no2, wd, hour], length: 6}}}\n"
    "  targets: {ahead: {column: no2, ahead: 3h, missing: skip}}\n"
    "  scale: federated\n"
    "  split: {time: [0.7, 0.1, 0.2]}\n"
    "model: {layers: [flatten, {dense: 8}, relu, {dense: 1}], loss: mse}\n"
    "training: {optimiser: {sgd: {momentum: 0.5}}, rate: {cosine: {from: 0.1}}, batch: 4, epochs: 1}\n"
    "rounds: 2\n"
    "cohort: {select: all}\n"
    "strategy: fedavg\n"
    "evaluate: {every: 1, metrics: [rmse, mae], baselines: [naive, alone]}\n";

static wm_status parse(const char *text, wm_job **ret, wm_error *err)
{
    wm_faults faults;
    wm_status st;

    wm_faults_init(&faults, "air.yaml");
    st = wm_job_parse("air.yaml", text, strlen(text), &wm_client_families, NULL, 0, &faults, ret, err);
    wm_faults_release(&faults);
    return st;
}

static wm_status a_job_becomes_a_network_and_a_file(const char *folder, wm_error *err)
{
    static const wm_metadata metadata[] = { { "job", "air" }, { NULL, NULL } };
    const wm_files          *files = wm_files_system();
    wm_job                  *job = NULL;
    wm_model                *model = NULL;
    wm_plan                 *plan = NULL;
    wm_text                  text = WM_TEXT_INIT;
    float                   *params = NULL;
    char                    *path = NULL, *said = NULL;
    wm_status                st;

    TRY(parse(job_text, &job, err));
    TRY(wm_model_new(job, NULL, &model, err));
    TRY(wm_plan_new(model, 4, WM_PLAN_TRAIN, &plan, err));
    TRY(wm_model_describe(model, 4, &text, err));
    params = calloc(wm_model_n_params(model), sizeof *params);
    path = wm_path_join(folder, "model.safetensors");
    if (params == NULL || path == NULL || text.bad)
        TRY(wm_fail(err, WM_E_NOMEM, "no memory for the test's own"));
    TRY(wm_safetensors_write(files, path, model, params, metadata, err));
    TRY(wm_safetensors_read(files, path, model, params, err));
    TRY(wm_safetensors_metadata(files, path, "job", &said, err));
out:
    free(said);
    free(path);
    free(params);
    wm_text_release(&text);
    wm_plan_free(plan);
    wm_model_free(model);
    wm_job_free(job);
    return st;
}

/* It must not be taken for a good one. */
static wm_status a_job_with_faults_has_them_all(const char *folder, wm_error *err)
{
    static const char faulty[] = "job: 1\nmodel: {layers: [denze: 8], loss: [x]}\nrounds: many\nx: {y: z}\n";
    wm_faults         faults;
    wm_text           report = WM_TEXT_INIT;
    wm_job           *job = NULL;
    wm_status         st;

    (void)folder;
    wm_faults_init(&faults, "air.yaml");
    st = wm_job_parse("air.yaml", faulty, sizeof faulty - 1, &wm_client_families, NULL, 0, &faults, &job, err);
    wm_faults_report(&faults, &report);
    if (st == WM_E_INVALID && faults.count > 0)
        st = WM_OK;
    else if (st == WM_OK)
        st = wm_fail(err, WM_E_INVALID, "a job with faults was taken");
    wm_text_release(&report);
    wm_faults_release(&faults);
    wm_job_free(job);
    return st;
}

static bool keep_none(void *context, const wm_digest *name)
{
    (void)context;
    (void)name;
    return false;
}

static wm_status blobs_come_and_go(const char *folder, wm_error *err)
{
    wm_blobs *blobs = NULL;
    wm_digest name;
    uint8_t  *bytes = NULL;
    size_t    n;
    wm_status st;

    TRY(wm_blobs_new(wm_files_system(), folder, &blobs, err));
    TRY(wm_blobs_put(blobs, "model", 5, &name, err));
    TRY(wm_blobs_get(blobs, &name, 100, &bytes, &n, err));
    TRY(wm_blobs_sweep(blobs, keep_none, NULL, err));
    TRY(wm_blobs_remove(blobs, &name, err));
out:
    free(bytes);
    wm_blobs_free(blobs);
    return st;
}

static wm_status updates_are_summed(const char *folder, wm_error *err)
{
    const wm_job    job = { .cohort = { .weight_cap = 1 << 20, .bound = 16 },
                            .strategy = { .member = wm_family_find(&wm_strategies, "fedavg") } };
    wm_update_key   key = { .kind = WM_TASK_TRAIN, .round = 1 };
    wm_update_spec  spec;
    wm_update       made = { .bytes = NULL }, opened = { .bytes = NULL };
    wm_accumulator *acc = NULL;
    const uint8_t  *blob;
    uint8_t        *copy = NULL;
    float           params[5] = { 0 };
    size_t          n;
    wm_status       st;

    (void)folder;
    wm_strategy_spec(&job, 5, &spec);
    TRY(wm_update_new(&spec, &key, &made, err));
    made.weight = 3;
    wm_update_seal(&made, &spec);
    TRY(wm_update_open(&spec, &key, made.bytes, made.n_bytes, &opened, err));
    made.bytes = NULL; /* taken over */
    TRY(wm_accumulator_new(&spec, 4, &acc, err));
    wm_accumulator_add(acc, &opened);
    blob = wm_accumulator_bytes(acc, &n);
    if ((copy = malloc(n)) == NULL)
        TRY(wm_fail(err, WM_E_NOMEM, "no memory for the test's own"));
    memcpy(copy, blob, n);
    TRY(wm_sums_apply(&job, 5, copy, n, params, NULL, NULL, err));
out:
    free(copy);
    wm_accumulator_free(acc);
    wm_update_release(&opened);
    wm_update_release(&made);
    return st;
}

static wm_status a_scaling_is_made_and_read(const char *folder, wm_error *err)
{
    int64_t        count[3] = { 10, 10, 10 }, sum[3] = { 5000, 1, 1 }, squares[3] = { 1 << 26, 1 << 26, 1 << 26 };
    const int64_t *sums[] = { count, sum, squares };
    wm_job        *job = NULL;
    wm_scaling     made = { 0 }, read = { 0 };
    uint8_t       *bytes = NULL;
    size_t         n;
    wm_status      st;

    (void)folder;
    TRY(parse(job_text, &job, err));
    TRY(wm_scaling_from_statistics(job, sums, &made, err));
    TRY(wm_scaling_encode(&made, &bytes, &n, err));
    TRY(wm_scaling_decode(job, bytes, n, &read, err));
out:
    free(bytes);
    wm_scaling_release(&made);
    wm_scaling_release(&read);
    wm_job_free(job);
    return st;
}

/* ---- trust ---- */

typedef struct office {
    wm_key         *root_key, *issuing_key, *key;
    wm_certificate *root, *issuing, *north;
} office;

static void office_release(office *o)
{
    wm_certificate_free(o->north);
    wm_certificate_free(o->issuing);
    wm_certificate_free(o->root);
    wm_key_free(o->key);
    wm_key_free(o->issuing_key);
    wm_key_free(o->root_key);
}

static wm_status office_open(office *o, wm_error *err)
{
    const char  *name = "north";
    wm_authority authority;
    wm_status    st;

    *o = (office){ .key = NULL };
    TRY(wm_key_new(&o->root_key, err));
    TRY(wm_key_new(&o->issuing_key, err));
    TRY(wm_key_new(&o->key, err));
    TRY(wm_authority_make_root(o->root_key, now_ms, &o->root, err));
    authority = (wm_authority){ o->root_key, o->root };
    TRY(wm_authority_make_issuing(&authority, o->issuing_key, now_ms, &o->issuing, err));
    authority = (wm_authority){ o->issuing_key, o->issuing };
    TRY(wm_authority_issue(&authority,
                           &(wm_certificate_order){ o->key, WM_PURPOSE_GATEWAY, &name, 1, now_ms, 7 * WM_DAY_MS },
                           &o->north, err));
out:
    return st;
}

static wm_status a_gateway_joins_and_renews(const char *folder, wm_error *err)
{
    const wm_files *files = wm_files_system();
    wm_token        token = { .addresses = { "a:1" }, .n_addresses = 1, .name = "north" };
    office          o = { .key = NULL };
    wm_chain       *chain = NULL, *roots = NULL;
    Wm__Certificate answer = WM__CERTIFICATE__INIT;
    Wm__Enrol      *enrol = NULL, *late = NULL;
    Wm__Renew      *renew = NULL;
    wm_identity     identity = { .key = NULL }, loaded = { .key = NULL };
    wm_key         *next = NULL, *asked = NULL;
    wm_digest       root;
    char           *pem = NULL, *root_pem = NULL;
    wm_status       st;

    TRY(office_open(&o, err));
    TRY(wm_enrol_message(&token, o.key, &enrol, err));
    TRY(wm_request_read(enrol->request.data, enrol->request.len, &asked, err));
    TRY(wm_chain_of((wm_certificate *const[]){ o.north, o.issuing }, 2, &chain, err));
    TRY(wm_chain_of(&o.root, 1, &roots, err));
    TRY(wm_chain_encode(chain, &pem, &answer.chain.len, err));
    TRY(wm_chain_encode(roots, &root_pem, &answer.root.len, err));
    answer.chain.data = (uint8_t *)pem;
    answer.root.data = (uint8_t *)root_pem;
    TRY(wm_certificate_digest(o.root, &root, err));
    TRY(wm_identity_accept(&answer, o.key, "north", &root, &identity, err));
    o.key = NULL; /* taken over */
    TRY(wm_identity_save(&identity, files, folder, err));
    TRY(wm_identity_load(files, folder, &loaded, err));
    TRY(wm_identity_next_key(&loaded, files, folder, &next, err));
    TRY(wm_renew_message(&loaded, next, &renew, err));
    TRY(wm_enrol_late_message(&loaded, next, &late, err));
out:
    wm_enrol_message_free(enrol);
    wm_enrol_message_free(late);
    wm_renew_message_free(renew);
    wm_identity_release(&identity);
    wm_identity_release(&loaded);
    wm_key_free(next);
    wm_key_free(asked);
    wm_chain_free(chain);
    wm_chain_free(roots);
    free(pem);
    free(root_pem);
    office_release(&o);
    return st;
}

static wm_status tls_is_set_up(const char *folder, wm_error *err)
{
    office          o = { .key = NULL };
    wm_chain       *chain = NULL;
    wm_tls         *tls = NULL;
    wm_tls_settings settings = { .side = WM_TLS_CLIENT, .clock = wm_clock_system() };
    wm_status       st;

    (void)folder;
    TRY(office_open(&o, err));
    TRY(wm_chain_of((wm_certificate *const[]){ o.north, o.issuing }, 2, &chain, err));
    settings.chain = chain;
    settings.key = o.key;
    settings.root = o.root;
    TRY(wm_tls_new(&settings, &tls, err));
    TRY(wm_tls_set_own(tls, chain, o.key, err));
out:
    wm_tls_free(tls);
    wm_chain_free(chain);
    office_release(&o);
    return st;
}

/* ---- the wire without sockets ---- */

typedef struct shelf {
    const uint8_t *bytes;
    size_t         n, put;
} shelf;

/* Serves ranges, and takes them, as a server over a good link: each answer is packed and unpacked. */
static wm_status serve(wm_exchange *self, const Wm__Envelope *question, int timeout_ms, Wm__Envelope **answer,
                       uint64_t *come_back_ms, wm_error *err)
{
    shelf       *on = self->state;
    Wm__Envelope envelope = wm_envelope();
    Wm__Range    range;
    Wm__Receipt  receipt = WM__RECEIPT__INIT;
    Wm__Gap      gap = WM__GAP__INIT, *gaps = &gap;
    uint8_t     *bytes;
    size_t       n;
    wm_status    st;

    (void)timeout_ms;
    *come_back_ms = 0;
    if (question->body_case == WM__ENVELOPE__BODY_FETCH) {
        if ((st = wm_range_of(question->fetch, on->bytes, on->n, &range, err)) != WM_OK)
            return st;
        envelope.body_case = WM__ENVELOPE__BODY_RANGE;
        envelope.range = &range;
    } else {
        on->put += question->put->bytes.len;
        gap.offset = on->put;
        gap.length = on->n - on->put;
        receipt.state = on->put == on->n ? WM__RECEIPT__STATE__ACCEPTED : WM__RECEIPT__STATE__SEND;
        receipt.gaps = &gaps;
        receipt.n_gaps = on->put == on->n ? 0 : 1;
        envelope.body_case = WM__ENVELOPE__BODY_RECEIPT;
        envelope.receipt = &receipt;
    }
    n = wm_envelope_size(&envelope);
    if ((bytes = malloc(n)) == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory for an answer");
    wm_envelope_pack(&envelope, bytes);
    st = wm_envelope_unpack(bytes, n, WM_BULK_BYTES_MAX, answer, err);
    free(bytes);
    return st;
}

static wm_status a_blob_goes_down_and_up(const char *folder, wm_error *err)
{
    static const uint8_t bytes[100000] = { 1, 2, 3 };
    shelf                on = { bytes, sizeof bytes, 0 };
    wm_exchange          exchange = { .ask = serve, .state = &on, .limit = WM_BULK_BYTES_MAX };
    const wm_clock       clock = wm_clock_system();
    const wm_digest      digest = wm_sha256_of(bytes, sizeof bytes);
    wm_download         *download = NULL;
    Wm__Receipt          first = WM__RECEIPT__INIT;
    Wm__Gap              gap = WM__GAP__INIT, *gaps = &gap;
    wm_receipt           last;
    uint8_t             *got = NULL;
    uint64_t             come_back_ms;
    size_t               n;
    wm_status            st;

    (void)folder;
    TRY(wm_download_new(&digest, sizeof bytes, sizeof bytes, &download, err));
    TRY(wm_download_run(download, &exchange, &clock, &come_back_ms, err));
    got = wm_download_take(download, &n);
    gap.length = sizeof bytes;
    first.gaps = &gaps;
    first.n_gaps = 1;
    TRY(wm_upload_run(&digest, bytes, sizeof bytes, &first, &exchange, &clock, &last, err));
out:
    free(got);
    wm_download_free(download);
    return st;
}

const scenario common_scenarios[] = {
    { "a_job_becomes_a_network_and_a_file", a_job_becomes_a_network_and_a_file, false },
    { "a_job_with_faults_has_them_all", a_job_with_faults_has_them_all, false },
    { "blobs_come_and_go", blobs_come_and_go, false },
    { "updates_are_summed", updates_are_summed, false },
    { "a_scaling_is_made_and_read", a_scaling_is_made_and_read, false },
    { "a_gateway_joins_and_renews", a_gateway_joins_and_renews, false },
    { "tls_is_set_up", tls_is_set_up, false },
    { "a_blob_goes_down_and_up", a_blob_goes_down_and_up, false },
};
const size_t n_common_scenarios = COUNT(common_scenarios);

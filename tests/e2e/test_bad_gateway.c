/* tests/e2e/test_bad_gateway.c
 *
 * One bad gateway of four. It has enrolled with a real token and speaks the protocol as it should; what it hands in is
 * another lie in every round, and every evaluation of it is nonsense. Each lie is refused by name, the three others go on
 * to the end, and an honest update that is handed in twice counts once. */
#include "tests/e2e/office.h"

#include "common/crypto/identity.h"
#include "common/task.h"
#include "common/update.h"
#include "common/wire/exchange.h"
#include "common/wire/transfer.h"

#include <math.h>

enum { BAD = 1, ANSWER_MS = 30 * 1000, HOLD_MS = 2000 };

/* Offsets in an update's head (common/update.h). */
enum { AT_PARTS = 12, AT_ROUND = 20, AT_RUN = 24, AT_MODEL = 40, AT_WEIGHT = 72 };

/* What it does to an update that would be right, n bytes long. */
typedef struct lie {
    const char *says;
    void (*twist)(uint8_t *bytes, size_t n);
    int64_t     size;         /* what it announces instead of the size, if not 0; negative: so much less */
    bool        wrong_digest; /* announces the digest of other bytes */
    const char *why;          /* what the refusal must say; NULL: it is honest, and is accepted */
} lie;

static void put_float(uint8_t *bytes, size_t index, float value)
{
    memcpy(bytes + WM_UPDATE_HEADER + index * sizeof value, &value, sizeof value);
}

static void put_weight(uint8_t *bytes, uint64_t weight)
{
    memcpy(bytes + AT_WEIGHT, &weight, sizeof weight);
}

static void is_nan(uint8_t *bytes, size_t n)
{
    (void)n;
    put_float(bytes, 5, NAN);
}

static void is_infinite(uint8_t *bytes, size_t n)
{
    (void)n;
    put_float(bytes, 0, -INFINITY);
}

static void is_large(uint8_t *bytes, size_t n)
{
    (void)n;
    put_float(bytes, 7, 1e9f);
}

static void ends_in_nan(uint8_t *bytes, size_t n)
{
    float value = NAN;

    memcpy(bytes + n - sizeof value, &value, sizeof value);
}

static void has_one_part(uint8_t *bytes, size_t n)
{
    (void)n;
    bytes[AT_PARTS] = 1;
}

static void has_no_examples(uint8_t *bytes, size_t n)
{
    (void)n;
    put_weight(bytes, 0);
}

static void has_minus_a_hundred(uint8_t *bytes, size_t n)
{
    (void)n;
    put_weight(bytes, (uint64_t)-100);
}

static void has_two_to_the_62(uint8_t *bytes, size_t n)
{
    (void)n;
    put_weight(bytes, 1ull << 62);
}

static void is_of_another_model(uint8_t *bytes, size_t n)
{
    (void)n;
    bytes[AT_MODEL] ^= 1;
}

static void is_of_another_round(uint8_t *bytes, size_t n)
{
    (void)n;
    bytes[AT_ROUND]++;
}

static void is_of_another_run(uint8_t *bytes, size_t n)
{
    (void)n;
    bytes[AT_RUN] ^= 1;
}

static void is_no_update(uint8_t *bytes, size_t n)
{
    memset(bytes, 'x', n);
}

/* One a round. */
static const lie lies[] = {
    { .says = "NaN among the parameters", .twist = is_nan, .why = "is not a number" },
    { .says = "an infinite parameter", .twist = is_infinite, .why = "is infinite" },
    { .says = "a parameter beyond the bound", .twist = is_large, .why = "1e+09" },
    { .says = "a loss that is NaN", .twist = ends_in_nan, .why = "is not a number" },
    { .says = "four bytes too few", .size = -4, .why = "bytes" },
    { .says = "one value that would do for all parameters", .size = WM_UPDATE_HEADER + 4, .why = "bytes" },
    { .says = "a petabyte", .size = 1ll << 50, .why = "bytes" },
    { .says = "one part where there are two", .twist = has_one_part, .why = "1 parts" },
    { .says = "no examples", .twist = has_no_examples, .why = "0 examples" },
    { .says = "minus a hundred examples", .twist = has_minus_a_hundred, .why = "18446744073709551516 examples" },
    { .says = "2^62 examples", .twist = has_two_to_the_62, .why = "4611686018427387904 examples" },
    { .says = "an update of another round's model", .twist = is_of_another_model, .why = "another round's model" },
    { .says = "an update of another round", .twist = is_of_another_round, .why = "of round" },
    { .says = "an update of a foreign run", .twist = is_of_another_run, .why = "another run's" },
    { .says = "bytes that are no update", .twist = is_no_update, .why = "WMUPDATE" },
    { .says = "other bytes than it announced", .wrong_digest = true, .why = "SHA-256" },
    { .says = "an honest update, twice", .why = NULL },
};

enum { ROUNDS = sizeof lies / sizeof *lies };

typedef struct bad_gateway {
    office     *o;
    wm_identity identity;
    wm_tls     *tls;
    wm_caller  *control, *bulk;
    wm_exchange bulk_line;
    int         evaluations; /* refused so far */
    bool        done;        /* the last evaluation is behind it */
} bad_gateway;

/* ---- its lines ---- */

static wm_caller *dial(bad_gateway *bad, int port, size_t reply_max)
{
    char        url[64];
    const char *urls[] = { url };
    wm_caller  *caller;
    wm_error    err;

    snprintf(url, sizeof url, "tls+tcp://localhost:%d", port);
    assert_ok(
        wm_caller_new(&(wm_caller_settings){ .urls = urls, .n_urls = 1, .tls = bad->tls, .reply_max = reply_max },
                      &caller, &err),
        &err);
    return caller;
}

static void bad_open(bad_gateway *bad, office *o)
{
    char     folder[4300];
    wm_error err;

    *bad = (bad_gateway){ .o = o };
    office_gateway_folder(o, BAD, folder);
    assert_ok(wm_identity_load(wm_files_system(), folder, &bad->identity, &err), &err);
    assert_ok(wm_tls_new(&(wm_tls_settings){ .side = WM_TLS_CLIENT,
                                             .chain = bad->identity.chain,
                                             .key = bad->identity.key,
                                             .root = bad->identity.root },
                         &bad->tls, &err),
              &err);
    bad->control = dial(bad, o->ports[OFFICE_CONTROL], WM_CONTROL_BYTES_MAX);
    bad->bulk = dial(bad, o->ports[OFFICE_BULK], WM_BULK_BYTES_MAX);
    bad->bulk_line = wm_exchange_over(bad->bulk, WM_BULK_BYTES_MAX);
}

static void bad_close(bad_gateway *bad)
{
    wm_caller_free(bad->control);
    wm_caller_free(bad->bulk);
    wm_tls_free(bad->tls);
    wm_identity_release(&bad->identity);
}

static Wm__Envelope *ask(bad_gateway *bad, Wm__Envelope *question, Wm__Envelope__BodyCase want)
{
    Wm__Envelope *answer;
    uint64_t      come_back_ms;
    wm_error      err;

    if (wm_ask(bad->control, WM_CONTROL_BYTES_MAX, question, ANSWER_MS, &answer, &come_back_ms, &err) != WM_OK)
        office_fail(bad->o, "the bad gateway gets no answer: %s", err.text);
    assert_int_equal(answer->body_case, want);
    return answer;
}

/* ---- what it hands in ---- */

/* An update that nothing is wrong with: no change, of one example. Its size is that of the model's parameters and a loss. */
static wm_update honest(const Wm__Work *work)
{
    wm_update_spec spec = { .n_parts = 2 };
    wm_update_key  key = { .kind = WM_TASK_TRAIN, .round = work->key->round };
    wm_update      update;
    wm_error       err;

    spec.parts[0] = (wm_part_spec){ .kind = WM_PART_F32, .n = work->model_bytes / sizeof(float) };
    spec.parts[1] = (wm_part_spec){ .kind = WM_PART_F32, .n = 1 };
    assert_int_equal(work->key->run.len, WM_RUN_ID_SIZE);
    assert_int_equal(work->key->model.len, WM_DIGEST_SIZE);
    memcpy(key.run, work->key->run.data, WM_RUN_ID_SIZE);
    memcpy(key.model.bytes, work->key->model.data, WM_DIGEST_SIZE);
    assert_ok(wm_update_new(&spec, &key, &update, &err), &err);
    update.weight = 1;
    wm_update_seal(&update, &spec);
    return update;
}

/* Announces it, sends what is asked for; the server's last word. */
static wm_receipt submit(bad_gateway *bad, const Wm__Work *work, const wm_update *update, const lie *l)
{
    wm_digest    digest = wm_sha256_of(update->bytes, update->n_bytes);
    Wm__Envelope question = wm_envelope(), *answer;
    Wm__Submit   message = WM__SUBMIT__INIT;
    wm_clock     clock = wm_clock_system();
    wm_receipt   receipt = { 0 };
    wm_error     err;

    digest.bytes[0] ^= l->wrong_digest;
    message.key = work->key;
    message.digest = wm_bytes_field(digest.bytes, WM_DIGEST_SIZE);
    message.size = l->size > 0 ? (uint64_t)l->size : update->n_bytes - (uint64_t)-l->size;
    question.body_case = WM__ENVELOPE__BODY_SUBMIT;
    question.submit = &message;
    answer = ask(bad, &question, WM__ENVELOPE__BODY_RECEIPT);
    if (answer->receipt->state != WM__RECEIPT__STATE__SEND) {
        receipt.state = answer->receipt->state;
        snprintf(receipt.reason, sizeof receipt.reason, "%s", answer->receipt->reason);
    } else if (wm_upload_run(&digest, update->bytes, update->n_bytes, answer->receipt, &bad->bulk_line, &clock,
                             &receipt, &err) != WM_OK) {
        office_fail(bad->o, "%s: %s", l->says, err.text);
    }
    wm_envelope_free(answer);
    return receipt;
}

static void hand_in(bad_gateway *bad, const Wm__Work *work)
{
    const lie *l = &lies[work->key->round - 1];
    wm_update  update = honest(work);
    wm_receipt receipt;

    if (l->twist != NULL)
        l->twist(update.bytes, update.n_bytes);
    receipt = submit(bad, work, &update, l);
    if (l->why != NULL) {
        if (receipt.state != WM__RECEIPT__STATE__REFUSED || strstr(receipt.reason, l->why) == NULL)
            office_fail(bad->o, "%s: receipt %d, \"%s\"", l->says, (int)receipt.state, receipt.reason);
        office_wait_text(bad->o, bad->o->server_log, receipt.reason);
    } else {
        assert_int_equal(receipt.state, WM__RECEIPT__STATE__ACCEPTED);
        receipt = submit(bad, work, &update, l);
        if (receipt.state != WM__RECEIPT__STATE__ACCEPTED && receipt.state != WM__RECEIPT__STATE__COMMITTED)
            office_fail(bad->o, "%s: receipt %d, \"%s\"", l->says, (int)receipt.state, receipt.reason);
    }
    wm_update_release(&update);
}

/* An evaluation whose loss is NaN. */
static void report(bad_gateway *bad, const Wm__Work *work)
{
    Wm__Envelope question = wm_envelope(), *answer;
    Wm__Report   message = WM__REPORT__INIT;
    Wm__Result   result = WM__RESULT__INIT, *results[] = { &result };

    result.contender = WM_FEDERATED;
    result.examples = 10;
    result.loss_sum = NAN;
    result.count = 10;
    message.key = work->key;
    message.results = results;
    message.n_results = 1;
    question.body_case = WM__ENVELOPE__BODY_REPORT;
    question.report = &message;
    answer = ask(bad, &question, WM__ENVELOPE__BODY_RECEIPT);
    assert_int_equal(answer->receipt->state, WM__RECEIPT__STATE__REFUSED);
    assert_non_null(strstr(answer->receipt->reason, "not finite"));
    bad->evaluations++;
    bad->done = work->key->phase == WM_PHASE_FINAL;
    wm_envelope_free(answer);
}

static void decline(bad_gateway *bad, const Wm__Work *work)
{
    Wm__Envelope question = wm_envelope();
    Wm__Decline  message = WM__DECLINE__INIT;

    message.key = work->key;
    message.reason = (char *)(uintptr_t) "I do not feel like it";
    question.body_case = WM__ENVELOPE__BODY_DECLINE;
    question.decline = &message;
    wm_envelope_free(ask(bad, &question, WM__ENVELOPE__BODY_RECEIPT));
}

static void turn(bad_gateway *bad)
{
    Wm__Envelope question = wm_envelope(), *answer;
    Wm__Ask      message = WM__ASK__INIT;

    message.wait_ms = HOLD_MS;
    question.body_case = WM__ENVELOPE__BODY_ASK;
    question.ask = &message;
    answer = ask(bad, &question, WM__ENVELOPE__BODY_WORK);
    if (answer->work->kind == WM__WORK__KIND__TASK) {
        if (answer->work->key->phase == WM_PHASE_STATISTICS)
            decline(bad, answer->work);
        else if (answer->work->key->phase == WM_PHASE_TRAIN)
            hand_in(bad, answer->work);
        else
            report(bad, answer->work);
    }
    wm_envelope_free(answer);
}

/* ---- the story ---- */

static int setup(void **state)
{
    office *o = calloc(1, sizeof *o);

    *state = o;
    office_open(o, &(office_wish){
                       .n_gateways = 4, .rounds = ROUNDS, .cohort = "{select: all, quorum: 0.75, deadline: 10m}" });
    return 0;
}

static int teardown(void **state)
{
    office_close(*state);
    free(*state);
    return 0;
}

static void assert_counted(office *o, const bad_gateway *bad)
{
    char *rounds = office_run_file(o, "rounds.csv"), *clients = office_run_file(o, "clients.csv");
    char  row[16], why[256];
    long  lied = 0;

    for (int r = 1; r <= ROUNDS; r++) {
        bool lies_now = lies[r - 1].why != NULL;

        lied += lies_now;
        snprintf(row, sizeof row, "%d", r);
        assert_case(lies[r - 1].says, office_csv_long(rounds, row, "accepted") == (lies_now ? 3 : 4));
        assert_case(lies[r - 1].says, office_csv_long(rounds, row, "refused") == (lies_now ? 2 : 1));
    }
    assert_int_equal(bad->evaluations, ROUNDS + 1); /* and the last one */
    assert_int_equal(office_csv_long(clients, o->names[BAD], "refused"), lied);
    assert_int_equal(office_csv_long(clients, o->names[BAD], "accepted"), ROUNDS - lied);
    office_csv(clients, o->names[BAD], "last_refusal", why);
    assert_true(why[0] != '\0');
    for (size_t k = 0; k < o->n_gateways; k++)
        if (k != BAD) {
            assert_int_equal(office_csv_long(clients, o->names[k], "refused"), 0);
            assert_int_equal(office_csv_long(clients, o->names[k], "accepted"), ROUNDS);
        }
    free(rounds);
    free(clients);
}

static void every_lie_is_refused_by_name_and_the_round_goes_on(void **state)
{
    office     *o = *state;
    bad_gateway bad;
    json_t     *summary;

    office_server_start(o, NULL);
    office_enrol_all(o);
    bad_open(&bad, o);
    for (size_t k = 0; k < o->n_gateways; k++)
        if (k != BAD)
            office_gateway_start(o, k, NULL);
    office_job_start(o);
    while (!bad.done)
        turn(&bad);
    summary = office_wait_over(o);
    assert_string_equal(json_string_value(json_object_get(summary, "outcome")), "done");
    assert_int_equal(json_integer_value(json_object_get(summary, "rounds")), ROUNDS);
    json_decref(summary);
    assert_counted(o, &bad);
    office_do(o, NULL, WARDMOTE_SERVER, "clients", o->dir, NULL);
    assert_non_null(strstr(wm_text_chars(&o->output), "not finite")); /* the last refusal, beside its name */
    bad_close(&bad);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_lie_is_refused_by_name_and_the_round_goes_on, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

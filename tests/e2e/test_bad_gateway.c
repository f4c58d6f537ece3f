/* tests/e2e/test_bad_gateway.c
 *
 * One bad gateway of four. It has enrolled with a real token and speaks the protocol as it should; what it hands in is
 * another lie in every round, and every evaluation of it is nonsense. Each lie is refused by name, the three others go on
 * to the end, and an honest update that is handed in twice counts once. */
#include "tests/e2e/liar.h"

#include <math.h>

enum { BAD = 1 };

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
    memcpy(bytes + LIAR_AT_WEIGHT, &weight, sizeof weight);
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
    bytes[LIAR_AT_PARTS] = 1;
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
    bytes[LIAR_AT_MODEL] ^= 1;
}

static void is_of_another_round(uint8_t *bytes, size_t n)
{
    (void)n;
    bytes[LIAR_AT_ROUND]++;
}

static void is_of_another_run(uint8_t *bytes, size_t n)
{
    (void)n;
    bytes[LIAR_AT_RUN] ^= 1;
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
    liar liar;
    int  evaluations; /* refused so far */
    bool done;        /* the last evaluation is behind it */
} bad_gateway;

/* ---- what it hands in ---- */

/* Announces it as the lie says; the server's last word. */
static wm_receipt submit(bad_gateway *bad, const Wm__Work *work, const wm_update *update, const lie *l)
{
    wm_digest digest = wm_sha256_of(update->bytes, update->n_bytes);

    digest.bytes[0] ^= l->wrong_digest;
    return liar_announce(&bad->liar, work, &digest,
                         l->size > 0 ? (uint64_t)l->size : update->n_bytes - (uint64_t)-l->size, update->bytes,
                         update->n_bytes);
}

static void hand_in(bad_gateway *bad, const Wm__Work *work)
{
    const lie *l = &lies[work->key->round - 1];
    wm_update  update = liar_update(work);
    wm_receipt receipt;

    if (l->twist != NULL)
        l->twist(update.bytes, update.n_bytes);
    receipt = submit(bad, work, &update, l);
    if (l->why != NULL) {
        if (receipt.state != WM__RECEIPT__STATE__REFUSED || strstr(receipt.reason, l->why) == NULL)
            office_fail(bad->liar.o, "%s: receipt %d, \"%s\"", l->says, (int)receipt.state, receipt.reason);
        office_wait_text(bad->liar.o, bad->liar.o->server_log, receipt.reason);
    } else {
        assert_int_equal(receipt.state, WM__RECEIPT__STATE__ACCEPTED);
        receipt = submit(bad, work, &update, l);
        if (receipt.state != WM__RECEIPT__STATE__ACCEPTED && receipt.state != WM__RECEIPT__STATE__COMMITTED)
            office_fail(bad->liar.o, "%s: receipt %d, \"%s\"", l->says, (int)receipt.state, receipt.reason);
    }
    wm_update_release(&update);
}

/* An evaluation whose loss is NaN. */
static void report(bad_gateway *bad, const Wm__Work *work)
{
    Wm__Envelope question = wm_envelope(), *answer;
    Wm__Report   message = WM__REPORT__INIT;
    Wm__Result   result = WM__RESULT__INIT, *results[] = { &result };
    double       sums[1] = { 40 };

    result.contender = WM_FEDERATED;
    result.examples = 10;
    result.loss_sum = NAN;
    result.count = 10;
    result.sums = sums;
    result.n_sums = 1; /* of rmse */
    message.key = work->key;
    message.results = results;
    message.n_results = 1;
    question.body_case = WM__ENVELOPE__BODY_REPORT;
    question.report = &message;
    answer = liar_ask(&bad->liar, &question, WM__ENVELOPE__BODY_RECEIPT);
    assert_int_equal(answer->receipt->state, WM__RECEIPT__STATE__REFUSED);
    assert_non_null(strstr(answer->receipt->reason, "not finite"));
    bad->evaluations++;
    bad->done = work->key->phase == WM_PHASE_FINAL;
    wm_envelope_free(answer);
}

static void turn(bad_gateway *bad)
{
    Wm__Envelope *answer = liar_poll(&bad->liar);

    if (answer->work->kind == WM__WORK__KIND__TASK) {
        if (answer->work->key->phase == WM_PHASE_STATISTICS)
            liar_decline(&bad->liar, answer->work, "I do not feel like it");
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
    (void)office_begin(state, &(office_wish){ .n_gateways = 4,
                                              .rounds = ROUNDS,
                                              .cohort = "{select: all, quorum: 0.75, deadline: 10m}" });
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
    bad_gateway bad = { 0 };

    office_server_start(o, NULL);
    office_enrol_all(o);
    liar_open(&bad.liar, o, BAD);
    for (size_t k = 0; k < o->n_gateways; k++)
        if (k != BAD)
            office_gateway_start(o, k, NULL);
    office_job_start(o);
    while (!bad.done)
        turn(&bad);
    office_wait_done(o, ROUNDS, NULL);
    assert_counted(o, &bad);
    office_do(o, NULL, WARDMOTE_SERVER, "clients", o->dir, NULL);
    assert_non_null(strstr(wm_text_chars(&o->output), "not finite")); /* the last refusal, beside its name */
    liar_close(&bad.liar);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_lie_is_refused_by_name_and_the_round_goes_on, setup, office_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

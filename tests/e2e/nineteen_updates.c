/* tests/e2e/nineteen_updates.c: what a gateway hands in that it should not, and one whose own code fails. */
#include "tests/e2e/liar.h"
#include "tests/e2e/nineteen.h"

#include <math.h>

enum { EVERYBODY = FAULT_GATEWAYS, THE_OTHERS = FAULT_GATEWAYS - 1 };

/* ---- one lie in a round of five ---- */

static void is_nan(uint8_t *bytes)
{
    float value = NAN;

    memcpy(bytes + WM_UPDATE_HEADER + 5 * sizeof value, &value, sizeof value);
}

static void has_one_part(uint8_t *bytes)
{
    bytes[LIAR_AT_PARTS] = 1;
}

static void put_weight(uint8_t *bytes, uint64_t weight)
{
    memcpy(bytes + LIAR_AT_WEIGHT, &weight, sizeof weight);
}

static void claims_two_to_the_62(uint8_t *bytes)
{
    put_weight(bytes, 1ull << 62);
}

static void claims_minus_a_hundred(uint8_t *bytes)
{
    put_weight(bytes, (uint64_t)-100);
}

static void claims_none(uint8_t *bytes)
{
    put_weight(bytes, 0);
}

/* In the first round of two the last gateway hands in an honest update that was twisted, or announces so many bytes. */
static double one_lie(office *o, void (*twist)(uint8_t *bytes), uint64_t size, const char *why)
{
    liar          l;
    Wm__Envelope *answer;
    wm_update     update;
    wm_digest     digest;
    wm_receipt    receipt;
    int64_t       since;
    double        seconds;
    char         *rounds;

    liar_open(&l, o, FAULT_VICTIM);
    liar_check_in(&l); /* it is there when the job begins, or the others might do the first round without it */
    fault_job(o, 2, "{select: all, quorum: 0.8, deadline: 10m}", false);
    answer = liar_await(&l, WM_PHASE_TRAIN);
    update = liar_update(answer->work);
    if (twist != NULL)
        twist(update.bytes);
    digest = wm_sha256_of(update.bytes, update.n_bytes);
    since = office_now_ms();
    receipt =
        liar_announce(&l, answer->work, &digest, size > 0 ? size : update.n_bytes, update.bytes, update.n_bytes);
    if (receipt.state != WM__RECEIPT__STATE__REFUSED || strstr(receipt.reason, why) == NULL)
        office_fail(o, "receipt %d, \"%s\", where \"%s\" was to be said", (int)receipt.state, receipt.reason, why);
    wm_update_release(&update);
    wm_envelope_free(answer);
    liar_sign_off(&l); /* nobody waits for its evaluation */
    seconds = fault_progress(o, 1, since);
    liar_close(&l);
    office_wait_done(o, 2, NULL);
    fault_is_seen(o, why);
    rounds = office_run_file(o, "rounds.csv");
    assert_int_equal(office_csv_long(rounds, "1", "accepted"), THE_OTHERS);
    assert_int_equal(office_csv_long(rounds, "1", "refused"), 1);
    free(rounds);
    return seconds;
}

static double nan_among_the_parameters(office *o)
{
    return one_lie(o, is_nan, 0, "is not a number");
}

static double arrays_of_a_wrong_shape(office *o)
{
    return one_lie(o, NULL, WM_UPDATE_HEADER + 9 * sizeof(float), "the update has 116 bytes, one of this task has");
}

static double one_part_of_two(office *o)
{
    return one_lie(o, has_one_part, 0, "1 parts");
}

static double one_value_for_all(office *o)
{
    return one_lie(o, NULL, WM_UPDATE_HEADER + 2 * sizeof(float), "the update has 88 bytes, one of this task has");
}

static double two_to_the_62_examples(office *o)
{
    return one_lie(o, claims_two_to_the_62, 0, "4611686018427387904 examples");
}

static double minus_a_hundred_examples(office *o)
{
    return one_lie(o, claims_minus_a_hundred, 0, "18446744073709551516 examples");
}

static double no_examples_by_one(office *o)
{
    return one_lie(o, claims_none, 0, "0 examples");
}

static double an_update_of_800_mb(office *o)
{
    return one_lie(o, NULL, 800000175, "the update has 800000175 bytes, one of this task has");
}

/* ---- no examples by all ---- */

/* Both of the two who are there, of five; two are needed. In the second attempt they are honest. */
static double no_examples_by_all(office *o)
{
    liar    both[2];
    int64_t since = 0;
    double  seconds;
    char   *rounds;

    for (size_t k = 0; k < THE_OTHERS; k++)
        office_gateway_stop(o, k);
    office_write_job(o, 1, "{select: all, quorum: 0.4, deadline: 5s, attempts: 0}"); /* both within one */
    office_change_job(o, "scale: federated", "scale: none"); /* nobody is there who would send statistics */
    for (size_t i = 0; i < 2; i++) {
        liar_open(&both[i], o, FAULT_VICTIM - i);
        liar_check_in(&both[i]);
    }
    office_job_start(o);
    for (int attempt = 0; attempt < 2; attempt++) {
        for (size_t i = 0; i < 2; i++) {
            Wm__Envelope *answer = liar_await(&both[i], WM_PHASE_TRAIN);
            wm_update     update = liar_update(answer->work);
            wm_receipt    receipt;

            assert_true(answer->work->attempt >= (uint32_t)attempt); /* or it has taken longer than an attempt */
            if (attempt == 0)
                claims_none(update.bytes);
            receipt = liar_submit(&both[i], answer->work, &update);
            assert_int_equal(receipt.state,
                             attempt == 0 ? WM__RECEIPT__STATE__REFUSED : WM__RECEIPT__STATE__ACCEPTED);
            wm_update_release(&update);
            wm_envelope_free(answer);
        }
        if (attempt == 0) {
            since = office_now_ms();
            office_wait_text(o, o->server_log,
                             "the quorum cannot be reached without somebody who is away: 0 of 2 are in");
        }
    }
    for (size_t i = 0; i < 2; i++)
        liar_sign_off(&both[i]);
    for (size_t k = 0; k < THE_OTHERS; k++) /* for the evaluation */
        office_gateway_start(o, k, NULL);
    seconds = fault_progress(o, 1, since);
    office_wait_done(o, 1, NULL);
    office_wait_text(o, o->server_log, "0 examples");
    rounds = office_run_file(o, "rounds.csv");
    assert_int_equal(office_csv_long(rounds, "1", "refused"), 2); /* though they were accepted in the end */
    assert_int_equal(office_csv_long(rounds, "1", "accepted"), 2);
    free(rounds);
    for (size_t i = 0; i < 2; i++)
        liar_close(&both[i]);
    return seconds;
}

/* ---- the gateway's own code ---- */

/* Its readings are gone: it says so, by name, and stays in the office. */
static double a_gateways_own_code_fails(office *o)
{
    char    readings[4400], away[4500];
    int64_t since = office_now_ms();
    double  seconds;
    char   *clients;

    snprintf(readings, sizeof readings, "%s/%s.csv", o->data, o->names[1]);
    snprintf(away, sizeof away, "%s.away", readings);
    assert_int_equal(rename(readings, away), 0);
    fault_job(o, 2, "{select: all, quorum: 0.6, deadline: 10m}", false);
    seconds = fault_progress(o, 1, since);
    office_wait_done(o, 2, NULL);
    fault_is_seen(o, o->names[1]);
    clients = office_run_file(o, "clients.csv");
    assert_int_equal(office_csv_long(clients, o->names[1], "declined"), 2);
    assert_int_equal(office_csv_long(clients, o->names[1], "accepted"), 0);
    assert_int_equal(office_csv_long(clients, o->names[0], "accepted"), 2);
    free(clients);
    assert_int_equal(rename(away, readings), 0);
    fault_job(o, 1, "{select: all, quorum: 0.8, deadline: 10m}", false);
    office_wait_done(o, 1, NULL);
    clients = office_run_file(o, "clients.csv");
    assert_int_equal(office_csv_long(clients, o->names[1], "accepted"), 1); /* and takes part again */
    free(clients);
    return seconds;
}

const fault faults_of_updates[] = {
    { 6, "one of five sends NaN", nan_among_the_parameters },
    { 7, "one sends arrays of a wrong shape", arrays_of_a_wrong_shape },
    { 8, "one sends a part of the parameters", one_part_of_two },
    { 9, "one sends a single value for each array", one_value_for_all },
    { 10, "one claims 2^62 examples", two_to_the_62_examples },
    { 11, "one claims -100 examples", minus_a_hundred_examples },
    { 12, "one claims 0 examples", no_examples_by_one },
    { 12, "all claim 0 examples", no_examples_by_all },
    { 13, "a gateway's own code fails", a_gateways_own_code_fails },
    { 14, "one announces an update of 800 MB", an_update_of_800_mb },
    { 0 },
};

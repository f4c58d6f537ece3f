/* tests/e2e/test_same_model.c
 *
 * A simulation is the deployment, to the bit: the same job file and data give the same model in memory with one worker and
 * with many, and through real processes over TLS. */
#include "tests/e2e/office.h"

#include "common/files.h"

#include <ctype.h>

static int setup(void **state)
{
    (void)office_begin(state, &(office_wish){ .n_gateways = 4, .rounds = 3 });
    return 0;
}

static void memory_and_tls_one_worker_and_many_give_the_same_model(void **state)
{
    office *o = *state;
    char    one[65], many[65], tls[65];

    office_simulate(o, "1", one);
    office_simulate(o, "4", many);
    office_simulate_tls(o, tls);
    assert_string_equal(one, many);
    assert_string_equal(one, tls);
    for (size_t i = 0; i < 64; i++)
        assert_true(isxdigit((unsigned char)one[i]));
}

/* ---- images ---- */

/* Images of 4 x 4 in ten classes, which differ in where they are bright; with a head as in yann.lecun.com/exdb/mnist. */
static void write_idx(const office *o, const char *name, size_t n, bool labels)
{
    uint8_t  head[16] = { 0, 0, 8, labels ? 1 : 3, 0, 0, (uint8_t)(n >> 8), (uint8_t)n, 0, 0, 0, 4, 0, 0, 0, 4 };
    wm_text  text = WM_TEXT_INIT;
    char     path[4300];
    wm_error err;

    wm_text_add_bytes(&text, head, labels ? 8 : 16);
    for (size_t i = 0; i < n; i++) {
        uint8_t label = (uint8_t)(i * 7 % 10);

        for (size_t p = 0; !labels && p < 16; p++)
            wm_text_add_bytes(&text, &(uint8_t){ (uint8_t)(p == label ? 200 + i % 50 : (i * 31 + p * 17) % 100) },
                              1);
        if (labels)
            wm_text_add_bytes(&text, &label, 1);
    }
    snprintf(path, sizeof path, "%s/%s", o->data, name);
    assert_ok(wm_files_system()->replace(wm_files_system(), path, wm_text_chars(&text), text.size, 0600, &err),
              &err);
    wm_text_release(&text);
}

static const char digits_job[] = "job: digits\n"
                                 "data:\n"
                                 "  source: {idx: {images: \"*-images-*\", labels: \"*-labels-*\"}}\n"
                                 "  owner: {iid: {clients: 3}}\n"
                                 "  inputs:\n"
                                 "    image: {pixels: {shape: [4, 4, 1]}}\n"
                                 "  targets:\n"
                                 "    digit: {column: label, classes: 10}\n"
                                 "  scale: none\n"
                                 "  split: {files: {test: \"t10k-*\"}}\n"
                                 "model:\n"
                                 "  layers: [flatten, {dense: 20}, relu, {dense: 10}]\n"
                                 "  loss: cross_entropy\n"
                                 "training: {optimiser: sgd, rate: 0.1, batch: 10, epochs: 1}\n"
                                 "rounds: 3\n"
                                 "cohort: {select: {uniform: 0.67}, quorum: 1, deadline: 5m}\n"
                                 "strategy: fedavg\n"
                                 "evaluate: {every: 1, metrics: [accuracy], baselines: [naive]}\n"
                                 "seed: 3\n";

static void images_too_and_a_cohort_that_is_drawn(void **state)
{
    office  *o = *state;
    char     memory[65], tls[65];
    wm_error err;

    snprintf(o->data, sizeof o->data, "%s/digits", o->folder);
    assert_ok(wm_files_system()->make_folder(wm_files_system(), o->data, 0700, &err), &err);
    write_idx(o, "train-images-idx3-ubyte", 600, false);
    write_idx(o, "train-labels-idx1-ubyte", 600, true);
    write_idx(o, "t10k-images-idx3-ubyte", 120, false);
    write_idx(o, "t10k-labels-idx1-ubyte", 120, true);
    assert_ok(wm_files_system()->replace(wm_files_system(), o->job, digits_job, strlen(digits_job), 0600, &err),
              &err);
    office_simulate(o, "3", memory);
    office_simulate_tls(o, tls);
    assert_string_equal(memory, tls);
}

static void the_real_gateways_train_what_the_simulation_trained(void **state)
{
    office *o = *state;
    char    simulated[65];

    office_simulate(o, "2", simulated);
    office_server_start(o, NULL);
    office_enrol_all(o);
    office_gateways_start(o);
    office_job_start(o);
    office_wait_done(o, 0, simulated);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(memory_and_tls_one_worker_and_many_give_the_same_model, setup, office_end),
        cmocka_unit_test_setup_teardown(images_too_and_a_cohort_that_is_drawn, setup, office_end),
        cmocka_unit_test_setup_teardown(the_real_gateways_train_what_the_simulation_trained, setup, office_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

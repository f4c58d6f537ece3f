/* tests/e2e/test_own_layers.c
 *
 * Layers of which each gateway has its own, layers that nobody trains, and a model that begins with another's: a simulation
 * of such a job is the deployment, to the bit; and a gateway that is killed goes on with its own layers where the committed
 * model is: else its next update, and so the model, would be another. */
#include "tests/e2e/office.h"

#include "common/files.h"

static const char plain[] = "layers: [flatten, {dense: 160}, relu, {dense: 1}]";

static const char own[] =
    "personal: [own, pm25]\n"
    "  freeze: still\n"
    "  layers: [flatten, {name: still, dense: 60}, {dense: 40}, {name: own, batch_norm: {}}, relu,"
    " {name: pm25, dense: 1}]";

static int setup(void **state)
{
    office *o = calloc(1, sizeof *o);

    *state = o;
    office_open(o, &(office_wish){ .rounds = 4 });
    return 0;
}

static int teardown(void **state)
{
    office_close(*state);
    free(*state);
    return 0;
}

static bool file_has(const char *path, const char *text)
{
    uint8_t *bytes;
    size_t   n;
    bool     has;
    wm_error err;

    assert_ok(wm_files_system()->read(wm_files_system(), path, 1 << 20, &bytes, &n, &err), &err);
    has = memmem(bytes, n, text, strlen(text)) != NULL;
    free(bytes);
    return has;
}

static void a_simulation_is_the_deployment(void **state)
{
    office *o = *state;
    char    one[65], many[65], tls[65], path[4400];

    office_change_job(o, plain, own);
    office_simulate(o, "1", one);
    office_simulate(o, "3", many);
    office_simulate_tls(o, tls);
    assert_string_equal(one, many);
    assert_string_equal(one, tls);
    snprintf(path, sizeof path, "%s/tls/model.safetensors", o->folder);
    assert_true(file_has(path, "still.weight") && !file_has(path, "pm25.weight"));
    /* and whoever has that file alone is told so */
    office_do(o, NULL, WARDMOTE, "evaluate", path, o->data, NULL);
    assert_non_null(strstr(wm_text_chars(&o->complaint), "does not hold the personal layers (own, pm25)"));
    assert_int_not_equal(office_run(o, NULL, WARDMOTE, "predict", path, o->data, NULL), 0);
    assert_non_null(strstr(wm_text_chars(&o->complaint), "the layer own is personal"));
}

/* A layer of it frozen, and its head anew. */
static void a_run_begins_with_the_model_of_another(void **state)
{
    office  *o = *state;
    char     cold[65], one[65], tls[65], from[4400], to[4400];
    uint8_t *bytes;
    size_t   n;
    wm_error err;

    office_change_job(o, plain, "layers: [flatten, {name: trunk, dense: 60}, relu, {name: pm25, dense: 1}]");
    office_simulate(o, "2", cold);
    snprintf(from, sizeof from, "%s/simulated/model.safetensors", o->folder);
    snprintf(to, sizeof to, "%s/base.safetensors", o->folder);
    assert_ok(wm_files_system()->read(wm_files_system(), from, 1 << 20, &bytes, &n, &err), &err);
    assert_ok(wm_files_system()->replace(wm_files_system(), to, bytes, n, 0600, &err), &err);
    free(bytes);
    office_change_job(o, "  loss: mse\n",
                      "  loss: mse\n  start: {file: base.safetensors, fresh: pm25}\n  freeze: trunk\n");
    office_simulate(o, "1", one);
    office_simulate_tls(o, tls);
    assert_string_equal(one, tls);
    assert_string_not_equal(one, cold);
}

/* With the update kept; with what goes with it in force and the update still there; and with both settled. */
static void a_gateway_that_is_killed_goes_on_with_its_own(void **state)
{
    static const char *const deaths[] = { "client-keep-after", "client-let-go-before", "client-let-go-after" };
    office                  *o = *state;
    char                     undisturbed[65];

#ifndef WM_CRASH_POINTS
    leave_out("a release has no crash points to die at");
#endif
    office_change_job(o, plain, own);
    office_simulate(o, "2", undisturbed);
    office_server_start(o, NULL);
    office_enrol_all(o);
    office_job_start(o);
    for (size_t k = 0; k < o->n_gateways; k++)
        if (k != 1)
            office_gateway_start(o, k, NULL);
    for (size_t i = 0; i < sizeof deaths / sizeof *deaths; i++) {
        office_gateway_start(o, 1, deaths[i]);
        office_gateway_crashes(o, 1);
    }
    office_gateway_start(o, 1, NULL);
    office_wait_done(o, 0, undisturbed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_simulation_is_the_deployment, setup, teardown),
        cmocka_unit_test_setup_teardown(a_run_begins_with_the_model_of_another, setup, teardown),
        cmocka_unit_test_setup_teardown(a_gateway_that_is_killed_goes_on_with_its_own, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

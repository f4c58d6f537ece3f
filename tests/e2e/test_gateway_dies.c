/* tests/e2e/test_gateway_dies.c
 *
 * kill -9 of a gateway while it trains, around the moment in which its update becomes durable, while it uploads and after
 * it was heard: one run in which the same gateway dies again and again. It trains anew to the same bits or hands in what
 * it has, so the model is that of an undisturbed run: also where it holds its updates in memory alone. */
#include "tests/e2e/office.h"
#include "tests/figures.h"

typedef struct death {
    const char *says, *crash;
} death;

static const death of_kept[] = {
    { "while it trains", "client-training@3" },
    { "with the update trained and not yet kept", "client-keep-before" },
    { "with the update kept", "client-keep-after" },
    { "before it uploads", "client-upload-before" },
    { "between two ranges of its update", "client-upload-range" },
    { "with the update accepted", "client-upload-after" },
    { "with the update committed, before it lets go of it", "client-let-go-before" },
    { "with the update let go of", "client-let-go-after" },
};

static const death of_held[] = {
    { "before it uploads what is nowhere else", "client-upload-before" },
    { "between two ranges of what is nowhere else", "client-upload-range" },
    { "with an update accepted that it forgets", "client-upload-after" },
    { "with the update committed, before it lets go of it", "client-let-go-before" },
    { "with the update let go of", "client-let-go-after" },
};

enum { ROUNDS = 5, VICTIM = 1 };

static int setup(void **state)
{
    (void)office_begin(state, &(office_wish){ .rounds = ROUNDS });
    return 0;
}

/* `redo`: the victim's, in client.yaml. */
static void die_everywhere(office *o, const char *redo, const death *deaths, size_t n, const char *fault)
{
    char    undisturbed[65], *clients;
    int64_t died_ms = 0;
    double  longest = 0;

    office_simulate(o, "2", undisturbed);
    office_server_start(o, NULL);
    office_enrol_all(o);
    office_client_yaml(o, VICTIM, "limits:", redo);
    office_job_start(o);
    for (size_t k = 0; k < o->n_gateways; k++)
        if (k != VICTIM)
            office_gateway_start(o, k, NULL);
    for (size_t i = 0; i < n; i++) {
        office_gateway_start(o, VICTIM, deaths[i].crash);
        office_gateway_crashes(o, VICTIM);
        if (died_ms > 0 && (double)(office_now_ms() - died_ms) / 1000 > longest)
            longest = (double)(office_now_ms() - died_ms) / 1000;
        died_ms = office_now_ms();
    }
    office_gateway_start(o, VICTIM, NULL);
    office_wait_done(o, 0, undisturbed);
    clients = office_run_file(o, "clients.csv");
    assert_int_equal(office_csv_long(clients, o->names[VICTIM], "accepted"), ROUNDS);
    assert_int_equal(office_csv_long(clients, o->names[VICTIM], "refused"), 0);
    free(clients);
    office_server_stop(o);
    office_do(o, NULL, WARDMOTE_SERVER, "verify", o->dir, NULL);
    tell_fault(&(fault_figure){ .fault = fault, .tries = n, .survived = n, .seconds = longest });
}

static void it_dies_everywhere_and_the_model_is_the_same(void **state)
{
    die_everywhere(*state, "{redo: 0s}", of_kept, sizeof of_kept / sizeof *of_kept,
                   "kill -9 of a gateway at each step of its work");
}

static void it_dies_without_having_kept_anything_and_the_model_is_the_same(void **state)
{
    die_everywhere(*state, "{redo: 1h}", of_held, sizeof of_held / sizeof *of_held,
                   "kill -9 of a gateway that holds its updates in memory");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(it_dies_everywhere_and_the_model_is_the_same, setup, office_end),
        cmocka_unit_test_setup_teardown(it_dies_without_having_kept_anything_and_the_model_is_the_same, setup,
                                        office_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

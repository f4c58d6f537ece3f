/* tests/tool/predict/test_predict_personal.c: what a model says by whose layers some are each client's own, and not in it. */
#include "tests/tool/predict/scene.h"

#include <math.h>

static const char own_flag[] =
    "  targets:\n    no2: {column: no2, ahead: 3h}\n    flag: {column: no2, ahead: 3h, above: 45}\n"
    "  scale: federated\n  split: {time: [0.7, 0.1, 0.2]}\n"
    "model:\n  personal: [flag]\n  layers:\n    - flatten\n    - {name: trunk, dense: 16}\n"
    "    - {name: no2, from: trunk, dense: 1}\n    - {name: flag, from: trunk, dense: 2}\n"
    "  losses: {no2: mse, flag: cross_entropy}\n"
    "training: {optimiser: adam, rate: 0.003, batch: 16, epochs: 2}\n"
    "evaluate: {metrics: [rmse, accuracy], baselines: [naive]}\n";

/* Of the other head all is as it was measured in the run. */
static void a_head_of_the_clients_own_is_left_out_or_trained_for_an_epoch(void **state)
{
    scene *s = *state;
    char  *accuracy;
    int    examples;
    double rmse;

    train(s, own_flag);
    SAY(s, "predict", s->model, s->folder);
    assert_int_equal(s->code, 0);
    assert_memory_equal(s->out, "time,client,no2\n", 16);
    assert_non_null(strstr(s->said, "flag is left out: it goes through personal layers"));
    SAY(s, "evaluate", s->model, s->folder);
    assert_int_equal(s->code, 0);
    assert_non_null(strstr(s->said, "does not hold the personal layers (flag)"));
    assert_memory_equal(s->out, "\nrmse ", 6);
    rmse = measured(s, "north", &examples);
    assert_true(fabs(strtod(strstr(s->out, "\nnorth") + 6, NULL) - rmse) < 1e-4);
    accuracy = strstr(s->out, "\naccuracy ");
    assert_non_null(accuracy);
    assert_null(strstr(accuracy, "federated  "));
    assert_non_null(strstr(accuracy, "federated + 1 epoch"));
    SAY(s, "evaluate", s->model, s->folder, "--model-only");
    assert_int_equal(s->code, 0);
    assert_true(strstr(s->out, "rmse") != NULL && strstr(s->out, "accuracy") == NULL);
}

static void a_model_whose_heads_are_all_the_clients_own_says_nothing_alone(void **state)
{
    scene *s = *state;
    char   text[2048];
    char  *at;

    snprintf(text, sizeof text, "%s", own_flag);
    at = strstr(text, "personal: [flag]");
    memmove(at + 21, at + 16, strlen(at + 16) + 1);
    memcpy(at, "personal: [flag, no2]", 21);
    train(s, text);
    SAY(s, "predict", s->model, s->folder);
    assert_int_not_equal(s->code, 0);
    assert_non_null(strstr(s->said, "is not all of the network: the layer no2 is personal"));
    SAY(s, "evaluate", s->model, s->folder, "--model-only");
    assert_int_not_equal(s->code, 0);
    assert_non_null(strstr(s->said, "every target goes through a personal layer"));
    SAY(s, "evaluate", s->model, s->folder);
    assert_int_equal(s->code, 0);
    assert_null(strstr(s->out, "federated  "));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_head_of_the_clients_own_is_left_out_or_trained_for_an_epoch),
        TEST(a_model_whose_heads_are_all_the_clients_own_says_nothing_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

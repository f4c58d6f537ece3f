/* tests/models/test_shares.c: layers that stay as they begin, and layers of which each client has its own. */
#include "tests/models/words.h"

#include "common/rng.h"
#include "models/plan.h"

#include <math.h>

/* A network of four values, a layer, batch norm, another layer and a head, with what its job says of them. */
typedef struct shared_net {
    wm_job   *job;
    wm_model *model;
    wm_plan  *plan;
    float    *whole;
} shared_net;

static const char layers[] =
    "[{name: a, dense: 5}, {name: n, batch_norm: {}}, tanh, {name: b, dense: 3}, tanh, {name: y, dense: 2}]";

static void open_net(shared_net *net, const char *more, const char *optimiser)
{
    wm_text  text = WM_TEXT_INIT;
    wm_error err;

    net_text(
        &text,
        &(net_words){
            .shape = "4", .layers = layers, .loss = "mse", .optimiser = optimiser, .width = 2, .model = more });
    net->job = net_job(more, wm_text_chars(&text));
    net->model = net_model_of(more, net->job);
    assert_ok(wm_plan_new(net->model, 8, WM_PLAN_TRAIN, &net->plan, &err), &err);
    net->whole = malloc(wm_model_n_whole(net->model) * sizeof *net->whole);
    assert_non_null(net->whole);
    wm_model_init(net->model, 3, net->whole);
    wm_model_init_own(net->model, 3, net->whole + wm_model_n_params(net->model));
    wm_text_release(&text);
}

static void close_net(shared_net *net)
{
    wm_plan_free(net->plan);
    wm_model_free(net->model);
    wm_job_free(net->job);
    free(net->whole);
}

static wm_batch batch_of(float inputs[32], float targets[16])
{
    wm_batch batch = { .n = 8, .inputs = { inputs }, .targets = { targets } };
    wm_rng   rng;

    wm_rng_init(&rng, 9);
    for (size_t i = 0; i < 32; i++)
        inputs[i] = (float)wm_rng_normal(&rng);
    for (size_t i = 0; i < 16; i++)
        targets[i] = (float)wm_rng_normal(&rng);
    return batch;
}

static void take_steps(shared_net *net, size_t steps, double clip)
{
    float    inputs[32], targets[16];
    wm_batch batch = batch_of(inputs, targets);
    wm_step  step = { .rate = 0.1, .clip = clip };
    double   loss;
    wm_error err;

    for (size_t i = 0; i < steps; i++)
        assert_ok(wm_plan_step(net->plan, net->whole, &batch, &step, &loss, &err), &err);
}

/* ---- the vector ---- */

static void names_of(const wm_model *model, wm_text *ret)
{
    for (size_t i = 0; i < wm_model_n_tensors(model); i++)
        wm_text_printf(ret, "%s@%zu ", wm_model_tensor(model, i)->name, wm_model_tensor(model, i)->offset);
    wm_text_printf(ret, "|");
    for (size_t i = 0; i < wm_model_n_own_tensors(model); i++)
        wm_text_printf(ret, " %s@%zu", wm_model_own_tensor(model, i)->name, wm_model_own_tensor(model, i)->offset);
}

static void the_vector_is_frozen_then_trained_then_personal(void **state)
{
    static const struct {
        const char *model, *names;
        size_t      params, trained, own, buffers;
    } rows[] = {
        { "personal: n", "a.weight@0 a.bias@20 b.weight@25 b.bias@40 y.weight@43 y.bias@49 | n.weight@51 n.bias@56",
          51, 51, 20, 10 },
        { "personal: [n, b]",
          "a.weight@0 a.bias@20 y.weight@25 y.bias@31 | n.weight@33 n.bias@38 b.weight@43 b.bias@58", 33, 33, 38,
          10 },
        { "personal: n\n  freeze: b",
          "b.weight@0 b.bias@15 a.weight@18 a.bias@38 y.weight@43 y.bias@49 | n.weight@51 n.bias@56", 51, 33, 20,
          10 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        shared_net net;
        wm_text    names = WM_TEXT_INIT;

        open_net(&net, rows[i].model, NULL);
        names_of(net.model, &names);
        assert_string_equal(wm_text_chars(&names), rows[i].names);
        assert_int_equal(wm_model_n_params(net.model), rows[i].params);
        assert_int_equal(wm_model_n_trained(net.model), rows[i].trained);
        assert_int_equal(wm_model_n_own(net.model), rows[i].own);
        assert_int_equal(wm_model_n_whole(net.model), rows[i].params + rows[i].own);
        assert_int_equal(wm_model_n_buffer_values(net.model), rows[i].buffers);
        wm_text_release(&names);
        close_net(&net);
    }
}

/* By name, so that a layer begins the same whoever has it. */
static void a_layer_begins_the_same_whoever_has_it(void **state)
{
    shared_net       together, apart;
    const wm_tensor *b = NULL, *own = NULL;

    (void)state;
    open_net(&together, "personal: n", NULL);
    open_net(&apart, "personal: [n, b]\n  freeze: a", NULL);
    for (size_t i = 0; i < wm_model_n_tensors(together.model); i++)
        if (strcmp(wm_model_tensor(together.model, i)->name, "b.weight") == 0)
            b = wm_model_tensor(together.model, i);
    for (size_t i = 0; i < wm_model_n_own_tensors(apart.model); i++)
        if (strcmp(wm_model_own_tensor(apart.model, i)->name, "b.weight") == 0)
            own = wm_model_own_tensor(apart.model, i);
    assert_true(b != NULL && own != NULL && b->n == own->n);
    assert_memory_equal(together.whole + b->offset, apart.whole + own->offset, b->n * sizeof(float));
    close_net(&together);
    close_net(&apart);
}

/* ---- training ---- */

/* Under optimisers that move what has no gradient, by decay, by momentum, and under one whose steps layers take themselves. */
static void what_is_frozen_keeps_its_bits_and_all_else_moves(void **state)
{
    static const char *const optimisers[] = { "{sgd: {momentum: 0.9, weight_decay: 0.1}}",
                                              "{adam: {weight_decay: 0.1}}",
                                              "{adamw: {weight_decay: 0.1}}",
                                              "{rmsprop: {momentum: 0.9, weight_decay: 0.1}}",
                                              "{adagrad: {weight_decay: 0.1}}",
                                              "sgd" };

    (void)state;
    for (size_t i = 0; i < 2 * sizeof optimisers / sizeof *optimisers; i++) {
        shared_net net;
        float      before[71];
        size_t     n, frozen, still = 0;

        open_net(&net, "personal: n\n  freeze: [a, b]", optimisers[i / 2]);
        n = wm_model_n_whole(net.model);
        frozen = wm_model_n_params(net.model) - wm_model_n_trained(net.model);
        assert_int_equal(n, 71);
        assert_int_equal(frozen, 43);
        memcpy(before, net.whole, sizeof before);
        take_steps(&net, 5, i % 2 == 0 ? 0.7 : 0);
        wm_plan_get_buffers(net.plan, net.whole + n - wm_model_n_buffer_values(net.model));
        assert_memory_equal(before, net.whole, frozen * sizeof *before);
        for (size_t p = frozen; p < n; p++)
            still += memcmp(&before[p], &net.whole[p], sizeof *before) == 0;
        assert_int_equal(still, 0);
        close_net(&net);
    }
}

/* The gradient of what is trained is what it was with all trained, to the bit, if it is not clipped. */
static void freezing_changes_no_other_gradient(void **state)
{
    shared_net   all, some;
    float        inputs[32], targets[16];
    wm_batch     batch = batch_of(inputs, targets);
    const float *of_all, *of_some;
    double       loss, same;
    wm_error     err;

    (void)state;
    open_net(&all, "personal: n", NULL);
    open_net(&some, "personal: n\n  freeze: [a]", NULL);
    assert_ok(wm_plan_gradient(all.plan, all.whole, &batch, &of_all, &loss, &err), &err);
    assert_ok(wm_plan_gradient(some.plan, some.whole, &batch, &of_some, &same, &err), &err);
    assert_true(loss == same); /* a comes first in both */
    assert_memory_equal(of_all + 25, of_some, (51 + 10 - 25) * sizeof(float));
    close_net(&all);
    close_net(&some);
}

/* The same of one behind others that learn: the gradient passes through it, and it leaves nothing of its own anywhere. */
static void a_frozen_layer_lets_the_gradient_pass_and_no_more(void **state)
{
    shared_net   all, some;
    float        inputs[32], targets[16], buffers[2][10];
    wm_batch     batch = batch_of(inputs, targets);
    const float *of_all, *of_some;
    double       loss, same;
    wm_error     err;

    (void)state;
    open_net(&all, "personal: n", NULL);
    open_net(&some, "personal: n\n  freeze: [b]", NULL);
    /* b is before a there */
    memcpy(some.whole, all.whole + 25, 18 * sizeof(float));
    memcpy(some.whole + 18, all.whole, 25 * sizeof(float));
    assert_ok(wm_plan_gradient(all.plan, all.whole, &batch, &of_all, &loss, &err), &err);
    assert_ok(wm_plan_gradient(some.plan, some.whole, &batch, &of_some, &same, &err), &err);
    assert_true(loss == same);
    assert_memory_equal(of_all, of_some, 25 * sizeof(float));
    assert_memory_equal(of_all + 43, of_some + 25, (8 + 10) * sizeof(float));
    wm_plan_get_buffers(all.plan, buffers[0]);
    wm_plan_get_buffers(some.plan, buffers[1]);
    assert_memory_equal(buffers[0], buffers[1], sizeof buffers[0]);
    close_net(&all);
    close_net(&some);
}

/* A plan that goes from one client to the next, as the simulator's does, gives each what it would give it alone. */
static void clients_in_one_plan_do_not_mix(void **state)
{
    shared_net net, alone;
    float      buffers[10], start[71];
    size_t     n_whole;

    (void)state;
    open_net(&net, "personal: n", NULL);
    open_net(&alone, "personal: n", NULL);
    n_whole = wm_model_n_whole(net.model);
    assert_true(n_whole == 71);
    memcpy(start, net.whole, sizeof start);
    take_steps(&net, 3, 0.7); /* somebody else */
    memcpy(net.whole, start, sizeof start);
    wm_plan_reset(net.plan, 0);
    wm_plan_set_buffers(net.plan, start + 61);
    take_steps(&net, 2, 0.7);
    take_steps(&alone, 2, 0.7);
    assert_memory_equal(net.whole, alone.whole, 61 * sizeof(float));
    wm_plan_get_buffers(net.plan, net.whole + 61);
    wm_plan_get_buffers(alone.plan, buffers);
    assert_memory_equal(net.whole + 61, buffers, sizeof buffers);
    close_net(&net);
    close_net(&alone);
}

/* ---- mistakes ---- */

static void what_cannot_be_is_refused_at_its_place(void **state)
{
    static const net_mistake rows[] = {
        { "{dense: 5}, batch_norm, {dense: 2}", "batch_norm",
          "cannot be averaged: name the layer in model.personal, or take group_norm", NULL },
        { "{dense: 5}, {name: n, batch_norm: {}}, {dense: 2}", "batch_norm: {}}", "or take group_norm",
          "freeze: n" },
        { "{name: r, residual: [{dense: 4}, batch_norm]}, {dense: 2}", "batch_norm", "or take group_norm", NULL },
        { "{name: a, dense: 5}, {dense: 2}", "b]", "\"b\" is not the name of a layer", "personal: [a, b]" },
        { "{name: a, dense: 5}, {dense: 2}", "b]", "\"b\" is not the name of a layer", "freeze: [a, b]" },
        { "{name: a, dense: 5}, {dense: 2}", "[a]]", "a list stands here, where the name of a layer belongs",
          "freeze: [[a]]" },
        { "{name: a, dense: 5}, {name: b, tanh: {}}, {dense: 2}", "tanh: {}}", "tanh has no parameters",
          "personal: b" },
        { "{name: a, dense: 5}, {name: b, tanh: {}}, {dense: 2}", "tanh: {}}", "tanh has no parameters",
          "freeze: [b]" },
        { "{name: a, dense: 5}, {name: b, dense: 2}", "a\n", "model.personal names \"a\" too",
          "personal: [a]\n  freeze: a" },
        { "{name: a, dense: 5}, {name: b, dense: 2}", "reshape", "nothing that clients could train together",
          "personal: [a]\n  freeze: b" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        net_assert_mistake(&rows[i], "4");
}

/* Where nothing before a loss is trained, that is said of the head. */
static void a_frozen_network_is_refused(void **state)
{
    static const net_mistake row = { "{name: a, dense: 5}, {name: b, dense: 2}", "dense: 2",
                                     "nothing before the loss of y has parameters to train", "freeze: [a, b]" };

    (void)state;
    net_assert_mistake(&row, "4");
}

static void the_table_says_whose_layers_are(void **state)
{
    shared_net net;
    wm_text    text = WM_TEXT_INIT;
    wm_error   err;

    (void)state;
    open_net(&net, "personal: n\n  freeze: b", NULL);
    assert_ok(wm_model_describe(net.model, 8, &text, &err), &err);
    assert_non_null(strstr(wm_text_chars(&text), "batch_norm, personal"));
    assert_non_null(strstr(wm_text_chars(&text), "dense, frozen"));
    assert_non_null(strstr(wm_text_chars(&text), "33 parameters are trained together"));
    assert_non_null(strstr(wm_text_chars(&text), "18 are frozen, and 10 each client's own"));
    wm_text_release(&text);
    close_net(&net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_vector_is_frozen_then_trained_then_personal),
        cmocka_unit_test(a_layer_begins_the_same_whoever_has_it),
        cmocka_unit_test(what_is_frozen_keeps_its_bits_and_all_else_moves),
        cmocka_unit_test(freezing_changes_no_other_gradient),
        cmocka_unit_test(a_frozen_layer_lets_the_gradient_pass_and_no_more),
        cmocka_unit_test(clients_in_one_plan_do_not_mix),
        cmocka_unit_test(what_cannot_be_is_refused_at_its_place),
        cmocka_unit_test(a_frozen_network_is_refused),
        cmocka_unit_test(the_table_says_whose_layers_are),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* tests/models/test_families.c: losses, optimisers, schedules and metrics, by numbers worked out elsewhere. */
#include "tests/models/net.h"
#include "tests/models/words.h"

#include "models/loss.h"
#include "models/optimiser.h"
#include "models/schedule.h"

#include <math.h>

static bool near(double have, double want)
{
    return fabs(have - want) <= 2e-7 * (1 + fabs(want));
}

/* ---- all of them ---- */

static void every_member_can_be_documented_and_read(void **state)
{
    const wm_family *const families[] = { &wm_layers,     &wm_initialisers, &wm_losses,
                                          &wm_optimisers, &wm_schedules,    &wm_metrics };

    (void)state;
    for (size_t f = 0; f < sizeof families / sizeof *families; f++)
        for (size_t i = 0; i < families[f]->n_members; i++) {
            const wm_member *member = families[f]->members[i];

            assert_case(member->name, strlen(member->doc) > 10 && member->doc[strlen(member->doc) - 1] == '.');
            assert_case("the registry is in order of name",
                        i == 0 || strcmp(families[f]->members[i - 1]->name, member->name) < 0);
            for (size_t o = 0; o < member->n_options; o++)
                assert_case(member->options[o].name, member->options[o].offset < member->options_size);
        }
}

/* ---- losses ---- */

static const wm_loss_ops *loss(const char *name)
{
    return (const wm_loss_ops *)net_member(&wm_losses, name);
}

/* What cross_entropy takes by default. */
static const double no_options[16];

static void losses_are_pytorchs(void **state)
{
    /* torch.nn.CrossEntropyLoss(reduction="sum") and softmax, in float64 */
    static const struct {
        const char *says;
        float       z[3];
        int32_t     c;
        double      loss, grad[3];
    } rows[] = {
        { "equal logits cost log 3", { 1, 1, 1 }, 0, 1.0986122886681098, { -2 / 3.0, 1 / 3.0, 1 / 3.0 } },
        { "ordinary logits",
          { 1, 2, 0.5f },
          1,
          0.46436878410079944, /* log(1 + e^-1 + e^-1.5) */
          { 0.231223898, 0.628531719 - 1, 0.140244383 } },
        { "huge logits do not overflow",
          { 1000, -1000, 999 },
          2,
          1.3132616875182228,
          { 0.7310585786, 0, -0.7310585786 } },
        { "a sure and right one costs nothing", { 100, 0, 0 }, 0, 0, { 0, 0, 0 } },
        { "a sure and wrong one costs its distance", { 100, 0, 0 }, 1, 100, { 1, -1, 0 } },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        float  grad[3];
        double sum = loss("cross_entropy")->sum(no_options, rows[i].z, NULL, &rows[i].c, 1, 3, grad, 1);

        assert_case(rows[i].says, near(sum, rows[i].loss));
        for (int j = 0; j < 3; j++)
            assert_case(rows[i].says, near((double)grad[j], rows[i].grad[j]));
    }
}

static void mse_is_the_mean_over_values_and_the_sum_over_examples(void **state)
{
    static const float predicted[] = { 1, 2, 3, 4 }, truth[] = { 0, 2, 5, 1 };
    float              grad[4];

    (void)state;
    /* (1 + 0) / 2 + (4 + 9) / 2; gradient 2 d / width, here times 10 */
    assert_true(near(loss("mse")->sum(NULL, predicted, truth, NULL, 2, 2, grad, 10), 7));
    assert_true(grad[0] == 10 && grad[1] == 0 && grad[2] == -20 && grad[3] == 30);
    assert_true(near(loss("mse")->sum(NULL, predicted, truth, NULL, 2, 2, NULL, 10), 7));
}

/* Its options as the reader of jobs fills them when none are given. */
static wm_job *job_with_loss(const wm_loss_ops *ops)
{
    wm_text text = WM_TEXT_INIT;
    wm_job *job;

    net_text(&text, &(net_words){ .shape = "2",
                                  .layers = "[{dense: 4}]",
                                  .loss = ops->member.name,
                                  .width = 4,
                                  .classes = ops->for_classes });
    job = net_job(ops->member.name, wm_text_chars(&text));
    wm_text_release(&text);
    return job;
}

static void nan_costs_nan_in_every_loss(void **state)
{
    (void)state;
    for (size_t i = 0; i < wm_losses.n_members; i++) {
        const wm_loss_ops *ops = (const wm_loss_ops *)wm_losses.members[i];
        wm_job            *job = job_with_loss(ops);
        const void        *options = job->model.losses[0].loss.options;
        size_t             width = ops->head_width != NULL ? ops->head_width(options, 4) : 4;

        assert_true(width <= 16);
        for (size_t at = 0; at < width; at++) {
            float         predicted[16], grad[16];
            const float   truth[] = { 1, 2, 3, 4 };
            const int32_t classes[] = { 2 };

            for (size_t j = 0; j < 16; j++)
                predicted[j] = (float)j;
            predicted[at] = NAN;
            assert_case(ops->member.name, isnan(ops->sum(options, predicted, truth, classes, 1, 4, grad, 1)));
        }
        wm_job_free(job);
    }
}

/* Central differences of every value, at places from 0.05 off any kink at 0 and at the deltas and margins of 1. */
static void gradients_agree_with_slopes_for_every_loss(void **state)
{
    static const float   truth[] = { 0.3f, -1.1f, 2.2f, 0 };
    static const int32_t classes[] = { 2 };

    (void)state;
    for (size_t i = 0; i < wm_losses.n_members; i++) {
        const wm_loss_ops *ops = (const wm_loss_ops *)wm_losses.members[i];
        wm_job            *job = job_with_loss(ops);
        const void        *options = job->model.losses[0].loss.options;
        size_t             width = ops->head_width != NULL ? ops->head_width(options, 4) : 4;
        float              at[16], grad[16], unused[16];

        for (size_t j = 0; j < width; j++)
            at[j] = (float)(j * 7 % 13) * 0.4f - 2.23f;
        assert_true(isfinite(ops->sum(options, at, truth, classes, 1, 4, grad, 3)));
        for (size_t j = 0; j < width; j++) {
            const float was = at[j];
            double      up, down, way;

            at[j] = was + 0x1p-8f;
            up = ops->sum(options, at, truth, classes, 1, 4, NULL, 1);
            at[j] = was - 0x1p-8f;
            down = ops->sum(options, at, truth, classes, 1, 4, unused, 1);
            at[j] = was;
            way = (double)(was + 0x1p-8f) - (double)(was - 0x1p-8f);
            assert_case(ops->member.name, fabs(3 * (up - down) / way - (double)grad[j]) <= 1e-4);
        }
        wm_job_free(job);
    }
}

/* ---- sgd, against torch.optim.SGD in float64: p = 1, gradients 1, 0.5, -0.25, rate 0.1 ---- */

static void sgd_steps_as_pytorch_does(void **state)
{
    static const struct {
        const char *says;
        net_sgd     options;
        double      want[3];
    } rows[] = {
        { "plain", { 0, 0, false }, { 0.9, 0.85, 0.875 } },
        { "momentum", { 0.9, 0, false }, { 0.9, 0.76, 0.659 } },
        { "weight decay", { 0, 0.5, false }, { 0.85, 0.7575, 0.744625 } },
        { "momentum and decay", { 0.9, 0.5, false }, { 0.85, 0.6225, 0.411625 } },
        { "nesterov", { 0.9, 0, true }, { 0.81, 0.634, 0.5681 - 0.0 } },
    };
    const wm_optimiser_ops *sgd = (const wm_optimiser_ops *)net_member(&wm_optimisers, "sgd");
    static const float      grads[3] = { 1, 0.5f, -0.25f };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        float p = 1, v = 0;

        assert_int_equal(sgd->state_each(&rows[i].options), rows[i].options.momentum > 0);
        for (uint64_t t = 1; t <= 3; t++) {
            float g = grads[t - 1];

            sgd->step(&rows[i].options, 0.1, t, &p, &g, &v, 1);
            if (!near((double)p, rows[i].want[t - 1]))
                fail_msg("%s: step %d: %.9g, not %.9g", rows[i].says, (int)t, (double)p, rows[i].want[t - 1]);
            assert_case("the gradient is left zero", g == 0);
        }
    }
}

static void nesterov_without_momentum_is_a_fault(void **state)
{
    static const net_sgd   good = { 0.9, 0, true }, bad = { 0, 0, true };
    const wm_member *const sgd = net_member(&wm_optimisers, "sgd");
    wm_faults              faults;

    (void)state;
    wm_faults_init(&faults, "job.yaml");
    sgd->check(&good, &faults, (wm_place){ 3, 4 }, "training.optimiser");
    assert_int_equal(faults.count, 0);
    sgd->check(&bad, &faults, (wm_place){ 3, 4 }, "training.optimiser");
    assert_string_equal(wm_text_chars(&faults.lines),
                        "job.yaml:3:4: training.optimiser: nesterov needs a momentum above 0\n");
    wm_faults_release(&faults);
}

/* ---- schedules ---- */

static void rates_follow_their_schedule(void **state)
{
    static const double constant[] = { 0.05 }, cosine[] = { 0.05, 0.001 };
    static const struct {
        double  from, factor;
        int64_t every;
    } steps = { 0.1, 0.5, 10 }, each = { 0.1, 0.99, 1 };
    static const struct {
        const char   *says, *name;
        const void   *options;
        int64_t       round, rounds;
        double        want;
    } rows[] = {
        { "constant in the first round", "constant", constant, 1, 10, 0.05 },
        { "constant in the last", "constant", constant, 10, 10, 0.05 },
        { "a cosine begins at `from`", "cosine", cosine, 1, 101, 0.05 },
        { "and ends at `to`", "cosine", cosine, 101, 101, 0.001 },
        { "half-way it is in the middle", "cosine", cosine, 51, 101, 0.0255 },
        { "a quarter of the way it has hardly fallen", "cosine", cosine, 26, 101, 0.0428241161 },
        { "beyond the end it stays", "cosine", cosine, 500, 101, 0.001 },
        { "a job of one round has the first rate", "cosine", cosine, 1, 1, 0.05 },
        { "a decay begins at `from`", "decay", &steps, 1, 100, 0.1 },
        { "and stays there for the first ten rounds", "decay", &steps, 10, 100, 0.1 },
        { "after which it is halved", "decay", &steps, 11, 100, 0.05 },
        { "and again after the next ten", "decay", &steps, 30, 100, 0.025 },
        { "beyond the end it stays", "decay", &steps, 500, 30, 0.025 },
        { "or a hundredth less each round", "decay", &each, 101, 200, 0.0366032341 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const wm_schedule_ops *ops = (const wm_schedule_ops *)net_member(&wm_schedules, rows[i].name);

        assert_case(rows[i].says, near(ops->rate(rows[i].options, rows[i].round, rows[i].rounds), rows[i].want));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_member_can_be_documented_and_read),
        cmocka_unit_test(losses_are_pytorchs),
        cmocka_unit_test(mse_is_the_mean_over_values_and_the_sum_over_examples),
        cmocka_unit_test(nan_costs_nan_in_every_loss),
        cmocka_unit_test(gradients_agree_with_slopes_for_every_loss),
        cmocka_unit_test(sgd_steps_as_pytorch_does),
        cmocka_unit_test(nesterov_without_momentum_is_a_fault),
        cmocka_unit_test(rates_follow_their_schedule),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

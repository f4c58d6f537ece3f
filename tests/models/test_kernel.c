/* tests/models/test_kernel.c: exp, tanh, erf and the logistic function against libm in double, over all of their range. */
#include "tests/unit.h"

#include "models/kernel.h"
#include "models/vector.h"

static double logistic(double x)
{
    return 1 / (1 + exp(-x));
}

static const struct {
    const char *name;
    float (*have)(float x);
    double (*want)(double x);
    double ulps;
} functions[] = {
    { "exp", wm_exp, exp, 1.5 },
    { "tanh", wm_tanh, tanh, 2.5 },
    { "sigmoid", wm_sigmoid, logistic, 2.5 },
    { "erf", wm_erf, erf, 3.5 },
};

/* Units in the last place of float at y; below the normal numbers those of the smallest of them. */
static double ulp(double y)
{
    int exponent;

    frexp(y, &exponent);
    return ldexp(1, (exponent > -125 ? exponent : -125) - 24);
}

static void functions_are_within_their_units(void **state)
{
    (void)state;
    for (size_t f = 0; f < sizeof functions / sizeof *functions; f++) {
        double worst = 0;

        for (double x = -110; x < 110; x += 0.0001234) {
            float  at = (float)x;
            double want = functions[f].want((double)at), wrong;

            if (want > 3.4028234e38) { /* beyond float: infinity */
                assert_true(isinf(functions[f].have(at)));
                continue;
            }
            if (functions[f].want == logistic && want < 1.2e-38) { /* 1 + exp(-x) is infinite there, in torch too */
                assert_true(functions[f].have(at) < 1.2e-38f);
                continue;
            }
            wrong = fabs((double)functions[f].have(at) - want) / ulp(want);
            worst = wrong > worst ? wrong : worst;
        }
        for (double x = 1e-30; x < 1; x *= 1.01) {
            double want = functions[f].want((double)(float)x);

            worst = fmax(worst, fabs((double)functions[f].have((float)x) - want) / ulp(want));
        }
        print_message("# %s: %.2f units in the last place at worst\n", functions[f].name, worst);
        if (!(worst <= functions[f].ulps))
            fail_msg("%s: %g units in the last place", functions[f].name, worst);
    }
}

static void ends_and_nan_are_what_they_should_be(void **state)
{
    static const struct {
        const char *name;
        float       low, zero, high;
    } rows[] = { { "exp", 0, 1, INFINITY }, { "tanh", -1, 0, 1 }, { "sigmoid", 0, 0.5f, 1 }, { "erf", -1, 0, 1 } };

    (void)state;
    for (size_t f = 0; f < sizeof rows / sizeof *rows; f++) {
        assert_case(rows[f].name, functions[f].have(-INFINITY) == rows[f].low);
        assert_case(rows[f].name, functions[f].have(0) == rows[f].zero);
        assert_case(rows[f].name, functions[f].have(INFINITY) == rows[f].high);
        assert_case(rows[f].name, isnan(functions[f].have(NAN)));
        assert_case(rows[f].name, isnan(functions[f].have(-NAN)));
    }
}

static void vectors_are_finite_or_not_wherever_it_is(void **state)
{
    static const float bad[] = { NAN, INFINITY, -INFINITY };
    float              x[100];

    (void)state;
    for (size_t i = 0; i < 100; i++)
        x[i] = 3e38f; /* whose squares do not fit a float */
    for (size_t n = 0; n <= 100; n++)
        assert_true(wm_vector_finite(x, n));
    for (size_t b = 0; b < 3; b++)
        for (size_t i = 0; i < 100; i++) {
            x[i] = bad[b];
            assert_false(wm_vector_finite(x, 100));
            assert_true(wm_vector_finite(x, i));
            x[i] = 1;
        }
}

static void sums_of_squares_are_sums_of_squares(void **state)
{
    float x[50];

    (void)state;
    for (size_t i = 0; i < 50; i++)
        x[i] = (float)i;
    for (size_t n = 0; n <= 50; n++) /* (n - 1) n (2 n - 1) / 6 */
        assert_true(wm_vector_squares(x, n) == (n > 0 ? (double)((n - 1) * n * (2 * n - 1) / 6) : 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(functions_are_within_their_units),
        cmocka_unit_test(ends_and_nan_are_what_they_should_be),
        cmocka_unit_test(vectors_are_finite_or_not_wherever_it_is),
        cmocka_unit_test(sums_of_squares_are_sums_of_squares),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

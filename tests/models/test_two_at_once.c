/* tests/models/test_two_at_once.c
 *
 * Two models in two threads at the same moment, as the simulator runs them: each must get what it gets alone. A BLAS
 * that shares its buffers between callers fails here within milliseconds. */
#include "tests/unit.h"

#include "models/gemm.h"

#include <pthread.h>

/* The smallest products that pack on every processor (over 10^6 multiply-adds, more than 64 rows): the two meet in the
 * library's list of buffers as often as can be. Without a lock one of some 10^4 calls goes wrong. */
static const struct {
    wm_gemm_form form;
    size_t       m, n, k;
} products[] = {
    { WM_GEMM_NN, 70, 130, 130 },
    { WM_GEMM_NT, 70, 130, 130 },
    { WM_GEMM_TN, 130, 130, 70 },
};

enum { PRODUCTS = sizeof products / sizeof *products, LARGEST = 130 * 130 };

typedef struct caller {
    float *a, *b, *alone[PRODUCTS], *c;
    int    repeats, wrong;
} caller;

static void multiply(const caller *self, size_t p, float *c)
{
    size_t m = products[p].m, n = products[p].n, k = products[p].k;

    memset(c, 0, m * n * sizeof *c);
    wm_gemm(products[p].form, m, n, k, self->a, products[p].form == WM_GEMM_TN ? m : k, self->b,
            products[p].form == WM_GEMM_NT ? k : n, c, n);
}

static void *multiply_again_and_again(void *context)
{
    caller *self = context;

    for (int i = 0; i < self->repeats; i++)
        for (size_t p = 0; p < PRODUCTS; p++) {
            multiply(self, p, self->c);
            self->wrong += memcmp(self->c, self->alone[p], products[p].m * products[p].n * sizeof *self->c) != 0;
        }
    return NULL;
}

static float *filled(size_t n, unsigned seed)
{
    float *values = malloc(n * sizeof *values);

    assert_non_null(values);
    for (size_t i = 0; i < n; i++)
        values[i] = (float)((i * 2654435761u + seed * 40503u) % 1000) / 500 - 1;
    return values;
}

static void two_threads_at_once_get_what_each_gets_alone(void **state)
{
    caller      callers[2] = { 0 };
    pthread_t   threads[2];
    const char *wish = getenv("WM_REPEATS"); /* an emulated processor is a hundred times slower */

    (void)state;
    for (unsigned t = 0; t < 2; t++) {
        callers[t].repeats = wish != NULL ? atoi(wish) : 10000;
        callers[t].a = filled(LARGEST, t);
        callers[t].b = filled(LARGEST, t + 7);
        callers[t].c = filled(LARGEST, 0);
        for (size_t p = 0; p < PRODUCTS; p++) {
            callers[t].alone[p] = filled(LARGEST, 0);
            multiply(&callers[t], p, callers[t].alone[p]);
        }
    }
    for (int t = 0; t < 2; t++)
        assert_int_equal(pthread_create(&threads[t], NULL, multiply_again_and_again, &callers[t]), 0);
    for (int t = 0; t < 2; t++) {
        pthread_join(threads[t], NULL);
        assert_int_equal(callers[t].wrong, 0);
        free(callers[t].a);
        free(callers[t].b);
        free(callers[t].c);
        for (size_t p = 0; p < PRODUCTS; p++)
            free(callers[t].alone[p]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(two_threads_at_once_get_what_each_gets_alone) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

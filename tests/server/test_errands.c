/* tests/server/test_errands.c */
#include "tests/unit.h"

#include "server/errands.h"

#include <pthread.h>
#include <stdatomic.h>

enum { MOST = 4, ERRANDS = 16 };

/* What the errands of a test tell. */
typedef struct diary {
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t  changed;
    bool            hold; /* the errand that runs waits until this is false */
    int             n, closing;
    int             order[ERRANDS];
} diary;

typedef struct numbered {
    wm_errand errand; /* first */
    int       number;
} numbered;

static void run(void *context, wm_errand *errand, bool closing)
{
    diary *d = context;

    pthread_mutex_lock(&d->lock);
    d->order[d->n++] = ((numbered *)errand)->number;
    d->closing += closing;
    pthread_cond_broadcast(&d->changed);
    while (d->hold)
        pthread_cond_wait(&d->changed, &d->lock);
    pthread_mutex_unlock(&d->lock);
}

static void wait_for(diary *d, int n)
{
    pthread_mutex_lock(&d->lock);
    while (d->n < n)
        pthread_cond_wait(&d->changed, &d->lock);
    pthread_mutex_unlock(&d->lock);
}

static void hold(diary *d, bool on)
{
    pthread_mutex_lock(&d->lock);
    d->hold = on;
    pthread_cond_broadcast(&d->changed);
    pthread_mutex_unlock(&d->lock);
}

static void begin(diary *d, numbered errands[ERRANDS], wm_errands **ret)
{
    wm_error err;

    *d = (diary){ .n = 0 };
    pthread_mutex_init(&d->lock, NULL);
    pthread_cond_init(&d->changed, NULL);
    for (int i = 0; i < ERRANDS; i++)
        errands[i] = (numbered){ .errand = { .run = run, .context = d }, .number = i };
    assert_ok(wm_errands_new(MOST, ret, &err), &err);
}

static void end(diary *d)
{
    pthread_cond_destroy(&d->changed);
    pthread_mutex_destroy(&d->lock);
}

static void one_after_the_other_in_the_order_in_which_they_came(void **state)
{
    diary       d;
    numbered    errands[ERRANDS];
    wm_errands *queue;

    (void)state;
    begin(&d, errands, &queue);
    for (int i = 0; i < ERRANDS; i++) {
        while (!wm_errands_put(queue, &errands[i].errand))
            wait_for(&d, i - MOST); /* full: until there is room */
    }
    wait_for(&d, ERRANDS);
    for (int i = 0; i < ERRANDS; i++)
        assert_int_equal(d.order[i], i);
    assert_int_equal(d.closing, 0);
    wm_errands_free(queue);
    end(&d);
}

static void one_that_waits_holds_up_nobody_who_puts_and_what_is_too_much_is_said(void **state)
{
    diary       d;
    numbered    errands[ERRANDS];
    wm_errands *queue;

    (void)state;
    begin(&d, errands, &queue);
    hold(&d, true);
    assert_true(wm_errands_put(queue, &errands[0].errand));
    wait_for(&d, 1);
    for (int i = 1; i <= MOST; i++)
        assert_true(wm_errands_put(queue, &errands[i].errand));
    assert_false(wm_errands_put(queue, &errands[MOST + 1].errand));
    hold(&d, false);
    wait_for(&d, MOST + 1);
    assert_true(wm_errands_put(queue, &errands[MOST + 1].errand));
    wm_errands_free(queue);
    assert_int_equal(d.n, MOST + 2);
    end(&d);
}

static void closing_runs_what_waits_as_such_and_takes_no_more(void **state)
{
    diary       d;
    numbered    errands[ERRANDS];
    wm_errands *queue;

    (void)state;
    begin(&d, errands, &queue);
    hold(&d, true);
    for (int i = 0; i < 3; i++)
        assert_true(wm_errands_put(queue, &errands[i].errand));
    wait_for(&d, 1);
    wm_errands_close(queue);
    assert_false(wm_errands_put(queue, &errands[3].errand));
    hold(&d, false);
    wm_errands_free(queue);
    assert_int_equal(d.n, 3);
    assert_int_equal(d.closing, 2); /* the first had begun before */
    wm_errands_free(NULL);
    wm_errands_close(NULL);
    end(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_after_the_other_in_the_order_in_which_they_came),
        cmocka_unit_test(one_that_waits_holds_up_nobody_who_puts_and_what_is_too_much_is_said),
        cmocka_unit_test(closing_runs_what_waits_as_such_and_takes_no_more),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

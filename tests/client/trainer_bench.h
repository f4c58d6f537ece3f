/* tests/client/trainer_bench.h
 *
 * One client on the tiny job, with its model, its examples and a trainer, for the tests of training, of evaluations and of
 * the work that is made of both. A test has a folder of its own, writes what readings it likes, and opens the bench on
 * them, as often as it likes. */
#ifndef WM_TESTS_CLIENT_TRAINER_BENCH_H
#define WM_TESTS_CLIENT_TRAINER_BENCH_H

#include "tests/client/tiny_job.h"

#include "client/trainer.h"
#include "models/evaluation.h"

/* One client's things. */
typedef struct bench {
    char         folder[4096];
    wm_job      *job;
    wm_model    *model;
    wm_owners   *owners;
    wm_examples *examples;
    wm_trainer  *trainer;
    wm_error     err;
} bench;

enum { BENCH_SETTINGS_MAX = 6 };

/* The tiny job, changed by `sets` ("key=value", ends with NULL), on what lies in the folder. */
static inline void open_bench(bench *b, const char *const *sets)
{
    wm_setting         settings[BENCH_SETTINGS_MAX];
    char               keys[BENCH_SETTINGS_MAX][64];
    size_t             n = 0;
    wm_choice          source = tiny_source(), rule = test_choice(&wm_owner_rules, "file", &(wm_words){ NULL, 0 });
    wm_owners_settings from = { .folder = b->folder, .source = &source, .owner = &rule };

    for (; sets != NULL && sets[n] != NULL; n++) {
        const char *equals = strchr(sets[n], '=');

        assert_true(n < BENCH_SETTINGS_MAX);
        snprintf(keys[n], sizeof keys[n], "%.*s", (int)(equals - sets[n]), sets[n]);
        settings[n] = (wm_setting){ .key = keys[n], .value = equals + 1 };
    }
    test_write(b->folder, "tiny.yaml", TINY_JOB, strlen(TINY_JOB));
    b->job = test_parse(b->folder, "tiny.yaml", settings, n);
    rule = (wm_choice){ .member = rule.member, .options = calloc(1, rule.member->options_size), .path = "" };
    assert_ok(wm_model_new(b->job, NULL, &b->model, &b->err), &b->err);
    assert_ok(wm_owners_open(b->job, &from, &b->owners, &b->err), &b->err);
    free((void *)(uintptr_t)rule.options);
    for (size_t i = 0; i < wm_owners_count(b->owners); i++)
        assert_ok(wm_examples_scale(wm_owners_examples(b->owners, i), NULL, &b->err), &b->err);
    b->examples = wm_owners_examples(b->owners, 0);
    assert_ok(wm_trainer_new(b->job, b->model, &b->trainer, &b->err), &b->err);
    assert_int_equal(wm_trainer_n_params(b->trainer), wm_model_n_params(b->model));
}

static inline void close_bench(bench *b)
{
    wm_trainer_free(b->trainer);
    wm_owners_free(b->owners);
    wm_model_free(b->model);
    wm_job_free(b->job);
}

/* The set-up and the tear-down of a test; *state is its bench, which the test opens and closes. */
static inline int bench_begin(void **state)
{
    bench *b = calloc(1, sizeof *b);

    assert_non_null(b);
    wm_test_folder(b->folder);
    *state = b;
    return 0;
}

static inline int bench_end(void **state)
{
    bench *b = *state;

    assert_ok(wm_folder_remove(b->folder, &b->err), &b->err);
    free(b);
    return 0;
}

/* folder/name <- hours whose y goes up and down. */
static inline void wavy_rows(const char *folder, const char *name, size_t rows, size_t kind)
{
    char   text[16384];
    size_t n = (size_t)snprintf(text, sizeof text, "t,x,y\n");

    for (size_t i = 0; i < rows; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "2024-01-%02zu %02zu:00,%zu,%zu\n", 1 + i / 24, i % 24,
                              (i * 5 + kind) % 3, (i * 7 + kind) % 11);
    test_write(folder, name, text, n);
}

/* A model of the tiny job that says 0. */
static const float zeros[2] = { 0, 0 };

/* The m-th figure of the job's metrics. */
static inline double metric_of(const bench *b, const wm_evaluation *evaluation, size_t m)
{
    return wm_evaluation_figure(&wm_trainer_measures(b->trainer)->items[m], evaluation);
}

#endif

/* server/tool/predictor.c */
#include "server/tool/predictor.h"

#include "client/heads.h"
#include "models/plan.h"
#include "server/report/csv.h"
#include "server/tool/predicted.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    BATCH = 200,
    ALONE_TRIES = 1000, /* examples whose time alone is measured */
};

struct wm_predictor {
    const wm_saved_model *saved;
    const wm_job         *job;
    wm_predicted          targets[WM_TARGETS_MAX];
    wm_plan              *plan;
    wm_batch_room        *room;
    wm_text               text; /* lines that are not written yet */
    FILE                 *to;
    size_t                examples;
};

static wm_status flush(wm_predictor *p, wm_error *err)
{
    if (p->text.bad)
        return wm_fail(err, WM_E_NOMEM, "no memory for predictions");
    if (fwrite(wm_text_chars(&p->text), 1, p->text.size, p->to) != p->text.size)
        return wm_fail(err, WM_E_IO, "the predictions cannot be written: %s", strerror(errno));
    wm_text_release(&p->text);
    p->text = (wm_text)WM_TEXT_INIT;
    return WM_OK;
}

wm_status wm_predictor_new(const wm_saved_model *saved, FILE *to, wm_predictor **ret, wm_error *err)
{
    wm_predictor *p = calloc(1, sizeof *p);
    wm_status     st;

    if (p == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory for predictions");
    *p = (wm_predictor){ .saved = saved, .job = saved->space.job, .text = WM_TEXT_INIT, .to = to };
    if ((st = wm_predicted_init(saved, BATCH, p->targets, err)) == WM_OK &&
        (st = wm_plan_new(saved->space.model, BATCH, WM_PLAN_EVALUATE, &p->plan, err)) == WM_OK &&
        (st = wm_batch_room_new(p->job, BATCH, &p->room, err)) == WM_OK) {
        wm_predicted_header(saved, p->targets, &p->text);
        st = flush(p, err);
    }
    if (st == WM_OK)
        *ret = p;
    else
        wm_predictor_free(p);
    return st;
}

void wm_predictor_free(wm_predictor *p)
{
    if (p == NULL)
        return;
    wm_predicted_release(p->targets);
    wm_plan_free(p->plan);
    wm_batch_room_free(p->room);
    wm_text_release(&p->text);
    free(p);
}

/* ---- predicting ---- */

/* targets <- what the network says of the examples with these indices, in the data's units. */
static wm_status predict_batch(wm_predictor *p, const wm_examples *examples, const uint32_t *index, size_t n,
                               wm_error *err)
{
    const float *outputs[WM_TARGETS_MAX];
    wm_batch     batch;
    wm_status    st;

    wm_examples_gather(examples, WM_TEST, index, n, p->room, &batch);
    st = wm_plan_forward(p->plan, p->saved->params, &batch, outputs, NULL, err);
    for (size_t t = 0; st == WM_OK && t < p->job->data.n_targets; t++) {
        wm_predicted *h = &p->targets[t];

        wm_head_values(p->job, examples, WM_TEST, index, n, t, outputs[t], h->values, h->quantiles);
        if (p->job->data.targets[t].of_input)
            wm_examples_unscale_input(examples, WM_TEST, index, n, p->job->data.targets[t].input, h->values);
        if (h->scores != NULL)
            wm_head_scores(p->job, &batch, t, outputs[t], h->scores);
    }
    return st;
}

static wm_status write_batch(wm_predictor *p, const wm_examples *examples, const char *client,
                             const uint32_t *index, size_t n, wm_error *err)
{
    for (size_t i = 0; i < n; i++) {
        int64_t at = wm_examples_time(examples, WM_TEST, index[i]);
        char    time[WM_TIME_TEXT];

        if (wm_job_timed(p->job))
            wm_text_add(&p->text, wm_time_text(at, time));
        else
            wm_text_printf(&p->text, "%" PRId64, at);
        wm_text_add(&p->text, ",");
        wm_csv_text(&p->text, client);
        wm_predicted_row(p->saved, p->targets, i, &p->text);
        wm_text_add(&p->text, "\n");
    }
    p->examples += n;
    return flush(p, err);
}

wm_status wm_predictor_client(wm_predictor *p, const wm_examples *examples, const char *client, wm_error *err)
{
    size_t    n = wm_examples_count(examples, WM_TEST);
    uint32_t  index[BATCH];
    wm_status st = WM_OK;

    for (size_t at = 0; st == WM_OK && at < n; at += BATCH) {
        size_t size = n - at < BATCH ? n - at : BATCH;

        for (size_t i = 0; i < size; i++)
            index[i] = (uint32_t)(at + i);
        if ((st = predict_batch(p, examples, index, size, err)) == WM_OK)
            st = write_batch(p, examples, client, index, size, err);
    }
    return st;
}

size_t wm_predictor_count(const wm_predictor *p)
{
    return p->examples;
}

/* ---- one example alone ---- */

double wm_predictor_seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

double wm_predictor_alone(const wm_predictor *p, const wm_examples *examples)
{
    const wm_part  part = WM_TEST;
    size_t         n = wm_examples_count(examples, part), tries = n < ALONE_TRIES ? n : ALONE_TRIES;
    double        *taken = calloc(ALONE_TRIES, sizeof *taken), median = NAN;
    wm_plan       *plan = NULL;
    wm_batch_room *room = NULL;

    if (tries > 0 && taken != NULL &&
        wm_plan_new(p->saved->space.model, 1, WM_PLAN_EVALUATE, &plan, NULL) == WM_OK &&
        wm_batch_room_new(p->job, 1, &room, NULL) == WM_OK) {
        for (uint32_t i = 0; i < tries; i++) {
            const float *outputs[WM_TARGETS_MAX];
            wm_batch     batch;
            double       begin = wm_predictor_seconds();

            wm_examples_gather(examples, part, &i, 1, room, &batch);
            (void)wm_plan_forward(plan, p->saved->params, &batch, outputs, NULL, NULL);
            taken[i] = wm_predictor_seconds() - begin;
        }
        qsort(taken, tries, sizeof *taken, by_value);
        median = taken[tries / 2];
    }
    wm_plan_free(plan);
    wm_batch_room_free(room);
    free(taken);
    return median;
}

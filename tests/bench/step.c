/* tests/bench/step.c
 *
 *     step WORKLOAD BATCH THREADS [SECONDS]
 *
 * Whole training steps a second, forward, backward and update, of the networks that the training engine is held to:
 * W1, the 2NN of McMahan et al. 2017 (784-200-200-10, cross-entropy), and W6, a dense autoencoder
 * (115-86-57-38-29-38-57-86-115, squared error), by plain sgd on 20 batches in turn. With THREADS models run side by
 * side, each on a thread of its own, and their samples are added up. Prints one line for machines,
 *     workload impl threads batch samples_per_s rss_mb
 * with the best of 9 repeats of SECONDS (0.25), which on a shared machine is the steadiest, and behind a # the median,
 * the worst and the time to the end of the first step. */
#include "common/rng.h"
#include "models/plan.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { LAYERS_MAX = 16, BATCHES = 20, REPEATS = 9, THREADS_MAX = 64 };

typedef struct workload {
    const char *name;
    uint32_t    widths[LAYERS_MAX]; /* input, then dense layers with relu between, until 0 */
    bool        classes;
} workload;

static const workload workloads[] = {
    { "W1", { 784, 200, 200, 10 }, true },
    { "W6", { 115, 86, 57, 38, 29, 38, 57, 86, 115 }, false },
};

/* A workload as a job. */
typedef struct network {
    wm_job        job;
    wm_job_input  input;
    wm_job_target target;
    wm_job_loss   loss;
    wm_job_layer  layers[2 * LAYERS_MAX];
    char          names[2 * LAYERS_MAX][8];
    int64_t       units[LAYERS_MAX], ahead[1024];
    uint64_t      sgd[8]; /* its options: all zero, no momentum */
    wm_model     *model;
} network;

/* One thread's. */
typedef struct runner {
    const network *net;
    size_t         batch;
    double         seconds;
    wm_plan       *plan;
    float         *params, *inputs;
    int32_t       *classes;
    double         rates[REPEATS];
    wm_status      st;
    wm_error       err;
} runner;

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double peak_mb(void)
{
    FILE *file = fopen("/proc/self/status", "r");
    char  line[256];
    long  kb = 0;

    while (file != NULL && fgets(line, sizeof line, file) != NULL && sscanf(line, "VmHWM: %ld", &kb) != 1)
        ;
    if (file != NULL)
        fclose(file);
    return (double)kb / 1024;
}

static const wm_member *member(const wm_family *family, const char *name)
{
    const wm_member *found = wm_family_find(family, name);

    if (found == NULL)
        abort(); /* the families here are compiled in */
    return found;
}

static void add_layer(network *net, const char *kind, const int64_t *options)
{
    size_t i = net->job.model.n_layers++;

    snprintf(net->names[i], sizeof net->names[i], "%zu", i);
    net->layers[i] =
        (wm_job_layer){ .name = net->names[i],
                        .layer = { .member = member(&wm_layers, kind), .options = options, .path = "model" } };
}

static wm_status describe(network *net, const workload *w, wm_error *err)
{
    size_t n = 1;

    net->input =
        (wm_job_input){ .name = "x", .kind = WM_INPUT_PIXELS, .pixels = { .rank = 1, .dim = { w->widths[0] } } };
    for (; w->widths[n] > 0; n++) {
        net->units[n] = w->widths[n];
        add_layer(net, "dense", &net->units[n]);
        if (w->widths[n + 1] > 0)
            add_layer(net, "relu", NULL);
    }
    net->target = (wm_job_target){ .name = "y",
                                   .column = "y",
                                   .classes = w->classes ? w->widths[n - 1] : 0,
                                   .ahead = { net->ahead, w->classes ? 0 : w->widths[n - 1] } };
    net->loss = (wm_job_loss){ .target = "y",
                               .head = net->names[net->job.model.n_layers - 1],
                               .weight = 1,
                               .loss = { .member = member(&wm_losses, w->classes ? "cross_entropy" : "mse"),
                                         .path = "model" } };
    net->job.name = w->name;
    net->job.data.inputs = &net->input;
    net->job.data.n_inputs = 1;
    net->job.data.targets = &net->target;
    net->job.data.n_targets = 1;
    net->job.model.layers = net->layers;
    net->job.model.losses = &net->loss;
    net->job.model.n_losses = 1;
    net->job.training.optimiser = (wm_choice){ .member = member(&wm_optimisers, "sgd"), .options = net->sgd };
    return wm_model_new(&net->job, NULL, &net->model, err);
}

static wm_status prepare(runner *self, const network *net, size_t batch, double seconds, wm_error *err)
{
    size_t width = net->input.pixels.dim[0], n = BATCHES * batch;
    wm_rng rng;

    self->net = net;
    self->batch = batch;
    self->seconds = seconds;
    self->params = malloc(wm_model_n_params(net->model) * sizeof *self->params);
    self->inputs = malloc(n * width * sizeof *self->inputs);
    self->classes = malloc(n * sizeof *self->classes);
    if (self->params == NULL || self->inputs == NULL || self->classes == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory for %zu examples", n);
    wm_model_init(net->model, 1, self->params);
    wm_rng_init(&rng, 2);
    for (size_t i = 0; i < n * width; i++)
        self->inputs[i] = (float)wm_rng_normal(&rng);
    for (size_t i = 0; i < n; i++)
        self->classes[i] = (int32_t)wm_rng_below(&rng, 10);
    return wm_plan_new(net->model, batch, WM_PLAN_TRAIN, &self->plan, err);
}

static wm_status run_step(runner *self, size_t i, wm_error *err)
{
    size_t   first = i % BATCHES * self->batch;
    wm_batch batch = { .n = self->batch };
    wm_step  step = { .rate = 0.01 };
    double   loss;

    batch.inputs[0] = self->inputs + first * self->net->input.pixels.dim[0];
    batch.targets[0] = self->net->target.classes > 0 ? NULL : batch.inputs[0];
    batch.classes[0] = self->net->target.classes > 0 ? self->classes + first : NULL;
    return wm_plan_step(self->plan, self->params, &batch, &step, &loss, err);
}

static void *run(void *context)
{
    runner *self = context;

    for (size_t i = 0; i < 20 && self->st == WM_OK; i++)
        self->st = run_step(self, i, &self->err);
    for (int r = 0; r < REPEATS && self->st == WM_OK; r++) {
        double begin = now(), took = 0;
        size_t steps = 0;

        while (took < self->seconds && self->st == WM_OK) {
            for (int i = 0; i < 10 && self->st == WM_OK; i++)
                self->st = run_step(self, steps++, &self->err);
            took = now() - begin;
        }
        self->rates[r] = (double)(steps * self->batch) / took;
    }
    return NULL;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static wm_status run_side_by_side(runner *runners, size_t threads, wm_error *err)
{
    pthread_t ids[THREADS_MAX];
    size_t    started = 0;
    wm_status st = WM_OK;

    while (started < threads && pthread_create(&ids[started], NULL, run, &runners[started]) == 0)
        started++;
    for (size_t i = 0; i < started; i++)
        pthread_join(ids[i], NULL);
    if (started < threads)
        return wm_fail(err, WM_E_NOMEM, "cannot start thread %zu", started + 1);
    for (size_t i = 0; i < threads && st == WM_OK; i++)
        if (runners[i].st != WM_OK)
            st = wm_fail(err, runners[i].st, "%s", runners[i].err.text);
    return st;
}

static void print_line(const workload *w, const runner *runners, size_t threads, double first_step)
{
    double sums[REPEATS] = { 0 };

    for (int r = 0; r < REPEATS; r++)
        for (size_t i = 0; i < threads; i++)
            sums[r] += runners[i].rates[r];
    qsort(sums, REPEATS, sizeof *sums, by_value);
    printf("%s wardmote %zu %zu %.0f %.1f # median=%.0f worst=%.0f repeats=%d params=%zu first_step_s=%.4f\n",
           w->name, threads, runners->batch, sums[REPEATS - 1], peak_mb(), sums[REPEATS / 2], sums[0], REPEATS,
           wm_model_n_params(runners->net->model), first_step);
}

static const workload *find(const char *name)
{
    for (size_t i = 0; i < sizeof workloads / sizeof *workloads; i++)
        if (strcmp(workloads[i].name, name) == 0)
            return &workloads[i];
    return NULL;
}

int main(int argc, char **argv)
{
    const workload *w = argc >= 4 ? find(argv[1]) : NULL;
    size_t          batch = argc >= 4 ? strtoul(argv[2], NULL, 10) : 0;
    size_t          threads = argc >= 4 ? strtoul(argv[3], NULL, 10) : 0;
    double          seconds = argc > 4 ? strtod(argv[4], NULL) : 0.25, begin = now(), first_step = 0;
    static runner   runners[THREADS_MAX];
    static network  net;
    wm_error        err = { 0 };
    wm_status       st;

    if (w == NULL || batch == 0 || batch > 65536 || threads == 0 || threads > THREADS_MAX) {
        fprintf(stderr, "usage: step W1|W6 BATCH THREADS [SECONDS]\nexample: step W1 10 1 0.25\n");
        return 2;
    }
    st = describe(&net, w, &err);
    for (size_t i = 0; i < threads && st == WM_OK; i++)
        st = prepare(&runners[i], &net, batch, seconds, &err);
    if (st == WM_OK)
        st = run_step(&runners[0], 0, &err);
    first_step = now() - begin;
    if (st == WM_OK)
        st = run_side_by_side(runners, threads, &err);
    if (st == WM_OK)
        print_line(w, runners, threads, first_step);
    else
        fprintf(stderr, "step: %s\n", err.text);
    for (size_t i = 0; i < threads; i++) {
        wm_plan_free(runners[i].plan);
        free(runners[i].params);
        free(runners[i].inputs);
        free(runners[i].classes);
    }
    wm_model_free(net.model);
    return st == WM_OK ? 0 : 1;
}

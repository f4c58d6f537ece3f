/* tests/bench/step.c
 *
 *     step WORKLOAD BATCH THREADS [SECONDS]
 *
 * Whole training steps a second, forward, backward and update, of the networks that the training engine is held to, by
 * plain sgd on 20 batches in turn:
 *
 *     W1  the 2NN of McMahan et al. 2017, 784-200-200-10          W4  DeepConvLSTM: two conv1d of 64, an lstm of 64
 *     W2  their CNN, two conv2d of 32 and 64, dense 512           W5  two Transformer blocks of 64 channels, 4 heads
 *     W3  an lstm of 64 over 24 steps of 8 values                 W6  a dense autoencoder, 115 to 29 and back
 *
 * With THREADS models run side by side, each on a thread of its own, and their samples are added up. Prints one line for
 * machines,
 *     workload impl threads batch samples_per_s rss_mb
 * with the best of 9 repeats of SECONDS (0.25), which on a shared machine is the steadiest, and behind a # the median,
 * the worst and the time from the start of the program to the end of its first step, without making up examples, of the
 * processor, so that other programs do not count. Of it the parts follow: what there was to do before main, reading the
 * job and making the network, its first parameters, its plan, the step. */
#include "tests/models/words.h"

#include "common/rng.h"
#include "models/plan.h"

#include <pthread.h>
#include <time.h>

enum { BATCHES = 20, REPEATS = 9, THREADS_MAX = 64 };

#define BLOCK \
    "{residual: [{attention: 4}]}, layer_norm, {residual: [{dense: 128}, relu, {dense: 64}]}, layer_norm, "
typedef struct workload {
    const char *name;
    net_words   words;
} workload;

static const workload workloads[] = {
    { "W1", { "784", "[{dense: 200}, relu, {dense: 200}, relu, {dense: 10}]", "cross_entropy", NULL, 10, true } },
    { "W2",
      { "28 28 1",
        "[{conv2d: {channels: 32, kernel: 5, padding: same}}, relu, max_pool2d, "
        "{conv2d: {channels: 64, kernel: 5, padding: same}}, relu, max_pool2d, flatten, {dense: 512}, relu, {dense: 10}]",
        "cross_entropy", NULL, 10, true } },
    { "W3", { "24 8", "[{lstm: 64}, {dense: 1}]", "mse", NULL, 1, false } },
    { "W4",
      { "128 9",
        "[{conv1d: {channels: 64, kernel: 5}}, relu, {conv1d: {channels: 64, kernel: 5}}, relu, {lstm: 64}, {dense: 6}]",
        "cross_entropy", NULL, 6, true } },
    { "W5",
      { "48 8", "[{dense: 64}, {positional_encoding: learned}, " BLOCK BLOCK "global_avg_pool, {dense: 1}]", "mse",
        NULL, 1, false } },
    { "W6",
      { "115",
        "[{dense: 86}, relu, {dense: 57}, relu, {dense: 38}, relu, {dense: 29}, relu, {dense: 38}, relu, {dense: 57}, "
        "relu, {dense: 86}, relu, {dense: 115}]",
        "mse", NULL, 115, false } },
};

/* A workload as a job and a network. */
typedef struct network {
    wm_job   *job;
    wm_model *model;
    size_t    each; /* values of an example */
} network;

/* One thread's. */
typedef struct runner {
    const network *net;
    size_t         batch;
    double         seconds;
    wm_plan       *plan;
    float         *params, *inputs, *targets;
    int32_t       *classes;
    wm_rng         rng; /* of examples */
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

/* Seconds of the processor that this program has used. */
static double of_processor(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
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

static void describe(network *net, const workload *w)
{
    wm_text  text = WM_TEXT_INIT;
    wm_shape shape;

    net_text(&text, &w->words);
    net->job = net_job(w->name, wm_text_chars(&text));
    net->model = net_model_of(w->name, net->job);
    wm_job_input_shape(net->job, 0, &shape);
    if (!wm_shape_count(&shape, &net->each))
        abort();
    wm_text_release(&text);
}

/* Seconds of each part of the way to the end of the first step. */
typedef struct way {
    double loading, network, params, plan, step;
} way;

static void fill(runner *self, size_t first, size_t n)
{
    size_t each = self->net->each, width = wm_job_target_width(self->net->job, 0);

    for (size_t i = first * each; i < (first + n) * each; i++)
        self->inputs[i] = (float)wm_rng_normal(&self->rng);
    for (size_t i = first; i < first + n; i++)
        self->classes[i] = (int32_t)wm_rng_below(&self->rng, width);
    for (size_t i = first * width; i < (first + n) * width; i++)
        self->targets[i] = (float)wm_rng_normal(&self->rng);
}

/* All but the examples. *at: of the first runner, what it took. */
static wm_status prepare(runner *self, const network *net, size_t batch, double seconds, way *at, wm_error *err)
{
    size_t    n = BATCHES * batch;
    double    begin = of_processor();
    wm_status st;

    self->net = net;
    self->batch = batch;
    self->seconds = seconds;
    wm_rng_init(&self->rng, 2);
    self->params = malloc(wm_model_n_params(net->model) * sizeof *self->params);
    self->inputs = malloc(n * net->each * sizeof *self->inputs);
    self->classes = malloc(n * sizeof *self->classes);
    self->targets = malloc(n * wm_job_target_width(net->job, 0) * sizeof *self->targets);
    if (self->params == NULL || self->inputs == NULL || self->classes == NULL || self->targets == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory for %zu examples", n);
    wm_model_init(net->model, 1, self->params);
    at->params = of_processor() - begin;
    begin = of_processor();
    st = wm_plan_new(net->model, batch, WM_PLAN_TRAIN, &self->plan, err);
    at->plan = of_processor() - begin;
    return st;
}

static wm_status run_step(runner *self, size_t i, wm_error *err)
{
    size_t   first = i % BATCHES * self->batch;
    wm_batch batch = { .n = self->batch };
    wm_step  step = { .rate = 0.01 };
    double   loss;

    batch.inputs[0] = self->inputs + first * self->net->each;
    if (self->net->job->data.targets[0].classes > 0)
        batch.classes[0] = self->classes + first;
    else
        batch.targets[0] = self->targets + first * wm_job_target_width(self->net->job, 0);
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

static void print_line(const workload *w, const runner *runners, size_t threads, const way *at)
{
    double sums[REPEATS] = { 0 };

    for (int r = 0; r < REPEATS; r++)
        for (size_t i = 0; i < threads; i++)
            sums[r] += runners[i].rates[r];
    qsort(sums, REPEATS, sizeof *sums, by_value);
    printf("%s wardmote %zu %zu %.0f %.1f # median=%.0f worst=%.0f repeats=%d params=%zu first_step_s=%.4f "
           "(loading %.4f network %.4f params %.4f plan %.4f step %.4f)\n",
           w->name, threads, runners->batch, sums[REPEATS - 1], peak_mb(), sums[REPEATS / 2], sums[0], REPEATS,
           wm_model_n_params(runners->net->model), at->loading + at->network + at->params + at->plan + at->step,
           at->loading, at->network, at->params, at->plan, at->step);
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
    double          seconds = argc > 4 ? strtod(argv[4], NULL) : 0.25, begin;
    way             first = { .loading = of_processor() }, others;
    static runner   runners[THREADS_MAX];
    static network  net;
    wm_error        err = { 0 };
    wm_status       st;

    if (w == NULL || batch == 0 || batch > 65536 || threads == 0 || threads > THREADS_MAX) {
        fprintf(stderr, "usage: step W1|W2|W3|W4|W5|W6 BATCH THREADS [SECONDS]\nexample: step W1 10 1 0.25\n");
        return 2;
    }
    begin = of_processor();
    describe(&net, w);
    first.network = of_processor() - begin;
    st = prepare(&runners[0], &net, batch, seconds, &first, &err);
    if (st == WM_OK) {
        fill(&runners[0], 0, batch);
        begin = of_processor();
        st = run_step(&runners[0], 0, &err);
        first.step = of_processor() - begin;
    }
    for (size_t i = 1; i < threads && st == WM_OK; i++)
        if ((st = prepare(&runners[i], &net, batch, seconds, &others, &err)) == WM_OK)
            fill(&runners[i], 0, batch);
    for (size_t i = 0; i < threads && st == WM_OK; i++)
        fill(&runners[i], batch, (BATCHES - 1) * batch);
    if (st == WM_OK)
        st = run_side_by_side(runners, threads, &err);
    if (st == WM_OK)
        print_line(w, runners, threads, &first);
    else
        fprintf(stderr, "step: %s\n", err.text);
    for (size_t i = 0; i < threads; i++) {
        wm_plan_free(runners[i].plan);
        free(runners[i].params);
        free(runners[i].inputs);
        free(runners[i].targets);
        free(runners[i].classes);
    }
    wm_model_free(net.model);
    wm_job_free(net.job);
    return st == WM_OK ? 0 : 1;
}

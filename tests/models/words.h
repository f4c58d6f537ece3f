/* tests/models/words.h
 *
 * Networks for tests in a job's own words: a shape, a list of layers, a loss, an optimiser. They go through the reader of
 * jobs, so that the options of layers are read as a user's are. */
#ifndef WM_TESTS_MODELS_WORDS_H
#define WM_TESTS_MODELS_WORDS_H

#include "tests/unit.h"

#include "models/model.h"

typedef struct net_words {
    const char *shape;     /* of an example: "4 5" */
    const char *layers;    /* "[{dense: 5}, tanh]"; the first of them may call the input x */
    const char *loss;      /* "{huber: 0.7}"; with reconstruction in it the input is to be given back */
    const char *optimiser; /* NULL: sgd */
    size_t      width;     /* values of the target, or classes */
    bool        classes;
    const char *model; /* NULL, or more of the model: "personal: [n]" */
} net_words;

static inline void net_shape(wm_text *text, const char *shape)
{
    for (const char *c = shape; *c != '\0'; c++)
        wm_text_printf(text, "%c", *c == ' ' ? ',' : *c);
}

static inline bool net_gives_back(const char *loss)
{
    return strstr(loss, "reconstruction") != NULL;
}

static inline void net_target_text(wm_text *text, const net_words *net)
{
    if (net_gives_back(net->loss))
        return;
    if (net->classes) {
        wm_text_printf(text, "  targets: {y: {column: y, classes: %zu}}\n", net->width);
        return;
    }
    wm_text_printf(text,
                   "  time: {column: t}\n  columns: {y: {range: [-1, 1]}}\n  targets: {y: {column: y, ahead: [");
    for (size_t i = 0; i < net->width; i++)
        wm_text_printf(text, "%s%zuh", i > 0 ? ", " : "", i + 1);
    wm_text_printf(text, "]}}\n");
}

/* The whole job. Images have rows and columns at least, so a layer before all others, named x, gives the examples their
 * shape. */
static inline void net_text(wm_text *text, const net_words *net)
{
    wm_text_printf(text, "job: net\ndata:\n  inputs: {image: {pixels: {shape: [%s",
                   strchr(net->shape, ' ') != NULL ? "" : "1,");
    net_shape(text, net->shape);
    wm_text_printf(text, "]}}}\n");
    net_target_text(text, net);
    wm_text_printf(text, "  scale: none\nmodel:\n  layers: [{name: x, reshape: [");
    net_shape(text, net->shape);
    wm_text_printf(text,
                   "]}, %s\n%s%s%s  %s%s%s\ntraining: {optimiser: %s, rate: 0.1, batch: 8, epochs: 1}\n"
                   "rounds: 1\nstrategy: fedavg\nevaluate: {metrics: [%s]}\n",
                   net->layers + 1, net->model != NULL ? "  " : "", net->model != NULL ? net->model : "",
                   net->model != NULL ? "\n" : "", net_gives_back(net->loss) ? "loss: " : "losses: {y: ", net->loss,
                   net_gives_back(net->loss) ? "" : "}", net->optimiser != NULL ? net->optimiser : "sgd",
                   net->classes ? "accuracy" : "rmse");
}

/* A job out of its text; NULL with faults. */
static inline wm_job *net_parse(const char *name, const char *text, wm_faults *faults)
{
    static const wm_member        fedavg = { .name = "fedavg", .doc = "." }, all = { .name = "all", .doc = "." };
    static const wm_member *const strategies[] = { &fedavg }, *const selections[] = { &all };
    static const wm_family strategy = { "strategy", strategies, 1 }, selection = { "selection", selections, 1 };
    const wm_job_families  families = { .layers = &wm_layers,
                                        .initialisers = &wm_initialisers,
                                        .losses = &wm_losses,
                                        .optimisers = &wm_optimisers,
                                        .schedules = &wm_schedules,
                                        .metrics = &wm_metrics,
                                        .selections = &selection,
                                        .strategies = &strategy };
    wm_job                *job = NULL;
    wm_error               err;

    if (wm_job_parse(name, text, strlen(text), &families, NULL, 0, faults, &job, &err) != WM_OK)
        assert_true(faults->count > 0);
    return job;
}

/* Fails with the faults. */
static inline wm_job *net_job(const char *name, const char *text)
{
    wm_faults faults;
    wm_job   *job;

    wm_faults_init(&faults, name);
    job = net_parse(name, text, &faults);
    if (job == NULL)
        fail_msg("%s\n%s", wm_text_chars(&faults.lines), text);
    wm_faults_release(&faults);
    return job;
}

static inline wm_model *net_model_of(const char *name, const wm_job *job)
{
    wm_model *model = NULL;
    wm_faults faults;
    wm_error  err;

    wm_faults_init(&faults, name);
    if (wm_model_new(job, &faults, &model, &err) != WM_OK)
        fail_msg("%s", wm_text_chars(&faults.lines));
    wm_faults_release(&faults);
    return model;
}

/* Layers with a mistake: it is reported once, for where `at` begins, with `says` in the sentence. */
typedef struct net_mistake {
    const char *layers, *at, *says;
    const char *model; /* as in net_words */
} net_mistake;

static inline void net_place_of(const char *text, const char *at, char *place, size_t size)
{
    const char *found = strstr(strstr(text, "\nmodel:"), at), *line = text;
    size_t      lines = 1;

    assert_non_null(found);
    for (const char *c = text; c < found; c++)
        if (*c == '\n') {
            lines++;
            line = c + 1;
        }
    snprintf(place, size, "net.yaml:%zu:%td: ", lines, found - line + 1);
}

static inline void net_assert_mistake_in(const char *text, const char *at, const char *says)
{
    wm_faults   faults;
    wm_job     *job;
    wm_model   *model = NULL;
    char        place[64];
    const char *lines;
    wm_error    err;

    wm_faults_init(&faults, "net.yaml");
    job = net_parse("net.yaml", text, &faults);
    if (job != NULL)
        (void)wm_model_new(job, &faults, &model, &err);
    net_place_of(text, at, place, sizeof place);
    lines = wm_text_chars(&faults.lines);
    if (model != NULL || faults.count != 1 || strncmp(lines, place, strlen(place)) != 0 ||
        strstr(lines, says) == NULL)
        fail_msg("wanted once: %s... %s...\ngot: %s\n%s", place, says, lines, text);
    wm_job_free(job);
    wm_faults_release(&faults);
}

static inline void net_assert_mistake(const net_mistake *row, const char *shape)
{
    wm_text layers = WM_TEXT_INIT, text = WM_TEXT_INIT;

    wm_text_printf(&layers, "[%s]", row->layers);
    net_text(
        &text,
        &(net_words){
            .shape = shape, .layers = wm_text_chars(&layers), .loss = "mse", .width = 2, .model = row->model });
    net_assert_mistake_in(wm_text_chars(&text), row->at, row->says);
    wm_text_release(&layers);
    wm_text_release(&text);
}

#endif

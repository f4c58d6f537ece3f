/* tests/bench/memory.c
 *
 * What a training client takes of a gateway's memory at most: the real wardmote-client, by TLS, over whole rounds with
 * their evaluations and baselines, on each network that the training engine is held to (tests/bench/step.c). Beside it
 * what it may take,
 *     15 MB + 3 x parameters + activations + data,
 * of which the activations are what `wardmote model` says that a step takes, but for the gradient of the parameters, which
 * is one of the three; and the data are the readings as float32. */
#include "tests/bench/crowd.h"
#include "tests/figures.h"

#include "common/files.h"
#include "common/rng.h"

#include <string.h>

enum { BASE_BYTES = 15 * 1000 * 1000, IMAGE = 28 * 28, CLASSES = 6, MIB = 1 << 20 };

typedef struct workload {
    const char *name, *figure;
    size_t      rows, columns; /* a table, hour by hour; 0 columns: images of 28 x 28 */
    size_t      batch;
    const char *inputs, *targets, *model;
} workload;

#define IMAGES "image: {pixels: [28, 28, 1]}"
#define DIGITS "{digit: {column: label, classes: 10}}"
#define AHEAD  "{ahead: {column: c0, ahead: 1h}}"
#define BLOCK \
    "{residual: [{attention: 4}]}, layer_norm, {residual: [{dense: 128}, relu, {dense: 64}]}, layer_norm, "

static const workload workloads[] = {
    { "W1", "training client, peak: W1 2NN B=10, 600 images", 600, 0, 10, IMAGES, DIGITS,
      "{layers: [flatten, {dense: 200}, relu, {dense: 200}, relu, {dense: 10}], loss: cross_entropy}" },
    { "W2", "training client, peak: W2 CNN B=50, 600 images", 600, 0, 50, IMAGES, DIGITS,
      "{layers: [{conv2d: {channels: 32, kernel: 5, padding: same}}, relu, max_pool2d, "
      "{conv2d: {channels: 64, kernel: 5, padding: same}}, relu, max_pool2d, flatten, {dense: 512}, relu, "
      "{dense: 10}], loss: cross_entropy}" },
    { "W3", "training client, peak: W3 LSTM B=32, a year of 8 columns", 8760, 8, 32, "24", AHEAD,
      "{layers: [{lstm: 64}, {dense: 1}], loss: mse}" },
    { "W4", "training client, peak: W4 DeepConvLSTM B=32, 2000 rows of 9 columns", 2000, 9, 32, "128",
      "{c9: {column: c9}}",
      "{layers: [{conv1d: {channels: 64, kernel: 5}}, relu, {conv1d: {channels: 64, kernel: 5}}, relu, {lstm: 64}, "
      "{dense: 6}], loss: cross_entropy}" },
    { "W5", "training client, peak: W5 Transformer B=32, 2000 rows of 8 columns", 2000, 8, 32, "48", AHEAD,
      "{layers: [{dense: 64}, {positional_encoding: learned}, " BLOCK BLOCK
      "global_avg_pool, {dense: 1}], loss: mse}" },
    { "W6", "training client, peak: W6 autoencoder B=64, 5000 rows of 115 columns", 5000, 115, 64, "1", NULL,
      "{layers: [flatten, {dense: 86}, relu, {dense: 57}, relu, {dense: 38}, relu, {dense: 29}, relu, {dense: 38}, "
      "relu, {dense: 57}, relu, {dense: 86}, relu, {dense: 115}], loss: reconstruction}" },
};

static const char *only; /* a workload's name; NULL: all */

static bool has_class(const workload *w)
{
    return strstr(w->model, "cross_entropy") != NULL;
}

/* ---- the readings ---- */

static void write_file(const office *o, const char *name, const wm_text *content)
{
    char     path[4400];
    wm_error err;

    assert_false(content->bad);
    snprintf(path, sizeof path, "%s/%s", o->data, name);
    assert_ok(wm_files_system()->replace(wm_files_system(), path, content->chars, content->size, 0600, &err), &err);
}

static void add_big_endian(wm_text *to, size_t n)
{
    wm_text_add_bytes(to, (const char[]){ (char)(n >> 24), (char)(n >> 16), (char)(n >> 8), (char)n }, 4);
}

static void write_images(const office *o, const workload *w, wm_rng *rng)
{
    wm_text images = WM_TEXT_INIT, labels = WM_TEXT_INIT;

    wm_text_add_bytes(&images, "\0\0\x08\x03", 4);
    wm_text_add_bytes(&labels, "\0\0\x08\x01", 4);
    add_big_endian(&images, w->rows);
    add_big_endian(&labels, w->rows);
    add_big_endian(&images, 28);
    add_big_endian(&images, 28);
    for (size_t i = 0; i < w->rows * IMAGE; i++)
        wm_text_add_bytes(&images, (const char[]){ (char)wm_rng_below(rng, 256) }, 1);
    for (size_t i = 0; i < w->rows; i++)
        wm_text_add_bytes(&labels, (const char[]){ (char)wm_rng_below(rng, 10) }, 1);
    write_file(o, "a-images", &images);
    write_file(o, "a-labels", &labels);
    wm_text_release(&images);
    wm_text_release(&labels);
}

static void write_table(const office *o, const workload *w, wm_rng *rng)
{
    wm_text table = WM_TEXT_INIT;

    wm_text_add(&table, "time");
    for (size_t c = 0; c <= w->columns; c++)
        wm_text_printf(&table, ",c%zu", c);
    for (size_t r = 0; r < w->rows; r++) {
        wm_text_printf(&table, "\n%zu", 1700000000 + 3600 * r);
        for (size_t c = 0; c < w->columns; c++)
            wm_text_printf(&table, ",%.3f", wm_rng_normal(rng));
        wm_text_printf(&table, ",%u", (unsigned)wm_rng_below(rng, CLASSES));
    }
    wm_text_add(&table, "\n");
    write_file(o, "a.csv", &table);
    wm_text_release(&table);
}

/* ---- the job ---- */

static void add_table_data(wm_text *to, const workload *w)
{
    wm_text_add(to,
                "  source: {csv: {files: a.csv}}\n  owner: file\n  time: {column: time, zone: UTC}\n  columns:\n");
    for (size_t c = 0; c < w->columns; c++)
        wm_text_printf(to, "    c%zu: {range: [-10, 10]}\n", c);
    if (has_class(w))
        wm_text_printf(to, "    c%zu: {categories: [\"0\", \"1\", \"2\", \"3\", \"4\", \"5\"]}\n", w->columns);
    wm_text_add(to, "  inputs: {past: {window: {columns: [");
    for (size_t c = 0; c < w->columns; c++)
        wm_text_printf(to, "%sc%zu", c > 0 ? ", " : "", c);
    wm_text_printf(to, "], length: %s}}}\n  scale: federated\n  split: {time: [0.7, 0.1, 0.2]}\n", w->inputs);
}

static void write_job(const office *o, const workload *w)
{
    wm_text  text = WM_TEXT_INIT;
    wm_error err;

    wm_text_printf(&text, "job: memory\ndata:\n");
    if (w->columns > 0)
        add_table_data(&text, w);
    else
        wm_text_printf(&text,
                       "  source: {idx: {images: a-images, labels: a-labels}}\n  owner: {iid: {clients: 1}}\n"
                       "  inputs: {%s}\n  scale: none\n  split: {random: [0.7, 0.1, 0.2]}\n",
                       w->inputs);
    if (w->targets != NULL)
        wm_text_printf(&text, "  targets: %s\n", w->targets);
    wm_text_printf(&text,
                   "model: %s\ntraining: {optimiser: sgd, rate: 0.001, batch: %zu, epochs: 1}\nrounds: 3\n"
                   "cohort: {select: all, quorum: 1, deadline: 10m}\nstrategy: fedavg\n"
                   "evaluate: {every: 1, metrics: [%s], baselines: [naive, alone, tuned]}\n",
                   w->model, w->batch, has_class(w) ? "accuracy" : "rmse");
    assert_false(text.bad);
    assert_ok(wm_files_system()->replace(wm_files_system(), o->job, text.chars, text.size, 0600, &err), &err);
    wm_text_release(&text);
}

/* ---- what it may take ---- */

/* Of the row "all" of `wardmote model`: the cell so many before the last. */
static double cell_of_all(const char *text, int before_the_last)
{
    const char *line = strstr(text, "\nall "), *end;

    if (line == NULL)
        fail_msg("there is no sum in\n%s", text);
    line++;
    end = line + strcspn(line, "\n");
    for (;; before_the_last--) {
        while (end > line && end[-1] == ' ')
            end--;
        while (end > line && end[-1] != ' ')
            end--;
        if (before_the_last == 0)
            return strtod(end, NULL);
    }
}

static double allowed_mib(office *o, const workload *w)
{
    double activations, params, data;

    office_do(o, NULL, WARDMOTE, "model", o->job, NULL);
    params = 4 * cell_of_all(wm_text_chars(&o->output), 2);
    activations = 1024 * cell_of_all(wm_text_chars(&o->output), 0) - params;
    data = 4.0 * (double)w->rows * (double)(w->columns > 0 ? w->columns + has_class(w) : IMAGE + 1);
    printf("# %s: 15 MB + 3 x %.2f + %.2f + %.2f MiB\n", w->name, params / MIB, activations / MIB, data / MIB);
    return (BASE_BYTES + 3 * params + activations + data) / MIB;
}

static bool holds(const workload *w)
{
    double  peak, allowed;
    wm_rng  rng;
    office  o;
    json_t *summary;

    office_open(&o, &(office_wish){ .n_gateways = 1 });
    wm_rng_init(&rng, 1);
    if (w->columns > 0)
        write_table(&o, w, &rng);
    else
        write_images(&o, w, &rng);
    write_job(&o, w);
    office_do(&o, NULL, WARDMOTE, "data", o.job, "--data", o.data, "--names", NULL);
    snprintf(o.names[0], sizeof o.names[0], "%.*s", (int)strcspn(wm_text_chars(&o.output), "\n"),
             wm_text_chars(&o.output));
    allowed = allowed_mib(&o, w);
    office_server_start(&o, NULL);
    office_enrol_all(&o);
    office_gateways_start(&o);
    office_job_start(&o);
    summary = office_wait_over(&o);
    assert_string_equal(json_string_value(json_object_get(summary, "outcome")), "done");
    json_decref(summary);
    peak = process_mib(o.gateways[0], "status", "VmHWM:");
    office_close(&o);
    tell_load(&(load_figure){ .figure = w->figure, .unit = "MiB", .value = peak, .must = allowed });
    return peak <= allowed;
}

static void a_training_client_is_small(void **state)
{
    bool good = true;

    (void)state;
    for (size_t i = 0; i < sizeof workloads / sizeof *workloads; i++)
        if (only == NULL || strcmp(only, workloads[i].name) == 0)
            good &= holds(&workloads[i]);
    assert_true(good);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(a_training_client_is_small) };

    if (argc > 1)
        only = argv[1];
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* tests/tool/test_predict.c: a run's model.safetensors, alone, says of readings what it was measured to say: the whole
 * way, from a job through a simulation to `wardmote predict`. */
#include "tests/unit.h"

#include "common/files.h"
#include "server/tool/tool.h"

#include <jansson.h>
#include <math.h>

/* One folder of readings, a run in it, and what was said last. */
typedef struct scene {
    char  folder[4096], job[4200], run[4200], model[4300];
    char *out, *said;
    int   code;
} scene;

static void say(scene *s, const char *const *words)
{
    char  *argv[20];
    size_t n_out, n_said;
    int    argc = 0;
    FILE  *out, *said;

    free(s->out);
    free(s->said);
    out = open_memstream(&s->out, &n_out);
    said = open_memstream(&s->said, &n_said);
    for (; words[argc] != NULL; argc++)
        argv[argc] = (char *)(uintptr_t)words[argc];
    argv[argc] = NULL;
    s->code = wm_tool_main(argc, argv, out, said);
    fclose(out);
    fclose(said);
}

#define SAY(s, ...) say(s, (const char *const[]){ "wardmote", __VA_ARGS__, NULL })

static void write_text(const char *folder, const char *name, const char *text)
{
    char  path[4400];
    FILE *file;

    snprintf(path, sizeof path, "%s/%s", folder, name);
    file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

enum { HOURS = 400, AHEAD = 3 };

static double no2_at(int base, int hour)
{
    return base + 10 * sin(hour / 4.0) + hour % 7;
}

/* North and south go up and down about levels of their own; flag is 1 where no2 is over 45. */
static void write_readings(const char *folder, const char *name, int base, bool flag)
{
    static char text[HOURS * 64];
    size_t      n = (size_t)snprintf(text, sizeof text, flag ? "time,no2,flag\n" : "time,no2\n");

    for (int i = 0; i < HOURS; i++) {
        n += (size_t)snprintf(text + n, sizeof text - n, "2024-03-%02d %02d:00,%.6f", 1 + i / 24, i % 24,
                              no2_at(base, i));
        n += (size_t)snprintf(text + n, sizeof text - n, flag ? ",%d\n" : "\n", no2_at(base, i) > 45);
    }
    write_text(folder, name, text);
}

static const char job_head[] = "job: no2\ndata:\n  source: {csv: {files: \"*.csv\"}}\n  owner: file\n"
                               "  time: {column: time, zone: UTC}\n  columns:\n    no2: {range: [0, 500]}\n"
                               "  inputs: {past: {window: {columns: [no2], length: 8}}}\n";

static const char job_tail[] = "rounds: 3\ncohort: {select: all}\nstrategy: fedavg\nseed: 1\n";

/* Trains the job that these words make, in s->run. */
static void train(scene *s, const char *middle)
{
    char text[4096];

    snprintf(text, sizeof text, "%s%s%s", job_head, middle, job_tail);
    write_text(s->folder, "no2.yaml", text);
    write_readings(s->folder, "north.csv", 30, true);
    write_readings(s->folder, "south.csv", 60, true);
    SAY(s, "simulate", s->job, "--out", s->run, "--workers", "1");
    if (s->code != 0)
        fail_msg("%s", s->said);
}

static int setup(void **state)
{
    scene *s = calloc(1, sizeof *s);

    assert_non_null(s);
    wm_test_folder(s->folder);
    snprintf(s->job, sizeof s->job, "%s/no2.yaml", s->folder);
    snprintf(s->run, sizeof s->run, "%s/run", s->folder);
    snprintf(s->model, sizeof s->model, "%s/model.safetensors", s->run);
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    scene   *s = *state;
    wm_error err;

    free(s->out);
    free(s->said);
    assert_ok(wm_folder_remove(s->folder, &err), &err);
    free(s);
    return 0;
}

/* ---- what was predicted ---- */

static const char forecaster[] =
    "  targets: {no2: {column: no2, ahead: 3h}}\n  scale: federated\n  split: {time: [0.7, 0.1, 0.2]}\n"
    "model: {layers: [flatten, {dense: 16}, relu, {dense: 1}], loss: mse}\n"
    "training: {optimiser: adam, rate: 0.003, batch: 16, epochs: 4}\n"
    "evaluate: {metrics: [rmse], baselines: [naive]}\n";

/* The run's own figure for a client, and of how many examples. */
static double measured(const scene *s, const char *client, int *examples)
{
    char    path[4400];
    json_t *summary, *figures;
    double  rmse;

    snprintf(path, sizeof path, "%s/summary.json", s->run);
    summary = json_load_file(path, 0, NULL);
    figures = json_object_get(json_object_get(json_object_get(summary, "final_per_client"), client), "federated");
    *examples = (int)json_integer_value(json_object_get(figures, "examples"));
    rmse = json_number_value(json_object_get(figures, "rmse"));
    json_decref(summary);
    return rmse;
}

/* The hours since the first of March that a line of predictions begins with. */
static int hour_of(const char *line)
{
    int day, hour;

    assert_int_equal(sscanf(line, "2024-03-%2dT%2d:00:00Z", &day, &hour), 2);
    return (day - 1) * 24 + hour;
}

/* Joined with what came of it, the predictions of the test part have the error that the run reported. */
static void predictions_are_what_the_run_was_measured_by(void **state)
{
    static const struct {
        const char *client;
        int         base;
    } clients[] = { { "north", 30 }, { "south", 60 } };
    scene *s = *state;

    train(s, forecaster);
    SAY(s, "predict", s->model, s->folder, "--verbose");
    if (s->code != 0)
        fail_msg("%s", s->said);
    assert_non_null(strstr(s->said, "one alone takes "));
    assert_memory_equal(s->out, "time,client,no2\n", 16);
    for (size_t k = 0; k < 2; k++) {
        int    examples, first = HOURS, last = 0, count = 0;
        double want = measured(s, clients[k].client, &examples), squares = 0;

        for (const char *line = strchr(s->out, '\n') + 1; *line != '\0'; line = strchr(line, '\n') + 1) {
            const char *client = strchr(line, ',') + 1, *value = strchr(client, ',') + 1;
            int         hour = hour_of(line);

            if (strncmp(client, clients[k].client, strlen(clients[k].client)) != 0)
                continue;
            first = hour < first ? hour : first;
            last = hour > last ? hour : last;
            if (hour + AHEAD < HOURS && hour + AHEAD >= HOURS - examples) {
                double off = atof(value) - no2_at(clients[k].base, hour + AHEAD);

                squares += off * off;
                count++;
            }
        }
        assert_int_equal(first, 7);        /* the first whole window */
        assert_int_equal(last, HOURS - 1); /* a forecast: what comes of it nobody knows yet */
        assert_int_equal(count, examples);
        if (!(fabs(sqrt(squares / count) - want) < 1e-5 * want))
            fail_msg("%s: %g by the predictions, %g by the run", clients[k].client, sqrt(squares / count), want);
    }
}

static void one_file_is_enough_and_the_model_is_evaluated_alone(void **state)
{
    scene *s = *state;
    char   data[4300], out[4300], *together;

    train(s, forecaster);
    snprintf(data, sizeof data, "%s/south.csv", s->folder);
    snprintf(out, sizeof out, "%s/predictions.txt", s->folder);
    SAY(s, "predict", s->model, data, "--out", out);
    assert_int_equal(s->code, 0);
    assert_string_equal(s->out, "");
    assert_int_equal(wm_files_system()->exists(wm_files_system(), out), true);
    SAY(s, "evaluate", s->model, s->folder, "--model-only");
    assert_int_equal(s->code, 0);
    together = strdup(strstr(s->out, "together"));
    SAY(s, "evaluate", s->model, s->job, "--data", s->folder, "--model-only");
    assert_int_equal(s->code, 0);
    assert_string_equal(strstr(s->out, "together"), together);
    free(together);
}

/* The last four bytes of the file, which are of the last layer's bias, become NaN. */
static void a_model_with_a_nan_in_it_is_refused_by_its_tensor(void **state)
{
    static const char *const commands[] = { "evaluate", "predict" };
    scene                   *s = *state;
    uint8_t                 *bytes;
    size_t                   n;
    float                    value = NAN;
    wm_error                 err;

    train(s, forecaster);
    assert_ok(wm_files_system()->read(wm_files_system(), s->model, 1 << 20, &bytes, &n, &err), &err);
    memcpy(bytes + n - sizeof value, &value, sizeof value);
    assert_ok(wm_files_system()->replace(wm_files_system(), s->model, bytes, n, 0600, &err), &err);
    free(bytes);
    for (size_t c = 0; c < 2; c++) {
        SAY(s, commands[c], s->model, s->folder);
        assert_int_not_equal(s->code, 0);
        assert_non_null(strstr(s->said, "tensor 3.dense.bias holds a value that is not finite"));
        assert_string_equal(s->out, "");
    }
}

/* ---- layers that each client keeps ---- */

static const char own_flag[] =
    "  targets:\n    no2: {column: no2, ahead: 3h}\n    flag: {column: no2, ahead: 3h, above: 45}\n"
    "  scale: federated\n  split: {time: [0.7, 0.1, 0.2]}\n"
    "model:\n  personal: [flag]\n  layers:\n    - flatten\n    - {name: trunk, dense: 16}\n"
    "    - {name: no2, from: trunk, dense: 1}\n    - {name: flag, from: trunk, dense: 2}\n"
    "  losses: {no2: mse, flag: cross_entropy}\n"
    "training: {optimiser: adam, rate: 0.003, batch: 16, epochs: 2}\n"
    "evaluate: {metrics: [rmse, accuracy], baselines: [naive]}\n";

/* Of the other head all is as it was measured in the run. */
static void a_head_of_the_clients_own_is_left_out_or_trained_for_an_epoch(void **state)
{
    scene *s = *state;
    char  *accuracy;
    int    examples;
    double rmse;

    train(s, own_flag);
    SAY(s, "predict", s->model, s->folder);
    assert_int_equal(s->code, 0);
    assert_memory_equal(s->out, "time,client,no2\n", 16);
    assert_non_null(strstr(s->said, "flag is left out: it goes through personal layers"));
    SAY(s, "evaluate", s->model, s->folder);
    assert_int_equal(s->code, 0);
    assert_non_null(strstr(s->said, "does not hold the personal layers (flag)"));
    assert_memory_equal(s->out, "\nrmse ", 6);
    rmse = measured(s, "north", &examples);
    assert_true(fabs(strtod(strstr(s->out, "\nnorth") + 6, NULL) - rmse) < 1e-4);
    accuracy = strstr(s->out, "\naccuracy ");
    assert_non_null(accuracy);
    assert_null(strstr(accuracy, "federated  "));
    assert_non_null(strstr(accuracy, "federated + 1 epoch"));
    SAY(s, "evaluate", s->model, s->folder, "--model-only");
    assert_int_equal(s->code, 0);
    assert_true(strstr(s->out, "rmse") != NULL && strstr(s->out, "accuracy") == NULL);
}

static void a_model_whose_heads_are_all_the_clients_own_says_nothing_alone(void **state)
{
    scene *s = *state;
    char   text[2048];
    char  *at;

    snprintf(text, sizeof text, "%s", own_flag);
    at = strstr(text, "personal: [flag]");
    memmove(at + 21, at + 16, strlen(at + 16) + 1);
    memcpy(at, "personal: [flag, no2]", 21);
    train(s, text);
    SAY(s, "predict", s->model, s->folder);
    assert_int_not_equal(s->code, 0);
    assert_non_null(strstr(s->said, "is not all of the network: the layer no2 is personal"));
    SAY(s, "evaluate", s->model, s->folder, "--model-only");
    assert_int_not_equal(s->code, 0);
    assert_non_null(strstr(s->said, "every target goes through a personal layer"));
    SAY(s, "evaluate", s->model, s->folder);
    assert_int_equal(s->code, 0);
    assert_null(strstr(s->out, "federated  "));
}

/* ---- the columns ---- */

static void every_head_has_columns_of_its_own(void **state)
{
    static const struct {
        const char *says, *middle, *header;
    } rows[] = {
        { "horizons, in the job's words",
          "  targets: {no2: {column: no2, ahead: [1h, 3h, 2d]}}\n  scale: none\n"
          "model: {layers: [flatten, {dense: 3}], loss: mse}\n",
          "time,client,no2_1h,no2_3h,no2_2d\n" },
        { "quantiles of each",
          "  targets: {no2: {column: no2, ahead: [1h, 3h]}}\n  scale: none\n"
          "model: {layers: [flatten, {dense: 4}], loss: {pinball: [0.1, 0.9]}}\n",
          "time,client,no2_1h_q0.1,no2_1h_q0.9,no2_3h_q0.1,no2_3h_q0.9\n" },
        { "a class and its probabilities, beside a value",
          "  targets: {high: {column: flag, classes: 2, ahead: 1h}, no2: {column: no2, ahead: 1h}}\n  scale: none\n"
          "model: {layers: [{name: x, flatten: {}}, {name: high, from: x, dense: 2}, {name: no2, from: x, dense: 1}], "
          "losses: {high: cross_entropy, no2: mse}}\n",
          "time,client,high,high_0,high_1,no2\n" },
        { "a hinge says no probabilities",
          "  targets: {high: {column: flag, classes: 2, ahead: 1h}}\n  scale: none\n"
          "model: {layers: [flatten, {dense: 2}], loss: hinge}\n",
          "time,client,high\n" },
        { "a detector's score and its alarm",
          "  targets: {no2: {column: no2, ahead: 1h}}\n  scale: federated\n"
          "model: {layers: [flatten, {dense: 1}], loss: mse}\n",
          "time,client,no2,score,alarm\n" },
        { "what is given back, at the newest step, and how far off all of it was",
          "  scale: federated\nmodel: {layers: [flatten, {dense: 8}], loss: reconstruction}\n",
          "time,client,reconstruction_no2,reconstruction_error\n" },
        { "an autoencoder that is a detector, beside a forecast",
          "  targets: {again: {input: past}, no2: {column: no2, ahead: 1h}}\n  scale: federated\n"
          "model: {layers: [{name: x, flatten: {}}, {name: again, from: x, dense: 8}, {name: no2, from: x, dense: 1}], "
          "losses: {again: reconstruction, no2: mse}}\n",
          "time,client,again_no2,score,alarm,no2\n" },
    };
    scene *s = *state;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char middle[2048];
        bool detector = strstr(rows[i].header, "alarm") != NULL,
             classes = strstr(rows[i].middle, "classes") != NULL;

        snprintf(middle, sizeof middle,
                 "%straining: {optimiser: adam, rate: 0.001, batch: 16, epochs: 1}\nevaluate: {metrics: [%s]%s}\n",
                 rows[i].middle, classes ? "accuracy" : "rmse",
                 detector ? strstr(rows[i].header, "again") != NULL
                                ? ", anomaly: {false_alarms: 0.05, label: flag, of: again}"
                                : ", anomaly: {false_alarms: 0.05, label: flag}"
                          : "");
        assert_true(!wm_files_system()->exists(wm_files_system(), s->run) ||
                    wm_folder_remove(s->run, NULL) == WM_OK);
        train(s, middle);
        /* What is to be predicted need not be there: neither the classes nor the labels. */
        write_readings(s->folder, "north.csv", 30, false);
        write_readings(s->folder, "south.csv", 60, false);
        SAY(s, "predict", s->model, s->folder);
        if (s->code != 0 || strncmp(s->out, rows[i].header, strlen(rows[i].header)) != 0)
            fail_msg("%s: %.200s%s", rows[i].says, s->out, s->said);
        for (const char *line = strchr(s->out, '\n') + 1; *line != '\0'; line = strchr(line, '\n') + 1) {
            int    high;
            double p0, p1, score, value;
            char   client[8], alarm;

            if (strstr(rows[i].header, "high_0") != NULL) {
                assert_int_equal(sscanf(line, "%*[^,],%7[^,],%d,%lf,%lf", client, &high, &p0, &p1), 4);
                assert_true(fabs(p0 + p1 - 1) < 1e-6 && (high == 1) == (p1 > p0));
            } else if (detector && sscanf(line, "%*[^,],%7[^,],%lf,%lf,%c", client, &value, &score, &alarm) == 4) {
                assert_true(alarm == '0' || alarm == '1');
            }
        }
    }
}

/* ---- what is given back ---- */

/* The window's last step alone, so that each line tells all: its error is the square of how far off the value was, in
 * deviations, which are the same for all. */
static void what_is_given_back_is_in_the_datas_units(void **state)
{
    scene *s = *state;
    char   text[4096];
    double deviation = 0, scores = 0, want;
    int    examples, count = 0;

    write_readings(s->folder, "north.csv", 30, true);
    write_readings(s->folder, "south.csv", 60, true);
    snprintf(text, sizeof text,
             "%s  scale: federated\n  split: {time: [0.7, 0.1, 0.2]}\n"
             "model: {layers: [{noise: 0.1}, {dense: 4}, tanh, {dense: 4}, {sample: 0.0001}, {dense: 1}], "
             "loss: reconstruction}\n"
             "training: {optimiser: adam, rate: 0.01, batch: 16, epochs: 2}\n"
             "evaluate: {metrics: [rmse, {detection: auroc}], baselines: [naive], "
             "anomaly: {false_alarms: 0.05, label: flag}}\n%s",
             job_head, job_tail);
    memcpy(strstr(text, "length: 8"), "length: 1", 9);
    write_text(s->folder, "no2.yaml", text);
    SAY(s, "simulate", s->job, "--out", s->run);
    if (s->code != 0)
        fail_msg("%s", s->said);
    SAY(s, "predict", s->model, s->folder);
    assert_int_equal(s->code, 0);
    for (const char *line = strchr(s->out, '\n') + 1; *line != '\0'; line = strchr(line, '\n') + 1) {
        const char *client = strchr(line, ',') + 1;
        double      back, score, off, one;

        assert_int_equal(sscanf(strchr(client, ',') + 1, "%lf,%lf,", &back, &score), 2);
        off = back - no2_at(strncmp(client, "north", 5) == 0 ? 30 : 60, hour_of(line));
        if (strncmp(client, "north", 5) == 0 && hour_of(line) >= HOURS - HOURS / 5) {
            scores += score;
            count++;
        }
        if (fabs(off) < 0.1)
            continue; /* too little is left of its digits */
        one = fabs(off) / sqrt(score);
        deviation = deviation > 0 ? deviation : one;
        if (!(fabs(one - deviation) < 1e-3 * deviation))
            fail_msg("off by %g with an error of %g: a deviation of %g, and once of %g", off, score, one,
                     deviation);
    }
    assert_true(deviation > 5 && deviation < 10); /* 30, ten up and down: all that train, as 60 is flagged */
    want = measured(s, "north", &examples);
    assert_int_equal(examples, count);
    if (!(fabs(sqrt(scores / count) - want) < 1e-4 * want))
        fail_msg("%g by the scores, %g by the run", sqrt(scores / count), want);
}

static uint8_t *model_of(scene *s, const char *out, const char *workers, size_t *n)
{
    char     path[4400];
    uint8_t *bytes = NULL;
    wm_error err;

    snprintf(path, sizeof path, "%s/%s", s->folder, out);
    SAY(s, "simulate", s->job, "--out", path, "--workers", workers);
    if (s->code != 0)
        fail_msg("%s", s->said);
    strcat(path, "/model.safetensors");
    assert_ok(wm_files_system()->read(wm_files_system(), path, 1 << 20, &bytes, n, &err), &err);
    return bytes;
}

/* Dice that layers throw follow from the job's seed, the round and the client's name, not from who trains it when. */
static void noise_is_the_same_with_any_number_of_workers(void **state)
{
    static const char middle[] =
        "  scale: federated\n"
        "model: {layers: [flatten, {noise: {deviation: 0.2, masked: 0.2}}, {dense: 6}, {sample: 0.01}, {dense: 8}], "
        "loss: reconstruction}\n"
        "training: {optimiser: adam, rate: 0.003, batch: 16, epochs: 1}\nevaluate: {metrics: rmse}\n";
    scene   *s = *state;
    uint8_t *one, *three;
    uint64_t header;
    size_t   n, m;

    train(s, middle);
    one = model_of(s, "one", "1", &n);
    three = model_of(s, "three", "3", &m);
    assert_int_equal(n, m);
    memcpy(&header, one, sizeof header); /* in it stands the run's own name, behind it the parameters */
    assert_true(header < n - 8);
    assert_memory_equal(one + 8 + header, three + 8 + header, n - 8 - header);
    free(one);
    free(three);
}

/* ---- what cannot be ---- */

static void what_cannot_be_predicted_is_said(void **state)
{
    static const char other_columns[] = "time,ozone\n2024-03-01 00:00,1\n2024-03-01 01:00,2\n";
    static const char short_one[] = "time,no2\n2024-03-01 00:00,1\n2024-03-01 01:00,2\n";
    scene            *s = *state;
    char              foreign[4300], other[4300], folder[4300], text[4096], data[4400];

    train(s, forecaster);
    snprintf(foreign, sizeof foreign, "%s/foreign.safetensors", s->folder);
    snprintf(folder, sizeof folder, "%s/new", s->folder);
    assert_ok(wm_files_system()->make_folder(wm_files_system(), folder, 0755, NULL), NULL);

    SAY(s, "predict", foreign, s->folder);
    assert_int_equal(s->code, 1);
    assert_non_null(strstr(s->said, "foreign.safetensors"));

    /* A file of another program: the same tensors, and nothing about the job. */
    {
        static const char header[] =
            "{\"1.dense.weight\":{\"dtype\":\"F32\",\"shape\":[16,8],\"data_offsets\":[0,512]},"
            "\"1.dense.bias\":{\"dtype\":\"F32\",\"shape\":[16],\"data_offsets\":[512,576]},"
            "\"3.dense.weight\":{\"dtype\":\"F32\",\"shape\":[1,16],\"data_offsets\":[576,640]},"
            "\"3.dense.bias\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[640,644]}}";
        uint8_t bytes[8 + sizeof header - 1 + 644] = { 0 };
        FILE   *file = fopen(foreign, "w");

        bytes[0] = (uint8_t)((sizeof header - 1) & 0xff);
        bytes[1] = (uint8_t)((sizeof header - 1) >> 8);
        memcpy(bytes + 8, header, sizeof header - 1);
        assert_int_equal(fwrite(bytes, 1, sizeof bytes, file), sizeof bytes);
        fclose(file);
    }
    SAY(s, "predict", foreign, s->folder);
    assert_int_equal(s->code, 1);
    assert_non_null(strstr(s->said, "holds no job, so no run of wardmote has left it"));
    SAY(s, "predict", foreign, s->folder, "--job", s->job);
    assert_int_equal(s->code, 1);
    assert_non_null(strstr(s->said, "holds no scaling, but the job's columns are scaled"));
    SAY(s, "predict", "/nowhere/model.safetensors", s->folder);
    assert_int_equal(s->code, 1);
    assert_non_null(strstr(s->said, "cannot open /nowhere/model.safetensors"));

    snprintf(text, sizeof text, "%s%s%s", job_head, forecaster, job_tail);
    memcpy(strstr(text, "dense: 16"), "dense: 17", 9);
    write_text(s->folder, "other.yaml", text);
    snprintf(other, sizeof other, "%s/other.yaml", s->folder);
    SAY(s, "predict", s->model, s->folder, "--job", other);
    assert_int_equal(s->code, 1);
    assert_non_null(strstr(s->said, "1.dense.weight"));

    write_text(folder, "a.csv", other_columns);
    SAY(s, "predict", s->model, folder);
    assert_int_equal(s->code, 1);
    assert_non_null(strstr(s->said, "a.csv:1: there is no column no2 in the header: time, ozone"));

    write_text(folder, "a.csv", short_one);
    SAY(s, "predict", s->model, folder);
    assert_int_equal(s->code, 1);
    assert_non_null(strstr(s->said, "nothing to predict from"));

    snprintf(data, sizeof data, "%s/nowhere", s->folder);
    SAY(s, "predict", s->model, data);
    assert_int_equal(s->code, 1);
    assert_non_null(strstr(s->said, "nowhere"));
    SAY(s, "predict", s->model, s->folder, "--out", "/nowhere/at/all.csv");
    assert_int_equal(s->code, 1);
    assert_non_null(strstr(s->said, "/nowhere/at/all.csv cannot be written"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        TEST(predictions_are_what_the_run_was_measured_by),
        TEST(one_file_is_enough_and_the_model_is_evaluated_alone),
        TEST(a_model_with_a_nan_in_it_is_refused_by_its_tensor),
        TEST(a_head_of_the_clients_own_is_left_out_or_trained_for_an_epoch),
        TEST(a_model_whose_heads_are_all_the_clients_own_says_nothing_alone),
        TEST(every_head_has_columns_of_its_own),
        TEST(what_is_given_back_is_in_the_datas_units),
        TEST(noise_is_the_same_with_any_number_of_workers),
        TEST(what_cannot_be_predicted_is_said),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

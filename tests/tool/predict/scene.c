/* tests/tool/predict/scene.c */
#include "tests/tool/predict/scene.h"

#include "common/files.h"

#include <jansson.h>
#include <math.h>

int setup(void **state)
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

int teardown(void **state)
{
    scene   *s = *state;
    wm_error err;

    free(s->out);
    free(s->said);
    assert_ok(wm_folder_remove(s->folder, &err), &err);
    free(s);
    return 0;
}

void write_text(const char *folder, const char *name, const char *text)
{
    char  path[4400];
    FILE *file;

    snprintf(path, sizeof path, "%s/%s", folder, name);
    file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

double no2_at(int base, int hour)
{
    return base + 10 * sin(hour / 4.0) + hour % 7;
}

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

void write_gateways(const scene *s, bool flag)
{
    write_readings(s->folder, "north.csv", NORTH, flag);
    write_readings(s->folder, "south.csv", SOUTH, flag);
}

const char job_head[] = "job: no2\ndata:\n  source: {csv: {files: \"*.csv\"}}\n  owner: file\n"
                        "  time: {column: time, zone: UTC}\n  columns:\n    no2: {range: [0, 500]}\n"
                        "  inputs: {past: {window: {columns: [no2], length: 8}}}\n";

const char forecaster[] =
    "  targets: {no2: {column: no2, ahead: 3h}}\n  scale: federated\n  split: {time: [0.7, 0.1, 0.2]}\n"
    "model: {layers: [flatten, {dense: 16}, relu, {dense: 1}], loss: mse}\n"
    "training: {optimiser: adam, rate: 0.003, batch: 16, epochs: 4}\n"
    "evaluate: {metrics: [rmse], baselines: [naive]}\n";

const char job_tail[] = "rounds: 3\ncohort: {select: all}\nstrategy: fedavg\nseed: 1\n";

void train(scene *s, const char *middle)
{
    char text[4096];

    snprintf(text, sizeof text, "%s%s%s", job_head, middle, job_tail);
    write_text(s->folder, "no2.yaml", text);
    write_gateways(s, true);
    SAY(s, "simulate", s->job, "--out", s->run, "--workers", "1");
    if (s->code != 0)
        fail_msg("%s", s->said);
}

double measured(const scene *s, const char *client, int *examples)
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

int hour_of(const char *line)
{
    int day, hour;

    assert_int_equal(sscanf(line, "2024-03-%2dT%2d:00:00Z", &day, &hour), 2);
    return (day - 1) * 24 + hour;
}

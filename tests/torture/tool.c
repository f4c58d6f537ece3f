/* tests/torture/tool.c
 *
 * The analyst's commands, whole: a run in this process with the round engine, the store, the virtual fleet and the run
 * folder. A command that fails has said why, on its error stream. */
#include "tests/tool/say.h"
#include "tests/torture/scenario.h"
#include "tests/torture/sights.h"

#include <stdlib.h>
#include <string.h>

static wm_status write_text(const char *folder, const char *name, const char *text)
{
    char  path[4300];
    FILE *file;

    snprintf(path, sizeof path, "%s/%s", folder, name);
    if ((file = fopen(path, "w")) == NULL)
        abort();
    fputs(text, file);
    fclose(file);
    return WM_OK;
}

static void write_readings(const char *folder, const char *name, int base)
{
    char   text[8192];
    size_t n = (size_t)snprintf(text, sizeof text, "time,no2,wd\n");

    for (int i = 0; i < 150; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "2024-03-%02d %02d:00,%d,SE\n", 1 + i / 24, i % 24,
                              base + i % 7);
    write_text(folder, name, text);
}

static wm_status run(wm_error *err, const char *const *words)
{
    char *out = NULL, *said = NULL;
    int   code = say(words, &out, &said);

    if (code != 0)
        wm_fail(err, WM_E_NOMEM, "%.300s", said);
    free(out);
    free(said);
    return code == 0 ? WM_OK : WM_E_NOMEM;
}

static wm_status a_job_is_simulated_and_evaluated(const char *folder, wm_error *err)
{
    char      job[4300], results[4300], model[4400];
    wm_status st;

    snprintf(job, sizeof job, "%s/air.yaml", folder);
    snprintf(results, sizeof results, "%s/run", folder);
    snprintf(model, sizeof model, "%s/model.safetensors", results);
    write_text(folder, "air.yaml", SMALL_JOB);
    write_readings(folder, "a.csv", 10);
    write_readings(folder, "b.csv", 20);
    TRY(run(err, WARDMOTE("simulate", job, "--out", results, "--workers", "2")));
    TRY(run(err, WARDMOTE("evaluate", model, job)));
out:
    return st;
}

static wm_status data_is_described(const char *folder, wm_error *err)
{
    char job[4300];

    snprintf(job, sizeof job, "%s/air.yaml", folder);
    write_text(folder, "air.yaml", SMALL_JOB);
    write_readings(folder, "a.csv", 10);
    return run(err, WARDMOTE("data", job));
}

const scenario tool_scenarios[] = {
    { "a_job_is_simulated_and_evaluated", a_job_is_simulated_and_evaluated, true },
    { "data_is_described", data_is_described, true },
};
const size_t n_tool_scenarios = COUNT(tool_scenarios);

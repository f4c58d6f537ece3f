/* server/commands/job.c: job start, list, stop */
#include "server/commands/commands.h"

#include "common/job/job.h"
#include "common/table.h"
#include "server/admission.h"
#include "server/start.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static wm_status put_start(const char *folder, const float *params, size_t n, wm_digest *ret, wm_error *err)
{
    char     *path = wm_path_join(folder, "blobs");
    wm_blobs *blobs = NULL;
    wm_status st = path != NULL ? wm_blobs_new(wm_files_system(), path, &blobs, err)
                                : wm_fail(err, WM_E_NOMEM, "no memory for a path");

    if (st == WM_OK)
        st = wm_blobs_put(blobs, params, n * sizeof *params, ret, err);
    wm_blobs_free(blobs);
    free(path);
    return st;
}

/* The model of a warm start goes into the office's blobs, and the job names it. *text[*n] is that of the file, and
 * becomes that of the job as it is started. A job that the server will refuse is left for it to refuse. */
static wm_status bring_start(const char *folder, const char *file, uint8_t **text, size_t *n, wm_faults *faults,
                             wm_error *err)
{
    const wm_admission_limits no_limits = { 0 };
    wm_admitted               job = { 0 }, changed = { 0 };
    wm_setting                setting = { 0 };
    float                    *params = NULL;
    wm_digest                 name;
    uint8_t                  *copy;
    wm_status                 st;

    if (wm_admit(file, (const char *)*text, *n, &no_limits, faults, &job, NULL) != WM_OK ||
        job.job->model.start.file == NULL) {
        wm_admitted_release(&job);
        wm_faults_release(faults);
        wm_faults_init(faults, file);
        return WM_OK;
    }
    st = wm_start_of_job(file, job.job, job.model, faults, &params, err);
    if (st == WM_OK)
        st = put_start(folder, params, wm_model_n_params(job.model), &name, err);
    if (st == WM_OK)
        st = wm_start_setting(job.job, &name, &setting, err);
    if (st == WM_OK)
        st = wm_admit_changed(file, (const char *)*text, *n, &setting, 1, &no_limits, faults, &changed, err);
    if (st == WM_OK) {
        copy = (uint8_t *)strndup(changed.job->text, changed.job->n_text);
        if (copy != NULL) {
            free(*text);
            *text = copy;
            *n = changed.job->n_text;
        } else {
            st = wm_fail(err, WM_E_NOMEM, "no memory for the job");
        }
    }
    free((char *)(uintptr_t)setting.value);
    free(params);
    wm_admitted_release(&job);
    wm_admitted_release(&changed);
    return st;
}

static wm_status start(wm_cli_call *call, wm_error *err)
{
    const char *folder = call->words[0], *file = call->words[2];
    uint8_t    *text = NULL;
    size_t      n;
    json_t     *answer = NULL;
    wm_faults   faults;
    wm_status   st = wm_files_system()->read(wm_files_system(), file, WM_JOB_TEXT_MAX, &text, &n, err);

    wm_faults_init(&faults, file);
    if (st == WM_OK)
        st = bring_start(folder, file, &text, &n, &faults, err);
    if (faults.count > 1) /* the sentence has the only one */
        fputs(wm_text_chars(&faults.lines), call->err);
    wm_faults_release(&faults);
    if (st == WM_OK)
        st = wm_command_ask(
            call, folder,
            &(wm_command){ .verb = "job start", .words = &file, .n_words = 1, .text = text, .n_text = n }, &answer,
            err);
    free(text);
    if (st != WM_OK)
        return st;
    fprintf(call->out, "%s\n", wm_json_text(answer, "id"));
    if (wm_json_int(answer, "gateways") < wm_json_int(answer, "minimum"))
        fprintf(call->err, "the job waits until %lld gateways are enrolled; there are %lld\n",
                wm_json_int(answer, "minimum"), wm_json_int(answer, "gateways"));
    json_decref(answer);
    return WM_OK;
}

static void add_row(wm_table *table, const json_t *run)
{
    char when[20];

    wm_table_cell(table, "%s", wm_json_text(run, "id"));
    wm_table_cell(table, "%s", wm_json_text(run, "job"));
    wm_table_cell(table, "%s", wm_json_text(run, "outcome"));
    if (wm_json_int(run, "rounds") > 0)
        wm_table_cell(table, "%lld/%lld", wm_json_int(run, "round"), wm_json_int(run, "rounds"));
    else
        wm_table_cell(table, "%lld", wm_json_int(run, "round"));
    wm_table_cell(table, "%lld", wm_json_int(run, "gateways"));
    wm_table_cell(table, "%s", wm_json_time(run, "started", when));
    wm_table_cell(table, "%s", wm_json_time(run, "ended", when));
    wm_table_cell(table, "%s", wm_json_text(run, "why"));
}

static wm_status list(wm_cli_call *call, bool json, wm_error *err)
{
    static const wm_table_column columns[] = {
        { "run", false },     { "job", false },     { "outcome", false }, { "round", true },
        { "gateways", true }, { "started", false }, { "ended", false },   { "why", false },
    };
    json_t   *answer = NULL, *run;
    wm_table  table;
    wm_text   text = WM_TEXT_INIT;
    size_t    i;
    wm_status st = wm_command_ask(call, call->words[0], &(wm_command){ .verb = "job list" }, &answer, err);

    if (st != WM_OK)
        return st;
    if (json) {
        st = wm_command_print_json(call, answer, err);
        json_decref(answer);
        return st;
    }
    wm_table_init(&table, columns, sizeof columns / sizeof *columns);
    json_array_foreach(json_object_get(answer, "runs"), i, run) add_row(&table, run);
    json_array_foreach(json_object_get(answer, "queue"), i, run) add_row(&table, run);
    wm_table_write(&table, &text);
    fputs(wm_text_chars(&text), call->out);
    wm_text_release(&text);
    wm_table_release(&table);
    json_decref(answer);
    return WM_OK;
}

static wm_status stop(wm_cli_call *call, wm_error *err)
{
    json_t   *answer = NULL;
    wm_status st =
        wm_command_ask(call, call->words[0],
                       &(wm_command){ .verb = "job stop", .words = &call->words[2], .n_words = 1 }, &answer, err);

    if (st == WM_OK)
        fprintf(call->out, "stopped %s\n", wm_json_text(answer, "stopped"));
    json_decref(answer);
    return st;
}

wm_status wm_command_job(wm_cli_call *call, const void *settings, wm_error *err)
{
    const wm_form_settings *set = settings;
    const char             *deed = call->words[1];

    if (strcmp(deed, "start") == 0 && call->n_words == 3)
        return start(call, err);
    if (strcmp(deed, "list") == 0 && call->n_words == 2)
        return list(call, set->json, err);
    if (strcmp(deed, "stop") == 0 && call->n_words == 3)
        return stop(call, err);
    return wm_cli_misused(call, err, "it is `job DIR start FILE`, `job DIR list` or `job DIR stop ID`");
}

/* tests/e2e/runs.c: a job, what its run leaves, and the same job in memory. */
#include "tests/e2e/inside.h"

void office_job_start(office *o)
{
    office_do(o, NULL, WARDMOTE_SERVER, "job", o->dir, "start", o->job, NULL);
    snprintf(o->run, sizeof o->run, "%.63s", wm_text_chars(&o->output));
    o->run[strcspn(o->run, "\n")] = '\0';
    assert_int_equal(strlen(o->run), 32);
}

void office_run_path(const office *o, const char *name, char path[4400])
{
    snprintf(path, 4400, "%s/runs/%s/%s", o->dir, o->run, name);
}

char *office_run_file(office *o, const char *name)
{
    char path[4400], *text;

    office_run_path(o, name, path);
    text = office_read_text(path);
    if (text == NULL)
        office_fail(o, "%s is not there", path);
    return text;
}

static bool is_over(office *o, void *context)
{
    char        path[4400];
    json_t    **ret = context, *summary;
    const char *outcome;
    bool        by_signal;

    office_run_path(o, "summary.json", path);
    summary = json_load_file(path, 0, NULL);
    outcome = json_string_value(json_object_get(summary, "outcome"));
    if (outcome != NULL && strcmp(outcome, "running") != 0) {
        *ret = summary;
        return true;
    }
    json_decref(summary);
    if (o->server > 0 && office_process_is_dead(o->server, &by_signal))
        office_fail(o, "the server is gone before the run is over");
    return false;
}

json_t *office_wait_over(office *o)
{
    json_t *summary = NULL;

    office_wait(o, is_over, &summary, "the run to be over");
    return summary;
}

void office_wait_done(office *o, int rounds, const char *sha)
{
    json_t     *summary = office_wait_over(o);
    const char *outcome = json_string_value(json_object_get(summary, "outcome"));
    const char *model = json_string_value(json_object_get(summary, "model_sha256"));
    long long   done = json_integer_value(json_object_get(summary, "rounds"));

    if (strcmp(outcome, "done") != 0 || (rounds > 0 && done != rounds))
        office_fail(o, "the run is over as \"%s\" after %lld rounds: %s", outcome, done,
                    json_string_value(json_object_get(summary, "why")));
    if (sha != NULL && (model == NULL || strcmp(model, sha) != 0))
        office_fail(o, "the run's model is %s, and not %s", model != NULL ? model : "none", sha);
    json_decref(summary);
}

/* As rounds.csv has them; -1: it is not there yet. */
static int rounds_so_far(office *o)
{
    char path[4400], *text;
    int  lines = 0;

    office_run_path(o, "rounds.csv", path);
    text = office_read_text(path);
    for (const char *at = text; at != NULL && (at = strchr(at, '\n')) != NULL; at++)
        lines++;
    free(text);
    return lines - 1; /* the header */
}

static bool has_rounds(office *o, void *context)
{
    return rounds_so_far(o) >= *(const int *)context;
}

void office_wait_rounds(office *o, int rounds)
{
    office_wait(o, has_rounds, &rounds, "rounds to be done");
}

double office_wait_more_rounds(office *o, int more)
{
    int64_t from = office_now_ms();

    office_wait_rounds(o, rounds_so_far(o) + more);
    return (double)(office_now_ms() - from) / 1000;
}

static void simulate(office *o, const char *to, const char *option, const char *value, char sha[65])
{
    char        out[4300];
    json_t     *summary;
    const char *digest;
    wm_error    err;

    snprintf(out, sizeof out, "%s/%s", o->folder, to);
    assert_ok(wm_folder_remove(out, &err), &err);
    office_do(o, NULL, WARDMOTE, "simulate", o->job, "--data", o->data, "--out", out, option, value, NULL);
    strcat(out, "/summary.json");
    summary = json_load_file(out, 0, NULL);
    assert_string_equal(json_string_value(json_object_get(summary, "outcome")), "done");
    digest = json_string_value(json_object_get(summary, "model_sha256"));
    assert_non_null(digest);
    snprintf(sha, 65, "%.64s", digest);
    json_decref(summary);
}

void office_simulate(office *o, const char *workers, char sha[65])
{
    simulate(o, "simulated", "--workers", workers, sha);
}

void office_simulate_tls(office *o, char sha[65])
{
    simulate(o, "tls", "--transport", "tls", sha);
}

/* ---- CSV ---- */

/* The field at *at, unquoted; *at moves behind its comma. */
static void next_field(const char **at, char value[256])
{
    size_t n = 0;
    bool   quoted = **at == '"';

    *at += quoted;
    while (**at != '\0' && **at != '\n' && (quoted ? **at != '"' || (*at)[1] == '"' : **at != ',')) {
        *at += quoted && **at == '"';
        if (n < 255)
            value[n++] = **at;
        ++*at;
    }
    value[n] = '\0';
    *at += quoted && **at == '"';
    *at += **at == ',';
}

void office_csv(const char *csv, const char *row, const char *column, char value[256])
{
    const char *head = csv, *line = csv;
    size_t      index = 0;

    for (next_field(&head, value); strcmp(value, column) != 0; next_field(&head, value), index++)
        if (*head == '\n' || *head == '\0')
            fail_msg("there is no column %s in\n%s", column, csv);
    while ((line = strchr(line, '\n')) != NULL) {
        const char *at = ++line;

        next_field(&at, value);
        if (strcmp(value, row) != 0)
            continue;
        for (; index > 0; index--)
            next_field(&at, value);
        return;
    }
    fail_msg("there is no row %s in\n%s", row, csv);
}

long office_csv_long(const char *csv, const char *row, const char *column)
{
    char value[256];

    office_csv(csv, row, column, value);
    return strtol(value, NULL, 10);
}

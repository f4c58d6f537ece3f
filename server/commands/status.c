/* server/commands/status.c: status, backup */
#include "server/commands/commands.h"

#include "common/clock.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void print_figure(const wm_cli_call *call, const json_t *run, const char *name, const char *title)
{
    const json_t *value = json_object_get(run, name);

    if (json_is_number(value))
        fprintf(call->out, "  %-16s %.6g\n", title, json_number_value(value));
}

/* The first line has all that one wants to know at a glance. */
static void print_run(const wm_cli_call *call, const json_t *run)
{
    const char   *waiting = wm_json_text(run, "waiting_for");
    const json_t *left = json_object_get(run, "left_ms"), *eta = json_object_get(run, "eta_ms");
    char          waited[WM_DURATION_TEXT], time[WM_DURATION_TEXT], since[20];

    fprintf(call->out, "%s: round %lld of %lld, %s: %lld of %lld in", wm_json_text(run, "job"),
            wm_json_int(run, "round"), wm_json_int(run, "rounds"), wm_json_text(run, "phase"),
            wm_json_int(run, "accepted"), wm_json_int(run, "goal"));
    if (waiting[0] != '\0')
        fprintf(call->out, ", waiting for %s since %s (%s)", waiting, wm_json_time(run, "waiting_since", since),
                wm_duration_text((int64_t)wm_json_int(run, "waited_ms"), waited));
    if (json_is_integer(left))
        fprintf(call->out, ", %s left", wm_duration_text((int64_t)json_integer_value(left), time));
    fprintf(call->out, "\n  %-16s %s\n  %-16s attempt %lld, cohort %lld, refused %lld, declined %lld\n", "run",
            wm_json_text(run, "id"), "this phase", wm_json_int(run, "attempt"), wm_json_int(run, "cohort"),
            wm_json_int(run, "refused"), wm_json_int(run, "declined"));
    if (wm_json_text(run, "note")[0] != '\0')
        fprintf(call->out, "  %-16s %s\n", "note", wm_json_text(run, "note"));
    print_figure(call, run, "train_loss", "training loss");
    print_figure(call, run, "eval_loss", "evaluation loss");
    print_figure(call, run, "metric", wm_json_text(run, "metric_name"));
    if (json_is_integer(eta))
        fprintf(call->out, "  %-16s %s\n", "to the end", wm_duration_text((int64_t)json_integer_value(eta), time));
}

static const char AT_REST[] = "the server runs and has no run at work", NOT_THERE[] = "the server does not run";

static void print_idle(const wm_cli_call *call, const json_t *answer, bool server_runs)
{
    const json_t *last = json_object_get(answer, "last_run");

    if (json_is_object(last) && strcmp(wm_json_text(last, "outcome"), "running") == 0)
        fprintf(call->out,
                server_runs ? "the server runs and is about to take up the run of %s, round %lld\n"
                            : "the server does not run; the run of %s is in round %lld, and goes on when it does\n",
                wm_json_text(last, "job"), wm_json_int(last, "round"));
    else if (json_is_object(last))
        fprintf(call->out, "%s; the last run, %s, is %s, round %lld\n", server_runs ? AT_REST : NOT_THERE,
                wm_json_text(last, "job"), wm_json_text(last, "outcome"), wm_json_int(last, "round"));
    else
        fprintf(call->out, "%s\n", server_runs ? AT_REST : NOT_THERE);
}

wm_status wm_command_status(wm_cli_call *call, const void *settings, wm_error *err)
{
    const wm_form_settings *set = settings;
    json_t                 *answer = NULL;
    const json_t           *gateways, *run;
    bool                    runs;
    wm_status st = wm_command_ask(call, call->words[0], &(wm_command){ .verb = "status" }, &answer, err);

    if (st != WM_OK)
        return st;
    runs = json_is_true(json_object_get(answer, "server_runs"));
    st = runs ? WM_OK
              : wm_fail(err, WM_E_CLOSED, "no server runs: start it with `wardmote-server run %s`", call->words[0]);
    if (set->json) {
        wm_status printed = wm_command_print_json(call, answer, runs ? err : NULL);

        json_decref(answer);
        return runs ? printed : st;
    }
    run = json_object_get(answer, "run");
    if (json_is_object(run))
        print_run(call, run);
    else
        print_idle(call, answer, runs);
    gateways = json_object_get(answer, "gateways");
    fprintf(call->out, "  %-16s %lld enrolled, %lld there now, %lld revoked\n", "gateways",
            wm_json_int(gateways, "enrolled"), wm_json_int(gateways, "present"), wm_json_int(gateways, "revoked"));
    fprintf(call->out, "  %-16s %lld\n", "jobs waiting", wm_json_int(answer, "queued"));
    if (wm_json_text(answer, "trouble")[0] != '\0')
        fprintf(call->out, "  %-16s %s\n", "trouble", wm_json_text(answer, "trouble"));
    json_decref(answer);
    return st;
}

wm_status wm_command_backup(wm_cli_call *call, const void *settings, wm_error *err)
{
    const char *to = call->words[1];
    char        here[PATH_MAX], path[2 * PATH_MAX];
    const char *words[] = { path };
    json_t     *answer = NULL;
    wm_status   st;

    (void)settings;
    /* The server has another working folder than we. */
    if (to[0] == '/')
        snprintf(path, sizeof path, "%s", to);
    else if (getcwd(here, sizeof here) != NULL)
        snprintf(path, sizeof path, "%s/%s", here, to);
    else
        return wm_fail(err, WM_E_IO, "the working folder has no path: give the whole path of the backup");
    st = wm_command_ask(call, call->words[0], &(wm_command){ .verb = "backup", .words = words, .n_words = 1 },
                        &answer, err);
    if (st == WM_OK)
        fprintf(call->out, "backup made in %s\n", wm_json_text(answer, "backup"));
    json_decref(answer);
    return st;
}

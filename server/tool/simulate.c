/* server/tool/simulate.c: wardmote simulate: a whole run on one machine. */
#include "server/tool/tool.h"

#include "common/memory.h"
#include "common/progress.h"
#include "models/measures.h"
#include "server/tool/results.h"
#include "server/tool/room.h"
#include "server/tool/simulation.h"
#include "server/tool/tls_run.h"

#include <jansson.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct simulate_settings {
    wm_workspace_settings space;
    int64_t               workers;
    int                   transport;
    const char           *out;
    bool                  resume, json;
} simulate_settings;

enum { TRANSPORT_MEMORY, TRANSPORT_TLS };
static const char *const transports[] = { "memory", "tls", NULL };

static const wm_cli_option options[] = {
    WM_WORKSPACE_OPTIONS(simulate_settings, space),
    { .name = "rounds",
      .kind = WM_CLI_WHOLE,
      .offset = offsetof(simulate_settings, space.rounds),
      .value = "N",
      .least = 1,
      .most = 1000000,
      .doc = "rounds to train (default: the job's)" },
    { .name = "workers",
      .kind = WM_CLI_WHOLE,
      .offset = offsetof(simulate_settings, workers),
      .value = "N",
      .least = 1,
      .most = 1024,
      .doc = "threads that train clients (default: as many as there are processors)" },
    { .name = "transport",
      .kind = WM_CLI_CHOICE,
      .offset = offsetof(simulate_settings, transport),
      .value = "HOW",
      .words = transports,
      .doc = "memory: clients in threads (the default); tls: the real server and client processes on loopback" },
    { .name = "out",
      .kind = WM_CLI_TEXT,
      .offset = offsetof(simulate_settings, out),
      .value = "DIR",
      .doc = "the run folder (default: runs/JOB-N, the next that is free)" },
    { .name = "resume",
      .kind = WM_CLI_FLAG,
      .offset = offsetof(simulate_settings, resume),
      .doc = "go on with the run that --out holds" },
    { .name = "json",
      .kind = WM_CLI_FLAG,
      .offset = offsetof(simulate_settings, json),
      .doc = "print the summary as JSON and nothing else" },
};

static const simulate_settings standard = { .space = { .seed = -1, .start = true } };

/* ---- interruption: ^C leaves a run that can be resumed ---- */

static atomic_bool interrupted; /* set by the signal handler, which can reach nothing else */

static void on_signal(int number)
{
    (void)number;
    atomic_store(&interrupted, true);
}

static void catch_signals(void)
{
    struct sigaction action = { .sa_handler = on_signal };

    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

/* ---- progress ---- */

typedef struct show {
    wm_progress   line;
    const wm_job *job;
    bool          quiet;
} show;

static const char *figure(double value, char text[16])
{
    if (isnan(value))
        return "-";
    snprintf(text, 16, "%.4g", value);
    return text;
}

static void show_progress(void *context, const wm_run_progress *p, const wm_round_record *round, double clients_s)
{
    show       *s = context;
    const char *part = wm_job_validates(s->job) ? "validation" : "test";
    char        metric[WM_MEASURE_NAME], left[WM_DURATION_TEXT], loss[16], eval[16], value[16];
    double      held_out = p->eval_loss, measured = p->metric;

    if (s->quiet)
        return;
    wm_measure_first(s->job, metric);
    if (round != NULL && round->evaluated) {
        held_out = round->evaluation.loss;
        measured = round->evaluation.metrics[0];
    }
    wm_duration_text(p->eta_ms >= 0 ? p->eta_ms : 0, left);
    if (round != NULL)
        wm_progress_show(&s->line,
                         "round %3u/%u  loss %-7s %s %-7s %s %-7s %u of %u clients  %.1f clients/s  left %s",
                         round->round, p->rounds, figure(round->train_loss, loss), part, figure(held_out, eval),
                         metric, figure(measured, value), round->accepted, round->selected, clients_s, left);
    else
        wm_progress_glance(
            &s->line, "round %3u/%u  loss %-7s %s %-7s %s %-7s %s: %u of %u clients  %.1f clients/s  left %s",
            p->standing.round, p->rounds, figure(p->train_loss, loss), part, figure(held_out, eval), metric,
            figure(measured, value), wm_phase_name(p->standing.phase), p->accepted, p->cohort, clients_s, left);
}

/* ---- the command ---- */

/* runs/JOB-N, the next that is free; the caller's to free(). */
static char *default_out(const char *job)
{
    for (unsigned n = 1; n < 1000000; n++) {
        char *path = NULL;

        if (asprintf(&path, "runs/%s-%u", job, n) < 0)
            return NULL;
        if (!wm_files_system()->exists(wm_files_system(), path))
            return path;
        free(path);
    }
    return NULL;
}

static size_t workers_of(const simulate_settings *set)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);

    if (set->workers > 0)
        return (size_t)set->workers;
    return processors > 0 ? (size_t)processors : 1;
}

/* Every client would decline, and so would every attempt end, each with a warning. */
static wm_status check_examples(const wm_workspace_settings *settings, const wm_workspace *space, wm_error *err)
{
    for (size_t i = 0; i < wm_owners_count(space->owners); i++)
        if (wm_owners_train_count(space->owners, i) > 0)
            return WM_OK;
    return wm_fail(
        err, WM_E_RANGE,
        "no client has an example to train on: `wardmote data %s` tells what became of the readings of each; "
        "an example takes a whole window and what is `ahead` of it, in the training part",
        settings->file);
}

/* The model first, and then the readings, which may take a while. */
static wm_status open_space(wm_cli_call *call, const simulate_settings *set, const wm_workspace_settings *settings,
                            wm_log *log, wm_workspace *space, wm_error *err)
{
    size_t at_once =
        set->transport == TRANSPORT_TLS ? 1 : workers_of(set); /* a process each, which looks for itself */
    wm_status st = wm_workspace_open_job(call, settings, space, err);

    if (st != WM_OK)
        return st;
    if ((st = wm_room_check(settings->file, space->job, space->model, at_once, wm_memory_machine(), err)) == WM_OK)
        st = wm_workspace_read(settings, false, log, space, err);
    if (st == WM_OK)
        st = check_examples(settings, space, err);
    if (st != WM_OK)
        wm_workspace_release(space);
    return st;
}

static wm_status in_memory(wm_cli_call *call, const simulate_settings *set, const wm_workspace *space,
                           const char *out, wm_log *log, wm_error *err)
{
    show                   s = { .job = space->job, .quiet = set->json };
    wm_simulation_settings settings = {
        .space = space,
        .out = out,
        .resume = set->resume,
        .workers = workers_of(set),
        .clock = wm_clock_system(),
        .log = log,
        .interrupted = &interrupted,
        .progress = show_progress,
        .context = &s,
    };
    wm_simulation_result result;
    wm_status            st;

    wm_progress_init(&s.line, call->out);
    st = wm_simulate(&settings, &result, err);
    if (!set->json)
        wm_progress_end(&s.line);
    if (st == WM_OK && result.standing.outcome == WM_OUTCOME_FAILED)
        st = wm_fail(err, WM_E_REFUSED, "the run failed: %s", result.standing.why);
    wm_simulation_result_release(&result);
    return st;
}

static wm_status run(wm_cli_call *call, const void *settings, wm_error *err)
{
    const simulate_settings *set = settings;
    wm_workspace_settings    space_settings = set->space;
    wm_workspace             space;
    wm_log                  *log = NULL;
    char                    *out = NULL;
    wm_status                st;

    if (set->resume && set->out == NULL)
        return wm_cli_misused(call, err, "--resume needs --out DIR, the run to go on with");
    space_settings.file = call->words[0];
    st = wm_cli_log(call, &log, err);
    if (st == WM_OK)
        st = open_space(call, set, &space_settings, log, &space, err);
    if (st != WM_OK) {
        wm_log_free(log);
        return st;
    }
    catch_signals();
    out = set->out != NULL ? strdup(set->out) : default_out(space.job->name);
    if (out == NULL)
        st = wm_fail(err, WM_E_NOMEM, "no memory to begin");
    else if (set->transport == TRANSPORT_TLS)
        st = wm_tls_run(&(wm_tls_run_settings){ .call = call,
                                                .space = &space,
                                                .space_settings = &space_settings,
                                                .out = out,
                                                .resume = set->resume,
                                                .quiet = set->json,
                                                .interrupted = &interrupted },
                        err);
    else
        st = in_memory(call, set, &space, out, log, err);
    if (st == WM_OK)
        st = wm_results_print(call, out, set->json, err);
    free(out);
    wm_workspace_release(&space);
    wm_log_free(log);
    return st;
}

const wm_cli_command wm_tool_simulate = {
    .name = "simulate",
    .arguments = "FILE",
    .summary = "a whole run of a job on this machine; leaves a folder with report.html in it",
    .details =
        "The same engine, trainer and files as in production. With --transport tls the real server and one real\n"
        "client process for each client are started on loopback, with throw-away certificates; the model is the\n"
        "same to the bit. ^C leaves a run that --resume goes on with.\n",
    .example = "wardmote simulate models/zoo/digits.yaml --data mnist/ --rounds 60\n",
    .words_min = 1,
    .words_max = 1,
    .options = options,
    .n_options = sizeof options / sizeof *options,
    .settings_size = sizeof(simulate_settings),
    .standard = &standard,
    .run = run,
};

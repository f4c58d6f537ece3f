/* server/tool/tls_run.c */
#include "server/tool/tls_run.h"

#include "common/files.h"
#include "common/progress.h"
#include "models/measures.h"
#include "models/safetensors.h"
#include "server/tool/process.h"
#include "server/tool/tool.h"

#include <arpa/inet.h>
#include <errno.h>
#include <jansson.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

enum {
    PORTS = 3,
    START_MS = 20 * 1000,
    LOOK_MS = 50,
    ASK_EVERY = 40,         /* looks between two questions to the server */
    TROUBLE_MS = 15 * 1000, /* so long it may be in trouble before we give up */
    ROOM_LEAST = 64 << 10,  /* bytes of free room: with less the disk is as good as full */
    SUMMARY_MAX = 256 << 20,
    ROUNDS_MAX = 64 << 20,
};

typedef struct tls_run {
    const wm_tls_run_settings *set;
    const wm_files            *files;
    char                      *server, *client; /* the programs */
    char                      *folder;          /* OUT/tls */
    char                      *office, *job;    /* in it */
    char                      *run_folder;      /* in the office, once the run is started */
    pid_t                     *pids;            /* [n_pids]: the server first */
    size_t                     n_pids;
    wm_progress                line;
    size_t                     shown; /* bytes of rounds.csv that were shown */
} tls_run;

static void nap(int ms)
{
    struct timespec t = { .tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000 };

    nanosleep(&t, NULL);
}

/* ---- the office ---- */

/* Ports that are free at this moment. */
static wm_status free_ports(int ports[PORTS], wm_error *err)
{
    int       fds[PORTS] = { -1, -1, -1 };
    wm_status st = WM_OK;

    for (int i = 0; st == WM_OK && i < PORTS; i++) {
        struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        socklen_t          n = sizeof address;

        fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fds[i] < 0 || bind(fds[i], (struct sockaddr *)&address, n) != 0 ||
            getsockname(fds[i], (struct sockaddr *)&address, &n) != 0)
            st = wm_fail(err, WM_E_IO, "no free port on loopback: %s", strerror(errno));
        ports[i] = ntohs(address.sin_port);
    }
    for (int i = 0; i < PORTS; i++)
        if (fds[i] >= 0)
            close(fds[i]);
    return st;
}

static wm_status make_office(tls_run *r, wm_error *err)
{
    char     *init[] = { r->server, "init", r->office, "--name", "127.0.0.1", NULL };
    char     *path = wm_path_join(r->office, "server.yaml");
    wm_text   text = WM_TEXT_INIT;
    int       ports[PORTS];
    wm_status st = wm_process_run(init, NULL, NULL, err);

    if (st == WM_OK)
        st = free_ports(ports, err);
    if (st == WM_OK && path == NULL)
        st = wm_fail(err, WM_E_NOMEM, "no memory");
    if (st == WM_OK) {
        wm_text_printf(
            &text,
            "names: [127.0.0.1]\nlisten:\n  control: 127.0.0.1:%d\n  bulk: 127.0.0.1:%d\n  enrolment: 127.0.0.1:%d\n",
            ports[0], ports[1], ports[2]);
        st = r->files->replace(r->files, path, wm_text_chars(&text), text.size, 0600, err);
    }
    wm_text_release(&text);
    free(path);
    return st;
}

static wm_status add_process(tls_run *r, char *const *argv, const char *log, wm_error *err)
{
    wm_status st = wm_process_start(argv, log, &r->pids[r->n_pids], err);

    if (st == WM_OK)
        r->n_pids++;
    return st;
}

/* Whether the server itself answers, and not the store in its stead. trouble[WM_ERROR_TEXT] (may be NULL) <- what it
 * cannot write, "" for nothing. */
static bool server_runs(tls_run *r, char *trouble)
{
    char       *status[] = { r->server, "status", r->office, "--json", NULL };
    wm_text     text = WM_TEXT_INIT;
    json_t     *json = NULL;
    const char *says;
    bool        runs;

    if (wm_process_run(status, NULL, &text, NULL) == WM_OK)
        json = json_loads(wm_text_chars(&text), 0, NULL);
    runs = json_is_true(json_object_get(json, "server_runs"));
    says = json_string_value(json_object_get(json, "trouble"));
    if (trouble != NULL)
        snprintf(trouble, WM_ERROR_TEXT, "%s", says != NULL ? says : "");
    json_decref(json);
    wm_text_release(&text);
    return runs;
}

static wm_status start_server(tls_run *r, wm_error *err)
{
    char     *run[] = { r->server, "run", r->office, NULL };
    char     *log = wm_path_join(r->folder, "server.log");
    wm_status st = log != NULL ? add_process(r, run, log, err) : wm_fail(err, WM_E_NOMEM, "no memory");

    for (int waited = 0; st == WM_OK && !server_runs(r, NULL); waited += LOOK_MS) {
        if (wm_process_ended(&r->pids[0]) || waited > START_MS)
            st = wm_fail(err, WM_E_IO, "the server did not start; its log is %s", log);
        nap(LOOK_MS);
    }
    free(log);
    return st;
}

/* ---- the gateways ---- */

static wm_status write_client_data(tls_run *r, const char *folder, const char *name, wm_error *err)
{
    char     *readings = wm_workspace_folder(r->set->space_settings);
    char     *path = wm_path_join(folder, "client.yaml");
    wm_text   text = WM_TEXT_INIT;
    wm_status st = readings != NULL && path != NULL
                       ? wm_client_data_yaml(r->set->space->job, readings, name, &text, err)
                       : wm_fail(err, WM_E_NOMEM, "no memory");

    if (st == WM_OK)
        st = r->files->append(r->files, path, wm_text_chars(&text), text.size, err);
    wm_text_release(&text);
    free(path);
    free(readings);
    return st;
}

static wm_status enrol(tls_run *r, const char *folder, const char *name, wm_error *err)
{
    char     *token[] = { r->server, "token", r->office, (char *)(uintptr_t)name, NULL };
    char     *enroll[] = { r->client, "enroll", (char *)(uintptr_t)folder, "--token", "-", NULL };
    wm_text   text = WM_TEXT_INIT;
    wm_status st = wm_process_run(token, NULL, &text, err);

    if (st == WM_OK)
        st = wm_process_run(enroll, wm_text_chars(&text), NULL, err);
    wm_text_release(&text);
    return st == WM_OK ? write_client_data(r, folder, name, err) : st;
}

static wm_status start_gateway(tls_run *r, const char *name, bool enrolled, wm_error *err)
{
    char     *folder = NULL, *log = NULL;
    char     *run[] = { r->client, "run", NULL, NULL };
    wm_status st = WM_OK;

    if (asprintf(&folder, "%s/gateways/%s", r->folder, name) < 0)
        return wm_fail(err, WM_E_NOMEM, "no memory");
    if (asprintf(&log, "%s.log", folder) < 0) {
        free(folder);
        return wm_fail(err, WM_E_NOMEM, "no memory");
    }
    if (!enrolled)
        st = enrol(r, folder, name, err);
    run[2] = folder;
    if (st == WM_OK)
        st = add_process(r, run, log, err);
    free(folder);
    free(log);
    return st;
}

static wm_status start_gateways(tls_run *r, bool enrolled, wm_error *err)
{
    const wm_owners *owners = r->set->space->owners;
    size_t           n = wm_owners_count(owners);
    wm_status        st = WM_OK;

    for (size_t i = 0; st == WM_OK && i < n; i++) {
        if (!r->set->quiet)
            wm_progress_glance(&r->line, "enrolling and starting gateways: %zu of %zu", i + 1, n);
        st = start_gateway(r, wm_owners_name(owners, i), enrolled, err);
        if (atomic_load(r->set->interrupted))
            st = wm_fail(err, WM_E_CLOSED, "interrupted");
    }
    return st;
}

/* ---- the run ---- */

/* The file of a warm start, beside the job that names it. */
static wm_status write_start(tls_run *r, wm_error *err)
{
    const wm_workspace *space = r->set->space;
    char               *path;
    wm_status           st;

    if (space->start == NULL)
        return WM_OK;
    path = wm_path_join(r->folder, space->job->model.start.file);
    st = path != NULL ? wm_safetensors_write(r->files, path, space->model, space->start, NULL, err)
                      : wm_fail(err, WM_E_NOMEM, "no memory");
    free(path);
    return st;
}

static wm_status start_job(tls_run *r, wm_error *err)
{
    const wm_job *job = r->set->space->job;
    char         *start[] = { r->server, "job", r->office, "start", r->job, NULL };
    wm_text       id = WM_TEXT_INIT;
    char         *path = wm_path_join(r->folder, "run");
    wm_status     st = r->files->replace(r->files, r->job, job->text, job->n_text, 0600, err);

    if (st == WM_OK)
        st = write_start(r, err);
    if (st == WM_OK)
        st = wm_process_run(start, NULL, &id, err);
    if (st == WM_OK)
        st = path != NULL ? r->files->replace(r->files, path, wm_text_chars(&id), id.size, 0600, err)
                          : wm_fail(err, WM_E_NOMEM, "no memory");
    wm_text_release(&id);
    free(path);
    return st;
}

/* run_folder <- where the office puts the run whose id the file `run` holds. */
static wm_status find_run_folder(tls_run *r, wm_error *err)
{
    char     *path = wm_path_join(r->folder, "run");
    uint8_t  *id = NULL;
    size_t    n;
    wm_status st =
        path != NULL ? r->files->read(r->files, path, 64, &id, &n, err) : wm_fail(err, WM_E_NOMEM, "no memory");

    if (st == WM_OK) {
        id[strcspn((char *)id, "\n ")] = '\0';
        if (asprintf(&r->run_folder, "%s/runs/%s", r->office, (char *)id) < 0)
            st = wm_fail(err, WM_E_NOMEM, "no memory");
    }
    free(id);
    free(path);
    return st;
}

/* Shows the lines of rounds.csv that are new. */
static void show_rounds(tls_run *r)
{
    char    *path = wm_path_join(r->run_folder, "rounds.csv");
    uint8_t *text = NULL;
    size_t   n;

    if (path != NULL && !r->set->quiet && r->files->read(r->files, path, ROUNDS_MAX, &text, &n, NULL) == WM_OK) {
        char *line = (char *)text + (r->shown < n ? r->shown : n), *end;

        while ((end = strchr(line, '\n')) != NULL) {
            unsigned round, selected, accepted;
            char     loss[32] = "", eval[32] = "", metric[32] = "", name[WM_MEASURE_NAME];

            if (sscanf(line, "%u,%*[^,],%u,%u,%*u,%*u,%31[^,],%31[^,],%31[^,],", &round, &selected, &accepted, loss,
                       eval, metric) >= 4)
                wm_progress_show(&r->line, "round %3u/%lld  loss %.7s  %s %.7s  %s %.7s  %u of %u clients", round,
                                 (long long)r->set->space->job->rounds, loss,
                                 wm_job_validates(r->set->space->job) ? "validation" : "test", eval,
                                 wm_measure_first(r->set->space->job, name), metric, accepted, selected);
            line = end + 1;
        }
        r->shown = (size_t)(line - (char *)text);
    }
    free(text);
    free(path);
}

/* Whether summary.json says that the run is over, and how. */
static bool is_over(tls_run *r, bool *failed, char why[200])
{
    char    *path = wm_path_join(r->run_folder, "summary.json");
    uint8_t *text = NULL;
    size_t   n;
    bool     over = false;

    if (path != NULL && r->files->read(r->files, path, SUMMARY_MAX, &text, &n, NULL) == WM_OK) {
        json_t     *summary = json_loadb((const char *)text, n, 0, NULL);
        const char *outcome = json_string_value(json_object_get(summary, "outcome"));
        const char *reason = json_string_value(json_object_get(summary, "why"));

        over = outcome != NULL && strcmp(outcome, "running") != 0;
        *failed = over && strcmp(outcome, "failed") == 0;
        snprintf(why, 200, "%s", reason != NULL ? reason : "");
        json_decref(summary);
    }
    free(text);
    free(path);
    return over;
}

/* Office and gateways share this disk: whoever of them has something to write, it is the disk that everybody waits for. */
static bool disk_is_full(const tls_run *r)
{
    struct statvfs disk;

    return statvfs(r->folder, &disk) == 0 && (uint64_t)disk.f_bavail * disk.f_frsize < ROOM_LEAST;
}

/* The server, and a gateway, try again by themselves what a full disk refuses them, and so may we, but not for ever and
 * in silence. */
static wm_status ask_for_trouble(tls_run *r, int64_t *since_ms, wm_error *err)
{
    wm_clock clock = wm_clock_system();
    int64_t  now = wm_mono_ms(&clock);
    char     trouble[WM_ERROR_TEXT] = "";

    (void)server_runs(r, trouble);
    if (trouble[0] == '\0' && disk_is_full(r))
        snprintf(trouble, sizeof trouble, "the disk of %.150s is full", r->set->out);
    if (trouble[0] == '\0') {
        *since_ms = 0;
        return WM_OK;
    }
    if (*since_ms == 0) {
        *since_ms = now;
        if (!r->set->quiet)
            wm_progress_show(&r->line, "waiting: %s", trouble);
    }
    if (now - *since_ms < TROUBLE_MS)
        return WM_OK;
    return wm_fail(err, WM_E_IO,
                   "the run does not go on: %.120s; mend that, and go on with --transport tls --resume --out %s",
                   trouble, r->set->out);
}

static wm_status watch(tls_run *r, wm_error *err)
{
    bool      failed = false;
    char      why[200] = "";
    int64_t   trouble_ms = 0;
    wm_status st;

    for (int looks = 1; !is_over(r, &failed, why); looks++) {
        show_rounds(r);
        if (atomic_load(r->set->interrupted))
            return wm_fail(err, WM_E_CLOSED, "interrupted; go on with --transport tls --resume --out %s",
                           r->set->out);
        if (wm_process_ended(&r->pids[0]))
            return wm_fail(err, WM_E_IO, "the server is gone; its log is %s/server.log", r->folder);
        if (looks % ASK_EVERY == 0 && (st = ask_for_trouble(r, &trouble_ms, err)) != WM_OK)
            return st;
        nap(LOOK_MS);
    }
    show_rounds(r);
    return failed ? wm_fail(err, WM_E_REFUSED, "the run failed: %s", why) : WM_OK;
}

/* The run folder's files come to OUT; the office goes, with its keys. */
static wm_status move_results(tls_run *r, wm_error *err)
{
    char    **names;
    size_t    n;
    wm_status st = wm_folder_names(r->run_folder, &names, &n, err);

    if (st != WM_OK)
        return st;
    for (size_t i = 0; st == WM_OK && i < n; i++) {
        char *from = wm_path_join(r->run_folder, names[i]), *to = wm_path_join(r->set->out, names[i]);

        if (from == NULL || to == NULL || rename(from, to) != 0)
            st = wm_fail(err, WM_E_IO, "cannot move %s to %s: %s", names[i], r->set->out, strerror(errno));
        free(from);
        free(to);
    }
    wm_names_free(names, n);
    return st == WM_OK ? wm_folder_remove(r->folder, err) : st;
}

static wm_status prepare(tls_run *r, wm_error *err)
{
    const wm_owners *owners = r->set->space->owners;
    char            *gateways = NULL, *run = NULL;
    wm_status        st;

    r->server = wm_program_path("wardmote-server");
    r->client = wm_program_path("wardmote-client");
    if (r->server == NULL || r->client == NULL)
        return wm_fail(err, WM_E_MISSING,
                       "wardmote-server and wardmote-client are neither beside this program nor on PATH");
    r->folder = wm_path_join(r->set->out, "tls");
    r->pids = calloc(wm_owners_count(owners) + 1, sizeof *r->pids);
    if (r->folder == NULL || r->pids == NULL || asprintf(&r->office, "%s/office", r->folder) < 0 ||
        asprintf(&r->job, "%s/job.yaml", r->folder) < 0 || asprintf(&gateways, "%s/gateways", r->folder) < 0 ||
        (run = wm_path_join(r->folder, "run")) == NULL) {
        free(gateways);
        return wm_fail(err, WM_E_NOMEM, "no memory");
    }
    if (r->set->resume && !r->files->exists(r->files, r->folder))
        st = wm_fail(err, WM_E_MISSING, "there is no unfinished run over TLS in %s", r->set->out);
    else if (r->set->resume && !r->files->exists(r->files, run))
        st = wm_fail(err, WM_E_MISSING,
                     "the run over TLS in %s had not begun when it was interrupted: remove that folder, "
                     "and start it without --resume",
                     r->set->out);
    else if (!r->set->resume && r->files->exists(r->files, r->set->out))
        st = wm_fail(err, WM_E_EXISTS, "%s is there already; choose another --out", r->set->out);
    else
        st = r->files->make_folder(r->files, gateways, 0700, err);
    free(run);
    free(gateways);
    return st;
}

wm_status wm_tls_run(const wm_tls_run_settings *settings, wm_error *err)
{
    tls_run   r = { .set = settings, .files = wm_files_system() };
    wm_status st;

    signal(SIGPIPE, SIG_IGN);
    wm_progress_init(&r.line, settings->call->out);
    if ((st = prepare(&r, err)) == WM_OK && (settings->resume || (st = make_office(&r, err)) == WM_OK) &&
        (st = start_server(&r, err)) == WM_OK && (st = start_gateways(&r, settings->resume, err)) == WM_OK &&
        (settings->resume || (st = start_job(&r, err)) == WM_OK) && (st = find_run_folder(&r, err)) == WM_OK)
        st = watch(&r, err);
    if (!settings->quiet)
        wm_progress_end(&r.line);
    wm_process_stop(r.pids, r.n_pids);
    if (st == WM_OK)
        st = move_results(&r, err);
    free(r.pids);
    free(r.run_folder);
    free(r.job);
    free(r.office);
    free(r.folder);
    free(r.client);
    free(r.server);
    return st;
}

/* tests/e2e/office.c: the office itself, its server, and how a test waits or fails. */
#include "tests/e2e/inside.h"

#include <arpa/inet.h>
#include <signal.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { LOOK_MS = 20, FILE_MAX = 16 << 20, LOG_SHOWN = 3000, PORTS_FIRST = 20000, PORTS_SPAN = 12000 };

/* Two columns, a window, one hidden layer: an update takes a few ranges, a round a few milliseconds. */
static const char job_text[] = "job: city\n"
                               "data:\n"
                               "  source: {csv: {files: \"*.csv\"}}\n"
                               "  owner: file\n"
                               "  time: {column: time, zone: UTC}\n"
                               "  columns:\n"
                               "    pm25:        {range: [0, 1000], missing: {fill: last, limit: 6, mask: true}}\n"
                               "    temperature: {range: [-40, 60], missing: {fill: last, limit: 6}}\n"
                               "  inputs:\n"
                               "    past: {window: {columns: [pm25, temperature], length: 24}}\n"
                               "  targets:\n"
                               "    pm25: {column: pm25, ahead: 6h, missing: skip}\n"
                               "  scale: federated\n"
                               "  split: {time: [0.7, 0.1, 0.2]}\n"
                               "model:\n"
                               "  layers: [flatten, {dense: 160}, relu, {dense: 1}]\n"
                               "  loss: mse\n"
                               "training: {optimiser: sgd, rate: 0.03, batch: 32, epochs: 1}\n"
                               "strategy: fedavg\n"
                               "evaluate: {every: 1, metrics: [rmse], baselines: [naive]}\n"
                               "seed: 7\n";

int64_t office_now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* ---- files ---- */

char *office_read_text(const char *path)
{
    uint8_t *text;
    size_t   n;

    if (wm_files_system()->read(wm_files_system(), path, FILE_MAX, &text, &n, NULL) != WM_OK)
        return NULL;
    return (char *)text;
}

void office_write_text(const char *path, const char *text)
{
    wm_error err;

    assert_ok(wm_files_system()->replace(wm_files_system(), path, text, strlen(text), 0600, &err), &err);
}

bool office_has_text(const char *path, const char *text)
{
    char *all = office_read_text(path);
    bool  has = all != NULL && strstr(all, text) != NULL;

    free(all);
    return has;
}

/* ---- failing and waiting ---- */

/* Not print_error, which cuts what is long. */
static void show_end(const char *path)
{
    char  *text = office_read_text(path);
    size_t n = text != NULL ? strlen(text) : 0;

    fprintf(stderr, "---- the end of %s\n%s\n", path,
            n > LOG_SHOWN  ? text + n - LOG_SHOWN
            : text != NULL ? text
                           : "(none)");
    free(text);
}

void office_fail(office *o, const char *fmt, ...)
{
    char    path[4300], sentence[4000];
    va_list args;

    va_start(args, fmt);
    vsnprintf(sentence, sizeof sentence, fmt, args);
    va_end(args);
    show_end(o->server_log);
    for (size_t k = 0; k < o->n_gateways; k++) {
        office_gateway_log(o, k, path);
        show_end(path);
    }
    fail_msg("%s", sentence);
    abort(); /* fail_msg does not return, which the compiler cannot know */
}

void office_wait(office *o, bool (*is)(office *o, void *context), void *context, const char *what)
{
    const struct timespec look = { .tv_nsec = LOOK_MS * 1000000L };
    int64_t               end = office_now_ms() + OFFICE_DEADLINE_MS;

    while (!is(o, context)) {
        if (office_now_ms() > end)
            office_fail(o, "waited in vain for %s", what);
        nanosleep(&look, NULL);
    }
}

typedef struct text_wish {
    const char *path, *text;
} text_wish;

static bool text_is_there(office *o, void *context)
{
    const text_wish *wish = context;

    (void)o;
    return office_has_text(wish->path, wish->text);
}

void office_wait_text(office *o, const char *path, const char *text)
{
    char what[600];

    snprintf(what, sizeof what, "\"%.300s\" in %.200s", text, path);
    office_wait(o, text_is_there, &(text_wish){ path, text }, what);
}

/* ---- the office ---- */

static bool is_free(int port)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_port = htons((uint16_t)port),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int                fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool               is = fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0;

    if (fd >= 0)
        close(fd);
    return is;
}

/* Below the range from which the system takes the ports of connections, so that nobody has ours while the server is away;
 * begins where no other test of this moment does. */
static void choose_ports(int ports[OFFICE_PORTS])
{
    int n = 0;

    for (int i = 0; n < OFFICE_PORTS && i < PORTS_SPAN; i++) {
        int port = PORTS_FIRST + (int)(((long)getpid() * 16 + i) % PORTS_SPAN);

        if (is_free(port))
            ports[n++] = port;
    }
    assert_int_equal(n, OFFICE_PORTS);
}

void office_write_job(office *o, int rounds, const char *cohort)
{
    wm_text text = WM_TEXT_INIT;

    wm_text_add(&text, job_text);
    wm_text_printf(&text, "rounds: %d\ncohort: %s\n", rounds,
                   cohort != NULL ? cohort : "{select: all, quorum: 1, deadline: 10m}");
    office_write_text(o->job, wm_text_chars(&text));
    wm_text_release(&text);
}

void office_change_job(office *o, const char *from, const char *to)
{
    wm_text changed = WM_TEXT_INIT;
    char   *text = office_read_text(o->job), *at = text != NULL ? strstr(text, from) : NULL;

    if (at == NULL)
        fail_msg("the job does not say \"%s\"", from);
    wm_text_add_bytes(&changed, text, (size_t)(at - text));
    wm_text_printf(&changed, "%s%s", to, at + strlen(from));
    office_write_text(o->job, wm_text_chars(&changed));
    wm_text_release(&changed);
    free(text);
}

void office_write_server_yaml(office *o, const office_wish *wish)
{
    const char *name = wish->host != NULL ? wish->host : "localhost",
               *at = wish->host != NULL ? wish->host : "127.0.0.1";
    wm_text text = WM_TEXT_INIT;
    char    path[4300];

    wm_text_printf(&text, "names: [%s]\nlisten:\n  control: %s:%d\n  bulk: %s:%d\n  enrolment: %s:%d\n%s", name, at,
                   o->ports[OFFICE_CONTROL], at, o->ports[OFFICE_BULK], at, o->ports[OFFICE_ENROLMENT],
                   wish->more != NULL ? wish->more : "");
    snprintf(path, sizeof path, "%s/server.yaml", o->dir);
    office_write_text(path, wm_text_chars(&text));
    wm_text_release(&text);
}

static void read_names(office *o)
{
    char *rest, *line;

    office_do(o, NULL, WARDMOTE, "data", o->job, "--data", o->data, "--names", NULL);
    rest = o->output.chars;
    for (size_t k = 0; k < o->n_gateways; k++) {
        line = strsep(&rest, "\n");
        assert_true(line != NULL && *line != '\0');
        snprintf(o->names[k], sizeof o->names[k], "%.63s", line != NULL ? line : "");
    }
}

void office_open(office *o, const office_wish *wish)
{
    char     path[4300], count[16];
    wm_error err;

    *o = (office){ .n_gateways = wish->n_gateways > 0 ? wish->n_gateways : 3 };
    signal(SIGPIPE, SIG_IGN);
    wm_test_folder(o->folder);
    snprintf(o->dir, sizeof o->dir, "%s/office", o->folder);
    snprintf(o->data, sizeof o->data, "%s/data", o->folder);
    snprintf(o->job, sizeof o->job, "%s/job.yaml", o->folder);
    snprintf(o->server_log, sizeof o->server_log, "%s/server.log", o->folder);
    snprintf(path, sizeof path, "%s/gateways", o->folder);
    snprintf(count, sizeof count, "%zu", o->n_gateways);
    assert_ok(wm_files_system()->make_folder(wm_files_system(), path, 0700, &err), &err);
    office_do(o, NULL, WARDMOTE, "sample", "city", o->data, "--gateways", count, "--days",
              wish->days != NULL ? wish->days : "24", NULL);
    office_write_job(o, wish->rounds > 0 ? wish->rounds : 3, wish->cohort);
    read_names(o);
    office_do(o, NULL, WARDMOTE_SERVER, "init", o->dir, "--name", wish->host != NULL ? wish->host : "localhost",
              NULL);
    choose_ports(o->ports);
    office_write_server_yaml(o, wish);
}

void office_verified(office *o)
{
    if (office_run(o, NULL, WARDMOTE_SERVER, "verify", o->dir, NULL) != 0)
        office_fail(o, "the history does not hold:\n%s%s", wm_text_chars(&o->output), wm_text_chars(&o->complaint));
}

void office_close(office *o)
{
    wm_error err;

    office_process_kill(&o->server);
    for (size_t k = 0; k < OFFICE_GATEWAYS; k++)
        office_process_kill(&o->gateways[k]);
    if (o->folder[0] != '\0' && !o->damaged)
        office_verified(o);
    wm_text_release(&o->output);
    wm_text_release(&o->complaint);
    if (o->folder[0] != '\0')
        assert_ok(wm_folder_remove(o->folder, &err), &err);
}

office *office_begin(void **state, const office_wish *wish)
{
    office *o = calloc(1, sizeof *o);

    assert_non_null(o);
    *state = o;
    office_open(o, wish);
    return o;
}

int office_end(void **state)
{
    office_close(*state);
    free(*state);
    return 0;
}

/* ---- the server ---- */

json_t *office_status(office *o)
{
    json_t *status;

    office_do(o, NULL, WARDMOTE_SERVER, "status", o->dir, "--json", NULL);
    status = json_loads(wm_text_chars(&o->output), 0, NULL);
    assert_non_null(status);
    return status;
}

/* Whether it has ended, without reaping it; *by_signal: it was killed. */
/* Whether the server answers itself, or has died of its crash point. */
static bool answers(office *o, void *context)
{
    json_t *status = NULL;
    bool    runs, by_signal, *may_die = context;

    if (office_process_is_dead(o->server, &by_signal)) {
        if (*may_die && by_signal)
            return true;
        office_fail(o, "the server did not start");
    }
    if (office_run(o, NULL, WARDMOTE_SERVER, "status", o->dir, "--json", NULL) == 0)
        status = json_loads(wm_text_chars(&o->output), 0, NULL);
    runs = json_is_true(json_object_get(status, "server_runs"));
    json_decref(status);
    return runs;
}

void office_server_start(office *o, const char *crash)
{
    bool may_die = crash != NULL;

    assert_int_equal(o->server, 0);
    o->server = office_process_start(WARDMOTE_SERVER, "run", o->dir, o->server_log, crash);
    office_wait(o, answers, &may_die, "the server to answer");
}

void office_server_stop(office *o)
{
    office_process_stop(o, &o->server, "the server to end");
}

void office_server_kill(office *o)
{
    office_process_kill(&o->server);
}

void office_server_crashes(office *o)
{
    office_process_crashes(o, &o->server, "the server to die at its crash point");
}

/* tests/e2e/office.c */
#include "tests/e2e/office.h"

#include "common/files.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    LOOK_MS = 20,
    WORDS_MAX = 24,
    FILE_MAX = 16 << 20,
    LOG_SHOWN = 3000,
    PORTS_FIRST = 20000,
    PORTS_SPAN = 12000
};

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

static char *read_text(const char *path)
{
    uint8_t *text;
    size_t   n;

    if (wm_files_system()->read(wm_files_system(), path, FILE_MAX, &text, &n, NULL) != WM_OK)
        return NULL;
    return (char *)text;
}

static void write_text(const char *path, const char *text)
{
    wm_error err;

    assert_ok(wm_files_system()->replace(wm_files_system(), path, text, strlen(text), 0600, &err), &err);
}

bool office_has_text(const char *path, const char *text)
{
    char *all = read_text(path);
    bool  has = all != NULL && strstr(all, text) != NULL;

    free(all);
    return has;
}

/* ---- failing and waiting ---- */

/* Not print_error, which cuts what is long. */
static void show_end(const char *path)
{
    char  *text = read_text(path);
    size_t n = text != NULL ? strlen(text) : 0;

    fprintf(stderr, "---- the end of %s\n%s\n", path,
            n > LOG_SHOWN  ? text + n - LOG_SHOWN
            : text != NULL ? text
                           : "(none)");
    free(text);
}

void office_fail(office *o, const char *fmt, ...)
{
    char    path[4300], sentence[1000];
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

/* ---- processes ---- */

static void program_path(office_program program, char path[4300])
{
    static const char *const places[] = { [WARDMOTE] = "server/wardmote",
                                          [WARDMOTE_SERVER] = "server/wardmote-server",
                                          [WARDMOTE_CLIENT] = "client/wardmote-client" };
    const char              *build = getenv("WM_BUILD");

    if (build == NULL)
        fail_msg("WM_BUILD is not set: run the tests with meson test");
    snprintf(path, 4300, "%s/%s", build, places[program]);
}

static pid_t spawn(const char *path, char *const *argv, int in, int out, int errors, const char *crash)
{
    pid_t parent = getpid(), pid = fork();

    if (pid < 0)
        fail_msg("cannot fork: %s", strerror(errno));
    if (pid > 0)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(127);
    if (crash != NULL)
        setenv("WARDMOTE_CRASH", crash, 1);
    dup2(in, STDIN_FILENO);
    dup2(out, STDOUT_FILENO);
    dup2(errors, STDERR_FILENO);
    unsetenv("OPENBLAS_NUM_THREADS"); /* its threads are there in the field: none of them may take a signal */
    execv(path, argv);
    dprintf(STDERR_FILENO, "cannot start %s: %s\n", path, strerror(errno));
    _exit(127);
}

/* With its words in a log. */
static pid_t start(office_program program, const char *verb, const char *folder, const char *log, const char *crash)
{
    char  path[4300];
    char *argv[] = { path, (char *)(uintptr_t)verb, (char *)(uintptr_t)folder, NULL };
    int   in = open("/dev/null", O_RDONLY | O_CLOEXEC),
        out = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    pid_t pid;

    assert_true(in >= 0 && out >= 0);
    program_path(program, path);
    pid = spawn(path, argv, in, out, out, crash);
    close(in);
    close(out);
    return pid;
}

typedef struct end_wish {
    pid_t *pid;
    int    status;
} end_wish;

static bool has_ended(office *o, void *context)
{
    end_wish *wish = context;

    (void)o;
    if (waitpid(*wish->pid, &wish->status, WNOHANG) != *wish->pid)
        return false;
    *wish->pid = 0;
    return true;
}

/* Waits until it is gone; its status as waitpid has it. */
static int wait_end(office *o, pid_t *pid, const char *what)
{
    end_wish wish = { .pid = pid };

    assert_true(*pid > 0);
    office_wait(o, has_ended, &wish, what);
    return wish.status;
}

static void stop(office *o, pid_t *pid, const char *what)
{
    int status;

    kill(*pid, SIGTERM);
    status = wait_end(o, pid, what);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        office_fail(o, "%s: after SIGTERM it did not exit with 0 but with status %#x", what, (unsigned)status);
}

static void crashes(office *o, pid_t *pid, const char *what)
{
    int status = wait_end(o, pid, what);

    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
        office_fail(o, "%s: it ended with status %#x", what, (unsigned)status);
}

/* ---- commands ---- */

/* Reads both pipes to their ends. */
static void drain(int out, int errors, wm_text *output, wm_text *complaint)
{
    struct pollfd fds[2] = { { .fd = out, .events = POLLIN }, { .fd = errors, .events = POLLIN } };
    wm_text      *to[2] = { output, complaint };
    char          bytes[4096];

    while (fds[0].fd >= 0 || fds[1].fd >= 0) {
        if (poll(fds, 2, -1) < 0 && errno != EINTR)
            return;
        for (int i = 0; i < 2; i++) {
            ssize_t n;

            if (fds[i].fd < 0 || fds[i].revents == 0)
                continue;
            n = read(fds[i].fd, bytes, sizeof bytes);
            if (n > 0)
                wm_text_add_bytes(to[i], bytes, (size_t)n);
            else if (n == 0 || errno != EINTR)
                fds[i].fd = -1;
        }
    }
}

static int run_words(office *o, const char *input, office_program program, va_list words)
{
    char  path[4300], *argv[WORDS_MAX + 2] = { path };
    int   in[2], out[2], errors[2], status = 0;
    pid_t pid;

    for (size_t i = 1; (argv[i] = va_arg(words, char *)) != NULL; i++)
        assert_true(i < WORDS_MAX);
    program_path(program, path);
    wm_text_release(&o->output);
    wm_text_release(&o->complaint);
    assert_true(pipe2(in, O_CLOEXEC) == 0 && pipe2(out, O_CLOEXEC) == 0 && pipe2(errors, O_CLOEXEC) == 0);
    pid = spawn(path, argv, in[0], out[1], errors[1], NULL);
    close(in[0]);
    close(out[1]);
    close(errors[1]);
    if (input != NULL) /* a token, which fits the pipe */
        assert_true(write(in[1], input, strlen(input)) == (ssize_t)strlen(input));
    close(in[1]);
    drain(out[0], errors[0], &o->output, &o->complaint);
    close(out[0]);
    close(errors[0]);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int office_run(office *o, const char *input, office_program program, ...)
{
    va_list words;
    int     code;

    va_start(words, program);
    code = run_words(o, input, program, words);
    va_end(words);
    return code;
}

void office_do(office *o, const char *input, office_program program, ...)
{
    va_list words;
    int     code;

    va_start(words, program);
    code = run_words(o, input, program, words);
    va_end(words);
    if (code != 0)
        office_fail(o, "a command exits with %d: %s", code, wm_text_chars(&o->complaint));
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
    write_text(o->job, wm_text_chars(&text));
    wm_text_release(&text);
}

static void write_server_yaml(office *o, const char *more)
{
    wm_text text = WM_TEXT_INIT;
    char    path[4300];

    wm_text_printf(
        &text,
        "names: [localhost]\nlisten:\n  control: 127.0.0.1:%d\n  bulk: 127.0.0.1:%d\n  enrolment: 127.0.0.1:%d\n%s",
        o->ports[OFFICE_CONTROL], o->ports[OFFICE_BULK], o->ports[OFFICE_ENROLMENT], more != NULL ? more : "");
    snprintf(path, sizeof path, "%s/server.yaml", o->dir);
    write_text(path, wm_text_chars(&text));
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
    office_do(o, NULL, WARDMOTE, "sample", "city", o->data, "--gateways", count, "--days", "24", NULL);
    office_write_job(o, wish->rounds > 0 ? wish->rounds : 3, wish->cohort);
    read_names(o);
    office_do(o, NULL, WARDMOTE_SERVER, "init", o->dir, "--name", "localhost", NULL);
    choose_ports(o->ports);
    write_server_yaml(o, wish->more);
}

static void kill_and_reap(pid_t *pid)
{
    if (*pid <= 0)
        return;
    kill(*pid, SIGKILL);
    waitpid(*pid, NULL, 0);
    *pid = 0;
}

void office_close(office *o)
{
    wm_error err;

    kill_and_reap(&o->server);
    for (size_t k = 0; k < OFFICE_GATEWAYS; k++)
        kill_and_reap(&o->gateways[k]);
    wm_text_release(&o->output);
    wm_text_release(&o->complaint);
    if (o->folder[0] != '\0')
        assert_ok(wm_folder_remove(o->folder, &err), &err);
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
static bool is_dead(pid_t pid, bool *by_signal)
{
    siginfo_t info = { .si_pid = 0 };

    if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid != pid)
        return false;
    *by_signal = info.si_code != CLD_EXITED;
    return true;
}

/* Whether the server answers itself, or has died of its crash point. */
static bool answers(office *o, void *context)
{
    json_t *status = NULL;
    bool    runs, by_signal, *may_die = context;

    if (is_dead(o->server, &by_signal)) {
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
    o->server = start(WARDMOTE_SERVER, "run", o->dir, o->server_log, crash);
    office_wait(o, answers, &may_die, "the server to answer");
}

void office_server_stop(office *o)
{
    stop(o, &o->server, "the server to end");
}

void office_server_kill(office *o)
{
    kill_and_reap(&o->server);
}

void office_server_crashes(office *o)
{
    crashes(o, &o->server, "the server to die at its crash point");
}

/* ---- gateways ---- */

void office_gateway_folder(const office *o, size_t k, char path[4300])
{
    snprintf(path, 4300, "%s/gateways/%s", o->folder, o->names[k]);
}

void office_gateway_log(const office *o, size_t k, char path[4300])
{
    snprintf(path, 4300, "%s/gateways/%s.log", o->folder, o->names[k]);
}

void office_enrol(office *o, size_t k)
{
    char     folder[4300], path[4400], *token;
    wm_error err;

    office_gateway_folder(o, k, folder);
    office_do(o, NULL, WARDMOTE_SERVER, "token", o->dir, o->names[k], NULL);
    token = strdup(wm_text_chars(&o->output));
    assert_non_null(token);
    office_do(o, token, WARDMOTE_CLIENT, "enroll", folder, "--token", "-", NULL);
    free(token);
    office_do(o, NULL, WARDMOTE, "data", o->job, "--data", o->data, "--client-yaml", o->names[k], NULL);
    snprintf(path, sizeof path, "%s/client.yaml", folder);
    assert_ok(wm_files_system()->append(wm_files_system(), path, o->output.chars, o->output.size, &err), &err);
}

void office_client_yaml(office *o, size_t k, const char *key, const char *value)
{
    char    folder[4300], path[4400], *text, *line;
    wm_text changed = WM_TEXT_INIT;

    office_gateway_folder(o, k, folder);
    snprintf(path, sizeof path, "%s/client.yaml", folder);
    text = read_text(path);
    line = text != NULL ? strstr(text, key) : NULL;
    if (line == NULL || (line > text && line[-1] != '\n'))
        fail_msg("there is no line %s in %s", key, path);
    wm_text_add_bytes(&changed, text, (size_t)(line - text));
    wm_text_printf(&changed, "%s %s%s", key, value, line + strcspn(line, "\n"));
    write_text(path, wm_text_chars(&changed));
    wm_text_release(&changed);
    free(text);
}

void office_enrol_all(office *o)
{
    for (size_t k = 0; k < o->n_gateways; k++)
        office_enrol(o, k);
}

void office_gateway_start(office *o, size_t k, const char *crash)
{
    char folder[4300], log[4300];

    assert_int_equal(o->gateways[k], 0);
    office_gateway_folder(o, k, folder);
    office_gateway_log(o, k, log);
    o->gateways[k] = start(WARDMOTE_CLIENT, "run", folder, log, crash);
}

void office_gateways_start(office *o)
{
    for (size_t k = 0; k < o->n_gateways; k++)
        office_gateway_start(o, k, NULL);
}

void office_gateway_stop(office *o, size_t k)
{
    stop(o, &o->gateways[k], "the gateway to end");
}

void office_gateway_crashes(office *o, size_t k)
{
    crashes(o, &o->gateways[k], "the gateway to die at its crash point");
}

/* ---- runs ---- */

void office_job_start(office *o)
{
    office_do(o, NULL, WARDMOTE_SERVER, "job", o->dir, "start", o->job, NULL);
    snprintf(o->run, sizeof o->run, "%.63s", wm_text_chars(&o->output));
    o->run[strcspn(o->run, "\n")] = '\0';
    assert_int_equal(strlen(o->run), 32);
}

static void run_path(const office *o, const char *name, char path[4400])
{
    snprintf(path, 4400, "%s/runs/%s/%s", o->dir, o->run, name);
}

char *office_run_file(office *o, const char *name)
{
    char path[4400], *text;

    run_path(o, name, path);
    text = read_text(path);
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

    run_path(o, "summary.json", path);
    summary = json_load_file(path, 0, NULL);
    outcome = json_string_value(json_object_get(summary, "outcome"));
    if (outcome != NULL && strcmp(outcome, "running") != 0) {
        *ret = summary;
        return true;
    }
    json_decref(summary);
    if (o->server > 0 && is_dead(o->server, &by_signal))
        office_fail(o, "the server is gone before the run is over");
    return false;
}

json_t *office_wait_over(office *o)
{
    json_t *summary = NULL;

    office_wait(o, is_over, &summary, "the run to be over");
    return summary;
}

static bool has_rounds(office *o, void *context)
{
    const int *rounds = context;
    char       path[4400], *text;
    int        lines = 0;

    run_path(o, "rounds.csv", path);
    text = read_text(path);
    for (const char *at = text; at != NULL && (at = strchr(at, '\n')) != NULL; at++)
        lines++;
    free(text);
    return lines > *rounds; /* and the header */
}

void office_wait_rounds(office *o, int rounds)
{
    office_wait(o, has_rounds, &rounds, "rounds to be done");
}

void office_simulate(office *o, const char *workers, char sha[65])
{
    char        out[4300];
    json_t     *summary;
    const char *digest;
    wm_error    err;

    snprintf(out, sizeof out, "%s/simulated", o->folder);
    assert_ok(wm_folder_remove(out, &err), &err);
    office_do(o, NULL, WARDMOTE, "simulate", o->job, "--data", o->data, "--out", out, "--workers", workers, NULL);
    strcat(out, "/summary.json");
    summary = json_load_file(out, 0, NULL);
    digest = json_string_value(json_object_get(summary, "model_sha256"));
    assert_non_null(digest);
    snprintf(sha, 65, "%.64s", digest);
    json_decref(summary);
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

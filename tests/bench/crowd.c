/* tests/bench/crowd.c */
#include "tests/bench/crowd.h"

#include "client/gateway.h"
#include "common/files.h"

#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* The source is never opened; no evaluation between the rounds. */
static const char job_text[] = "job: crowd\n"
                               "data:\n"
                               "  source: {idx: {images: \"images\", labels: \"labels\"}}\n"
                               "  owner: {iid: {clients: 2}}\n"
                               "  inputs:\n"
                               "    image: {pixels: {shape: [28, 28, 1]}}\n"
                               "  targets:\n"
                               "    digit: {column: label, classes: 10}\n"
                               "  scale: none\n"
                               "  split: {files: {test: \"t10k-*\"}}\n"
                               "model:\n"
                               "  layers: [%s]\n"
                               "  loss: cross_entropy\n"
                               "training: {optimiser: sgd, rate: 0.1, batch: 10, epochs: 1}\n"
                               "rounds: %d\n"
                               "cohort: {select: all, quorum: 1, deadline: 10m}\n"
                               "strategy: fedavg\n"
                               "evaluate: {every: %d, metrics: [accuracy]}\n"
                               "seed: 3\n";

static const char client_yaml[] =
    "data: {folder: /nonexistent, source: {csv: \"*.csv\"}}\nlimits: {memory: 4GiB}\n";

static void add_to(const char *path, const char *text)
{
    wm_error err;

    assert_ok(wm_files_system()->append(wm_files_system(), path, text, strlen(text), &err), &err);
}

static void write_job(crowd *c)
{
    wm_text  text = WM_TEXT_INIT;
    wm_error err;

    wm_text_printf(&text, job_text, c->wish.layers, c->wish.rounds, c->wish.rounds);
    assert_ok(wm_files_system()->replace(wm_files_system(), c->o.job, text.chars, text.size, 0600, &err), &err);
    wm_text_release(&text);
}

static void folder_of(const crowd *c, size_t k, char path[4300])
{
    snprintf(path, 4300, "%s/gateways/client-%03zu", c->o.folder, k);
}

static void enrol(crowd *c, size_t k)
{
    char folder[4300], path[4400], name[64], *token;

    folder_of(c, k, folder);
    snprintf(name, sizeof name, "client-%03zu", k);
    office_do(&c->o, NULL, WARDMOTE_SERVER, "token", c->o.dir, name, NULL);
    token = strdup(wm_text_chars(&c->o.output));
    assert_non_null(token);
    office_do(&c->o, token, WARDMOTE_CLIENT, "enroll", folder, "--token", "-", NULL);
    free(token);
    snprintf(path, sizeof path, "%s/client.yaml", folder);
    add_to(path, client_yaml);
}

/* In the child: the client, until SIGTERM. */
static void be_client(const crowd *c, size_t k)
{
    char      folder[4300], path[4400];
    wm_faults faults;
    wm_error  err;
    FILE     *out;
    wm_log   *log;

    folder_of(c, k, folder);
    snprintf(path, sizeof path, "%s.log", folder);
    out = fopen(path, "ae");
    log = out != NULL ? wm_log_new(out, WM_LOG_PLAIN, WM_LOG_INFO, wm_clock_system()) : NULL;
    if (log == NULL)
        _exit(2);
    wm_faults_init(&faults, "client.yaml");
    if (wm_gateway_run(&(wm_gateway_settings){ .folder = folder,
                                               .files = wm_files_system(),
                                               .clock = wm_clock_system(),
                                               .log = log,
                                               .faults = &faults },
                       &err) != WM_OK) {
        fprintf(out, "%s\n", err.text);
        fclose(out);
        _exit(1);
    }
    _exit(0);
}

static void start_client(crowd *c, size_t k)
{
    pid_t parent = getpid();

    c->pids[k] = fork();
    assert_true(c->pids[k] >= 0);
    if (c->pids[k] > 0)
        return;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() == parent)
        be_client(c, k);
    _exit(127);
}

static bool all_have_checked_in(office *o, void *context)
{
    const crowd_wish *wish = context;
    size_t            n = 0;
    uint8_t          *log;
    size_t            size;

    if (wm_files_system()->read(wm_files_system(), o->server_log, 64 << 20, &log, &size, NULL) != WM_OK)
        return false;
    for (const char *at = (char *)log; (at = strstr(at, "checked in name=client-")) != NULL; at++)
        n++;
    free(log);
    return n >= wish->clients;
}

/* The folder of the gateways becomes a link to one in memory. */
static void move_to_memory(crowd *c)
{
    char path[4300], folder[] = "/dev/shm/wardmote-test-XXXXXX";

    assert_non_null(mkdtemp(folder));
    snprintf(c->memory, sizeof c->memory, "%s", folder);
    snprintf(path, sizeof path, "%s/gateways", c->o.folder);
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(symlink(c->memory, path), 0);
}

void crowd_open(crowd *c, const crowd_wish *wish)
{
    c->wish = *wish;
    c->pids = calloc(wish->clients, sizeof(pid_t));
    assert_non_null(c->pids);
    office_open(&c->o, &(office_wish){ .n_gateways = 1, .more = "connections: {most: 4096}\n" });
    if (wish->in_memory)
        move_to_memory(c);
    write_job(c);
    office_server_start(&c->o, NULL);
    for (size_t k = 0; k < wish->clients; k++)
        enrol(c, k);
    for (size_t k = 0; k < wish->clients; k++)
        start_client(c, k);
    office_wait(&c->o, all_have_checked_in, &c->wish, "all clients to check in");
}

void crowd_close(crowd *c)
{
    for (size_t k = 0; c->pids != NULL && k < c->wish.clients; k++) {
        if (c->pids[k] <= 0)
            continue;
        kill(c->pids[k], SIGKILL);
        waitpid(c->pids[k], NULL, 0);
    }
    free(c->pids);
    office_close(&c->o);
    if (c->memory[0] != '\0')
        assert_int_equal(wm_folder_remove(c->memory, NULL), WM_OK);
}

static int rounds_done(crowd *c)
{
    char     path[4400];
    uint8_t *text;
    size_t   n;
    int      lines = 0;

    snprintf(path, sizeof path, "%s/runs/%s/rounds.csv", c->o.dir, c->o.run);
    if (wm_files_system()->read(wm_files_system(), path, 1 << 20, &text, &n, NULL) != WM_OK)
        return 0;
    for (size_t i = 0; i < n; i++)
        lines += text[i] == '\n';
    free(text);
    return lines - 1; /* the header */
}

void crowd_wait_rounds(crowd *c, int rounds)
{
    const struct timespec look = { .tv_nsec = 20 * 1000000L };
    int64_t               end = office_now_ms() + ROUND_MS_MAX;

    while (rounds_done(c) < rounds) {
        if (office_now_ms() > end)
            office_fail(&c->o, "round %d is not done after %d s", rounds, ROUND_MS_MAX / 1000);
        nanosleep(&look, NULL);
    }
}

void crowd_opened_ms(crowd *c, int rounds, int64_t *ms)
{
    char          path[4300];
    sqlite3      *db;
    sqlite3_stmt *rows;
    int           n = 0;

    snprintf(path, sizeof path, "%s/store.db", c->o.dir);
    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, "SELECT opened_ms FROM rounds ORDER BY round", -1, &rows, NULL),
                     SQLITE_OK);
    while (n < rounds && sqlite3_step(rows) == SQLITE_ROW)
        ms[n++] = sqlite3_column_int64(rows, 0);
    sqlite3_finalize(rows);
    sqlite3_close(db);
    assert_int_equal(n, rounds);
}

/* ---- /proc ---- */

double process_cpu(pid_t pid)
{
    char          path[64], line[1024];
    unsigned long user = 0, system = 0;
    FILE         *file;

    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    file = fopen(path, "re");
    assert_non_null(file);
    assert_non_null(fgets(line, sizeof line, file));
    fclose(file);
    assert_int_equal(
        sscanf(strrchr(line, ')') + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system), 2);
    return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

double process_mib(pid_t pid, const char *name, const char *key)
{
    char   path[64], line[256];
    double kib = -1;
    FILE  *file;

    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
    file = fopen(path, "re");
    assert_non_null(file);
    while (kib < 0 && fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, key, strlen(key)) == 0)
            kib = strtod(line + strlen(key), NULL);
    fclose(file);
    assert_true(kib >= 0);
    return kib / 1024;
}

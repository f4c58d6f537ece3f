/* tests/torture/scenarios.c
 *
 * Every allocation of every scenario fails once. Each scenario has a child of its own, so that a crash ends that one
 * alone; the child says in shared memory where it is.
 *
 * WM_TORTURE_SECONDS bounds the whole: then allocations are sampled, evenly, and the figure says how many of how many. */
#include "tests/torture/scenario.h"

#include "common/files.h"
#include "tests/figures.h"
#include "tests/torture/allocations.h"
#include "tests/unit.h"

#include <errno.h>
#include <openssl/err.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { WARM_UPS = 3, TIMEOUT_S = 60, TOLD_MAX = 12 };

typedef struct note {
    uint64_t at, tried,
        wrong;      /* the allocation that fails just now; how many have; after how many not all was well */
    uint64_t count; /* of all of them */
    char     where[32];
} note;

static note *shared;

/* Of a build for coverage: the child's lines count too, though it leaves without handlers. */
void __gcov_dump(void) __attribute__((weak));

/* Of AddressSanitizer: libraries' objects, which torture_live does not count. */
int __lsan_do_recoverable_leak_check(void) __attribute__((weak));

static double now_s(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static void found(const scenario *s, const char *what, const char *more)
{
    if (shared->wrong++ < TOLD_MAX)
        printf("# %s: allocation %llu fails (at %s): %s%s\n", s->name, (unsigned long long)shared->at,
               shared->where, what, more);
    fflush(stdout);
}

/* A scenario hangs: says since which allocation, before the alarm ends it. */
static void on_alarm(int number)
{
    torture_failed_at(shared->where, sizeof shared->where);
    raise(number);
}

/* Once, with the fail_at-th allocation failing; false: there are not so many. */
static bool once(const scenario *s, const char *base, uint64_t fail_at)
{
    wm_error  err = { WM_OK, "" };
    char      folder[4200], text[600];
    uint64_t  before, after;
    wm_status st;
    bool      failed;

    snprintf(folder, sizeof folder, "%s/%llu", base, (unsigned long long)fail_at);
    if (mkdir(folder, 0700) != 0) {
        perror(folder);
        exit(1);
    }
    shared->at = fail_at;
    alarm(TIMEOUT_S);
    before = torture_live();
    torture_arm(fail_at);
    st = s->play(folder, &err);
    shared->count = torture_disarm();
    failed = torture_has_failed();
    after = torture_live();
    alarm(0);
    ERR_clear_error();
    torture_failed_at(shared->where, sizeof shared->where);
    if (fail_at == 0)
        failed = true; /* nothing has, and all must be as well as then */
    if (failed && st != WM_OK && st != WM_E_NOMEM && (!s->loose || st == WM_E_DAMAGED)) {
        snprintf(text, sizeof text, "%s: %s", wm_status_name(st), err.text);
        found(s, "the status is ", text);
    }
    if (failed && st != WM_OK && err.text[0] == '\0')
        found(s, "it fails without a sentence", "");
    if (failed && after != before) {
        snprintf(text, sizeof text, "%lld", (long long)(after - before));
        found(s, "blocks more are held than before: ", text);
        if (shared->wrong < TOLD_MAX)
            torture_tell_live(4);
    }
    (void)wm_folder_remove(folder, NULL);
    return failed;
}

/* In a child. What is made once and kept (OpenSSL's tables, a thread's buffers) is made in the warm-ups. */
static void play_all(const scenario *s, const char *base, double budget_s)
{
    const char *first = getenv("WM_TORTURE_FROM"); /* to see one again */
    double      start, each;
    uint64_t    stride = 1;

    sigaction(SIGALRM, &(struct sigaction){ .sa_handler = on_alarm, .sa_flags = (int)SA_RESETHAND | SA_NODEFER },
              NULL);
    for (int i = 0; i < WARM_UPS; i++) {
        wm_error  err = { WM_OK, "" };
        char      folder[4200];
        wm_status st;

        snprintf(folder, sizeof folder, "%s/warm%d", base, i);
        mkdir(folder, 0700);
        alarm(TIMEOUT_S);
        st = s->play(folder, &err);
        if (st != WM_OK) {
            printf("# %s: does not go with all the memory that it wants: %s: %s\n", s->name, wm_status_name(st),
                   err.text);
            exit(1);
        }
        (void)wm_folder_remove(folder, NULL);
    }
    start = now_s();
    (void)once(s, base, 0);
    each = now_s() - start;
    if (budget_s > 0 && each * (double)shared->count > budget_s)
        stride = (uint64_t)(each * (double)shared->count / budget_s) + 1;
    for (uint64_t number = first != NULL ? strtoull(first, NULL, 10) : 1; once(s, base, number); number += stride)
        shared->tried++;
    if (shared->wrong == 0)
        (void)once(s, base, 0); /* and no lasting harm is done */
}

/* true: all was well. Adds to the figure. */
static bool torment(const scenario *s, const char *base, double budget_s, fault_figure *figure,
                    uint64_t *allocations)
{
    pid_t  child;
    int    status = 0;
    double start = now_s();

    memset(shared, 0, sizeof *shared);
    fflush(NULL);
    if ((child = fork()) < 0) {
        perror("fork");
        exit(1);
    }
    if (child == 0) {
        play_all(s, base, budget_s);
        fflush(NULL);
        if (__gcov_dump != NULL)
            __gcov_dump();
        _exit(shared->wrong != 0 ||
              (__lsan_do_recoverable_leak_check != NULL && __lsan_do_recoverable_leak_check() != 0));
    }
    waitpid(child, &status, 0);
    if (WIFSIGNALED(status)) {
        shared->wrong++;
        shared->tried++;
        printf("# %s: allocation %llu fails (at %s): %s\n", s->name, (unsigned long long)shared->at, shared->where,
               WTERMSIG(status) == SIGALRM ? "it hangs" : strsignal(WTERMSIG(status)));
    } else if (WEXITSTATUS(status) != 0 && shared->wrong == 0) {
        shared->wrong++;
    }
    printf("# %s: %llu of %llu allocations failed in turn, %.1f s\n", s->name, (unsigned long long)shared->tried,
           (unsigned long long)shared->count, now_s() - start);
    figure->tries += shared->tried;
    figure->survived += shared->tried - (shared->wrong < shared->tried ? shared->wrong : shared->tried);
    *allocations += shared->count;
    return shared->wrong == 0;
}

int main(int argc, char **argv)
{
    const struct {
        const scenario *items;
        size_t          n;
    } lists[] = {
        { common_scenarios, n_common_scenarios }, { client_scenarios, n_client_scenarios },
        { server_scenarios, n_server_scenarios }, { wire_scenarios, n_wire_scenarios },
        { tool_scenarios, n_tool_scenarios },
    };
    const char  *seconds = getenv("WM_TORTURE_SECONDS");
    double       budget_s = seconds != NULL ? strtod(seconds, NULL) : 0;
    fault_figure figure = { .fault = "an allocation of our own code fails, in turn, over whole scenarios",
                            .seconds = -1 };
    uint64_t     allocations = 0;
    size_t       n = 0, number = 0;
    char         base[4096];
    int          failed = 0;

    if (getenv("TMPDIR") == NULL && access("/dev/shm", W_OK) == 0)
        setenv("TMPDIR", "/dev/shm", 1); /* nothing here is about the disk */
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) {
        perror("mmap");
        return 1;
    }
    wm_test_folder(base);
    for (size_t l = 0; l < COUNT(lists); l++)
        n += lists[l].n;
    printf("1..%zu\n", argc > 1 ? (size_t)argc - 1 : n);
    for (size_t l = 0; l < COUNT(lists); l++)
        for (size_t i = 0; i < lists[l].n; i++) {
            const scenario *s = &lists[l].items[i];
            bool            chosen = argc == 1, well;

            for (int a = 1; a < argc; a++)
                chosen |= strcmp(argv[a], s->name) == 0;
            if (!chosen)
                continue;
            well = torment(s, base, budget_s / (double)n, &figure, &allocations);
            printf("%s %zu - %s\n", well ? "ok" : "not ok", ++number, s->name);
            failed |= !well;
        }
    printf("# %llu of %llu allocations failed, one at a time\n", (unsigned long long)figure.tries,
           (unsigned long long)allocations);
    tell_fault(&figure);
    (void)wm_folder_remove(base, NULL);
    return failed;
}

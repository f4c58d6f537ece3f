/* tests/torture/unit_tests.c
 *
 * An ordinary test program, linked with this and the seam, run with every allocation of the code under test failing once.
 * Each test is run in a child first, to count; then for each allocation in a child whose n-th one fails. That child's test
 * may pass, or fail by an assertion, since what it wanted was refused. It may not die, hang, overrun its memory, or fail
 * without a word.
 *
 * WM_TORTURE_SECONDS bounds a program's time: each test has its share of it, allocations are sampled, evenly, and the
 * figure says how many of how many. Without it all of them fail. Leaks are the matter of scenarios.c: an assertion leaves by longjmp. */
#include "tests/torture/allocations.h"

#include "common/files.h"
#include "tests/figures.h"
#include "tests/unit.h"

#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { OUTPUT_MAX = 16 << 10, TIMEOUT_MS = 30 * 1000, TOLD_MAX = 12 };

int __real__cmocka_run_group_tests(const char *name, const struct CMUnitTest *tests, size_t n,
                                   CMFixtureFunction before, CMFixtureFunction after);
int __wrap__cmocka_run_group_tests(const char *name, const struct CMUnitTest *tests, size_t n,
                                   CMFixtureFunction before, CMFixtureFunction after);

typedef struct group {
    const char       *name;
    CMFixtureFunction before, after;
} group;

/* What a child leaves for its parent. */
typedef struct note {
    uint64_t count;
    bool     failed; /* the allocation */
    char     where[32];
} note;

static note *shared;

typedef struct ending {
    int    status; /* as from waitpid; -1: it hung */
    char   output[OUTPUT_MAX];
    size_t n;
} ending;

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void be_child(const group *g, const struct CMUnitTest *test, uint64_t fail_at, int out)
{
    int failed;

    dup2(out, STDOUT_FILENO);
    dup2(out, STDERR_FILENO);
    torture_arm(fail_at);
    failed = __real__cmocka_run_group_tests(g->name, test, 1, g->before, g->after);
    shared->count = torture_disarm();
    shared->failed = torture_has_failed();
    torture_failed_at(shared->where, sizeof shared->where);
    fflush(NULL);
    _exit(failed != 0); /* no leak check, no handlers: an assertion leaves things behind */
}

/* Reads what the child says until it is gone, and its children with it. */
static void hear(pid_t child, int in, ending *ret)
{
    int64_t deadline = now_ms() + TIMEOUT_MS;

    ret->n = 0;
    for (;;) {
        char    more[4096];
        int64_t left = deadline - now_ms();
        ssize_t got;
        int     ready = left > 0 ? poll(&(struct pollfd){ .fd = in, .events = POLLIN }, 1, (int)left) : 0;

        if (ready <= 0)
            break;
        got = read(in, more, sizeof more);
        if (got <= 0)
            break;
        if (ret->n + (size_t)got < OUTPUT_MAX) {
            memcpy(ret->output + ret->n, more, (size_t)got);
            ret->n += (size_t)got;
        }
    }
    ret->output[ret->n] = '\0';
    if (now_ms() >= deadline) {
        kill(-child, SIGKILL);
        waitpid(child, &ret->status, 0);
        ret->status = -1;
        return;
    }
    waitpid(child, &ret->status, 0);
    kill(-child, SIGKILL); /* a test's own children, if it left any */
}

static void run_child(const group *g, const struct CMUnitTest *test, uint64_t fail_at, ending *ret)
{
    int   ends[2];
    pid_t child;

    memset(shared, 0, sizeof *shared);
    fflush(NULL);
    if (pipe(ends) != 0 || (child = fork()) < 0) {
        perror("fork");
        exit(1);
    }
    if (child == 0) {
        setpgid(0, 0);
        close(ends[0]);
        be_child(g, test, fail_at, ends[1]);
    }
    setpgid(child, child);
    close(ends[1]);
    hear(child, ends[0], ret);
    close(ends[0]);
}

/* NULL: as it has to be. */
static const char *wrong_with(const ending *e)
{
    if (e->status == -1)
        return "hangs";
    if (WIFSIGNALED(e->status))
        return strsignal(WTERMSIG(e->status));
    if (strstr(e->output, "failed with exception") != NULL)
        return "a signal that cmocka caught";
    if (strstr(e->output, "Sanitizer") != NULL || strstr(e->output, "runtime error:") != NULL)
        return "a sanitizer's report";
    if (WEXITSTATUS(e->status) > 1)
        return "an exit status of its own";
    if (WEXITSTATUS(e->status) == 1 && strstr(e->output, "FAILED") == NULL && strstr(e->output, "ERROR") == NULL)
        return "fails without a word";
    return NULL;
}

static void tell(const char *test, uint64_t number, const char *wrong, const ending *e)
{
    printf("# %s: allocation %llu fails (at %s): %s\n", test, (unsigned long long)number,
           shared->where[0] != '\0' ? shared->where : "?", wrong);
    if (getenv("WM_TORTURE_VERBOSE") != NULL)
        printf("%s\n", e->output);
    fflush(stdout);
}

typedef struct tally {
    uint64_t allocations, tried, survived;
} tally;

/* Every so many-th allocation, as the test's share of the time allows; which one is first differs from test to test. */
static void torment(const group *g, const struct CMUnitTest *test, uint64_t count, double each_ms, double share_ms,
                    tally *t)
{
    static ending e;
    unsigned      told = 0;
    double        whole_ms = each_ms * (double)count;
    uint64_t      stride = share_ms > 0 && whole_ms > share_ms ? (uint64_t)(whole_ms / share_ms) + 1 : 1;

    for (uint64_t number = 1 + t->allocations % stride; number <= count; number += stride) {
        const char *wrong;

        run_child(g, test, number, &e);
        wrong = wrong_with(&e);
        t->tried++;
        t->survived += wrong == NULL;
        if (wrong != NULL && told++ < TOLD_MAX)
            tell(test->name, number, wrong, &e);
    }
    t->allocations += count;
}

/* WM_TORTURE_SKIP: tests that count allocations themselves, or that assert in threads, out of which no longjmp leads. */
static bool is_left_out(const char *test)
{
    const char *skip = getenv("WM_TORTURE_SKIP"), *at = skip != NULL ? strstr(skip, test) : NULL;

    return at != NULL && (at[strlen(test)] == '\0' || at[strlen(test)] == ' ');
}

/* Where the children's tests make their folders: one that failed leaves its own behind. */
static void remove_folders(const char *base)
{
    wm_error err;

    if (wm_folder_remove(base, &err) != WM_OK)
        printf("# %s\n", err.text);
}

static int torture(const group *g, const struct CMUnitTest *tests, size_t n)
{
    const char   *seconds = getenv("WM_TORTURE_SECONDS"), *only = getenv("WM_TORTURE_TEST");
    double        share_ms = seconds != NULL ? 1000 * strtod(seconds, NULL) / (double)n : 0;
    uint64_t     *counts = calloc(n, sizeof *counts);
    double       *each_ms = calloc(n, sizeof *each_ms);
    static ending e;
    tally         t = { 0, 0, 0 };
    char          fault[128];
    int           failed = 0;

    printf("1..1\n");
    for (size_t i = 0; i < n; i++) {
        int64_t start = now_ms();

        if ((only != NULL && strcmp(only, tests[i].name) != 0) || is_left_out(tests[i].name))
            continue;
        run_child(g, &tests[i], 0, &e);
        each_ms[i] = (double)(now_ms() - start) + 1;
        counts[i] = shared->count;
        if (e.status != 0) {
            printf("# %s: does not pass with all the memory it wants: %s\n%s\n", tests[i].name,
                   e.status == -1 ? "it hangs" : "", e.output);
            failed = 1;
        }
    }
    for (size_t i = 0; i < n; i++)
        torment(g, &tests[i], counts[i], each_ms[i], share_ms, &t);
    printf("# %llu of %llu allocations failed, one at a time\n", (unsigned long long)t.tried,
           (unsigned long long)t.allocations);
    snprintf(fault, sizeof fault, "an allocation fails: unit tests of %s", g->name);
    tell_fault(&(fault_figure){ .fault = fault, .tries = t.tried, .survived = t.survived, .seconds = -1 });
    failed |= t.survived != t.tried;
    printf("%s 1 - every allocation of %s may fail\n", failed ? "not ok" : "ok", g->name);
    free(counts);
    free(each_ms);
    return failed;
}

int __wrap__cmocka_run_group_tests(const char *name, const struct CMUnitTest *tests, size_t n,
                                   CMFixtureFunction before, CMFixtureFunction after)
{
    char        base[4096];
    int         failed;
    const group g = { getenv("WM_TORTURE_OF") != NULL ? getenv("WM_TORTURE_OF") : name, before, after };

    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) {
        perror("mmap");
        return 1;
    }
    setenv("TMPDIR", wm_test_folder(base), 1);
    setenv("CMOCKA_MESSAGE_OUTPUT", "STDOUT", 1); /* the children's; our own is TAP */
    failed = torture(&g, tests, n);
    remove_folders(base);
    return failed;
}

/* tests/e2e/processes.c: the programs, started in the background or run to their end. */
#include "tests/e2e/inside.h"

#include "common/pipes.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WORDS_MAX = 24 };

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
    execv(path, argv);
    dprintf(STDERR_FILENO, "cannot start %s: %s\n", path, strerror(errno));
    _exit(127);
}

pid_t office_process_start(office_program program, const char *verb, const char *folder, const char *log,
                           const char *crash)
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

void office_signal(office *o, pid_t pid, int number)
{
    if (pid <= 0 || kill(pid, number) != 0)
        office_fail(o, "signal %d was for a process that does not run: has a test before this one left it stopped?",
                    number);
}

void office_process_stop(office *o, pid_t *pid, const char *what)
{
    int status;

    office_signal(o, *pid, SIGTERM);
    status = wait_end(o, pid, what);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        office_fail(o, "%s: after SIGTERM it did not exit with 0 but with status %#x", what, (unsigned)status);
}

void office_process_crashes(office *o, pid_t *pid, const char *what)
{
    int status = wait_end(o, pid, what);

    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
        office_fail(o, "%s: it ended with status %#x", what, (unsigned)status);
}

void office_process_kill(pid_t *pid)
{
    if (*pid <= 0)
        return;
    kill(*pid, SIGKILL);
    waitpid(*pid, NULL, 0);
    *pid = 0;
}

bool office_process_is_dead(pid_t pid, bool *by_signal)
{
    siginfo_t info = { .si_pid = 0 };

    if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid != pid)
        return false;
    *by_signal = info.si_code != CLD_EXITED;
    return true;
}

/* ---- commands ---- */

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
    wm_pipes_drain(out[0], errors[0], SIZE_MAX, &o->output, &o->complaint);
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

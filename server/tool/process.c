/* server/tool/process.c */
#include "server/tool/process.h"

#include "common/pipes.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { STOP_MS = 10 * 1000, OUTPUT_MAX = 64 << 10 };

static char *if_executable(const char *folder, const char *between, const char *name)
{
    char *path = NULL;

    if (asprintf(&path, "%s/%s%s", folder, between, name) < 0)
        return NULL;
    if (access(path, X_OK) == 0)
        return path;
    free(path);
    return NULL;
}

char *wm_program_path(const char *name)
{
    static const char *const beside[] = { "", "../server/", "../client/" };
    char                     self[4096], *path = NULL, *list, *rest;
    ssize_t                  n = readlink("/proc/self/exe", self, sizeof self - 1);

    if (n > 0) {
        self[n] = '\0';
        *strrchr(self, '/') = '\0';
        for (size_t i = 0; path == NULL && i < sizeof beside / sizeof *beside; i++)
            path = if_executable(self, beside[i], name);
    }
    list = path == NULL && getenv("PATH") != NULL ? strdup(getenv("PATH")) : NULL;
    rest = list;
    for (char *folder; path == NULL && rest != NULL && (folder = strsep(&rest, ":")) != NULL;)
        path = if_executable(folder, "", name);
    free(list);
    return path;
}

/* In the child, between fork and exec. */
static void become(char *const *argv, int in, int out, int errors, pid_t parent)
{
    sigset_t none;

    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGINT, SIG_IGN); /* ^C on the terminal is for the parent, which then stops us in order */
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent)
        _exit(127);
    dup2(in, STDIN_FILENO);
    dup2(out, STDOUT_FILENO);
    dup2(errors, STDERR_FILENO);
    execv(argv[0], argv);
    dprintf(STDERR_FILENO, "cannot start %s: %s\n", argv[0], strerror(errno));
    _exit(127);
}

static wm_status start(char *const *argv, int in, int out, int errors, pid_t *ret, wm_error *err)
{
    pid_t parent = getpid(), pid = fork();

    if (pid < 0)
        return wm_fail(err, WM_E_IO, "cannot start %s: %s", argv[0], strerror(errno));
    if (pid == 0)
        become(argv, in, out, errors, parent);
    *ret = pid;
    return WM_OK;
}

wm_status wm_process_start(char *const *argv, const char *log, pid_t *ret, wm_error *err)
{
    int       in = open("/dev/null", O_RDONLY | O_CLOEXEC);
    int       out = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    wm_status st = in >= 0 && out >= 0 ? start(argv, in, out, out, ret, err)
                                       : wm_fail(err, WM_E_IO, "cannot write %s: %s", log, strerror(errno));

    if (in >= 0)
        close(in);
    if (out >= 0)
        close(out);
    return st;
}

static void close_pair(int pair[2])
{
    for (int i = 0; i < 2; i++)
        if (pair[i] >= 0)
            close(pair[i]);
}

/* How the process ended, as a sentence if not well. */
static wm_status judge(const char *program, pid_t pid, wm_text *complaint, wm_error *err)
{
    int code = 0;

    while (waitpid(pid, &code, 0) < 0 && errno == EINTR)
        ;
    if (WIFEXITED(code) && WEXITSTATUS(code) == 0)
        return WM_OK;
    while (complaint->size > 0 && complaint->chars[complaint->size - 1] == '\n')
        complaint->chars[--complaint->size] = '\0';
    return wm_fail(err, WM_E_IO, "%s", complaint->size > 0 ? wm_text_chars(complaint) : program);
}

wm_status wm_process_run(char *const *argv, const char *input, wm_text *output, wm_error *err)
{
    int       in[2] = { -1, -1 }, out[2] = { -1, -1 }, errors[2] = { -1, -1 };
    wm_text   complaint = WM_TEXT_INIT;
    pid_t     pid = 0;
    wm_status st;

    if (pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0 || pipe2(errors, O_CLOEXEC) != 0) {
        st = wm_fail(err, WM_E_IO, "cannot make a pipe: %s", strerror(errno));
        goto out;
    }
    st = start(argv, in[0], out[1], errors[1], &pid, err);
    if (st != WM_OK)
        goto out;
    close(in[0]);
    close(out[1]);
    close(errors[1]);
    in[0] = out[1] = errors[1] = -1;
    /* What we give is a token or nothing: it fits the pipe, so that nobody waits for anybody. */
    if (input != NULL && write(in[1], input, strlen(input)) < 0)
        (void)0; /* the process has ended early, and says why itself */
    close(in[1]);
    in[1] = -1;
    wm_pipes_drain(out[0], errors[0], OUTPUT_MAX, output, &complaint);
    st = judge(argv[0], pid, &complaint, err);
out:
    close_pair(in);
    close_pair(out);
    close_pair(errors);
    wm_text_release(&complaint);
    return st;
}

bool wm_process_ended(pid_t *pid)
{
    if (*pid > 0 && waitpid(*pid, NULL, WNOHANG) != 0)
        *pid = 0;
    return *pid == 0;
}

void wm_process_stop(pid_t *pids, size_t n)
{
    struct timespec nap = { .tv_nsec = 10 * 1000000 };

    for (size_t i = 0; i < n; i++)
        if (!wm_process_ended(&pids[i]))
            kill(pids[i], SIGTERM);
    for (size_t i = 0; i < n; i++) {
        for (int waited = 0; waited < STOP_MS && !wm_process_ended(&pids[i]); waited += 10)
            nanosleep(&nap, NULL);
        if (wm_process_ended(&pids[i]))
            continue;
        kill(pids[i], SIGKILL);
        waitpid(pids[i], NULL, 0);
        pids[i] = 0;
    }
}

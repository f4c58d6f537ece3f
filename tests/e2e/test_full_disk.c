/* tests/e2e/test_full_disk.c
 *
 * Small disks that fill up, and folders that become read-only, under a running office: they are mounted in a namespace of
 * the test's own, which nobody else sees, and are gone with it. The server says what it cannot write, refuses nobody for
 * good, and when there is room the same round goes on, to the same model. */
#include "tests/e2e/office.h"
#include "tests/figures.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LATE = 2, DISK_MB = 64, MANY_ROUNDS = 100 };

static bool may_mount;

static int setup(void **state)
{
    (void)office_begin(state, &(office_wish){ .rounds = 3 });
    return 0;
}

static int teardown(void **state)
{
    office *o = *state;
    char    folder[4300];

    office_gateway_folder(o, LATE, folder);
    office_server_kill(o);
    umount2(folder, MNT_DETACH);
    umount2(o->dir, MNT_DETACH);
    return office_end(state);
}

/* ---- small disks ---- */

/* The folder, with what is in it, on a disk of its own. */
static void onto_a_small_disk(office *o, const char *folder)
{
    char options[32], command[9500];

    snprintf(command, sizeof command, "cp -a '%s' '%s.copy'", folder, folder);
    assert_int_equal(system(command), 0);
    snprintf(options, sizeof options, "size=%dm,mode=700", DISK_MB);
    if (mount("tmpfs", folder, "tmpfs", 0, options) != 0)
        office_fail(o, "cannot mount a small disk: %s", strerror(errno));
    snprintf(command, sizeof command, "cp -a '%s.copy/.' '%s' && rm -rf '%s.copy'", folder, folder, folder);
    assert_int_equal(system(command), 0);
}

static void fill(const char *folder)
{
    static const char zeros[4096];
    char              path[4400];
    int               fd;

    snprintf(path, sizeof path, "%s/ballast", folder);
    fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    while (write(fd, zeros, sizeof zeros) > 0)
        ;
    assert_int_equal(errno, ENOSPC);
    close(fd);
}

static void make_room(const char *folder)
{
    char path[4400];

    snprintf(path, sizeof path, "%s/ballast", folder);
    assert_int_equal(unlink(path), 0);
}

static bool is_in_trouble(office *o, void *context)
{
    json_t     *status = office_status(o);
    const char *trouble = json_string_value(json_object_get(status, "trouble"));
    bool        is = trouble != NULL && trouble[0] != '\0' && strstr(trouble, context) != NULL;

    json_decref(status);
    return is;
}

/* All but one have handed in. */
static bool waits_for_the_late_one(office *o, void *context)
{
    json_t *status = office_status(o), *run = json_object_get(status, "run");
    bool    is = json_is_object(run) && json_integer_value(json_object_get(run, "accepted")) == LATE;

    (void)context;
    json_decref(status);
    return is;
}

/* The run waits, in its first round, until the late one starts. */
static void start_all_but_the_late_one(office *o)
{
    office_server_start(o, NULL);
    office_enrol_all(o);
    for (size_t k = 0; k < LATE; k++)
        office_gateway_start(o, k, NULL);
    office_job_start(o);
    office_wait(o, waits_for_the_late_one, NULL, "all but one to hand in");
}

static double ends_with(office *o, const char *undisturbed, int64_t since_ms)
{
    office_wait_done(o, 0, undisturbed);
    return (double)(office_now_ms() - since_ms) / 1000;
}

static void tell(const char *fault, double seconds)
{
    tell_fault(&(fault_figure){ .fault = fault, .tries = 1, .survived = 1, .seconds = seconds });
}

/* ---- the tests ---- */

static void an_office_whose_disk_is_full_goes_on_when_there_is_room(void **state)
{
    office *o = *state;
    char    undisturbed[65];

    if (!may_mount)
        leave_out("no small disk may be mounted here");
    office_simulate(o, "1", undisturbed);
    onto_a_small_disk(o, o->dir);
    start_all_but_the_late_one(o);
    fill(o->dir);
    office_gateway_start(o, LATE, NULL);
    office_wait(o, is_in_trouble, "", "the status to say that the disk is full");
    office_wait_text(o, o->server_log, "it is tried again");
    make_room(o->dir);
    tell("the aggregator's disk full in the middle of a run", ends_with(o, undisturbed, office_now_ms()));
}

static void a_folder_of_runs_that_is_read_only_costs_nothing_but_the_folder(void **state)
{
    office *o = *state;
    char    undisturbed[65], runs[4300];

    if (!may_mount)
        leave_out("no folder may be mounted read-only here");
    office_simulate(o, "1", undisturbed);
    start_all_but_the_late_one(o);
    snprintf(runs, sizeof runs, "%s/runs", o->dir);
    assert_int_equal(mount(runs, runs, NULL, MS_BIND, NULL), 0);
    assert_int_equal(mount(NULL, runs, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL), 0);
    office_gateway_start(o, LATE, NULL);
    office_wait_text(o, o->server_log, "over run="); /* the run itself ends */
    office_wait(o, is_in_trouble, runs, "the status to say that the folder cannot be written");
    assert_int_equal(umount2(runs, MNT_DETACH), 0);
    tell("the folder of runs read-only", ends_with(o, undisturbed, office_now_ms()));
    office_wait_text(o, o->server_log, "the run's folder is whole again");
}

static void a_gateway_whose_disk_is_full_keeps_nobody_for_good(void **state)
{
    office *o = *state;
    char    undisturbed[65], folder[4300], log[4300];

    if (!may_mount)
        leave_out("no small disk may be mounted here");
    office_simulate(o, "1", undisturbed);
    office_server_start(o, NULL);
    office_enrol_all(o);
    office_gateway_folder(o, LATE, folder);
    office_gateway_log(o, LATE, log);
    onto_a_small_disk(o, folder);
    fill(folder);
    office_gateways_start(o);
    office_job_start(o);
    office_wait_text(o, log, "No space left on device");
    make_room(folder);
    tell("a gateway's disk full", ends_with(o, undisturbed, office_now_ms()));
}

/* ---- the analyst's run over TLS ---- */

/* In a child: fills the disk when the run has a few rounds. */
static pid_t fill_in_the_middle(const char *disk, const char *out)
{
    char  command[9500];
    pid_t child;

    fflush(NULL);
    child = fork();
    if (child != 0)
        return child;
    snprintf(
        command, sizeof command,
        "until [ \"$(cat '%s'/tls/office/runs/*/rounds.csv 2>/dev/null | wc -l)\" -ge 4 ]; do sleep 0.05; done",
        out);
    if (system(command) != 0)
        _exit(1);
    fill(disk);
    _exit(0);
}

static void a_simulation_over_tls_whose_disk_is_full_ends_and_can_be_resumed(void **state)
{
    office *o = *state;
    char    disk[4300], out[4400], undisturbed[65];
    int     how;
    pid_t   child;

    if (!may_mount)
        leave_out("no small disk may be mounted here");
    office_write_job(o, MANY_ROUNDS, NULL);
    office_simulate(o, "1", undisturbed);
    office_gateway_folder(o, LATE, disk); /* any folder: teardown lets go of this one */
    assert_true(mkdir(disk, 0700) == 0 || errno == EEXIST);
    onto_a_small_disk(o, disk);
    snprintf(out, sizeof out, "%s/out", disk);
    child = fill_in_the_middle(disk, out);
    assert_int_not_equal(office_run(o, NULL, WARDMOTE, "simulate", o->job, "--data", o->data, "--transport", "tls",
                                    "--out", out, NULL),
                         0);
    assert_int_equal(waitpid(child, &how, 0), child);
    assert_true(WIFEXITED(how) && WEXITSTATUS(how) == 0);
    if (strstr(wm_text_chars(&o->complaint), "the run does not go on") == NULL)
        office_fail(o, "it complains: %s", wm_text_chars(&o->complaint));
    make_room(disk);
    office_do(o, NULL, WARDMOTE, "simulate", o->job, "--data", o->data, "--transport", "tls", "--resume", "--out",
              out, NULL);
    if (strstr(wm_text_chars(&o->output), undisturbed) == NULL)
        office_fail(o, "the model is not %s: %s", undisturbed, wm_text_chars(&o->output));
    tell("the disk of a simulation over TLS full", -1);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest slow[] = {
        cmocka_unit_test_setup_teardown(a_simulation_over_tls_whose_disk_is_full_ends_and_can_be_resumed, setup,
                                        teardown),
    };
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_office_whose_disk_is_full_goes_on_when_there_is_room, setup, teardown),
        cmocka_unit_test_setup_teardown(a_folder_of_runs_that_is_read_only_costs_nothing_but_the_folder, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_gateway_whose_disk_is_full_keeps_nobody_for_good, setup, teardown),
    };

    may_mount = unshare(CLONE_NEWNS) == 0 && mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
    return argc > 1 && strcmp(argv[1], "slow") == 0 ? cmocka_run_group_tests(slow, NULL, NULL)
                                                    : cmocka_run_group_tests(tests, NULL, NULL);
}

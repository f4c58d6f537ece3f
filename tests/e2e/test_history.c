/* tests/e2e/test_history.c
 *
 * The history of a real office: verified while the server runs, damaged and found out, backed up, lost and put back; and
 * what the gateways have seen of it. */
#include "tests/e2e/office.h"

#include "common/files.h"

#include <sys/stat.h>
#include <unistd.h>

static int setup(void **state)
{
    (void)office_begin(state, &(office_wish){ .rounds = 3 });
    return 0;
}

static void run_job(office *o)
{
    office_job_start(o);
    office_wait_done(o, 0, NULL);
}

static long long figure(office *o, const char *name)
{
    json_t   *answer;
    long long value;

    office_do(o, NULL, WARDMOTE_SERVER, "verify", o->dir, "--json", NULL);
    answer = json_loads(wm_text_chars(&o->output), 0, NULL);
    assert_true(json_is_true(json_object_get(answer, "holds")));
    assert_true(json_is_integer(json_object_get(answer, name)));
    value = json_integer_value(json_object_get(answer, name));
    json_decref(answer);
    return value;
}

/* With what the first two gateways have written down. */
static int verify_heads(office *o)
{
    char first[4400], second[4400];

    office_gateway_folder(o, 0, first);
    office_gateway_folder(o, 1, second);
    strcat(first, "/audit-heads");
    strcat(second, "/audit-heads");
    return office_run(o, NULL, WARDMOTE_SERVER, "verify", o->dir, "--heads", first, "--heads", second, NULL);
}

static void assert_says(office *o, const char *sentence)
{
    if (strstr(wm_text_chars(&o->output), sentence) == NULL &&
        strstr(wm_text_chars(&o->complaint), sentence) == NULL)
        office_fail(o, "it does not say \"%s\" but\n%s%s", sentence, wm_text_chars(&o->output),
                    wm_text_chars(&o->complaint));
}

/* A byte more on one of the office's files, and off it again. */
static void a_damaged_file_is_named(office *o)
{
    char      **names, folder[4300], path[4400];
    size_t      n;
    struct stat info;
    wm_error    err;

    snprintf(folder, sizeof folder, "%s/blobs", o->dir);
    assert_ok(wm_folder_names(folder, &names, &n, &err), &err);
    assert_true(n > 0);
    snprintf(path, sizeof path, "%.4200s/%.80s", folder, names[0]);
    assert_int_equal(stat(path, &info), 0);
    assert_ok(wm_files_system()->append(wm_files_system(), path, "x", 1, &err), &err);
    assert_int_equal(office_run(o, NULL, WARDMOTE_SERVER, "verify", o->dir, NULL), 1);
    assert_says(o, names[0]);
    assert_says(o, "is damaged: its bytes are not those that its name promises");
    assert_says(o, "the history does not hold");
    assert_int_equal(truncate(path, info.st_size), 0);
    wm_names_free(names, n);
    office_verified(o);
}

/* The disk is lost, and the backup takes its place. */
static void put_back(office *o, const char *backup)
{
    static const char *const parts[] = { "store.db", "blobs" };
    char                     path[4300], from[4400];
    wm_error                 err;

    snprintf(path, sizeof path, "%s/store.db-wal", o->dir);
    unlink(path);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        snprintf(path, sizeof path, "%s/%s", o->dir, parts[i]);
        snprintf(from, sizeof from, "%s/%s", backup, parts[i]);
        assert_ok(wm_folder_remove(path, &err), &err);
        assert_int_equal(rename(from, path), 0);
    }
}

static void the_history_holds_and_outlives_the_disk(void **state)
{
    office *o = *state;
    char    backup[4300], log[4300];

    snprintf(backup, sizeof backup, "%s/monday", o->folder);
    office_server_start(o, NULL);
    office_enrol_all(o);
    office_gateways_start(o);
    office_job_start(o);
    office_wait_rounds(o, 1);
    office_verified(o); /* while it goes on */
    json_decref(office_wait_over(o));
    assert_int_equal(figure(o, "rounds"), 3);
    assert_int_equal(figure(o, "recomputed"), 3);
    assert_int_equal(figure(o, "updates"), 3 * (long long)o->n_gateways);
    office_do(o, NULL, WARDMOTE_SERVER, "backup", o->dir, backup, NULL);
    office_do(o, NULL, WARDMOTE_SERVER, "verify", backup, NULL);

    run_job(o);
    assert_int_equal(verify_heads(o), 0);
    assert_says(o, "heads that gateways were shown");
    office_server_stop(o);
    a_damaged_file_is_named(o);

    put_back(o, backup);
    office_verified(o);
    assert_int_equal(verify_heads(o), 1); /* of the second run nothing is left, and the gateways know of it */
    assert_says(o, "what came after it was taken away, or this is a backup from before");
    office_server_start(o, NULL);
    run_job(o);
    office_gateway_log(o, 0, log);
    office_wait_text(o, log, "it was put back from a backup, or its history was rewritten");
    office_server_stop(o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_history_holds_and_outlives_the_disk, setup, office_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

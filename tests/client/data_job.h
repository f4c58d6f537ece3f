/* tests/client/data_job.h
 *
 * Data sections of jobs, made by hand, and small folders of files, for tests of readings and examples. */
#ifndef WM_TESTS_CLIENT_DATA_JOB_H
#define WM_TESTS_CLIENT_DATA_JOB_H

#include "tests/unit.h"

#include "client/owners.h"
#include "client/source.h"
#include "client/sources/options.h"
#include "client/workplace.h"
#include "common/files.h"
#include "common/strategies/strategy.h"
#include "models/model.h"

#include <unistd.h>

#define WORDS(...)                                     \
    ((wm_words){ (const char *const[]){ __VA_ARGS__ }, \
                 sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(const char *) })
#define AHEAD(...) \
    ((wm_durations){ (const int64_t[]){ __VA_ARGS__ }, sizeof((const int64_t[]){ __VA_ARGS__ }) / sizeof(int64_t) })

enum { HOUR = 3600000 };

static inline wm_choice test_choice(const wm_family *family, const char *name, const void *options)
{
    for (size_t i = 0; i < family->n_members; i++)
        if (strcmp(family->members[i]->name, name) == 0)
            return (wm_choice){ .member = family->members[i], .options = options, .path = "" };
    fail_msg("no %s named %s", family->name, name);
    return (wm_choice){ 0 };
}

/* folder/name holds `text`. */
static inline void test_write(const char *folder, const char *name, const void *text, size_t n)
{
    const wm_files *files = wm_files_system();
    char           *path = wm_path_join(folder, name);
    wm_error        err;

    assert_non_null(path);
    assert_ok(files->replace(files, path, text, n, 0600, &err), &err);
    free(path);
}

/* The job in a file, every family known but the server's. */
static inline wm_job *test_parse(const char *folder, const char *name, const wm_setting *settings,
                                 size_t n_settings)
{
    char     *path = wm_path_join(folder, name);
    uint8_t  *text;
    size_t    n;
    wm_faults faults;
    wm_job   *job;
    wm_error  err;

    assert_non_null(path);
    assert_ok(wm_files_system()->read(wm_files_system(), path, WM_JOB_TEXT_MAX, &text, &n, &err), &err);
    wm_faults_init(&faults, name);
    assert_ok(
        wm_job_parse(name, (const char *)text, n, &wm_client_families, settings, n_settings, &faults, &job, &err),
        &err);
    wm_faults_release(&faults);
    free(text);
    free(path);
    return job;
}

/* The folder with the real data sets, or NULL. Room for 4096. */
static inline const char *test_data_folder(const char *set, char path[4096])
{
    const char *base = getenv("WM_DATA"), *source = getenv("WM_SOURCE");

    if (base != NULL)
        snprintf(path, 4096, "%s/%s", base, set);
    else
        snprintf(path, 4096, "%s/../shared/data/%s", source != NULL ? source : ".", set);
    return access(path, R_OK) == 0 ? path : NULL;
}

/* One CSV file, all of it one owner; *owners is the caller's to free. */
static inline wm_status test_open_csv(const wm_job *job, const char *text, wm_owners **owners, wm_error *err)
{
    wm_csv_options     csv = { WORDS("*.csv"), WORDS("NA"), ",", 0 };
    wm_choice          source = test_choice(&wm_sources, "csv", &csv);
    char               folder[4096];
    wm_owners_settings settings = { .folder = wm_test_folder(folder), .source = &source };
    wm_status          st;

    test_write(folder, "a.csv", text, strlen(text));
    st = wm_owners_open(job, &settings, owners, err);
    wm_folder_remove(folder, NULL);
    return st;
}

#endif

/* Every job of the zoo is read without a fault, by what a gateway knows of it and by what an office knows, and its network
 * fits its data. */
#include "client/families.h"
#include "common/files.h"
#include "models/model.h"
#include "server/admission.h"
#include "tests/unit.h"

static void check_job(const char *folder, const char *name)
{
    const wm_files *files = wm_files_system();
    char           *path = wm_path_join(folder, name);
    uint8_t        *text = NULL;
    wm_job         *job = NULL;
    wm_model       *model = NULL;
    wm_admitted     admitted;
    wm_faults       faults;
    size_t          n;
    wm_error        err;

    assert_non_null(path);
    assert_ok(files->read(files, path, WM_JOB_TEXT_MAX, &text, &n, &err), &err);
    wm_faults_init(&faults, name);
    if (wm_job_parse(name, (const char *)text, n, &wm_client_families, NULL, 0, &faults, &job, &err) != WM_OK ||
        wm_model_new(job, &faults, &model, &err) != WM_OK ||
        wm_admit(name, (const char *)text, n, &(wm_admission_limits){ 0 }, &faults, &admitted, &err) != WM_OK)
        fail_msg("%s", faults.count > 0 ? wm_text_chars(&faults.lines) : err.text);
    assert_true(wm_model_n_params(model) > 0);
    assert_int_equal(wm_model_n_params(admitted.model), wm_model_n_params(model));
    wm_admitted_release(&admitted);
    wm_model_free(model);
    wm_job_free(job);
    wm_faults_release(&faults);
    free(text);
    free(path);
}

static void test_every_job_of_the_zoo(void **state)
{
    char   **names, *folder = wm_path_join(wm_test_source(), "models/zoo");
    size_t   n, jobs = 0;
    wm_error err;

    (void)state;
    assert_non_null(folder);
    assert_ok(wm_folder_names(folder, &names, &n, &err), &err);
    for (size_t i = 0; i < n; i++)
        if (strstr(names[i], ".yaml") != NULL) {
            check_job(folder, names[i]);
            jobs++;
        }
    assert_true(jobs >= 2);
    wm_names_free(names, n);
    free(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_job_of_the_zoo),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

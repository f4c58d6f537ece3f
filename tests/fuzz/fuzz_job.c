/* tests/fuzz/fuzz_job.c
 *
 * The job parser on any bytes: a job or faults, never a crash; and what a job records as its text is a job again, with
 * the same text. A first line "#--set KEY=VALUE" is a setting, so that paths are fuzzed too. */
#include "tests/config/families.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static wm_job *parse(const char *text, size_t n, const wm_setting *settings, size_t n_settings)
{
    wm_faults faults;
    wm_job   *job = NULL;
    wm_error  err;
    wm_status st;

    wm_faults_init(&faults, "fuzz");
    st = wm_job_parse("fuzz", text, n, &test_families, settings, n_settings, &faults, &job, &err);
    if (st == WM_OK ? job == NULL || faults.count > 0 : job != NULL)
        abort();
    if (st == WM_E_INVALID && faults.count == 0)
        abort();
    wm_faults_release(&faults);
    return job;
}

/* Shapes are asked for by the models of every program. */
static void use(const wm_job *job)
{
    for (size_t i = 0; i < job->data.n_inputs; i++) {
        wm_shape shape;

        wm_job_input_shape(job, i, &shape);
        if (shape.rank == 0)
            abort();
    }
    for (size_t i = 0; i < job->data.n_targets; i++)
        if (wm_job_target_width(job, i) == 0)
            abort();
}

/* The line's key and value, in `line` itself; false if it is no setting. */
static bool take_setting(char *line, wm_setting *ret)
{
    static const char mark[] = "#--set ";
    char             *equals = strchr(line, '=');

    if (strncmp(line, mark, strlen(mark)) != 0 || equals == NULL)
        return false;
    *equals = '\0';
    *ret = (wm_setting){ .key = line + strlen(mark), .value = equals + 1 };
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    const uint8_t *newline = n > 0 ? memchr(bytes, '\n', n) : NULL;
    size_t         n_line = newline != NULL ? (size_t)(newline - bytes) : n;
    char      *line = malloc(n_line + 1), *text = malloc(n + 1); /* exact, so that a sanitizer sees an overrun */
    wm_setting setting;
    wm_job    *job, *again;

    if (line == NULL || text == NULL)
        abort();
    if (n > 0) {
        memcpy(line, bytes, n_line);
        memcpy(text, bytes, n);
    }
    line[n_line] = '\0';
    job = parse(text, n, &setting, take_setting(line, &setting));
    if (job != NULL) {
        use(job);
        again = parse(job->text, job->n_text, NULL, 0);
        if (again == NULL || again->n_text != job->n_text || memcmp(again->text, job->text, job->n_text) != 0)
            abort();
        wm_job_free(again);
    }
    wm_job_free(job);
    free(line);
    free(text);
    return 0;
}

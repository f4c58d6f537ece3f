/* common/job/job.c
 *
 * The file as a whole: the order in which its parts are read, and the text that is recorded. */
#include "common/job/draft.h"
#include "common/job/tables.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* A job within its limits takes far less: 10,000 values of a few cache lines each, and their paths. */
enum { MEMORY_MAX = 64 << 20 };

/* The name becomes the name of folders and runs. */
static void check_job_name(wm_job_draft *draft, const wm_yaml *root)
{
    const char *name = draft->job.name;
    size_t      n = name != NULL ? strlen(name) : 0;

    if (name != NULL && (n == 0 || n > 63 || name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-")] != '\0'))
        wm_faults_add(draft->reader.faults, wm_yaml_get(root, "job")->place, "job",
                      "\"%.64s\" does not do as a name: lower-case letters, digits and -, 63 at most", name);
}

/* The trees that the tables left, each after what it may refer to. */
static void read_trees(wm_job_draft *draft)
{
    wm_job_read_time(draft);
    wm_job_read_columns(draft);
    wm_job_read_inputs(draft);
    wm_job_read_targets(draft);
    wm_job_read_examples(draft);
    wm_job_check_ranges(draft);
    wm_job_read_split(draft);
    wm_job_read_layers(draft);
    wm_job_read_start(draft);
    wm_job_read_losses(draft);
}

static wm_status no_memory(const char *file, wm_error *err)
{
    return wm_fail(err, WM_E_NOMEM, "%s: no memory for the job", file);
}

static void read_file(wm_job_draft *draft, const wm_yaml *root)
{
    const wm_yaml *data, *model;

    wm_table_read(&draft->reader, &wm_job_table, root, root->place, "", draft);
    if (root->kind != WM_YAML_MAP || draft->reader.full)
        return;
    data = wm_yaml_get(root, "data");
    draft->data_place = data != NULL ? data->place : root->place;
    model = wm_yaml_get(root, "model");
    draft->model_place = model != NULL ? model->place : root->place;
    check_job_name(draft, root);
    read_trees(draft);
}

/* A tree without a seed gets the one that was taken, since what is recorded must give the same run whatever the default
 * will be one day. True if the tree is no longer what the file says. */
static bool complete_seed(wm_job_draft *draft, wm_yaml *root)
{
    wm_yaml *seed;
    char    *text;

    if (draft->reader.full || wm_yaml_get(root, "seed") != NULL)
        return false;
    seed = wm_reader_alloc(&draft->reader, 1, sizeof *seed);
    text = wm_reader_alloc(&draft->reader, 24, 1);
    if (seed == NULL || text == NULL)
        return false;
    snprintf(text, 24, "%llu", (unsigned long long)draft->job.seed);
    *seed = (wm_yaml){ .kind = WM_YAML_SCALAR, .text = text, .key = "seed" };
    wm_yaml_append(root, seed);
    return true;
}

/* The file as it was, with its comments, where nothing was changed; else the tree as it is now. */
static wm_status record_text(wm_job_draft *draft, const char *file, const char *text, size_t n, bool changed,
                             const wm_yaml *root, wm_error *err)
{
    wm_text   written = WM_TEXT_INIT;
    wm_status st = changed ? wm_document_write(root, &written, err) : WM_OK;

    if (st != WM_OK)
        goto out;
    if (changed && written.size > WM_JOB_TEXT_MAX) {
        st = wm_fail(err, WM_E_INVALID, "%s: with --set applied it has %zu bytes; %d are the most", file,
                     written.size, WM_JOB_TEXT_MAX);
        goto out;
    }
    draft->job.n_text = changed ? written.size : n;
    draft->job.text =
        wm_arena_text(draft->reader.arena, changed ? wm_text_chars(&written) : text, draft->job.n_text);
    if (draft->job.text == NULL)
        st = no_memory(file, err);
out:
    wm_text_release(&written);
    return st;
}

static wm_status finish(wm_job_draft *draft, wm_job **ret, wm_error *err)
{
    wm_job *job = wm_arena_alloc(draft->reader.arena, sizeof *job);

    if (job == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory for the job");
    *job = draft->job;
    job->memory = draft->reader.arena;
    *ret = job;
    return WM_OK;
}

wm_status wm_job_parse(const char *file, const char *text, size_t n, const wm_job_families *families,
                       const wm_setting *settings, size_t n_settings, wm_faults *faults, wm_job **ret,
                       wm_error *err)
{
    wm_job_draft draft = { .families = families, .reader = { .faults = faults, .families = families } };
    wm_yaml     *root = NULL;
    wm_status    st = wm_arena_new_growing(MEMORY_MAX, &draft.reader.arena, err);

    assert(families->layers != NULL && families->losses != NULL);
    if (st != WM_OK)
        return st;
    wm_faults_name(faults, file);
    st = wm_document_read(text, n, WM_JOB_TEXT_MAX, draft.reader.arena, faults, &root, err);
    if (st == WM_OK)
        st = wm_settings_apply(settings, n_settings, draft.reader.arena, root, faults, err);
    if (st != WM_OK)
        goto out;
    read_file(&draft, root);
    st = draft.reader.full ? no_memory(file, err) : wm_faults_result(faults, err);
    if (st == WM_OK) {
        bool seeded = complete_seed(&draft, root);

        st = draft.reader.full ? no_memory(file, err)
                               : record_text(&draft, file, text, n, seeded || n_settings > 0, root, err);
    }
    if (st == WM_OK)
        st = finish(&draft, ret, err);
out:
    if (st != WM_OK)
        wm_arena_free(draft.reader.arena);
    return st;
}

void wm_job_free(wm_job *job)
{
    if (job != NULL)
        wm_arena_free(job->memory); /* the job itself lies in it */
}

/* server/start.c */
#include "server/start.h"

#include "common/text.h"
#include "models/start.h"

#include <stdlib.h>
#include <string.h>

/* `file` as seen from the folder of `job_path`; NULL if out of memory. */
static char *path_of(const char *job_path, const char *file)
{
    char *folder, *path;

    if (file[0] == '/' || strchr(job_path, '/') == NULL)
        return strdup(file);
    folder = wm_path_folder(job_path);
    path = folder != NULL ? wm_path_join(folder, file) : NULL;
    free(folder);
    return path;
}

wm_status wm_start_of_job(const char *job_path, const wm_job *job, const wm_model *model, wm_faults *faults,
                          float **ret, wm_error *err)
{
    const wm_job_start *start = &job->model.start;
    char               *path;
    float              *params;
    wm_digest           is;
    wm_status           st;

    *ret = NULL;
    if (start->file == NULL)
        return WM_OK;
    path = path_of(job_path, start->file);
    params = malloc(wm_model_n_params(model) * sizeof *params);
    if (path == NULL || params == NULL) {
        st = wm_fail(err, WM_E_NOMEM, "no memory for the model that the job starts with");
        goto out;
    }
    st = wm_start_read(wm_files_system(), path, model, faults, params, err);
    if (st == WM_E_MISSING || st == WM_E_MALFORMED ||
        st == WM_E_RANGE) { /* its place helps more than the bare sentence */
        wm_faults_add(faults, start->place, "model.start", "%s", err->text);
        st = wm_faults_result(faults, err);
    }
    if (st == WM_OK && start->has_parameters) {
        is = wm_params_digest(params, wm_model_n_params(model));
        if (!wm_digest_equal(&is, &start->parameters)) {
            wm_faults_add(
                faults, start->place, "model.start",
                "%s gives another model than the one that `parameters` names; leave that out, or put the file "
                "back",
                path);
            st = wm_faults_result(faults, err);
        }
    }
    if (st == WM_OK) {
        *ret = params;
        params = NULL;
    }
out:
    free(params);
    free(path);
    return st;
}

/* In double quotes, as YAML has it. */
static void add_quoted(wm_text *text, const char *word)
{
    wm_text_add(text, "\"");
    for (; *word != '\0'; word++) {
        if (*word == '"' || *word == '\\')
            wm_text_add(text, "\\");
        wm_text_add_bytes(text, word, 1);
    }
    wm_text_add(text, "\"");
}

wm_status wm_start_setting(const wm_job *job, const wm_digest *parameters, wm_setting *ret, wm_error *err)
{
    const char *file = job->model.start.file, *slash = strrchr(file, '/');
    wm_text     text = WM_TEXT_INIT;
    char        hex[WM_DIGEST_TEXT], *value;
    bool        first = true;

    wm_text_add(&text, "{file: ");
    add_quoted(&text, slash != NULL ? slash + 1 : file);
    for (size_t i = 0; i < job->model.n_layers; i++)
        if (job->model.layers[i].fresh) {
            wm_text_add(&text, first ? ", fresh: [" : ", ");
            add_quoted(&text, job->model.layers[i].name);
            first = false;
        }
    wm_text_printf(&text, "%s, parameters: \"%s\"}", first ? "" : "]", wm_digest_text(parameters, hex));
    value = text.bad ? NULL : strdup(wm_text_chars(&text));
    wm_text_release(&text);
    if (value == NULL)
        return wm_fail(err, WM_E_NOMEM, "no memory for what the job starts with");
    *ret = (wm_setting){ .key = "model.start", .value = value };
    return WM_OK;
}

wm_status wm_start_params(const wm_job *job, const wm_model *model, uint64_t seed, wm_blobs *blobs, float *params,
                          wm_error *err)
{
    const wm_job_start *start = &job->model.start;
    size_t              n = wm_model_n_params(model), size = 0;
    uint8_t            *bytes = NULL;
    wm_status           st;

    if (start->file == NULL) {
        wm_model_init(model, seed, params);
        return WM_OK;
    }
    if (!start->has_parameters)
        return wm_fail(
            err, WM_E_INVALID,
            "model.start: the job does not say which model %s was: start it by `wardmote-server job`, which "
            "reads the file",
            start->file);
    st = wm_blobs_get(blobs, &start->parameters, n * sizeof *params, &bytes, &size, err);
    if (st == WM_E_MISSING || (st == WM_OK && size != n * sizeof *params))
        st = wm_fail(err, WM_E_DAMAGED,
                     "the model that the job starts with is %s: start the job again, with its file",
                     st == WM_OK ? "of another size" : "gone");
    if (st == WM_OK)
        memcpy(params, bytes, size);
    free(bytes);
    return st;
}

/* server/tool/saved.c */
#include "server/tool/saved.h"

#include "common/config/values.h"
#include "models/safetensors.h"
#include "models/vector.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static int hex_digit(char c)
{
    return isdigit((unsigned char)c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The scaling that the model was trained under, out of the file's own metadata. */
static wm_status read_scaling(const char *path, const wm_job *job, wm_scaling *ret, wm_error *err)
{
    char     *text = NULL;
    uint8_t  *bytes;
    size_t    n;
    wm_status st = wm_safetensors_metadata(wm_files_system(), path, "scaling", &text, err);

    if (st == WM_E_MISSING)
        return wm_fail(
            err, st, "%s holds no scaling, but the job's columns are scaled: it is not a model of this job", path);
    if (st != WM_OK)
        return st;
    n = strlen(text) / 2;
    bytes = malloc(n > 0 ? n : 1);
    for (size_t i = 0; st == WM_OK && bytes != NULL && i < n; i++) {
        int high = hex_digit(text[2 * i]), low = hex_digit(text[2 * i + 1]);

        if (high < 0 || low < 0)
            st = wm_fail(err, WM_E_MALFORMED, "%s: its scaling is damaged", path);
        bytes[i] = (uint8_t)(high * 16 + low);
    }
    if (bytes == NULL)
        st = wm_fail(err, WM_E_NOMEM, "no memory for the scaling");
    if (st == WM_OK)
        st = wm_scaling_decode(job, bytes, n, ret, err);
    free(bytes);
    free(text);
    return st;
}

static wm_status read_threshold(const char *path, double *ret, wm_error *err)
{
    char     *text = NULL;
    wm_status st = wm_safetensors_metadata(wm_files_system(), path, "threshold", &text, err);

    *ret = NAN;
    if (st == WM_E_MISSING)
        return WM_OK;
    if (st == WM_OK && !(wm_real_parse(text, ret) && *ret >= 0))
        st = wm_fail(err, WM_E_MALFORMED, "%s: its threshold is damaged", path);
    free(text);
    return st;
}

/* With a NaN in it all that it says would be one, without a word why. */
static wm_status check_finite(const char *path, const wm_saved_model *saved, wm_error *err)
{
    for (size_t i = 0; i < wm_model_n_tensors(saved->space.model); i++) {
        const wm_tensor *tensor = wm_model_tensor(saved->space.model, i);

        if (!wm_vector_finite(saved->params + tensor->offset, tensor->n))
            return wm_fail(err, WM_E_NONFINITE,
                           "%s: tensor %s holds a value that is not finite: its training has exploded", path,
                           tensor->name);
    }
    return WM_OK;
}

static size_t place_of(const wm_words *words, const char *word)
{
    size_t i = 0;

    while (i < words->count && strcmp(words->items[i], word) != 0)
        i++;
    return i;
}

/* Whether one list is the other in another order. */
static bool is_shuffled(const wm_words *a, const wm_words *b)
{
    bool moved = false;

    for (size_t i = 0; i < a->count; i++) {
        if (a->count != b->count || place_of(b, a->items[i]) == b->count)
            return false;
        moved = moved || place_of(b, a->items[i]) != place_of(a, a->items[i]);
    }
    return moved;
}

static wm_status refuse_order(const char *file, const wm_job_input *input, wm_error *err)
{
    wm_text   names = WM_TEXT_INIT;
    wm_status st;

    for (size_t i = 0; i < input->columns.count; i++)
        wm_text_printf(&names, "%s%s", i > 0 ? ", " : "", input->columns.items[i]);
    st = wm_fail(err, WM_E_SHAPE, "%s: data.inputs.%s: the model was trained on these columns in another order: %s",
                 file, input->name, wm_text_chars(&names));
    wm_text_release(&names);
    return st;
}

/* Another job may name the columns as it likes, since the data may; but those of the model's own job in another order would
 * be taken one for the other, with shapes that fit. */
static wm_status check_order(wm_cli_call *call, const char *path, const wm_saved_model *saved, wm_error *err)
{
    wm_workspace_settings settings = { .file = path, .seed = -1 };
    const wm_job_data    *data = &saved->space.job->data;
    wm_workspace          own = { 0 };
    char                 *text = NULL;
    wm_status             st = wm_safetensors_metadata(wm_files_system(), path, "job", &text, err);

    if (st != WM_OK) /* without a job of its own, or not to be read, which is said soon */
        return st == WM_E_NOMEM ? st : WM_OK;
    settings.text = text;
    settings.n_text = strlen(text);
    st = wm_workspace_open_job(call, &settings, &own, err);
    if (st != WM_OK) { /* a job that does not hold is no reason to refuse another */
        free(text);
        return st == WM_E_NOMEM ? st : WM_OK;
    }
    for (size_t i = 0; st == WM_OK && i < data->n_inputs && i < own.job->data.n_inputs; i++)
        if (is_shuffled(&own.job->data.inputs[i].columns, &data->inputs[i].columns))
            st = refuse_order(saved->settings.file, &own.job->data.inputs[i], err);
    wm_workspace_release(&own);
    free(text);
    return st;
}

static wm_status read_job(wm_cli_call *call, const char *path, wm_saved_model *saved, wm_error *err)
{
    bool      other = saved->settings.file != NULL;
    wm_status st = WM_OK;

    if (!other) {
        st = wm_safetensors_metadata(wm_files_system(), path, "job", &saved->text, err);
        if (st == WM_E_MISSING && wm_files_system()->exists(wm_files_system(), path))
            st = wm_fail(err, st, "%s holds no job, so no run of wardmote has left it: name the job's FILE", path);
        saved->settings.file = path;
        saved->settings.text = saved->text;
        saved->settings.n_text = saved->text != NULL ? strlen(saved->text) : 0;
    }
    if (st == WM_OK)
        st = wm_workspace_open_job(call, &saved->settings, &saved->space, err);
    return st == WM_OK && other ? check_order(call, path, saved, err) : st;
}

wm_status wm_saved_open(wm_cli_call *call, const char *path, const wm_workspace_settings *settings,
                        wm_saved_model *ret, wm_error *err)
{
    wm_saved_model saved = { .settings = *settings, .threshold = NAN };
    wm_status      st = read_job(call, path, &saved, err);

    if (st != WM_OK)
        goto out;
    saved.scaled = wm_job_needs_statistics(saved.space.job);
    saved.params = malloc(wm_model_n_whole(saved.space.model) * sizeof *saved.params);
    if (saved.params == NULL)
        st = wm_fail(err, WM_E_NOMEM, "no memory for the model");
    else if ((st = wm_safetensors_read(wm_files_system(), path, saved.space.model, saved.params, err)) == WM_OK &&
             (st = check_finite(path, &saved, err)) == WM_OK &&
             (!saved.scaled || (st = read_scaling(path, saved.space.job, &saved.scaling, err)) == WM_OK))
        st = read_threshold(path, &saved.threshold, err);
    if (st == WM_OK)
        wm_model_init_own(saved.space.model, saved.space.job->seed,
                          saved.params + wm_model_n_params(saved.space.model));
out:
    if (st == WM_OK)
        *ret = saved;
    else
        wm_saved_release(&saved);
    return st;
}

wm_status wm_saved_check_whole(const char *path, const wm_saved_model *saved, wm_error *err)
{
    const wm_job *job = saved->space.job;

    for (size_t i = 0; i < job->model.n_layers; i++)
        if (job->model.layers[i].personal)
            return wm_fail(err, WM_E_REFUSED,
                           "%s is not all of the network: the layer %s is personal, and each client keeps its own",
                           path, job->model.layers[i].name);
    return WM_OK;
}

void wm_saved_release(wm_saved_model *saved)
{
    wm_scaling_release(&saved->scaling);
    free(saved->params);
    wm_workspace_release(&saved->space);
    free(saved->text);
    *saved = (wm_saved_model){ 0 };
}

bool wm_saved_is_folder(const char *path)
{
    struct stat about;

    return stat(path, &about) == 0 && S_ISDIR(about.st_mode);
}

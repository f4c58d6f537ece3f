/* models/safetensors.c
 *
 * The format (github.com/huggingface/safetensors, README): u64 little-endian length of the header, the header, the
 * data. The header is a JSON object that begins with '{', padded with spaces so that the data is aligned to 8:
 *     {"__metadata__": {name: text}, tensor: {"dtype": "F32", "shape": [out, in], "data_offsets": [begin, end]}}
 * Offsets count from the start of the data; the tensors fill it without holes or overlaps. Of the types only F32 is
 * ours. jansson keeps the order, refuses duplicate names, numbers that overflow, NaN and nesting beyond its limit. */
#include "models/safetensors.h"

#include "models/tensor_file.h"

#include <endian.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { HEADER_MAX = WM_TENSOR_HEADER_MAX, LENGTH = 8, HEADER_ALIGN = 8 };

/* ---- writing ---- */

static json_t *describe_tensor(const wm_tensor *tensor)
{
    json_t *shape = json_array();
    size_t  begin = tensor->offset * sizeof(float), end = begin + tensor->n * sizeof(float);

    for (uint32_t i = 0; i < tensor->shape.rank; i++)
        json_array_append_new(shape, json_integer(tensor->shape.dim[i]));
    return json_pack("{s:s, s:o, s:[I, I]}", "dtype", "F32", "shape", shape, "data_offsets", (json_int_t)begin,
                     (json_int_t)end);
}

/* NULL: out of memory, or a text that is not UTF-8. */
static char *header_text(const wm_model *model, const wm_metadata *metadata)
{
    json_t *header = json_object(), *texts = json_object();
    bool    good = header != NULL && texts != NULL;
    char   *text = NULL;

    for (const wm_metadata *at = metadata; good && at != NULL && at->name != NULL; at++)
        good = json_object_set_new(texts, at->name, json_string(at->text)) == 0;
    if (good && json_object_size(texts) > 0)
        good = json_object_set(header, wm_tensor_metadata, texts) == 0;
    for (size_t i = 0; good && i < wm_model_n_tensors(model); i++) {
        const wm_tensor *tensor = wm_model_tensor(model, i);

        good = json_object_set_new(header, tensor->name, describe_tensor(tensor)) == 0;
    }
    if (good)
        text = json_dumps(header, JSON_COMPACT | JSON_PRESERVE_ORDER);
    json_decref(texts);
    json_decref(header);
    return text;
}

static void put_floats(uint8_t *to, const float *from, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t bits;

        memcpy(&bits, from + i, sizeof bits);
        bits = htole32(bits);
        memcpy(to + i * sizeof bits, &bits, sizeof bits);
    }
}

wm_status wm_safetensors_file_new(const char *path, const wm_model *model, const wm_metadata *metadata,
                                  wm_safetensors_file *ret, wm_error *err)
{
    char    *header = header_text(model, metadata);
    size_t   n = header != NULL ? strlen(header) : 0, padded = (n + HEADER_ALIGN - 1) / HEADER_ALIGN * HEADER_ALIGN;
    size_t   size = LENGTH + padded + wm_model_n_params(model) * sizeof(float);
    uint64_t length = htole64((uint64_t)padded);
    uint8_t *bytes = NULL;
    wm_status st = WM_OK;

    if (header == NULL) {
        st =
            wm_fail(err, WM_E_INVALID, "cannot describe the model for %s: a text is not UTF-8, or no memory", path);
        goto out;
    }
    if (padded > HEADER_MAX) {
        st = wm_fail(err, WM_E_RANGE, "the description of the model for %s is over %d bytes", path, HEADER_MAX);
        goto out;
    }
    bytes = malloc(size); /* a model has at most 2^31 parameters: this does not wrap around */
    if (bytes == NULL) {
        st = wm_fail(err, WM_E_NOMEM, "no memory for %s, %zu bytes", path, size);
        goto out;
    }
    memcpy(bytes, &length, LENGTH);
    memset(bytes + LENGTH, ' ', padded);
    memcpy(bytes + LENGTH, header, n);
    *ret = (wm_safetensors_file){ .bytes = bytes, .n_bytes = size, .data = bytes + LENGTH + padded };
out:
    free(header);
    return st;
}

wm_status wm_safetensors_write(const wm_files *files, const char *path, const wm_model *model, const float *params,
                               const wm_metadata *metadata, wm_error *err)
{
    wm_safetensors_file file;
    wm_status           st = wm_safetensors_file_new(path, model, metadata, &file, err);

    if (st != WM_OK)
        return st;
    put_floats(file.data, params, wm_model_n_params(model));
    st = files->replace(files, path, file.bytes, file.n_bytes, 0644, err);
    free(file.bytes);
    return st;
}

/* ---- reading ---- */

wm_status wm_safetensors_metadata(const wm_files *files, const char *path, const char *name, char **ret,
                                  wm_error *err)
{
    wm_tensor_file file;
    const char    *text;
    char          *copy;
    wm_status      st = wm_tensor_file_open(files, path, wm_tensor_file_max(), &file, err);

    if (st != WM_OK)
        goto out;
    text = json_string_value(json_object_get(json_object_get(file.header, wm_tensor_metadata), name));
    if (text == NULL) {
        st = wm_fail(err, WM_E_MISSING, "%s has no text named %s in its metadata", path, name);
        goto out;
    }
    copy = strdup(text);
    if (copy == NULL) {
        st = wm_fail(err, WM_E_NOMEM, "no memory for the text %s of %s", name, path);
        goto out;
    }
    *ret = copy;
out:
    wm_tensor_file_release(&file);
    return st;
}

/* extents: room for two lists, one of which is sorted. */
static wm_status read_tensors(const wm_tensor_file *file, const wm_model *model, wm_extent *extents, float *params,
                              wm_error *err)
{
    size_t    n = wm_model_n_tensors(model), entries = json_object_size(file->header);
    wm_status st;

    if (json_object_get(file->header, wm_tensor_metadata) != NULL)
        entries--;
    for (size_t i = 0; i < n; i++) {
        st = wm_tensor_file_find(file, wm_model_tensor(model, i), &extents[i], err);
        if (st != WM_OK)
            return st;
    }
    if (entries != n)
        return wm_fail(err, WM_E_SHAPE, "%s: %zu tensors, the model has %zu", file->path, entries, n);
    memcpy(extents + n, extents, n * sizeof *extents);
    st = wm_tensor_file_check_fill(file, extents + n, n, err);
    if (st != WM_OK)
        return st;
    for (size_t i = 0; i < n; i++) {
        const wm_tensor *tensor = wm_model_tensor(model, i);

        wm_tensor_file_floats(file, &extents[i], params + tensor->offset, tensor->n);
    }
    return WM_OK;
}

wm_status wm_safetensors_read(const wm_files *files, const char *path, const wm_model *model, float *params,
                              wm_error *err)
{
    wm_tensor_file file;
    size_t         n = wm_model_n_tensors(model);
    wm_extent     *extents = calloc(2 * n + 1, sizeof *extents);
    wm_status      st;

    st = wm_tensor_file_open(files, path, LENGTH + (size_t)HEADER_MAX + wm_model_n_params(model) * sizeof(float),
                             &file, err);
    if (st == WM_OK && extents == NULL)
        st = wm_fail(err, WM_E_NOMEM, "no memory for the list of %zu tensors", n);
    if (st == WM_OK)
        st = read_tensors(&file, model, extents, params, err);
    wm_tensor_file_release(&file);
    free(extents);
    return st;
}

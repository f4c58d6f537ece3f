/* models/safetensors.c
 *
 * The format (github.com/huggingface/safetensors, README): u64 little-endian length of the header, the header, the
 * data. The header is a JSON object that begins with '{', padded with spaces so that the data is aligned to 8:
 *     {"__metadata__": {name: text}, tensor: {"dtype": "F32", "shape": [out, in], "data_offsets": [begin, end]}}
 * Offsets count from the start of the data; the tensors fill it without holes or overlaps. Of the types only F32 is
 * ours. jansson keeps the order, refuses duplicate names, numbers that overflow, NaN and nesting beyond its limit. */
#include "models/safetensors.h"

#include "models/layer.h"

#include <endian.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* The job's text, at most 256 KiB and doubled by escapes, the scaling, and a line for each of some thousand tensors. */
enum { HEADER_MAX = 8 << 20, LENGTH = 8, HEADER_ALIGN = 8 };

/* The largest model there is: 2^31 parameters. */
static const size_t file_max = LENGTH + (size_t)HEADER_MAX + ((size_t)4 << 31);

static const char metadata_name[] = "__metadata__";

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
        good = json_object_set(header, metadata_name, texts) == 0;
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

/* A file, its header parsed. */
typedef struct opened {
    const char    *path;
    uint8_t       *bytes; /* the whole file */
    const uint8_t *data;
    size_t         n_data;
    json_t        *header;
} opened;

static void opened_release(opened *file)
{
    json_decref(file->header);
    free(file->bytes);
}

static wm_status parse_header(opened *file, size_t n, wm_error *err)
{
    uint64_t     length;
    json_error_t where;

    if (n < LENGTH)
        return wm_fail(err, WM_E_MALFORMED, "%s: %zu bytes are no safetensors file", file->path, n);
    memcpy(&length, file->bytes, LENGTH);
    length = le64toh(length);
    if (length > HEADER_MAX || length > n - LENGTH)
        return wm_fail(err, WM_E_MALFORMED, "%s is no safetensors file: a header of %" PRIu64 " bytes, over %s",
                       file->path, length, length > HEADER_MAX ? "the limit" : "the end of the file");
    if (length == 0 || file->bytes[LENGTH] != '{')
        return wm_fail(err, WM_E_MALFORMED, "%s: the header does not begin with {", file->path);
    file->header = json_loadb((const char *)file->bytes + LENGTH, (size_t)length, JSON_REJECT_DUPLICATES, &where);
    if (file->header == NULL)
        return wm_fail(err, WM_E_MALFORMED, "%s: header: %s", file->path, where.text);
    file->data = file->bytes + LENGTH + length;
    file->n_data = n - LENGTH - (size_t)length;
    return WM_OK;
}

/* *ret: to be released, also after a failure. */
static wm_status open_file(const wm_files *files, const char *path, size_t limit, opened *ret, wm_error *err)
{
    size_t    n;
    wm_status st;

    *ret = (opened){ .path = path };
    st = files->read(files, path, limit, &ret->bytes, &n, err);
    if (st != WM_OK)
        return st;
    return parse_header(ret, n, err);
}

wm_status wm_safetensors_metadata(const wm_files *files, const char *path, const char *name, char **ret,
                                  wm_error *err)
{
    opened      file;
    const char *text;
    char       *copy;
    wm_status   st = open_file(files, path, file_max, &file, err);

    if (st != WM_OK)
        goto out;
    text = json_string_value(json_object_get(json_object_get(file.header, metadata_name), name));
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
    opened_release(&file);
    return st;
}

/* A whole number of the header within [0, most]; false if it is none. */
static bool get_size(const json_t *value, size_t most, size_t *ret)
{
    json_int_t number = json_integer_value(value);

    if (!json_is_integer(value) || number < 0 || (uint64_t)number > most)
        return false;
    *ret = (size_t)number;
    return true;
}

static bool same_shape(const json_t *shape, const wm_shape *want)
{
    if (!json_is_array(shape) || json_array_size(shape) != want->rank)
        return false;
    for (uint32_t i = 0; i < want->rank; i++) {
        size_t dim;

        if (!get_size(json_array_get(shape, i), UINT32_MAX, &dim) || dim != want->dim[i])
            return false;
    }
    return true;
}

/* Where a tensor's bytes lie. */
typedef struct extent {
    size_t begin, end;
} extent;

static wm_status find_tensor(const opened *file, const wm_tensor *tensor, extent *ret, wm_error *err)
{
    const json_t *entry = json_object_get(file->header, tensor->name), *offsets, *type;
    char          text[WM_SHAPE_TEXT];

    if (entry == NULL)
        return wm_fail(err, WM_E_SHAPE, "%s: tensor %s of the model is missing", file->path, tensor->name);
    type = json_object_get(entry, "dtype");
    if (!json_is_string(type) || strcmp(json_string_value(type), "F32") != 0)
        return wm_fail(err, WM_E_SHAPE, "%s: tensor %s is not of type F32", file->path, tensor->name);
    if (!same_shape(json_object_get(entry, "shape"), &tensor->shape))
        return wm_fail(err, WM_E_SHAPE, "%s: tensor %s is not of the model's shape, %s", file->path, tensor->name,
                       wm_shape_text(&tensor->shape, text));
    offsets = json_object_get(entry, "data_offsets");
    if (!json_is_array(offsets) || json_array_size(offsets) != 2 ||
        !get_size(json_array_get(offsets, 0), file->n_data, &ret->begin) ||
        !get_size(json_array_get(offsets, 1), file->n_data, &ret->end) || ret->begin > ret->end)
        return wm_fail(err, WM_E_MALFORMED, "%s: tensor %s does not lie within the file's %zu bytes of data",
                       file->path, tensor->name, file->n_data);
    if (ret->end - ret->begin != tensor->n * sizeof(float))
        return wm_fail(err, WM_E_MALFORMED, "%s: tensor %s has %zu bytes, its shape needs %zu", file->path,
                       tensor->name, ret->end - ret->begin, tensor->n * sizeof(float));
    return WM_OK;
}

static int by_begin(const void *a, const void *b)
{
    const extent *x = a, *y = b;

    return (x->begin > y->begin) - (x->begin < y->begin);
}

/* The extents fill the data from end to end: no overlap, no hole, nothing behind. Sorts them. */
static wm_status check_fill(const opened *file, extent *extents, size_t n, wm_error *err)
{
    size_t end = 0;

    qsort(extents, n, sizeof *extents, by_begin);
    for (size_t i = 0; i < n; i++) {
        if (extents[i].begin != end)
            return wm_fail(err, WM_E_MALFORMED, "%s: tensors %s at byte %zu of the data", file->path,
                           extents[i].begin < end ? "overlap" : "leave a hole", extents[i].begin);
        end = extents[i].end;
    }
    if (end != file->n_data)
        return wm_fail(err, WM_E_MALFORMED, "%s: %zu bytes behind the last tensor", file->path, file->n_data - end);
    return WM_OK;
}

static void get_floats(float *to, const uint8_t *from, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t bits;

        memcpy(&bits, from + i * sizeof bits, sizeof bits);
        bits = le32toh(bits);
        memcpy(to + i, &bits, sizeof bits);
    }
}

/* extents: room for two lists, one of which is sorted. */
static wm_status read_tensors(const opened *file, const wm_model *model, extent *extents, float *params,
                              wm_error *err)
{
    size_t    n = wm_model_n_tensors(model), entries = json_object_size(file->header);
    wm_status st;

    if (json_object_get(file->header, metadata_name) != NULL)
        entries--;
    for (size_t i = 0; i < n; i++) {
        st = find_tensor(file, wm_model_tensor(model, i), &extents[i], err);
        if (st != WM_OK)
            return st;
    }
    if (entries != n)
        return wm_fail(err, WM_E_SHAPE, "%s: %zu tensors, the model has %zu", file->path, entries, n);
    memcpy(extents + n, extents, n * sizeof *extents);
    st = check_fill(file, extents + n, n, err);
    if (st != WM_OK)
        return st;
    for (size_t i = 0; i < n; i++) {
        const wm_tensor *tensor = wm_model_tensor(model, i);

        get_floats(params + tensor->offset, file->data + extents[i].begin, tensor->n);
    }
    return WM_OK;
}

wm_status wm_safetensors_read(const wm_files *files, const char *path, const wm_model *model, float *params,
                              wm_error *err)
{
    opened    file;
    size_t    n = wm_model_n_tensors(model);
    extent   *extents = calloc(2 * n + 1, sizeof *extents);
    wm_status st;

    st = open_file(files, path, LENGTH + (size_t)HEADER_MAX + wm_model_n_params(model) * sizeof(float), &file, err);
    if (st == WM_OK && extents == NULL)
        st = wm_fail(err, WM_E_NOMEM, "no memory for the list of %zu tensors", n);
    if (st == WM_OK)
        st = read_tensors(&file, model, extents, params, err);
    opened_release(&file);
    free(extents);
    return st;
}

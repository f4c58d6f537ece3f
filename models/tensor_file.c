/* models/tensor_file.c: see safetensors.c for the format. */
#include "models/tensor_file.h"

#include "models/layer.h"

#include <endian.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The job's text, at most 256 KiB and doubled by escapes, the scaling, and a line for each of some thousand tensors. */
enum { HEADER_MAX = WM_TENSOR_HEADER_MAX, LENGTH = 8 };

const char wm_tensor_metadata[] = "__metadata__";

/* The largest model there is: 2^31 parameters. */
size_t wm_tensor_file_max(void)
{
    return LENGTH + (size_t)HEADER_MAX + ((size_t)4 << 31);
}

void wm_tensor_file_release(wm_tensor_file *file)
{
    json_decref(file->header);
    free(file->bytes);
}

static wm_status parse_header(wm_tensor_file *file, size_t n, wm_error *err)
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
wm_status wm_tensor_file_open(const wm_files *files, const char *path, size_t limit, wm_tensor_file *ret,
                              wm_error *err)
{
    size_t    n;
    wm_status st;

    *ret = (wm_tensor_file){ .path = path };
    st = files->read(files, path, limit, &ret->bytes, &n, err);
    if (st != WM_OK)
        return st;
    return parse_header(ret, n, err);
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

/* "10 x 64", as a file has it; what is no shape as it stands there. */
static const char *shape_there(const json_t *shape, char *text, size_t size)
{
    size_t used = 0;

    snprintf(text, size, "%s", json_array_size(shape) == 0 ? "of no dimension" : "");
    for (size_t i = 0; i < json_array_size(shape) && used < size; i++) {
        int n = snprintf(text + used, size - used, "%s%" JSON_INTEGER_FORMAT, i > 0 ? " x " : "",
                         json_integer_value(json_array_get(shape, i)));

        used += n > 0 ? (size_t)n : 0;
    }
    return text;
}

wm_status wm_tensor_file_extent(const wm_tensor_file *file, const char *name, const json_t *entry, wm_extent *ret,
                                wm_error *err)
{
    const json_t *offsets = json_object_get(entry, "data_offsets");

    if (!json_is_array(offsets) || json_array_size(offsets) != 2 ||
        !get_size(json_array_get(offsets, 0), file->n_data, &ret->begin) ||
        !get_size(json_array_get(offsets, 1), file->n_data, &ret->end) || ret->begin > ret->end)
        return wm_fail(err, WM_E_MALFORMED, "%s: tensor %.80s does not lie within the file's %zu bytes of data",
                       file->path, name, file->n_data);
    return WM_OK;
}

wm_status wm_tensor_file_find(const wm_tensor_file *file, const wm_tensor *tensor, wm_extent *ret, wm_error *err)
{
    const json_t *entry = json_object_get(file->header, tensor->name), *type;
    char          text[WM_SHAPE_TEXT], there[WM_SHAPE_TEXT];
    wm_status     st;

    if (entry == NULL)
        return wm_fail(err, WM_E_SHAPE, "%s: tensor %s of the model, %s, is missing", file->path, tensor->name,
                       wm_shape_text(&tensor->shape, text));
    type = json_object_get(entry, "dtype");
    if (!json_is_string(type) || strcmp(json_string_value(type), "F32") != 0)
        return wm_fail(err, WM_E_SHAPE, "%s: tensor %s is not of type F32", file->path, tensor->name);
    if (!same_shape(json_object_get(entry, "shape"), &tensor->shape))
        return wm_fail(err, WM_E_SHAPE, "%s: tensor %s is %s there, and %s in the model", file->path, tensor->name,
                       shape_there(json_object_get(entry, "shape"), there, sizeof there),
                       wm_shape_text(&tensor->shape, text));
    st = wm_tensor_file_extent(file, tensor->name, entry, ret, err);
    if (st == WM_OK && ret->end - ret->begin != tensor->n * sizeof(float))
        st = wm_fail(err, WM_E_MALFORMED, "%s: tensor %s has %zu bytes, its shape needs %zu", file->path,
                     tensor->name, ret->end - ret->begin, tensor->n * sizeof(float));
    return st;
}

static int by_begin(const void *a, const void *b)
{
    const wm_extent *x = a, *y = b;

    return (x->begin > y->begin) - (x->begin < y->begin);
}

/* The extents fill the data from end to end: no overlap, no hole, nothing behind. Sorts them. */
wm_status wm_tensor_file_check_fill(const wm_tensor_file *file, wm_extent *extents, size_t n, wm_error *err)
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

void wm_tensor_file_floats(const wm_tensor_file *file, const wm_extent *extent, float *to, size_t n)
{
    const uint8_t *from = file->data + extent->begin;

    for (size_t i = 0; i < n; i++) {
        uint32_t bits;

        memcpy(&bits, from + i * sizeof bits, sizeof bits);
        bits = le32toh(bits);
        memcpy(to + i, &bits, sizeof bits);
    }
}

/* client/sources/idx.c
 *
 * Images and labels in the IDX format of the MNIST database (LeCun, Cortes, Burges), plain or gzip. Files come in
 * pairs, in order of name. Big-endian: 0, 0, the type (8: unsigned byte), the number of dimensions, each dimension
 * as 32 bits, then the values. Every size is checked against the job before memory is taken for it. */
#include "client/source.h"

#include "client/sources/options.h"
#include "client/sources/patterns.h"
#include "client/sources/stream.h"

#include <string.h>

enum {
    IDX_BYTE = 8,
    /* Images that one file may hold: ten times as many as the largest set of this kind (EMNIST, 814,255). */
    IDX_COUNT_MAX = 8000000,
    READ_STEP = 1 << 24,
};

/* A file of the format, opened, with its header read. */
typedef struct idx_file {
    wm_stream  *stream;
    const char *name;
    uint32_t    n;     /* the first dimension */
    wm_shape    shape; /* the others; a single channel is added to height and width */
} idx_file;

static wm_status read_exactly(idx_file *file, void *to, size_t n, const char *what, wm_error *err)
{
    for (size_t have = 0; have < n;) {
        size_t    step = n - have < READ_STEP ? n - have : READ_STEP, got;
        wm_status st = wm_stream_read(file->stream, (uint8_t *)to + have, step, &got, err);

        if (st != WM_OK)
            return st;
        if (got < step)
            return wm_fail(err, WM_E_MALFORMED, "%s: ends within its %s, %zu bytes are missing", file->name, what,
                           n - have - got);
        have += got;
    }
    return WM_OK;
}

static wm_status read_header(idx_file *file, uint32_t rank, wm_error *err)
{
    uint8_t   head[4], dims[4 * 4];
    uint32_t  dim[4] = { 0 };
    uint64_t  bytes;
    wm_status st = read_exactly(file, head, sizeof head, "header", err);

    if (st != WM_OK)
        return st;
    if (head[0] != 0 || head[1] != 0)
        return wm_fail(err, WM_E_MALFORMED, "%s: begins with %02x %02x, an idx file with 00 00", file->name,
                       head[0], head[1]);
    if (head[2] != IDX_BYTE)
        return wm_fail(err, WM_E_MALFORMED, "%s: values of type %02x, only unsigned bytes (08) can be read",
                       file->name, head[2]);
    if (head[3] != rank && !(rank == 3 && head[3] == 4))
        return wm_fail(err, WM_E_MALFORMED, "%s: %u dimensions, %s have %s", file->name, head[3],
                       rank == 1 ? "labels" : "images", rank == 1 ? "1" : "3 or 4");
    st = read_exactly(file, dims, 4u * head[3], "header", err);
    if (st != WM_OK)
        return st;
    for (size_t i = 0; i < head[3]; i++)
        dim[i] = (uint32_t)dims[4 * i] << 24 | (uint32_t)dims[4 * i + 1] << 16 | (uint32_t)dims[4 * i + 2] << 8 |
                 dims[4 * i + 3];
    if (dim[0] == 0 || dim[0] > IDX_COUNT_MAX)
        return wm_fail(err, WM_E_MALFORMED, "%s: %u entries, 1 to %d can be read", file->name, dim[0],
                       IDX_COUNT_MAX);
    bytes = dim[0];
    for (size_t i = 1; i < head[3]; i++)
        if (dim[i] == 0 || __builtin_mul_overflow(bytes, dim[i], &bytes))
            return wm_fail(err, WM_E_MALFORMED, "%s: dimension %zu of %u is impossible", file->name, i, dim[i]);
    if (bytes > wm_stream_most(file->stream))
        return wm_fail(err, WM_E_MALFORMED,
                       "%s: its header promises %llu bytes, which a file of this size cannot hold", file->name,
                       (unsigned long long)bytes);
    file->n = dim[0];
    file->shape = (wm_shape){ .rank = 3, .dim = { dim[1], dim[2], head[3] == 4 ? dim[3] : 1 } };
    return WM_OK;
}

static wm_status open_idx(const char *path, uint32_t rank, idx_file *ret, wm_error *err)
{
    /* No more than the largest header's worth could say is ever read, so the stream's own limit is generous. */
    wm_status st = wm_stream_open(path, UINT64_C(1) << 36, &ret->stream, err);

    ret->name = wm_path_name(path);
    return st == WM_OK ? read_header(ret, rank, err) : st;
}

static wm_status expect_end(idx_file *file, wm_error *err)
{
    uint8_t   more;
    size_t    got;
    wm_status st = wm_stream_read(file->stream, &more, 1, &got, err);

    if (st == WM_OK && got > 0)
        st = wm_fail(err, WM_E_MALFORMED, "%s: more bytes than its header says", file->name);
    return st;
}

/* The job's declared shape is asked before the sizes in the header are believed. */
static wm_status check_shape(const wm_readings *readings, const idx_file *file, wm_error *err)
{
    for (size_t i = 0; i < readings->layout->job->data.n_inputs; i++) {
        const wm_shape *want = &readings->layout->job->data.inputs[i].pixels;

        for (uint32_t d = 0; d < 3; d++)
            if (file->shape.dim[d] != (d < want->rank ? want->dim[d] : 1))
                return wm_fail(err, WM_E_SHAPE,
                               "%s: images of %u x %u x %u, data.inputs.%s is declared as %u x %u x %u", file->name,
                               file->shape.dim[0], file->shape.dim[1], file->shape.dim[2],
                               readings->layout->job->data.inputs[i].name, want->dim[0],
                               want->rank > 1 ? want->dim[1] : 1, want->rank > 2 ? want->dim[2] : 1);
    }
    return WM_OK;
}

static wm_status check_labels(const wm_readings *readings, const idx_file *file, const uint8_t *labels,
                              wm_error *err)
{
    for (size_t t = 0; t < readings->layout->job->data.n_targets; t++) {
        const wm_job_target *target = &readings->layout->job->data.targets[t];

        for (size_t i = 0; !target->of_input && i < file->n; i++)
            if (labels[i] >= target->classes)
                return wm_fail(err, WM_E_MALFORMED,
                               "%s: label %u of entry %zu, data.targets.%s has classes 0 to %lld", file->name,
                               labels[i], i, target->name, (long long)target->classes - 1);
    }
    return WM_OK;
}

static wm_status read_pair(const char *images_path, const char *labels_path, wm_readings *readings, wm_error *err)
{
    idx_file  images = { 0 }, labels = { 0 };
    uint8_t  *pixels, *classes;
    wm_status st;

    if ((st = open_idx(images_path, 3, &images, err)) != WM_OK ||
        (st = open_idx(labels_path, 1, &labels, err)) != WM_OK)
        goto out;
    if (images.n != labels.n) {
        st = wm_fail(err, WM_E_MALFORMED, "%s has %u images and %s %u labels: are they a pair?", images.name,
                     images.n, labels.name, labels.n);
        goto out;
    }
    if ((st = check_shape(readings, &images, err)) != WM_OK ||
        (st = wm_readings_file(readings, images.name, err)) != WM_OK ||
        (st = wm_readings_images(readings, &images.shape, images.n, &pixels, &classes, err)) != WM_OK ||
        (st = read_exactly(&images, pixels, images.n * readings->images.size, "pixels", err)) != WM_OK ||
        (st = expect_end(&images, err)) != WM_OK ||
        (st = read_exactly(&labels, classes, labels.n, "labels", err)) != WM_OK ||
        (st = expect_end(&labels, err)) != WM_OK)
        goto out;
    st = check_labels(readings, &labels, classes, err);
out:
    wm_stream_close(images.stream);
    wm_stream_close(labels.stream);
    return st;
}

static wm_status idx_read(const void *options, const char *folder, wm_readings *readings, wm_error *err)
{
    const wm_idx_options *self = options;
    wm_paths              images = { 0 }, labels = { 0 };
    wm_status             st;

    if ((st = wm_paths_find(folder, &self->images, &images, err)) != WM_OK ||
        (st = wm_paths_find(folder, &self->labels, &labels, err)) != WM_OK)
        goto out;
    if (images.count != labels.count) {
        st = wm_fail(err, WM_E_MISSING, "%zu files of images and %zu of labels: each needs its other half",
                     images.count, labels.count);
        goto out;
    }
    for (size_t i = 0; st == WM_OK && i < images.count; i++)
        st = read_pair(images.items[i], labels.items[i], readings, err);
out:
    wm_paths_release(&images);
    wm_paths_release(&labels);
    return st;
}

static const wm_option idx_option_table[] = {
    { .name = "images",
      .kind = WM_WORDS,
      .offset = offsetof(wm_idx_options, images),
      .standard = "\"*-images-*\"",
      .doc = "Patterns of the files with images, below the data folder." },
    { .name = "labels",
      .kind = WM_WORDS,
      .offset = offsetof(wm_idx_options, labels),
      .standard = "\"*-labels-*\"",
      .doc = "Patterns of the files with labels; they pair with the images in order of name." },
};

const wm_source_ops wm_source_idx = {
    .member = { .name = "idx",
                .doc = "Images and labels in the IDX format of MNIST, plain or gzip.",
                .options = idx_option_table,
                .n_options = sizeof idx_option_table / sizeof *idx_option_table,
                .options_size = sizeof(wm_idx_options) },
    .images = true,
    .read = idx_read,
};

/* models/tensor_file.h
 *
 * A safetensors file as it is read, its header parsed and nothing believed: for safetensors.c, which reads one for the very
 * model, and start.c, which begins a model with what somebody else has trained. */
#ifndef WM_MODELS_TENSOR_FILE_H
#define WM_MODELS_TENSOR_FILE_H

#include "common/files.h"
#include "models/model.h"

#include <jansson.h>

typedef struct wm_tensor_file {
    const char    *path;
    uint8_t       *bytes; /* the whole file */
    const uint8_t *data;
    size_t         n_data;
    json_t        *header;
} wm_tensor_file;

/* Where a tensor's bytes lie in the data. */
typedef struct wm_extent {
    size_t begin, end;
} wm_extent;

enum { WM_TENSOR_HEADER_MAX = 8 << 20 };

/* The largest file there can be, and the key of what is no tensor. */
size_t            wm_tensor_file_max(void);
extern const char wm_tensor_metadata[];

/* *ret: to be released, also after a failure. */
wm_status wm_tensor_file_open(const wm_files *files, const char *path, size_t limit, wm_tensor_file *ret,
                              wm_error *err);
void      wm_tensor_file_release(wm_tensor_file *file);

/* The tensor of that name, type and shape; WM_E_SHAPE, WM_E_MALFORMED, with both shapes in the sentence. */
wm_status wm_tensor_file_find(const wm_tensor_file *file, const wm_tensor *tensor, wm_extent *ret, wm_error *err);

/* Any entry of the header. WM_E_MALFORMED: it does not lie within the data. */
wm_status wm_tensor_file_extent(const wm_tensor_file *file, const char *name, const json_t *entry, wm_extent *ret,
                                wm_error *err);

/* The extents fill the data from end to end: no overlap, no hole, nothing behind. Sorts them. */
wm_status wm_tensor_file_check_fill(const wm_tensor_file *file, wm_extent *extents, size_t n, wm_error *err);

/* to[n] <- the floats at an extent of n. */
void wm_tensor_file_floats(const wm_tensor_file *file, const wm_extent *extent, float *to, size_t n);

#endif

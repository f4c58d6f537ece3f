/* models/safetensors.h
 *
 * model.safetensors: an 8-byte little-endian header length, a JSON header, the tensors. Opens in Python's safetensors.
 * Written whole through common/files; read with every offset, overlap, length and type checked first. */
#ifndef WM_MODELS_SAFETENSORS_H
#define WM_MODELS_SAFETENSORS_H

#include "common/files.h"
#include "models/model.h"

/* `metadata`: names and texts for "__metadata__", ending with a NULL name; NULL for none. The job's own text and the
 * scaling go there, so that a model can be evaluated alone. */
typedef struct wm_metadata {
    const char *name, *text;
} wm_metadata;

/* The bytes of such a file, the tensors' still to be filled in: for who has them as bytes already, and no memory for a
 * second copy. To free(). */
typedef struct wm_safetensors_file {
    uint8_t *bytes; /* [n_bytes], owned */
    size_t   n_bytes;
    uint8_t *data; /* in there: n_params little-endian floats */
} wm_safetensors_file;

/* `path` is for the sentences. WM_E_NOMEM; WM_E_INVALID, WM_E_RANGE: metadata that no file can have. */
wm_status wm_safetensors_file_new(const char *path, const wm_model *model, const wm_metadata *metadata,
                                  wm_safetensors_file *ret, wm_error *err);

wm_status wm_safetensors_write(const wm_files *files, const char *path, const wm_model *model, const float *params,
                               const wm_metadata *metadata, wm_error *err);

/* What is in a file, before a model is known: the metadata's text by that name, to be free()d; WM_E_MISSING. */
wm_status wm_safetensors_metadata(const wm_files *files, const char *path, const char *name, char **ret,
                                  wm_error *err);

/* params[n_params of model] <- the file. WM_E_SHAPE if a tensor is missing, surplus or of another shape. */
wm_status wm_safetensors_read(const wm_files *files, const char *path, const wm_model *model, float *params,
                              wm_error *err);

#endif

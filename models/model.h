/* models/model.h
 *
 * A network as a description: a graph of layers over named inputs, its heads, and the tensors that live, one after
 * the other, in one flat float32 vector of parameters. Made from a job, immutable, shared by threads. Memory for
 * running it, and the running, are in models/plan.h.
 *
 * The order of the vector is the order of the layers in the job and of the tensors in a layer, frozen layers first; names
 * and layouts are PyTorch's (dense: weight out x in, bias out), so that model.safetensors opens there. "Model SHA-256" is
 * taken over this vector in little-endian order.
 *
 * Layers that the job lists as personal (Arivazhagan et al. 2019, "Federated Learning with Personalization Layers",
 * arXiv:1912.00818) are not in it: their parameters, and behind them the running statistics of such layers, are another
 * vector, a client's own. Where the network runs, the two stand one behind the other: the whole. */
#ifndef WM_MODELS_MODEL_H
#define WM_MODELS_MODEL_H

#include "common/crypto/digest.h"
#include "common/job/job.h"
#include "common/text.h"

typedef struct wm_model wm_model;

typedef struct wm_tensor {
    const char *name; /* "1.weight": the layer's name and the tensor's */
    wm_shape    shape;
    size_t      offset; /* of its first value in the parameter vector */
    size_t      n;
} wm_tensor;

/* WM_E_INVALID: layers that do not fit each other or the data; each is a fault at its place (faults may be NULL).
 * Sizes are overflow-checked; a model over 2^31 parameters is refused. The job must outlive the model. */
wm_status wm_model_new(const wm_job *job, wm_faults *faults, wm_model **ret, wm_error *err);
void      wm_model_free(wm_model *model);

size_t           wm_model_n_params(const wm_model *model);
size_t           wm_model_n_tensors(const wm_model *model);
const wm_tensor *wm_model_tensor(const wm_model *model, size_t i);

/* Of the parameters, those that are trained, which is what updates are of; the first n_params - n_trained are frozen. */
size_t wm_model_n_trained(const wm_model *model);

/* Values of a client's own; of the whole, n_params + n_own; and of the buffers, which are the last of both. */
size_t wm_model_n_own(const wm_model *model);
size_t wm_model_n_whole(const wm_model *model);
size_t wm_model_n_buffer_values(const wm_model *model);

/* Tensors of a client's own, from 0; their offsets count in the whole. Buffers have none. */
size_t           wm_model_n_own_tensors(const wm_model *model);
const wm_tensor *wm_model_own_tensor(const wm_model *model, size_t i);

/* Whether what the model says of a target goes through a personal layer: without a client's own it says nothing of it. */
bool wm_model_is_own(const wm_model *model, size_t target);

/* Fresh parameters, the same bits for the same seed: as torch.nn initialises each kind of layer, or as the job says of
 * it. */
void wm_model_init(const wm_model *model, uint64_t seed, float *params);

/* The same for own[n_own]: what a client has before it has trained any. */
void wm_model_init_own(const wm_model *model, uint64_t seed, float *own);

/* The frozen part of one vector into another: a baseline trains from scratch, and builds on the same layers. */
void wm_model_copy_frozen(const wm_model *model, const float *from, float *params);

wm_digest wm_params_digest(const float *params, size_t n);

/* A table of the layers for people, into *text: name, kind, shape of the output, parameters, MFLOP of one example's
 * forward pass, KiB while training in batches of `batch` (models/plan.h); and the sums, with what the parameters'
 * gradients and the optimiser take. WM_E_RANGE if no memory holds such batches, WM_E_NOMEM. */
wm_status wm_model_describe(const wm_model *model, size_t batch, wm_text *text, wm_error *err);

/* The families, for reading jobs. */
extern const wm_family wm_layers, wm_initialisers, wm_losses, wm_optimisers, wm_schedules, wm_metrics;

#endif

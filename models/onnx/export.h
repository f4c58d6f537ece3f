/* models/onnx/export.h
 *
 * A model as an ONNX file (IR version 7, opset 13), for runtimes that know nothing of us. Its inputs are the job's, as the
 * model sees them (scaled), [N][shape] under their names; its outputs are the heads, [N][values] under the targets' names
 * (of classes the logits). Channels stay last outside; convolutions are turned around inside. What opset 13 has no operator
 * for (gelu, silu, layer and group norm, attention) is written as what it is made of. */
#ifndef WM_MODELS_ONNX_EXPORT_H
#define WM_MODELS_ONNX_EXPORT_H

#include "models/safetensors.h"

/* bytes[n] <- the file, the caller's to free(). metadata ends with a NULL name. WM_E_INVALID: a layer that cannot be said
 * (the sentence names it); WM_E_NOMEM. */
wm_status wm_onnx_export(const wm_model *model, const float *params, const wm_metadata *metadata, uint8_t **bytes,
                         size_t *n, wm_error *err);

#endif

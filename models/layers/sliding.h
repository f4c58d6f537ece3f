/* models/layers/sliding.h
 *
 * Where a kernel slides: the geometry that convolutions and poolings share, over time (T x C) or over an image
 * (H x W x C; time is an image one row high). An output position looks at kh x kw places, `dilation` apart; positions are
 * `stride` apart; `padding: same` surrounds the input with zeros so that there are ceil(size / stride) positions, an odd
 * one at the end (TensorFlow's rule, and PyTorch's where the stride is 1).
 *
 * Convolutions become products of matrices: the places of an output position as a row [kh][kw][channels]. */
#ifndef WM_MODELS_LAYERS_SLIDING_H
#define WM_MODELS_LAYERS_SLIDING_H

#include "models/layer.h"

typedef enum wm_padding { WM_PADDING_VALID, WM_PADDING_SAME } wm_padding;

typedef struct wm_sliding_options {
    wm_wholes kernel, stride,
        dilation; /* one number for both directions, or height and width; empty stride: the kernel */
    int padding;
} wm_sliding_options;

typedef struct wm_sliding {
    size_t h, w, c;   /* of the input */
    size_t kh, kw;    /* the kernel */
    size_t sh, sw;    /* its strides */
    size_t dh, dw;    /* its dilations */
    size_t top, left; /* rows and columns of zeros before the input */
    size_t oh, ow;    /* output positions */
} wm_sliding;

/* `images`: over H x W x C, otherwise over T x C. NULL and *ret, or a sentence in text (a fault of the layer). */
const char *wm_sliding_init(const wm_sliding_options *options, bool images, const wm_shape *input, wm_sliding *ret,
                            char text[WM_ERROR_TEXT]);

/* The same where `fit` has seen that it goes well. */
wm_sliding wm_sliding_of(const wm_sliding_options *options, bool images, const wm_shape *input);

/* rows[n][kh kw width] <- the places of output positions first, first + 1, ... of x [h][w][c], channels [at, at +
 * width) of each; zeros outside of the input. */
void wm_sliding_rows(const wm_sliding *s, const float *x, size_t at, size_t width, size_t first, size_t n,
                     float *rows);

/* Adds the rows back to where they came from. */
void wm_sliding_rows_add(const wm_sliding *s, const float *rows, size_t at, size_t width, size_t first, size_t n,
                         float *x);

/* The kernel places [*from, *to) that lie within `size` for output position o. */
static inline void wm_sliding_clip(size_t o, size_t stride, size_t before, size_t dilation, size_t kernel,
                                   size_t size, size_t *from, size_t *to)
{
    size_t start = o * stride; /* in padded coordinates */
    size_t a = start >= before ? 0 : (before - start + dilation - 1) / dilation;
    size_t b = size + before > start ? (size + before - start + dilation - 1) / dilation : 0;

    *from = a < kernel ? a : kernel;
    *to = b < kernel ? b : kernel;
    if (*to < *from)
        *to = *from;
}

#define WM_SLIDING_KERNEL(type, words)                                                                    \
    {                                                                                                     \
        .name = "kernel", .kind = WM_WHOLES, .offset = offsetof(type, kernel), .least = 1, .most = 65536, \
        .doc = words                                                                                      \
    }
#define WM_SLIDING_PADDING(type)                                                                                     \
    {                                                                                                                \
        .name = "padding", .kind = WM_CHOICE, .offset = offsetof(type, padding), .words = wm_padding_words,          \
        .standard = "valid",                                                                                         \
        .doc =                                                                                                       \
            "valid: only where the kernel fits; same: zeros around, so that the size is divided by the stride only." \
    }

extern const char *const wm_padding_words[];

#endif

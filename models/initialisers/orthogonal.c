/* models/initialisers/orthogonal.c
 *
 * Saxe et al. 2014 (arXiv:1312.6120): a tensor as a matrix of its first dimension times all others, whose rows, or
 * columns if those are fewer, are perpendicular and of length `gain`. For recurrences, whose weights are applied again
 * and again. Which of all such matrices is drawn evenly: parameters.c makes them of normal numbers. */
#include "models/initialiser.h"

#include <stdio.h>

/* Multiplications; a few seconds. A model is begun by whoever checks a run, too. The shorter side is then below
 * WM_ORTHOGONAL_SIDE_MAX. */
static const double work_max = 0x1p31;
_Static_assert((int64_t)WM_ORTHOGONAL_SIDE_MAX *WM_ORTHOGONAL_SIDE_MAX *WM_ORTHOGONAL_SIDE_MAX > (int64_t)1 << 31,
               "no side that is let through is longer");

typedef struct orthogonal_options {
    double gain;
} orthogonal_options;

static wm_initial orthogonal_of(const void *options, const wm_shape *shape)
{
    (void)shape;
    return (wm_initial){ WM_INITIAL_ORTHOGONAL, ((const orthogonal_options *)options)->gain };
}

static const char *orthogonal_mismatch(const wm_shape *shape, char text[WM_ERROR_TEXT])
{
    char   dims[WM_SHAPE_TEXT];
    double rows = shape->dim[0], columns = 1;

    for (uint32_t i = 1; i < shape->rank; i++)
        columns *= shape->dim[i];
    if (rows * columns * (rows < columns ? rows : columns) <= work_max)
        return NULL;
    snprintf(text, WM_ERROR_TEXT,
             "orthogonal takes too long for weights of %s; 1024 x 1024 will do, and kaiming_normal does any size",
             wm_shape_text(shape, dims));
    return text;
}

static const wm_option options[] = {
    { .name = "gain",
      .kind = WM_REAL,
      .offset = offsetof(orthogonal_options, gain),
      .least = 1e-6,
      .most = 1e6,
      .standard = "1",
      .main = true,
      .doc = "Length of each row, or column." },
};

const wm_initialiser_ops wm_initialiser_orthogonal = {
    .member = { .name = "orthogonal",
                .doc = "Rows, or columns if they are fewer, that are perpendicular to each other; for recurrences.",
                .options = options,
                .n_options = sizeof options / sizeof *options,
                .options_size = sizeof(orthogonal_options) },
    .of = orthogonal_of,
    .mismatch = orthogonal_mismatch,
};

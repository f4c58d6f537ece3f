/* models/layers/residual.c: x + f(x) (He et al. 2016), with f a chain of layers whose output has the input's shape. */
#include "models/layer.h"
#include "models/model.h"

#include <stdio.h>

typedef struct residual_options {
    wm_choices layers;
} residual_options;

extern const wm_layer_ops wm_layer_add;

static size_t chain(const wm_choices *layers, wm_builder *builder, size_t from)
{
    for (size_t i = 0; i < layers->count; i++) {
        char name[64];

        snprintf(name, sizeof name, "%zu.%s", i, layers->items[i].member->name);
        from = wm_expand(builder, name, &layers->items[i], &from, 1);
    }
    return from;
}

static size_t residual_expand(const void *options, wm_builder *builder, const size_t *from, size_t n_from)
{
    const residual_options *self = options;
    size_t    both[2] = { chain(&self->layers, builder, from[0]), from[0] }; /* the first is added to in place */
    wm_choice add = { .member = &wm_layer_add.member };

    (void)n_from;
    if (self->layers.count > 0) { /* a shape that does not fit is the block's fault */
        add.place = self->layers.items[0].place;
        add.path = self->layers.items[0].path;
    }
    return wm_expand(builder, "add", &add, both, 2);
}

static const wm_option options[] = {
    { .name = "layers",
      .kind = WM_MEMBERS,
      .offset = offsetof(residual_options, layers),
      .family = offsetof(wm_job_families, layers),
      .main = true,
      .says = "a list of layers",
      .doc = "The chain whose output is added to its input; their shapes must be the same." },
};

const wm_layer_ops wm_layer_residual = {
    .member = { .name = "residual",
                .doc = "Adds what a chain of layers makes of its input to the input itself.",
                .options = options,
                .n_options = sizeof options / sizeof *options,
                .options_size = sizeof(residual_options) },
    .inputs_least = 1,
    .inputs_most = 1,
    .expand = residual_expand,
};

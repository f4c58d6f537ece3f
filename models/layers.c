/* models/layers.c: the registry of layers. */
#include "models/layer.h"
#include "models/model.h"

extern const wm_layer_ops wm_layer_dense, wm_layer_flatten, wm_layer_relu, wm_layer_sigmoid, wm_layer_tanh;

static const wm_member *const members[] = {
    &wm_layer_dense.member,   &wm_layer_flatten.member, &wm_layer_relu.member,
    &wm_layer_sigmoid.member, &wm_layer_tanh.member,
};

const wm_family wm_layers = { .name = "layer", .members = members, .n_members = sizeof members / sizeof *members };

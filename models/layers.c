/* models/layers.c: the registry of layers. */
#include "models/layer.h"
#include "models/model.h"

extern const wm_layer_ops wm_layer_add, wm_layer_attention, wm_layer_avg_pool1d, wm_layer_avg_pool2d,
    wm_layer_batch_norm, wm_layer_concat, wm_layer_conv1d, wm_layer_conv2d, wm_layer_dense, wm_layer_dropout,
    wm_layer_embedding, wm_layer_flatten, wm_layer_gelu, wm_layer_global_avg_pool, wm_layer_global_max_pool,
    wm_layer_group_norm, wm_layer_gru, wm_layer_layer_norm, wm_layer_leaky_relu, wm_layer_lstm, wm_layer_max_pool1d,
    wm_layer_max_pool2d, wm_layer_noise, wm_layer_positional_encoding, wm_layer_relu, wm_layer_reshape,
    wm_layer_residual, wm_layer_rnn, wm_layer_sample, wm_layer_sigmoid, wm_layer_silu, wm_layer_softmax,
    wm_layer_tanh;

static const wm_member *const members[] = {
    &wm_layer_add.member,
    &wm_layer_attention.member,
    &wm_layer_avg_pool1d.member,
    &wm_layer_avg_pool2d.member,
    &wm_layer_batch_norm.member,
    &wm_layer_concat.member,
    &wm_layer_conv1d.member,
    &wm_layer_conv2d.member,
    &wm_layer_dense.member,
    &wm_layer_dropout.member,
    &wm_layer_embedding.member,
    &wm_layer_flatten.member,
    &wm_layer_gelu.member,
    &wm_layer_global_avg_pool.member,
    &wm_layer_global_max_pool.member,
    &wm_layer_group_norm.member,
    &wm_layer_gru.member,
    &wm_layer_layer_norm.member,
    &wm_layer_leaky_relu.member,
    &wm_layer_lstm.member,
    &wm_layer_max_pool1d.member,
    &wm_layer_max_pool2d.member,
    &wm_layer_noise.member,
    &wm_layer_positional_encoding.member,
    &wm_layer_relu.member,
    &wm_layer_reshape.member,
    &wm_layer_residual.member,
    &wm_layer_rnn.member,
    &wm_layer_sample.member,
    &wm_layer_sigmoid.member,
    &wm_layer_silu.member,
    &wm_layer_softmax.member,
    &wm_layer_tanh.member,
};

const wm_family wm_layers = { .name = "layer", .members = members, .n_members = sizeof members / sizeof *members };

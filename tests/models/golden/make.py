#!/usr/bin/env python3
"""What PyTorch makes of the networks of test_pytorch.c (Debian's python3-torch does):

    ./make.py          # writes cases.tsv, results.bin and start.safetensors beside it

A case is a network, as the layers of a job and as PyTorch's modules, a loss and an optimiser. Parameters and data come
from one generator of numbers that float32 holds exactly, which the test has too, so that only results are stored:
outputs, gradients, losses and parameters after some steps, as float64 computes them, and for each how far PyTorch's own
float32 is from that (root mean square). Parameters are drawn in PyTorch's order of tensors, then the examples of all
batches, then the targets. Channels are last in the jobs, and first in PyTorch: the wrappers here turn them."""
import json
import math
import os
import struct

import torch
from torch import nn
from torch.nn import functional as F


class Numbers:
    def __init__(self, seed):
        self.s = seed

    def unit(self):
        """in [-0.5, 0.5), 24 bits"""
        self.s = (self.s * 6364136223846793005 + 1442695040888963407) % 2**64
        return (self.s >> 40) / 2**24 - 0.5

    def tensor(self, shape, factor):
        n = torch.Size(shape).numel()
        return torch.tensor([self.unit() * factor for _ in range(n)], dtype=torch.float64).reshape(shape)


# ---- PyTorch's modules with channels last ----

class ChannelsLast(nn.Module):
    """`inner` on (B, T, C) or (B, H, W, C); what comes out in the same order. same: zeros around, by TensorFlow's rule."""

    def __init__(self, inner, same=None):
        super().__init__()
        self.inner, self.same = inner, same

    def forward(self, x):
        x = x.movedim(-1, 1)
        if self.same:
            x = F.pad(x, self.same)
        return self.inner(x).movedim(1, -1)


class Global(nn.Module):
    def __init__(self, largest):
        super().__init__()
        self.largest = largest

    def forward(self, x):
        x = x.flatten(1, -2)
        return x.amax(1) if self.largest else x.mean(1)


class Recurrent(nn.Module):
    def __init__(self, inner, sequence=False):
        super().__init__()
        self.inner, self.sequence = inner, sequence

    def forward(self, x):
        every, last = self.inner(x)
        last = last[0] if isinstance(last, tuple) else last
        return every if self.sequence else last.movedim(0, 1).flatten(1)


class Attention(nn.Module):
    def __init__(self, channels, heads, causal=False):
        super().__init__()
        self.inner, self.causal = nn.MultiheadAttention(channels, heads, batch_first=True), causal

    def forward(self, x):
        T = x.shape[1]
        mask = torch.ones(T, T, dtype=torch.bool).triu(1) if self.causal else None
        return self.inner(x, x, x, need_weights=False, attn_mask=mask)[0]


class Position(nn.Module):
    def __init__(self, T, C, learned):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(T, C)) if learned else None
        t, c = torch.arange(T, dtype=torch.float64)[:, None], torch.arange(C, dtype=torch.float64)[None, :]
        angle = t / 10000 ** (2 * torch.div(c, 2, rounding_mode="floor") / C)
        self.waves = torch.where(c % 2 == 0, torch.sin(angle), torch.cos(angle))

    def forward(self, x):
        return x + (self.weight if self.weight is not None else self.waves.to(x.dtype))


class Residual(nn.Module):
    def __init__(self, *inner):
        super().__init__()
        self.inner = nn.Sequential(*inner)

    def forward(self, x):
        return x + self.inner(x)


class Reshape(nn.Module):
    def __init__(self, *shape):
        super().__init__()
        self.shape = shape

    def forward(self, x):
        return x.reshape(x.shape[0], *self.shape)


class Kinds(nn.Module):
    """Examples drawn in [-0.5, 0.5) as kinds 0 to n - 1, like the test does it."""

    def __init__(self, n):
        super().__init__()
        self.n = n

    def forward(self, x):
        return torch.floor((x.double() / SPREAD + 0.5) * self.n).long()


class Branches(nn.Module):
    """join(a(x), b(x))"""

    def __init__(self, a, b, join):
        super().__init__()
        self.a, self.b, self.join = a, b, join

    def forward(self, x):
        return self.join(self.a(x), self.b(x))


class Dice:
    """common/rng.c: xoshiro256**, seeded through SplitMix64; as a plan has them after a reset with seed 0."""

    def __init__(self, seed=0):
        self.s = []
        for _ in range(4):
            seed = (seed + 0x9E3779B97F4A7C15) % 2**64
            z = (seed ^ seed >> 30) * 0xBF58476D1CE4E5B9 % 2**64
            z = (z ^ z >> 27) * 0x94D049BB133111EB % 2**64
            self.s.append(z ^ z >> 31)

    def unit(self):
        turn = lambda x, k: (x << k | x >> 64 - k) % 2**64
        s = self.s
        result, t = turn(s[1] * 5 % 2**64, 7) * 9 % 2**64, s[1] << 17 & 2**64 - 1
        s[2] ^= s[0]
        s[3] ^= s[1]
        s[1] ^= s[2]
        s[0] ^= s[3]
        s[2] ^= t
        s[3] = turn(s[3], 45)
        return (result >> 11) / 2**53

    def normal(self):
        while True:
            u, v = 2 * self.unit() - 1, 2 * self.unit() - 1
            s = u * u + v * v
            if 0 < s < 1:
                return u * (-2 * math.log(s) / s) ** 0.5

    def like(self, x, one):
        return torch.tensor([one() for _ in range(x.numel())], dtype=torch.float64).reshape(x.shape).to(x.dtype)


class Noise(nn.Module):
    def __init__(self, deviation, masked):
        super().__init__()
        self.deviation, self.masked = deviation, masked

    def forward(self, x):
        if not self.training:
            return x
        if self.deviation:
            x = x + self.deviation * self.dice.like(x, self.dice.normal)
        if self.masked:
            x = x * (self.dice.like(x, self.dice.unit) >= self.masked)
        return x


class Sample(nn.Module):
    def __init__(self, beta):
        super().__init__()
        self.beta = beta

    def forward(self, x):
        mean, log_variance = torch.chunk(x, 2, -1)
        if not self.training:
            return mean
        unit = torch.distributions.Normal(torch.zeros_like(mean), torch.ones_like(mean))
        drawn = torch.distributions.Normal(mean, torch.exp(log_variance / 2))
        self.penalty = self.beta * torch.distributions.kl_divergence(drawn, unit).sum() / len(x)
        return mean + drawn.scale * self.dice.like(mean, self.dice.normal)


# ---- losses: the mean over a batch of what an example costs ----

def pinball(levels):
    def loss(z, y):
        z = z.reshape(*y.shape, len(levels))
        d = y.unsqueeze(-1) - z
        q = torch.tensor(levels, dtype=z.dtype)
        return torch.maximum(q * d, (q - 1) * d).mean()
    return loss


def weighted_entropy(weights, smoothing):
    def loss(z, y):
        w = torch.tensor(weights, dtype=z.dtype)
        return F.cross_entropy(z, y, weight=w, label_smoothing=smoothing, reduction="sum") / len(y)
    return loss


def weighted_hinge(margin, weights):
    return lambda z, y: F.multi_margin_loss(z, y, margin=margin, weight=torch.tensor(weights, dtype=z.dtype))


def binary(z, y):
    return F.binary_cross_entropy_with_logits(z, F.one_hot(y, z.shape[1]).to(z.dtype))


SPREAD = 4 # of the examples: in [-2, 2)
L = nn.Linear
sgd = ("{sgd: {momentum: 0.9}}", torch.optim.SGD, dict(momentum=0.9))


class Case:
    def __init__(self, name, shape, layers, modules, width=2, classes=False, loss="mse", loss_of=nn.MSELoss(),
                 optimiser=sgd, rate=0.05, clip=0, batch=3, batches=3, steps=3, head=None, personal=(), random=False):
        self.__dict__.update(locals())
        self.head = head or width
        self.model = "personal: [%s]" % ", ".join(name for name, _ in personal) if personal else "-"

    def order(self, net):
        """Parameters as the vector has them, personal ones behind the others, and then what only batches change."""
        own = [p for _, i in self.personal for p in net[i].parameters()]
        running = [b for _, i in self.personal for name, b in net[i].named_buffers() if "running" in name]
        return [p for p in net.parameters() if not any(p is q for q in own)] + own, running


def around(name, shape, layer, module, channels=None, out=None, **more):
    """The layer between dense ones, so that the gradient of its input shows; `out`: values that it gives."""
    channels = channels or shape[-1]
    return Case(name, shape, "[{dense: %d}, %s, flatten, {dense: 2}]" % (channels, layer),
                lambda: [L(shape[-1], channels), module(), nn.Flatten(), L(out, 2)], **more)


def vector(name, loss, loss_of, **more):
    width, head = more.pop("width", 3), more.pop("head", None)
    return Case(name, (4,), "[{dense: 5}, tanh, {dense: %d}]" % (head or width),
                lambda: [L(4, 5), nn.Tanh(), L(5, head or width)], width=width, head=head, loss=loss, loss_of=loss_of,
                **more)


def stepped(name, text, kind, options, **more):
    return Case(name, (4,), "[{dense: 5}, tanh, {dense: 2}]", lambda: [L(4, 5), nn.Tanh(), L(5, 2)],
                optimiser=(text, kind, options), steps=20, **more)


def back(name, shape, layers, modules, loss="reconstruction", loss_of=nn.MSELoss(), **more):
    """The input is to be given back."""
    return Case(name, shape, layers, modules, width=torch.Size(shape).numel(), loss=loss, loss_of=loss_of, **more)


O = torch.optim
CASES = [
    # whole networks, over 100 steps
    Case("regression", (12,), "[{dense: 16}, tanh, {dense: 8}, sigmoid, {dense: 10}, relu, {dense: 3}]",
         lambda: [L(12, 16), nn.Tanh(), L(16, 8), nn.Sigmoid(), L(8, 10), nn.ReLU(), L(10, 3)], width=3, batch=8,
         batches=20, steps=100),
    Case("classes", (20,), "[{dense: 16}, relu, {dense: 16}, relu, {dense: 5}]",
         lambda: [L(20, 16), nn.ReLU(), L(16, 16), nn.ReLU(), L(16, 5)], width=5, classes=True, loss="cross_entropy",
         loss_of=nn.CrossEntropyLoss(), batch=8, batches=20, steps=100,
         optimiser=("{sgd: {momentum: 0.9, weight_decay: 1e-3, nesterov: true}}", O.SGD,
                    dict(momentum=0.9, weight_decay=1e-3, nesterov=True))),
    Case("steps", (4, 5), "[{dense: 6}, relu, flatten, {dense: 2}]",
         lambda: [L(5, 6), nn.ReLU(), nn.Flatten(), L(24, 2)], rate=0.1, clip=0.5, batch=8, batches=20, steps=100,
         optimiser=("{sgd: {weight_decay: 1e-2}}", O.SGD, dict(weight_decay=1e-2))),
    Case("a small image network", (8, 8, 1),
         "[{conv2d: {channels: 4, kernel: 3, padding: same}}, relu, {max_pool2d: 2}, {conv2d: {channels: 6, kernel: 3}}, "
         "relu, flatten, {dense: 4}]",
         lambda: [ChannelsLast(nn.Conv2d(1, 4, 3, padding=1)), nn.ReLU(), ChannelsLast(nn.MaxPool2d(2)),
                  ChannelsLast(nn.Conv2d(4, 6, 3)), nn.ReLU(), nn.Flatten(), L(24, 4)],
         width=4, classes=True, loss="cross_entropy", loss_of=nn.CrossEntropyLoss(), batch=8, batches=5, steps=100),
    Case("a convolution before an lstm", (12, 3), "[{conv1d: {channels: 4, kernel: 5}}, relu, {lstm: 5}, {dense: 2}]",
         lambda: [ChannelsLast(nn.Conv1d(3, 4, 5)), nn.ReLU(), Recurrent(nn.LSTM(4, 5, batch_first=True)), L(5, 2)],
         batch=8, batches=5, steps=100, clip=1),
    Case("a transformer's block", (5, 3),
         "[{dense: 8}, positional_encoding, {residual: [layer_norm, {attention: 2}]}, "
         "{residual: [layer_norm, {dense: 12}, gelu, {dense: 8}]}, layer_norm, global_avg_pool, {dense: 2}]",
         lambda: [L(3, 8), Position(5, 8, False), Residual(nn.LayerNorm(8), Attention(8, 2)),
                  Residual(nn.LayerNorm(8), L(8, 12), nn.GELU(), L(12, 8)), nn.LayerNorm(8), Global(False), L(8, 2)],
         batch=8, batches=5, steps=100, optimiser=("adam", O.Adam, {}), rate=0.003),

    # autoencoders
    back("an autoencoder", (4, 3), "[flatten, {dense: 5}, tanh, {dense: 12}]",
         lambda: [nn.Flatten(), L(12, 5), nn.Tanh(), L(5, 12)], batch=8, batches=5, steps=100),
    back("an autoencoder by absolute error", (6,), "[{dense: 3}, {dense: 6}]", lambda: [L(6, 3), L(3, 6)],
         loss="{reconstruction: absolute}", loss_of=nn.L1Loss()),
    back("a denoising autoencoder", (8,), "[{noise: 0.3}, {dense: 4}, tanh, {dense: 8}]",
         lambda: [Noise(0.3, 0), L(8, 4), nn.Tanh(), L(4, 8)], batch=8, batches=5, steps=100, random=True),
    back("a masking autoencoder", (8,), "[{noise: {masked: 0.4}}, {dense: 4}, tanh, {dense: 8}]",
         lambda: [Noise(0, 0.4), L(8, 4), nn.Tanh(), L(4, 8)], random=True),
    back("noise between layers", (4,), "[{dense: 5}, {noise: {deviation: 0.2, masked: 0.2}}, tanh, {dense: 4}]",
         lambda: [L(4, 5), Noise(0.2, 0.2), nn.Tanh(), L(5, 4)], random=True),
    back("a beta-VAE", (8,), "[{dense: 10}, tanh, {dense: 6}, {sample: 0.05}, {dense: 10}, tanh, {dense: 8}]",
         lambda: [L(8, 10), nn.Tanh(), L(10, 6), Sample(0.05), L(3, 10), nn.Tanh(), L(10, 8)], batch=8, batches=5,
         steps=100, optimiser=("adam", torch.optim.Adam, {}), rate=0.003, random=True),
    around("sample", (3, 4), "{sample: 2}", lambda: Sample(2), out=6, random=True),

    # layers
    around("leaky_relu", (3, 4), "{leaky_relu: 0.1}", lambda: nn.LeakyReLU(0.1), out=12),
    around("gelu", (3, 4), "gelu", nn.GELU, out=12),
    around("silu", (3, 4), "silu", nn.SiLU, out=12),
    around("softmax", (3, 4), "softmax", lambda: nn.Softmax(-1), out=12),
    around("layer_norm", (3, 20), "layer_norm", lambda: nn.LayerNorm(20), out=60),
    around("group_norm", (5, 6), "{group_norm: 3}", lambda: ChannelsLast(nn.GroupNorm(3, 6)), out=30),
    around("group_norm of an image", (3, 4, 4), "{group_norm: {groups: 2, epsilon: 1e-3}}",
           lambda: ChannelsLast(nn.GroupNorm(2, 4, eps=1e-3)), out=48),
    around("batch_norm", (5, 6), "{name: n, batch_norm: {}}", lambda: ChannelsLast(nn.BatchNorm1d(6)), out=30, steps=20,
           personal=[("n", 1)]),
    around("batch_norm of a vector", (6,), "{name: n, batch_norm: {momentum: 0.3, epsilon: 1e-3}}",
           lambda: nn.BatchNorm1d(6, momentum=0.3, eps=1e-3), out=6, batch=7, personal=[("n", 1)]),
    around("batch_norm of an image", (3, 4, 4), "{name: n, batch_norm: {}}", lambda: ChannelsLast(nn.BatchNorm2d(4)),
           out=48, personal=[("n", 1)]),
    around("conv1d", (7, 3), "{conv1d: {channels: 4, kernel: 3}}", lambda: ChannelsLast(nn.Conv1d(3, 4, 3)), out=20),
    around("conv1d, stride and dilation", (11, 3), "{conv1d: {channels: 4, kernel: 3, stride: 2, dilation: 2}}",
           lambda: ChannelsLast(nn.Conv1d(3, 4, 3, stride=2, dilation=2)), out=16),
    around("conv1d, same", (6, 2), "{conv1d: {channels: 3, kernel: 4, padding: same}}",
           lambda: ChannelsLast(nn.Conv1d(2, 3, 4, padding="same")), out=18),
    around("conv1d, same and stride", (7, 2), "{conv1d: {channels: 3, kernel: 4, stride: 3, padding: same}}",
           lambda: ChannelsLast(nn.Conv1d(2, 3, 4, stride=3), (1, 2)), out=9),
    around("conv1d, groups", (6, 4), "{conv1d: {channels: 6, kernel: 3, groups: 2}}",
           lambda: ChannelsLast(nn.Conv1d(4, 6, 3, groups=2)), out=24),
    around("conv1d, depthwise", (6, 4), "{conv1d: {channels: 4, kernel: 3, groups: 4, padding: same}}",
           lambda: ChannelsLast(nn.Conv1d(4, 4, 3, groups=4, padding=1)), out=24),
    around("conv2d", (5, 6, 2), "{conv2d: {channels: 3, kernel: [2, 3]}}", lambda: ChannelsLast(nn.Conv2d(2, 3, (2, 3))),
           out=48),
    around("conv2d, stride, dilation, same", (6, 7, 2),
           "{conv2d: {channels: 3, kernel: 3, stride: [1, 2], dilation: [2, 1], padding: same}}",
           lambda: ChannelsLast(nn.Conv2d(2, 3, 3, stride=(1, 2), dilation=(2, 1)), (1, 1, 2, 2)), out=72),
    around("conv2d, groups and same", (4, 5, 4), "{conv2d: {channels: 6, kernel: 3, groups: 2, padding: same}}",
           lambda: ChannelsLast(nn.Conv2d(4, 6, 3, groups=2, padding=1)), out=120),
    around("conv2d, depthwise with two outputs each", (4, 4, 3), "{conv2d: {channels: 6, kernel: 3, groups: 3}}",
           lambda: ChannelsLast(nn.Conv2d(3, 6, 3, groups=3)), out=24),
    around("max_pool1d", (7, 3), "{max_pool1d: {kernel: 3, stride: 2}}", lambda: ChannelsLast(nn.MaxPool1d(3, 2)), out=9),
    around("max_pool2d", (6, 4, 2), "max_pool2d", lambda: ChannelsLast(nn.MaxPool2d(2)), out=12),
    around("max_pool2d, same", (5, 5, 2), "{max_pool2d: {kernel: 3, stride: 2, padding: same}}",
           lambda: ChannelsLast(nn.MaxPool2d(3, 2, padding=1)), out=18),
    around("avg_pool1d", (6, 3), "{avg_pool1d: 2}", lambda: ChannelsLast(nn.AvgPool1d(2)), out=9),
    around("avg_pool2d, same", (5, 5, 2), "{avg_pool2d: {kernel: [3, 3], stride: 2, padding: same}}",
           lambda: ChannelsLast(nn.AvgPool2d(3, 2, padding=1, count_include_pad=False)), out=18),
    around("global_avg_pool", (3, 4, 5), "global_avg_pool", lambda: Global(False), out=5),
    around("global_max_pool", (6, 5), "global_max_pool", lambda: Global(True), out=5),
    around("lstm", (6, 3), "{lstm: 4}", lambda: Recurrent(nn.LSTM(3, 4, batch_first=True)), out=4),
    around("lstm, sequence, both ways", (5, 3), "{lstm: {units: 4, sequence: true, bidirectional: true}}",
           lambda: Recurrent(nn.LSTM(3, 4, batch_first=True, bidirectional=True), True), out=40),
    around("gru", (6, 3), "{gru: 4}", lambda: Recurrent(nn.GRU(3, 4, batch_first=True)), out=4),
    around("gru, sequence", (5, 3), "{gru: {units: 4, sequence: true}}",
           lambda: Recurrent(nn.GRU(3, 4, batch_first=True), True), out=20),
    around("gru, both ways", (5, 3), "{gru: {units: 4, bidirectional: true}}",
           lambda: Recurrent(nn.GRU(3, 4, batch_first=True, bidirectional=True)), out=8),
    around("rnn", (6, 3), "{rnn: 4}", lambda: Recurrent(nn.RNN(3, 4, batch_first=True)), out=4),
    around("rnn, sequence, both ways", (4, 3), "{rnn: {units: 3, sequence: true, bidirectional: true}}",
           lambda: Recurrent(nn.RNN(3, 3, batch_first=True, bidirectional=True), True), out=24),
    around("attention", (5, 6), "{attention: 2}", lambda: Attention(6, 2), out=30),
    around("attention, causal", (5, 6), "{attention: {heads: 3, causal: true}}", lambda: Attention(6, 3, True), out=30),
    around("positional_encoding", (5, 5), "positional_encoding", lambda: Position(5, 5, False), out=25),
    around("positional_encoding, learned", (4, 3), "{positional_encoding: learned}", lambda: Position(4, 3, True), out=12),
    around("reshape", (4, 3), "{reshape: [2, 6]}", lambda: Reshape(2, 6), out=12),
    around("residual", (4,), "{residual: {layers: [{dense: 6}, relu, {dense: 4}]}}",
           lambda: Residual(L(4, 6), nn.ReLU(), L(6, 4)), out=4),
    around("residual in a residual", (4,), "{residual: [tanh, {residual: [{dense: 4}, relu]}]}",
           lambda: Residual(nn.Tanh(), Residual(L(4, 4), nn.ReLU())), out=4),
    Case("embedding", (6,), "[{embedding: {kinds: 7, units: 3}}, flatten, {dense: 2}]",
         lambda: [Kinds(7), nn.Embedding(7, 3), nn.Flatten(), L(18, 2)]),
    Case("branches that are added", (4,),
         "[{name: a, from: x, dense: 3}, {name: b, from: x, dense: 3}, {from: [a, b], add: {}}, {dense: 2}]",
         lambda: [Branches(L(4, 3), L(4, 3), torch.add), L(3, 2)]),
    Case("branches side by side", (3, 4),
         "[{name: a, from: x, dense: 3}, {name: b, from: x, dense: 2}, {from: [a, b], concat: {}}, flatten, {dense: 2}]",
         lambda: [Branches(L(4, 3), L(4, 2), lambda a, b: torch.cat([a, b], -1)), nn.Flatten(), L(15, 2)]),

    # losses
    vector("mae", "mae", nn.L1Loss()),
    vector("huber", "{huber: 0.7}", nn.HuberLoss(delta=0.7)),
    vector("pinball", "{pinball: [0.1, 0.5, 0.9]}", pinball([0.1, 0.5, 0.9]), width=2, head=6),
    vector("cross_entropy with weights and smoothing",
           "{cross_entropy: {class_weights: [1, 2, 0.5], smoothing: 0.1}}", weighted_entropy([1, 2, 0.5], 0.1), classes=True),
    vector("binary_cross_entropy", "binary_cross_entropy", binary, classes=True),
    vector("hinge", "{hinge: 0.8}", nn.MultiMarginLoss(margin=0.8), classes=True, width=4),
    vector("hinge with weights", "{hinge: {margin: 0.8, class_weights: [1, 2, 0.5]}}", weighted_hinge(0.8, [1, 2, 0.5]),
           classes=True),

    # optimisers
    stepped("sgd", "sgd", O.SGD, {}),
    stepped("adam", "adam", O.Adam, {}, rate=0.01),
    stepped("adam with decay", "{adam: {beta1: 0.8, beta2: 0.99, epsilon: 1e-6, weight_decay: 0.1}}", O.Adam,
            dict(betas=(0.8, 0.99), eps=1e-6, weight_decay=0.1), rate=0.01),
    stepped("adamw", "{adamw: {weight_decay: 0.1}}", O.AdamW, dict(weight_decay=0.1), rate=0.01),
    stepped("adagrad", "{adagrad: {weight_decay: 0.01}}", O.Adagrad, dict(weight_decay=0.01), rate=0.05),
    stepped("rmsprop", "rmsprop", O.RMSprop, {}, rate=0.01),
    stepped("rmsprop with momentum", "{rmsprop: {keep: 0.9, momentum: 0.9, weight_decay: 0.01}}", O.RMSprop,
            dict(alpha=0.9, momentum=0.9, weight_decay=0.01), rate=0.003),
]


def run(case, dtype):
    numbers = Numbers(1)
    net = nn.Sequential(*case.modules()).to(dtype)
    Noise.dice = Sample.dice = Dice()
    params, running = case.order(net)
    with torch.no_grad():
        for p in params:
            p.copy_(numbers.tensor(p.shape, 0.5 if case.steps == 100 else 1))
    x = numbers.tensor((case.batches, case.batch) + case.shape, SPREAD).to(dtype)
    y = numbers.tensor((case.batches, case.batch) if case.classes else (case.batches, case.batch, case.width), 1)
    y = torch.floor((y + 0.5) * case.width).long() if case.classes else y.to(dtype)
    y = x.flatten(2) if "reconstruction" in case.loss else y
    optimiser = case.optimiser[1](net.parameters(), lr=case.rate, **case.optimiser[2])
    flat = lambda tensors: torch.cat([t.detach().reshape(-1).double() for t in tensors])
    losses, result = [], {}
    for i in range(case.steps):
        optimiser.zero_grad()
        output = net(x[i % case.batches])
        loss = case.loss_of(output, y[i % case.batches]) + sum(m.penalty for m in net if isinstance(m, Sample))
        loss.backward()
        if i == 0:
            result["outputs"] = flat([output])
            result["gradients"] = flat([p.grad for p in params])
            if case.random:  # dice are thrown in training alone
                result["outputs"] = flat([net.eval()(x[0])])
                net.train()
        if case.clip:
            nn.utils.clip_grad_norm_(net.parameters(), case.clip)
        optimiser.step()
        losses.append(loss.item())
    result["losses"] = torch.tensor(losses, dtype=torch.float64)
    result["parameters"] = flat(params + running)
    if case.personal:  # as an evaluation sees it, by the running statistics
        net.eval()
        result["outputs"] = flat([net(x[0])])
    return result


def start(path):
    """A state_dict as safetensors.torch saves it: larger types first, then by name, the data without a hole."""
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.n, self.y = L(4, 5), nn.BatchNorm1d(5), L(5, 2)
    net, numbers = Net(), Numbers(1)
    with torch.no_grad():
        for p in [net.a.weight, net.a.bias, net.y.weight, net.y.bias]:
            p.copy_(numbers.tensor(p.shape, 1))
    types = {torch.float32: "F32", torch.int64: "I64"}
    tensors = sorted(net.state_dict().items(), key=lambda t: (-t[1].element_size(), t[0]))
    header, data = {}, b""
    for name, t in tensors:
        begin = len(data)
        data += t.numpy().tobytes()
        header[name] = {"dtype": types[t.dtype], "shape": list(t.shape), "data_offsets": [begin, len(data)]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + data)


def main():
    torch.set_num_threads(1)
    here = os.path.dirname(os.path.abspath(__file__))
    start(os.path.join(here, "start.safetensors"))
    with open(os.path.join(here, "cases.tsv"), "w") as table, open(os.path.join(here, "results.bin"), "wb") as results:
        for case in CASES:
            exact, single = run(case, torch.float64), run(case, torch.float32)
            fields = [case.name, " ".join(map(str, case.shape)), case.layers, case.loss, case.width, int(case.classes),
                      case.model, case.optimiser[0], case.rate, case.clip, case.batch, case.batches, case.steps]
            for what, values in exact.items():
                distance = (single[what] - values).square().mean().sqrt().item()
                fields += [len(values), "%.4g" % distance]
                results.write(struct.pack("<%dd" % len(values), *values.tolist()))
            table.write("\t".join(map(str, fields)) + "\n")


if __name__ == "__main__":
    main()

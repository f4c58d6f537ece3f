#!/usr/bin/env python3
"""What PyTorch makes of the networks of tests/bench/step.c, W1 to W6 in full size, over 100 steps of sgd:

    ./workloads.py     # writes workloads.tsv and workloads.bin beside it, in about three minutes

As in make.py, float64 says what is right, and the distance of PyTorch's own float32 from it is what test_workloads.c
allows us twice of. Parameters are too many to store, so after 1, 10 and 100 steps there are 128 projections of them: onto
vectors of 1 and -1, whose signs are the bits of a hash of the parameter's place. The mean square of the projections of a
difference is its length squared, give or take an eighth.

A line of workloads.tsv: name, shape, layers, loss, width, classes?, batch, parameters; the float32's root mean square
distance from float64 over the losses, and over all parameters after each of those steps. In workloads.bin for each: 100
losses, and the projections."""
import math
import os
import struct

import numpy
import torch
from torch import nn

from make import Attention, ChannelsLast, Global, Numbers, Position, Recurrent, Residual

L = nn.Linear
STEPS, MARKS, BATCHES, BATCH, RATE, SPREAD = 100, (1, 10, 100), 20, 10, 0.01, 4
BLOCK = "{residual: [{attention: 4}]}, layer_norm, {residual: [{dense: 128}, relu, {dense: 64}]}, layer_norm, "


def block():
    return [Residual(Attention(64, 4)), nn.LayerNorm(64), Residual(L(64, 128), nn.ReLU(), L(128, 64)), nn.LayerNorm(64)]


def dense(*widths):
    layers = [m for a, b in zip(widths, widths[1:]) for m in (L(a, b), nn.ReLU())]
    return layers[:-1]


def words(*widths):
    return "[" + ", relu, ".join("{dense: %d}" % w for w in widths) + "]"


AE = (115, 86, 57, 38, 29, 38, 57, 86, 115)
WORKLOADS = [ # name, shape, layers, modules, loss, width, classes
    ("W1", (784,), words(200, 200, 10), lambda: dense(784, 200, 200, 10), "cross_entropy", 10, True),
    ("W2", (28, 28, 1),
     "[{conv2d: {channels: 32, kernel: 5, padding: same}}, relu, max_pool2d, "
     "{conv2d: {channels: 64, kernel: 5, padding: same}}, relu, max_pool2d, flatten, {dense: 512}, relu, {dense: 10}]",
     lambda: [ChannelsLast(nn.Conv2d(1, 32, 5, padding=2)), nn.ReLU(), ChannelsLast(nn.MaxPool2d(2)),
              ChannelsLast(nn.Conv2d(32, 64, 5, padding=2)), nn.ReLU(), ChannelsLast(nn.MaxPool2d(2)), nn.Flatten(),
              L(3136, 512), nn.ReLU(), L(512, 10)], "cross_entropy", 10, True),
    ("W3", (24, 8), "[{lstm: 64}, {dense: 1}]", lambda: [Recurrent(nn.LSTM(8, 64, batch_first=True)), L(64, 1)], "mse", 1,
     False),
    ("W4", (128, 9),
     "[{conv1d: {channels: 64, kernel: 5}}, relu, {conv1d: {channels: 64, kernel: 5}}, relu, {lstm: 64}, {dense: 6}]",
     lambda: [ChannelsLast(nn.Conv1d(9, 64, 5)), nn.ReLU(), ChannelsLast(nn.Conv1d(64, 64, 5)), nn.ReLU(),
              Recurrent(nn.LSTM(64, 64, batch_first=True)), L(64, 6)], "cross_entropy", 6, True),
    ("W5", (48, 8), "[{dense: 64}, {positional_encoding: learned}, " + BLOCK + BLOCK + "global_avg_pool, {dense: 1}]",
     lambda: [L(8, 64), Position(48, 64, True)] + block() + block() + [Global(False), L(64, 1)], "mse", 1, False),
    ("W6", (115,), words(*AE[1:]), lambda: dense(*AE), "mse", 115, False), # its targets are its inputs
]


def begin(net, numbers):
    """Norms as they are; else by a power of two near 2 / sqrt(fan in), which float32 holds exactly with the number."""
    norms = {p for m in net.modules() if isinstance(m, nn.LayerNorm) for p in m.parameters()}
    with torch.no_grad():
        for p in net.parameters():
            if p in norms:
                continue
            fan = p[0].numel() if p.dim() > 1 else 1024
            p.copy_(numbers.tensor(p.shape, 2.0 ** math.floor(math.log2(2 / math.sqrt(fan)))))


def signs(n, which):
    """[n][64] of 1 and -1: SplitMix64 of each place."""
    with numpy.errstate(over="ignore"):
        z = (numpy.arange(n, dtype=numpy.uint64) + numpy.uint64(n * which + 1)) * numpy.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> numpy.uint64(30))) * numpy.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> numpy.uint64(27))) * numpy.uint64(0x94D049BB133111EB)
        z = z ^ (z >> numpy.uint64(31))
    return z


def projections(x):
    result = []
    for which in range(2):
        z = signs(len(x), which)
        for k in range(64):
            s = ((z >> numpy.uint64(k)) & numpy.uint64(1)).astype(numpy.float64) * 2 - 1
            result.append(float(numpy.dot(s, x)))
    return result


def run(workload, dtype, data):
    name, shape, _, modules, loss_name, width, classes = workload
    numbers = Numbers(1)
    net = nn.Sequential(*modules()).to(torch.float64)
    begin(net, numbers)
    net = net.to(dtype)
    if not data:
        x = numbers.tensor((BATCHES, BATCH) + shape, SPREAD)
        y = x if name == "W6" else numbers.tensor((BATCHES, BATCH) if classes else (BATCHES, BATCH, width), 1)
        data += [x, torch.floor((y + 0.5) * width).long() if classes else y]
    x, y = data[0].to(dtype), data[1] if classes else data[1].to(dtype)
    loss_of = nn.CrossEntropyLoss() if classes else nn.MSELoss()
    optimiser = torch.optim.SGD(net.parameters(), lr=RATE)
    losses, marks = [], []
    for i in range(STEPS):
        optimiser.zero_grad()
        loss = loss_of(net(x[i % BATCHES]), y[i % BATCHES])
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
        if i + 1 in MARKS:
            marks.append(torch.cat([p.detach().reshape(-1).double() for p in net.parameters()]).numpy().copy())
    return numpy.array(losses), marks


def distance(a, b):
    return math.sqrt(float(numpy.mean((a - b) ** 2)))


def main():
    torch.set_num_threads(1)
    here = os.path.dirname(os.path.abspath(__file__))
    with open(os.path.join(here, "workloads.tsv"), "w") as table, \
            open(os.path.join(here, "workloads.bin"), "wb") as results:
        for w in WORKLOADS:
            data = []
            exact, exact_marks = run(w, torch.float64, data)
            single, single_marks = run(w, torch.float32, data)
            fields = [w[0], " ".join(map(str, w[1])), w[2], w[4], w[5], int(w[6]), BATCH, len(exact_marks[0]),
                      "%.4g" % distance(exact, single)]
            fields += ["%.4g" % distance(a, b) for a, b in zip(exact_marks, single_marks)]
            table.write("\t".join(map(str, fields)) + "\n")
            numbers = list(exact) + [p for m in exact_marks for p in projections(m)]
            results.write(struct.pack("<%dd" % len(numbers), *numbers))


if __name__ == "__main__":
    main()

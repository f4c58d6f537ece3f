#!/usr/bin/env python3
"""tests/bench/step.c in PyTorch, as an analyst would write it:

    step_torch.py WORKLOAD BATCH THREADS [SECONDS [turns]]

The same networks on random batches of the same shapes, the same plain sgd, the same line; the best of 9 repeats. With
`turns` it measures once for every line on its standard input, so that run can let two programs take turns without
importing PyTorch again each time. Images and sequences have their channels first, as PyTorch's convolutions want them."""
import os
import sys
import time

BATCHES, REPEATS = 20, 9
AUTOENCODER = (115, 86, 57, 38, 29, 38, 57, 86, 115)

workload, batch, threads = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
seconds = float(sys.argv[4]) if len(sys.argv) > 4 else 0.25
turns = "turns" in sys.argv[5:]
os.environ.update(OMP_NUM_THREADS=str(threads), OPENBLAS_NUM_THREADS="1") # both read when they are loaded; 1 is its best

import torch # noqa: E402
from torch import nn # noqa: E402


class LastOfLstm(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.lstm = nn.LSTM(width, 64, batch_first=True)

    def forward(self, x):
        return self.lstm(x)[0][:, -1]


class TimeFirst(nn.Module):
    def forward(self, x):
        return x.transpose(1, 2)


class Position(nn.Module):
    def __init__(self, *shape):
        super().__init__()
        self.place = nn.Parameter(torch.zeros(*shape))

    def forward(self, x):
        return x + self.place


class MeanOverTime(nn.Module):
    def forward(self, x):
        return x.mean(1)


def dense(*widths):
    layers = [layer for a, b in zip(widths, widths[1:]) for layer in (nn.Linear(a, b), nn.ReLU())]
    return layers[:-1]


def transformer():
    block = nn.TransformerEncoderLayer(64, 4, 128, dropout=0.0, batch_first=True)
    return [nn.Linear(8, 64), Position(48, 64), nn.TransformerEncoder(block, 2), MeanOverTime(), nn.Linear(64, 1)]


NETWORKS = { # layers, shape of an example, values of the target, classes or not
    "W1": (lambda: dense(784, 200, 200, 10), (784,), 10, True),
    "W2": (lambda: [nn.Conv2d(1, 32, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(32, 64, 5, padding=2), nn.ReLU(),
                    nn.MaxPool2d(2), nn.Flatten()] + dense(3136, 512, 10), (1, 28, 28), 10, True),
    "W3": (lambda: [LastOfLstm(8), nn.Linear(64, 1)], (24, 8), 1, False),
    "W4": (lambda: [nn.Conv1d(9, 64, 5), nn.ReLU(), nn.Conv1d(64, 64, 5), nn.ReLU(), TimeFirst(), LastOfLstm(64),
                    nn.Linear(64, 6)], (9, 128), 6, True),
    "W5": (transformer, (48, 8), 1, False),
    "W6": (lambda: dense(*AUTOENCODER), (115,), 115, False),
}


def peak_mb():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1024


def main():
    layers, shape, width, classes = NETWORKS[workload]
    torch.set_num_threads(threads)
    torch.manual_seed(1)
    net = nn.Sequential(*layers())
    optimiser = torch.optim.SGD(net.parameters(), lr=0.01)
    loss_of = nn.CrossEntropyLoss() if classes else nn.MSELoss()
    x = torch.randn(BATCHES, batch, *shape)
    y = torch.randint(0, width, (BATCHES, batch)) if classes else torch.randn(BATCHES, batch, width)

    def step(i):
        optimiser.zero_grad()
        loss_of(net(x[i % BATCHES]), y[i % BATCHES]).backward()
        optimiser.step()

    def rate():
        steps, begin, took = 0, time.perf_counter(), 0
        while took < seconds:
            for _ in range(10):
                step(steps)
                steps += 1
            took = time.perf_counter() - begin
        return steps * batch / took

    def measure():
        rates = sorted(rate() for _ in range(REPEATS))
        print("%s torch %d %d %.0f %.1f # median=%.0f worst=%.0f repeats=%d params=%d"
              % (workload, threads, batch, rates[-1], peak_mb(), rates[REPEATS // 2], rates[0], REPEATS,
                 sum(p.numel() for p in net.parameters())), flush=True)

    for i in range(20):
        step(i)
    if not turns:
        measure()
        return
    for _ in sys.stdin:
        measure()


if __name__ == "__main__":
    main()

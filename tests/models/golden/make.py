#!/usr/bin/env python3
"""Writes networks.h: what PyTorch makes of the networks of test_pytorch.c (Debian's python3-torch does).

    ./make.py > networks.h

Parameters and data come from one generator of numbers that float32 holds exactly, which the test has too, so that only
results are stored: outputs, gradients and parameters after 100 steps, all as float64 computes them, and for each how far
PyTorch's own float32 is from that (root mean square). Parameters are drawn in PyTorch's order of tensors, then the
examples of all batches, then the targets."""
import torch
from torch import nn

BATCH, BATCHES, STEPS = 8, 20, 100


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


def regression():
    return nn.Sequential(nn.Linear(12, 16), nn.Tanh(), nn.Linear(16, 8), nn.Sigmoid(), nn.Linear(8, 10), nn.ReLU(),
                         nn.Linear(10, 3))


def classes():
    return nn.Sequential(nn.Linear(20, 16), nn.ReLU(), nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 5))


def steps():
    return nn.Sequential(nn.Linear(5, 6), nn.ReLU(), nn.Flatten(), nn.Linear(24, 2))


NETWORKS = [
    # name, network, shape of an example, width of the target, classes, options of torch.optim.SGD, clip
    ("regression", regression, (12,), 3, False, dict(lr=0.05, momentum=0.9), 0),
    ("classes", classes, (20,), 5, True, dict(lr=0.05, momentum=0.9, weight_decay=1e-3, nesterov=True), 0),
    ("steps", steps, (4, 5), 2, False, dict(lr=0.1, weight_decay=1e-2), 0.5),
]


def run(make, shape, width, is_class, options, clip, dtype):
    numbers = Numbers(1)
    net = make().to(dtype)
    with torch.no_grad():
        for p in net.parameters():
            p.copy_(numbers.tensor(p.shape, 0.5))
    x = numbers.tensor((BATCHES, BATCH) + shape, 4).to(dtype)
    y = numbers.tensor((BATCHES, BATCH) if is_class else (BATCHES, BATCH, width), 1)
    if is_class:
        y = torch.floor((y + 0.5) * width).long()
        loss_of = nn.CrossEntropyLoss()
    else:
        y = y.to(dtype)
        loss_of = nn.MSELoss()
    optimiser = torch.optim.SGD(net.parameters(), **options)
    flat = lambda tensors: torch.cat([t.detach().reshape(-1).double() for t in tensors])
    losses, result = [], {}
    for i in range(STEPS):
        optimiser.zero_grad()
        output = net(x[i % BATCHES])
        loss = loss_of(output, y[i % BATCHES])
        loss.backward()
        if i == 0:
            result["outputs"] = flat([output])
            result["grads"] = flat([p.grad for p in net.parameters()])
        if clip:
            nn.utils.clip_grad_norm_(net.parameters(), clip)
        optimiser.step()
        losses.append(loss.item())
    result["params"] = flat(net.parameters())
    result["losses"] = torch.tensor(losses, dtype=torch.float64)
    return result


def main():
    torch.set_num_threads(1)
    print("/* tests/models/golden/networks.h: written by make.py with PyTorch %s; see there. */" % torch.__version__)
    print("#ifndef WM_TESTS_MODELS_GOLDEN_NETWORKS_H\n#define WM_TESTS_MODELS_GOLDEN_NETWORKS_H\n\n/* clang-format off */")
    for name, *how in NETWORKS:
        exact, single = run(*how, torch.float64), run(*how, torch.float32)
        for what, values in exact.items():
            distance = (single[what] - values).square().mean().sqrt().item()
            print("\nstatic const double %s_%s_distance = %.4g; /* of PyTorch's float32 */" % (name, what, distance))
            print("static const double %s_%s[%d] = {" % (name, what, len(values)))
            for i in range(0, len(values), 6):
                print("    " + ", ".join("%.12g" % v for v in values[i:i + 6].tolist()) + ",")
            print("};")
    print("\n/* clang-format on */\n#endif")


main()

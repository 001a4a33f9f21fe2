#!/usr/bin/python3
"""The peer: the same two networks in PyTorch, one thread, Adam, clipping, state carried.

Prints one JSON line per case. The adaptive network is written with whole-tensor operations; the
original steps node by node through the interpreter and is far slower.
"""
import argparse
import json
import sys
import time

try:
    import torch
except ImportError:
    print("torch is not installed (Debian: python3-torch)", file=sys.stderr)
    sys.exit(3)

F = torch.nn.functional


class Adaptive(torch.nn.Module):
    def __init__(self, inputs=784, nodes=100, hidden=64, classes=10):
        super().__init__()
        self.inp = torch.nn.Linear(inputs, hidden)
        self.mix = torch.nn.Linear(hidden, hidden)
        self.g = torch.nn.Parameter(1 + 0.5 * torch.randn(nodes, hidden))
        self.v = torch.nn.Parameter(torch.randn(nodes, hidden) / hidden**0.5)
        self.beta = torch.nn.Parameter(torch.zeros(nodes))
        self.scale = torch.nn.Parameter(torch.zeros(4))
        self.alpha = torch.nn.Parameter(torch.ones(1))
        self.out = torch.nn.Linear(nodes, classes)

    def forward(self, x, h):
        u = self.inp(x).unsqueeze(1)
        h = torch.tanh(h + (1 + self.scale[0]) * self.mix(h) + self.alpha * self.g * u)
        a = torch.sigmoid((self.v * h).sum(-1) + self.beta)
        return self.out(a), h.detach()


def measure(name, batch, seconds):
    torch.manual_seed(1)
    mlp = name == "mlp"
    net = (torch.nn.Sequential(torch.nn.Linear(128, 256), torch.nn.ReLU(), torch.nn.Linear(256, 128),
                               torch.nn.ReLU(), torch.nn.Linear(128, 10)) if mlp else Adaptive())
    x = torch.randn(batch, 128 if mlp else 784)
    y = torch.arange(batch) % 10
    h = torch.zeros(batch, 100, 64)
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    times = []
    end = time.perf_counter() + seconds
    while len(times) < 40 or time.perf_counter() < end:
        begin = time.perf_counter_ns()
        optimizer.zero_grad(set_to_none=True)
        if mlp:
            logits = net(x)
        else:
            logits, h = net(x, h)
        loss = F.cross_entropy(logits, y)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        times.append(time.perf_counter_ns() - begin)
    times = sorted(times[20:])
    return {"case": name, "batch": batch, "steps": len(times), "median_ns": times[len(times) // 2],
            "p10_ns": times[len(times) // 10], "p90_ns": times[len(times) * 9 // 10]}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--engine", default="torch")
    parser.add_argument("--seconds", type=float, default=1.0)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    for name in ("mlp", "adaptive"):
        for batch in (32, 64):
            print(json.dumps({"engine": arguments.engine, "version": torch.__version__,
                              **measure(name, batch, arguments.seconds)}), flush=True)


if __name__ == "__main__":
    main()

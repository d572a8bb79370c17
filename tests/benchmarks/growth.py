"""What a training step costs as context, width and depth grow, measured beside its formula.

Every row is one size: as many tokens a step, forward, backward and AdamW, on one thread. Rows go to
my/results/growth.csv, and are printed beside the stored ones; `python tests/benchmarks/growth.py --store` writes to
data/results.
"""

import platform
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import torch

from gptlib.instruments.files import MY, write_rows
from gptlib.instruments.measure import growth
from gptlib.instruments.measure.sealed import write_sealed
from gptlib.instruments.measure.timing import seconds
from gptlib.model import GPT, GPTConfig
from gptlib.train import next_token_loss

TOKENS = 2048  # a step, at every size


def parameters(block_size, n_embd, n_layer, vocab_size=65):
    """How many weights a GPT of these sizes has, from notebook 10's sum."""
    block = 12 * n_embd**2 + 10 * n_embd
    ends = (2 * vocab_size + block_size + 2) * n_embd + vocab_size
    return n_layer * block + ends


def flops(block_size, n_embd, n_layer, vocab_size=65, tokens=TOKENS):
    """Multiplications and additions in the matrix products of a training step.

    A weight of a matrix costs 2 a token on the way forward; the backward pass costs twice the forward one. Attention
    compares each position with block_size others and mixes as many: 4 · block_size · n_embd a token and layer.
    """
    weights = 12 * n_layer * n_embd**2 + vocab_size * n_embd
    attention = 2 * n_layer * block_size * n_embd
    return 3 * 2 * (weights + attention) * tokens


def weight_bytes(**sizes):
    """Weights, their gradients, and AdamW's two averages, 4 bytes each."""
    return 16 * parameters(**sizes)


def saved_bytes(model, tokens):
    """How many bytes the forward pass of tokens (B, T) keeps for the backward pass, beside the weights."""
    own = {weight.data_ptr() for weight in model.parameters()}
    kept = {}

    def remember(tensor):
        if tensor.data_ptr() not in own:
            storage = tensor.untyped_storage()
            kept[storage.data_ptr()] = storage.nbytes(), tensor  # held: no other gets its place
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(remember, lambda tensor: tensor):
        next_token_loss(model(tokens), tokens)
    return sum(size for size, _ in kept.values())


def least_of(function, budget=1.0):
    """The shortest time of several calls, in seconds: what it costs while nothing else takes the processor."""
    for _ in range(3):
        function()
    times, began = [], time.perf_counter()
    while len(times) < 5 or time.perf_counter() - began < budget:
        times.append(seconds(function))
    return min(times)


def peak(size=1024):
    """Multiplications and additions a second in one large matrix product: what the machine can do at best."""
    a, b = (torch.randn(size, size) for _ in range(2))
    return 2 * size**3 / least_of(lambda: a @ b)


def measure(swept, sizes):
    """One row."""
    torch.manual_seed(0)
    model = GPT(GPTConfig(n_head=4, **sizes))
    tokens = torch.randint(65, (TOKENS // sizes["block_size"], sizes["block_size"]))
    optimizer = torch.optim.AdamW(model.parameters(), fused=True)

    def step():
        loss = next_token_loss(model(tokens), tokens)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()

    took, best = least_of(step), peak()  # beside it, under the same load
    return {
        "swept": swept,
        **sizes,
        "parameters": sum(weight.numel() for weight in model.parameters()),
        "gflops": round(flops(**sizes) / 1e9, 3),
        "milliseconds": round(1000 * took, 2),
        "peak_gflops_a_second": round(best / 1e9, 1),
        "share_of_peak": round(flops(**sizes) / took / best, 3),
        "weight_mb": round(weight_bytes(**sizes) / 1e6, 2),
        "saved_mb": round(saved_bytes(model, tokens) / 1e6, 2),
        "machine": f"{platform.system()} {platform.machine()} cpu, 1 thread(s), float32",
        "torch": torch.__version__,
    }


def main(store):
    """Measure every size, and keep the rows."""
    torch.set_num_threads(1)
    stored, found = growth.rows("cpu, 1 thread(s), float32"), []
    print("swept       size  ms a step: stored | yours")
    for old, (swept, sizes) in zip(stored, growth.sizes(), strict=True):
        found.append(measure(swept, sizes))
        took = found[-1]["milliseconds"]
        print(f"{swept:10s} {sizes[swept]:5d}  {old['milliseconds']:>17s} | {took}", flush=True)
    if store:
        write_sealed(growth.STORED, found)
    else:
        write_rows(MY / "results" / "growth.csv", found)


if __name__ == "__main__":
    main(store="--store" in sys.argv[1:])

"""What a training step costs, measured beside its formula, as context, width and depth grow.

    python -m gptlib.instruments.measure.growth [--device cuda] [--bf16] [--compile] [--threads 1]

Every row is one size: as many tokens a step, forward, backward and AdamW. Written to data/results/growth.csv;
rows of another device or kind of number stay.
"""

import argparse
import csv
import platform
import time
from contextlib import nullcontext
from pathlib import Path

import torch

from gptlib.instruments.measure.experiments import write_rows
from gptlib.model import GPT, GPTConfig
from gptlib.train import next_token_loss

RESULTS = Path(__file__).parents[3] / "data" / "results" / "growth.csv"
TOKENS = 2048  # a step, at every size
BASE = {"block_size": 64, "n_embd": 128, "n_layer": 4}
SWEEPS = {
    "block_size": (16, 32, 64, 128, 256, 512),
    "n_embd": (32, 64, 128, 256, 512),
    "n_layer": (1, 2, 4, 8),
}


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
            kept[storage.data_ptr()] = (
                storage.nbytes(),
                tensor,
            )  # held, so that no other gets its place
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(remember, lambda tensor: tensor):
        next_token_loss(model(tokens), tokens)
    return sum(size for size, _ in kept.values())


def wait(device):
    """Let a GPU finish what it was given."""
    if device == "cuda":
        torch.cuda.synchronize()


def least_of(function, device, seconds=1.0):
    """The shortest time of several calls, in seconds: what it costs while nothing else takes the processor."""
    for _ in range(3):
        function()
    wait(device)
    times, began = [], time.perf_counter()
    while len(times) < 5 or time.perf_counter() - began < seconds:
        start = time.perf_counter()
        function()
        wait(device)
        times.append(time.perf_counter() - start)
    return min(times)


def peak(device, kind, size=1024):
    """Multiplications and additions a second in one large matrix product: what the machine can do at best."""
    a, b = (torch.randn(size, size, device=device, dtype=kind) for _ in range(2))
    return 2 * size**3 / least_of(lambda: a @ b, device)


def step_of(sizes, device, bf16, compiled):
    """(model, tokens, a function that takes one training step)."""
    torch.manual_seed(0)
    model = GPT(GPTConfig(n_head=4, **sizes)).to(device)
    tokens = torch.randint(65, (TOKENS // sizes["block_size"], sizes["block_size"]), device=device)
    optimizer = torch.optim.AdamW(model.parameters(), fused=True)
    run = torch.compile(model) if compiled else model
    context = torch.autocast(device, torch.bfloat16) if bf16 else nullcontext()

    def step():
        with context:
            loss = next_token_loss(run(tokens), tokens)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()

    return model, tokens, step


def measure(swept, sizes, machine, device, bf16, compiled):
    """One row."""
    model, tokens, step = step_of(sizes, device, bf16, compiled)
    seconds = least_of(step, device)
    best = peak(device, torch.bfloat16 if bf16 else torch.float32)  # beside it, under the same load
    return {
        "swept": swept,
        **sizes,
        "parameters": sum(weight.numel() for weight in model.parameters()),
        "gflops": round(flops(**sizes) / 1e9, 3),
        "milliseconds": round(1000 * seconds, 2),
        "peak_gflops_a_second": round(best / 1e9, 1),
        "share_of_peak": round(flops(**sizes) / seconds / best, 3),
        "weight_mb": round(weight_bytes(**sizes) / 1e6, 2),
        "saved_mb": round(saved_bytes(model, tokens) / 1e6, 2),
        "machine": machine,
        "torch": torch.__version__,
    }


def rows(device="cpu"):
    """The stored rows of a device, as dicts of strings."""
    if not RESULTS.exists():
        return []
    with RESULTS.open(encoding="utf-8", newline="") as file:
        return [row for row in csv.DictReader(file) if device in row["machine"]]


def store(new):
    """Put new rows in place of those of the same machine."""
    old = [row for row in rows("") if row["machine"] != new[0]["machine"]]
    write_rows(RESULTS, old + new, list(new[0]))


def main(arguments=None):
    """Measure every size and store the rows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--bf16", action="store_true", help="16 bits in the matrix products")
    parser.add_argument("--compile", action="store_true", help="torch.compile")
    parser.add_argument("--threads", type=int, default=1)
    chosen = parser.parse_args(arguments)
    torch.set_num_threads(chosen.threads)
    kind = f"{'bf16' if chosen.bf16 else 'float32'}{', compiled' if chosen.compile else ''}"
    machine = f"{platform.system()} {platform.machine()} {chosen.device}, {chosen.threads} thread(s), {kind}"
    found = []
    for swept, values in SWEEPS.items():
        for value in values:
            sizes = BASE | {swept: value}
            found.append(measure(swept, sizes, machine, chosen.device, chosen.bf16, chosen.compile))
            print(found[-1], flush=True)
    store(found)


if __name__ == "__main__":
    main()

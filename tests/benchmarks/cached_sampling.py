"""How much faster a model writes with a KV cache.

Batch 1, 6 layers of 384 channels, 6 heads, block 256, random weights, torch's norms: plain generate, generate_cached
with a twin whose matrices a single token passes faster, and Hugging Face's generate, all with the same weights.
Wanted: at least 6 times plain over the first 256 characters, at least 10 times for the token at T = 256, and not slower
than Hugging Face. All take turns in one run, first with one thread, then with all; the middle of the rounds counts, and
each side's better number of threads.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import torch

from gptlib.cached import CachedGPT, generate_cached
from gptlib.instruments.measure.timing import fastest
from gptlib.instruments.models.fast import optimized_for_decoding, with_fast_parts
from gptlib.instruments.models.hugging_face import as_hugging_face
from gptlib.model import GPT, GPTConfig
from gptlib.sample import generate

ROUNDS = 3
T = 256


def ways(gpt):
    """{what: function without arguments} of everything that is compared."""
    theirs = as_hugging_face(gpt)
    start, whole = torch.zeros(1, 1, dtype=torch.long), torch.randint(gpt.vocab_size, (1, T))
    writer = optimized_for_decoding(gpt)
    cached = CachedGPT(writer)
    cached(whole[:, :-1])
    options = {"max_new_tokens": T - 1, "min_new_tokens": T - 1, "do_sample": True, "top_k": 0}

    def last_token():
        cached.tokens = whole[:, :-1]
        for cache in cached.caches:
            cache.length = T - 1
        cached(whole)

    return {
        "plain": lambda: generate(gpt, start, T - 1),
        "cached": lambda: generate_cached(writer, start, T - 1),
        "Hugging Face": lambda: theirs.generate(start, pad_token_id=0, **options),
        "plain, T = 256": lambda: [gpt(whole) for _ in range(3)],
        "cached, T = 256": lambda: [last_token() for _ in range(3)],
    }


@torch.no_grad()
def measure():
    """{what: seconds}, each with its better number of threads."""
    torch.manual_seed(0)
    gpt = GPT(GPTConfig(block_size=T, n_embd=384, n_head=6, n_layer=6)).eval()
    return fastest(ways(with_fast_parts(gpt)), ROUNDS)


def main():
    """Measure, print the ratios, and say whether all are reached."""
    best = measure()
    wanted = [
        ("plain / cached, 256 characters", best["plain"] / best["cached"], 6),
        ("plain / cached, T = 256", best["plain, T = 256"] / best["cached, T = 256"], 10),
        ("Hugging Face / cached", best["Hugging Face"] / best["cached"], 1),
    ]
    for name, ratio, least in wanted:
        print(f"{name:32s} {ratio:5.2f}, wanted {least}")
    sys.exit(0 if all(ratio >= least for _, ratio, least in wanted) else "too slow")


if __name__ == "__main__":
    main()

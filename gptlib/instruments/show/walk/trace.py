"""Everything that a GPT computes for a text, kept by name: what the walk shows."""

import inspect

import torch
import torch.nn.functional as F

from gptlib import validate
from gptlib.model import GPT
from gptlib.train import evaluating


@torch.no_grad()
def trace(model, tokens):
    """{name: tensor} of what model, a GPT, computes for tokens (1, T), in eval mode; L blocks, H heads of D channels.

    token, position (T, C): the rows of the two tables · stream (2L + 1, T, C): the residual stream, at first and after
    every addition to it · normed (L, 2, T, C): what the two norms of a block hand on · q, k, v (L, H, T, D) · hidden
    (L, T, 4C): feed-forward's channels after the ReLU · final (T, C): after the last norm · logits (T, V).
    """
    if not isinstance(model, GPT):
        raise ValueError(
            f"the walk follows a GPT, and a {type(model).__name__} came; give a model of gptlib.model.GPT"
        )
    validate.prompt(tokens, model)
    validate.token_shape(tokens, model.block_size)
    kept = {name: [] for name in ("stream", "normed", "q", "k", "v", "hidden")}
    positions = torch.arange(tokens.shape[1], device=tokens.device)
    with evaluating(model):
        x = model.embed(tokens)
        kept["stream"].append(x)
        for block in model.blocks:
            normed = block.ln1(x)
            for name, part in zip("qkv", block.attention.project_qkv(normed)):
                kept[name].append(part)
            x = x + block.attention(normed)
            kept["stream"].append(x)
            normed_again = block.ln2(x)
            kept["hidden"].append(F.relu(block.ffwd.expand(normed_again)))
            x = x + block.ffwd(normed_again)
            kept["stream"].append(x)
            kept["normed"].append(torch.stack([normed, normed_again], dim=1))
        final = model.norm(x)
        found = {
            "token": model.token_embedding_table(tokens)[0],
            "position": model.position_embedding_table(positions),
        }
        found |= {name: torch.cat(parts) for name, parts in kept.items()}
        return found | {"final": final[0], "logits": model.lm_head(final)[0]}


def line_of(function, words):
    """The line of function's source that holds words, without its indentation and comment: the code a step shows."""
    lines = [line.split("  #")[0].strip() for line in inspect.getsource(function).splitlines()]
    return next(line for line in lines if words in line)

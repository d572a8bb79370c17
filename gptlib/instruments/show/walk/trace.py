"""Everything that a GPT computes for a text, kept by name: what the walk shows."""

import inspect

import torch

from gptlib import validate
from gptlib.train import evaluating


@torch.no_grad()
def trace(model, tokens):
    """{name: tensor} of what model, a GPT, computes for tokens (1, T), in eval mode; L blocks, H heads of D channels.

    token, position (T, C): the rows of the two tables · stream (L, 3, T, C): the residual stream in front of each
    block, after its attention and after its feed-forward · normed (L, 2, T, C): what its two norms hand on · q, k, v
    (L, H, T, D) · attention, ffwd (L, T, C): what is added to the stream · hidden (L, T, 4C): feed-forward's channels
    after the ReLU · final (T, C): after the last norm · logits (T, V).
    """
    validate.prompt(tokens, model)
    validate.token_shape(tokens, model.block_size)
    found = {
        name: [] for name in ("stream", "normed", "q", "k", "v", "attention", "ffwd", "hidden")
    }
    with evaluating(model):
        x = model.embed(tokens)
        found["token"] = model.token_embedding_table(tokens)[0]
        found["position"] = (x - found["token"])[0]
        for block in model.blocks:
            normed = block.ln1(x)
            for name, part in zip("qkv", block.attention.project_qkv(normed)):
                found[name].append(part[0])
            attention = block.attention(normed)
            middle = x + attention
            normed_middle = block.ln2(middle)
            hidden = torch.relu(block.ffwd.expand(normed_middle))
            ffwd = block.ffwd(normed_middle)
            found["stream"].append(torch.cat([x, middle, middle + ffwd]))
            found["normed"].append(torch.cat([normed, normed_middle]))
            for name, part in (("attention", attention), ("ffwd", ffwd), ("hidden", hidden)):
                found[name].append(part[0])
            x = middle + ffwd
        found["final"] = model.norm(x)[0]
        found["logits"] = model.lm_head(model.norm(x))[0]
    return {
        name: torch.stack(part) if isinstance(part, list) else part for name, part in found.items()
    }


def line_of(function, words):
    """The line of function's source that holds words, without its indentation and comment: the code a step shows."""
    lines = [line.split("  #")[0].strip() for line in inspect.getsource(function).splitlines()]
    return next(line for line in lines if words in line)

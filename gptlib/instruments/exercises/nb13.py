"""Exercises: RMSNorm in one line, rotary positions, a cache with two bugs."""

import torch
import torch.nn.functional as F

from gptlib.instruments.exercises import cases, diagnosis, probes
from gptlib.instruments.exercises.diagnosis import Wrong
from gptlib.instruments.exercises.grader import Check, as_given


def squares(x, dim=-1):
    """The mean of the squares."""
    return (x**2).mean(dim, keepdim=True)


rms_norm = Check(
    right=lambda x, eps: F.rms_norm(x, x.shape[-1:], eps=eps),
    mistakes={
        "the squares are summed: take their mean, or the result is too small by √C":
            lambda x, eps: x / ((x**2).sum(-1, keepdim=True) + eps).sqrt(),
        "that is a row of length 1: the mean of its squares is to be 1, not their sum":
            lambda x, eps: F.normalize(x, dim=-1),
        "ε is outside the root: √(mean of squares + ε)": lambda x, eps: x / (squares(x).sqrt() + eps),
        "ε is missing: a row of zeros would be divided by zero": lambda x, eps: x / squares(x).sqrt(),
        "ε is not the one that came: use the argument": lambda x, eps: x / (squares(x) + 1e-5).sqrt(),
        "the mean is subtracted: that is LayerNorm; RMSNorm leaves it":
            lambda x, eps: F.layer_norm(x, x.shape[-1:], eps=eps),
        "the variance is taken in place of the mean of squares: nothing is subtracted here":
            lambda x, eps: x / (x.var(-1, keepdim=True, unbiased=False) + eps).sqrt(),
        "the unbiased variance is taken in place of the mean of squares: nothing is subtracted here":
            lambda x, eps: x / (x.var(-1, keepdim=True) + eps).sqrt(),
        "the mean is squared: square first, then take the mean":
            lambda x, eps: x / (x.mean(-1, keepdim=True) ** 2 + eps).sqrt(),
        "the mean of the sizes is taken: that of the squares, and the root of it":
            lambda x, eps: x / (x.abs().mean(-1, keepdim=True) + eps),
        "the root is missing": lambda x, eps: x / (squares(x) + eps),
        "it multiplies by the root: divide": lambda x, eps: x * (squares(x) + eps).sqrt(),
        "that is what x is to be divided by": lambda x, eps: (squares(x) + eps).sqrt(),
        "the mean runs over the positions: dim=-1, over the channels": lambda x, eps: x / (squares(x, 1) + eps).sqrt(),
        "the mean runs over the batch: dim=-1, over the channels": lambda x, eps: x / (squares(x, 0) + eps).sqrt(),
        "the mean runs over everything: dim=-1, keepdim=True": lambda x, eps: x / ((x**2).mean() + eps).sqrt(),
    },
    # numbers so small that ε counts, then ordinary ones
    cases=(lambda: (cases.numbers(2, 5, 12) / 50 + 0.02, 1e-2), lambda: (cases.numbers(3, 1, 12) + 1, 1e-3)),
    probes=(probes.leaves_input, probes.gradients, probes.keeps_dtype),
    explanation="the same as PyTorch's rms_norm, for small numbers too",
)  # fmt: skip


def by_complex(x):
    """RoPE as it is meant: each pair of channels is a complex number, multiplied by e to the i · angle."""
    D = x.shape[-1]
    there = {"dtype": torch.float64, "device": x.device}
    speeds = 10_000 ** (-torch.arange(0, D, 2, **there) / D)
    angles = torch.arange(x.shape[-2], **there)[:, None] * speeds
    a, b = x.to(torch.float64).chunk(2, dim=-1)
    turned = torch.complex(a, b) * torch.polar(torch.ones_like(angles), angles)
    return torch.cat([turned.real, turned.imag], dim=-1).to(x.dtype)


def turned(a, b, cos, sin):
    """A pair, turned."""
    return a * cos - b * sin, a * sin + b * cos


def rotated(x, first=0, exponent=lambda i, D: 2 * i / D, turn=turned):
    """RoPE in real numbers; the arguments name what can go wrong."""
    T, D = x.shape[-2:]
    speeds = 10_000.0 ** -exponent(torch.arange(D // 2), D)
    angles = torch.arange(first, first + T)[:, None] * speeds
    return torch.cat(turn(*x.chunk(2, dim=-1), angles.cos(), angles.sin()), dim=-1)


def apart(x):
    """Even channels first, then the odd ones."""
    return torch.cat([x[..., ::2], x[..., 1::2]], dim=-1)


def together(x):
    """The first channel of each half, then the second, …"""
    return torch.stack(x.chunk(2, dim=-1), dim=-1).flatten(-2)


def close_in_16_bits(check, yours):
    """A probe: 512 positions in bfloat16 are as exact as its numbers are, and come back in it."""
    x = cases.numbers(1, 1, 512, 8).bfloat16()
    mine = yours(x.clone())
    if mine.dtype != x.dtype:
        raise Wrong(
            f"{x.dtype} goes in and {mine.dtype} comes out: the result has to go back, .to(x.dtype)"
        )
    if (mine - by_complex(x)).abs().max() >= 0.1:
        raise Wrong(
            "in bfloat16 late positions are far off: it has no 257; make the angles in 32 bits at least"
        )


rope = Check(
    right=by_complex,
    mistakes={
        "it turns the other way: (a cos − b sin, a sin + b cos)":
            lambda x: rotated(x, turn=lambda a, b, cos, sin: turned(a, b, cos, -sin)),
        "the sign in front of b sin is missing, so that lengths change: a cos − b sin":
            lambda x: rotated(x, turn=lambda a, b, cos, sin: (a * cos + b * sin, a * sin + b * cos)),
        "the two halves are exchanged: first a cos − b sin, then a sin + b cos":
            lambda x: rotated(x, turn=lambda *pair: turned(*pair)[::-1]),
        "neighboring channels make the pairs, as in the paper; here i goes with i + D/2":
            lambda x: together(rotated(apart(x))),
        "neighboring channels are turned, and then stand in halves: i goes with i + D/2, before and after":
            lambda x: rotated(apart(x)),
        "the halves are turned, and then interleaved: torch.cat, so that a channel stays where it is":
            lambda x: together(rotated(x)),
        "counting starts at 1: position 0 is not turned": lambda x: rotated(x, first=1),
        "the exponent runs twice as fast: 2i/D for pair i, with i up to D/2":
            lambda x: rotated(x, exponent=lambda i, D: 4 * i / D),
        "the exponent runs at half the pace: 2i/D for pair i, not i/D":
            lambda x: rotated(x, exponent=lambda i, D: i / D),
        "the sign of the exponent is wrong: the angles shrink from pair to pair":
            lambda x: rotated(x, exponent=lambda i, D: -2 * i / D),
        "all pairs turn at the same speed: pair i by position / 10000^(2i/D)":
            lambda x: rotated(x, exponent=lambda i, D: 0 * i),
        "the positions run along the heads: T is the axis before the last":
            lambda x: rotated(x.transpose(1, 2)).transpose(1, 2),
    },
    cases=(cases.case((2, 3, 5, 8)), cases.case((1, 2, 7, 4))),
    probes=(probes.leaves_input, probes.gradients, close_in_16_bits, probes.keeps_dtype, probes.any_device),
    explanation="each pair turned by its angle, as with complex numbers, on any device, in any dtype",
)  # fmt: skip


def one_by_one(step):
    """A function that feeds a step six tokens in turn, and gives what each of them got."""
    as_given(step)

    def call(q, k, v):
        past, found = None, []
        for t in range(q.shape[2]):
            token = (part[:, :, t : t + 1] for part in (q, k, v))
            out, past = diagnosis.several(
                step(*token, past, rotated), "out, (keys, values)", tensors=False
            )
            keys, values = diagnosis.several(past, "(keys, values) as the cache")
            if keys.shape[2] != t + 1 or values.shape[2] != t + 1:
                raise Wrong(
                    f"after {t + 1} tokens the cache holds {keys.shape[2]} keys and {values.shape[2]} values: join old "
                    "and new along dim 2, the positions, and return both"
                )
            found.append(out)
        return {
            "": torch.cat(found, dim=2),
            "the newest value stands last": torch.equal(values[:, :, -1], v[:, :, -1]),
        }

    return call


def step_of(
    place=lambda n: n,
    place_k=None,
    place_v=None,
    again=None,
    join=torch.cat,
    read_v=1,
    swap=False,
    **sdpa,
):
    """A step with a cache; the arguments name what can go wrong.

    place says where the new token stands, after n others; place_k and place_v the same for key and value alone. again:
    keys are turned at every step, "all" as they came, "once more" as they are. read_v: what
    of the cache is v. swap: the cache comes back as (v, k).
    """

    def step(q, k, v, past, rotate):
        n = 0 if past is None else past[0].shape[2]
        k = k if again else rotate(k, (place_k or place)(n))
        v = rotate(v, place_v(n)) if place_v else v
        if past is not None:
            k, v = (join([past[i], new], dim=2) for i, new in zip((0, read_v), (k, v)))
        turned = rotate(k, 0) if again else k
        out = F.scaled_dot_product_attention(rotate(q, place(n)), turned, v, **sdpa)
        k = turned if again == "once more" else k
        return out, ((v, k) if swap else (k, v))

    return step


BEHIND = "it stands behind those in the cache, past[0].shape[2]"
cached_step = Check(
    right=step_of(again="all"),  # keeps the keys as they came and turns all of them at each step
    mistakes={
        f"every new token stands at position 0: {BEHIND}": step_of(lambda n: 0),
        f"every new query stands at position 0: {BEHIND}": step_of(lambda n: 0, place_k=lambda n: n),
        f"every new key stands at position 0: {BEHIND}": step_of(place_k=lambda n: 0),
        "only the first position is attended to: is_causal=True lets query 0 see key 0; one new token may see all":
            step_of(is_causal=True),
        "the position is one too large: with n tokens in the cache it is number n": step_of(lambda n: n + (n > 0)),
        "the position is one too small: with n tokens in the cache it is number n": step_of(lambda n: max(n - 1, 0)),
        "the new token is joined in front: old ones first, so that the cache keeps their order":
            step_of(join=lambda pair, dim: torch.cat(pair[::-1], dim=dim)),
        "keys from the cache are turned again at every step: turn a key once, as it comes": step_of(again="once more"),
        "the values are turned too: only queries and keys are": step_of(place_v=lambda n: n),
        "the cache's keys are taken for its values: past[1]": step_of(read_v=0),
        "keys and values come back exchanged: (k, v)": step_of(swap=True),
    },
    cases=(cases.case((2, 3, 6, 4), (2, 3, 6, 4), (2, 3, 6, 4)),),
    prepare=one_by_one,
    probes=(probes.leaves_input,),
    explanation="token by token the same as all at once",
)  # fmt: skip

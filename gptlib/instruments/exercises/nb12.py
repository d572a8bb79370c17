"""Exercises: RMSNorm in one line, rotary positions, a cache with two bugs."""

import torch
import torch.nn.functional as F

from gptlib.instruments.exercises.cases import (
    any_device,
    case,
    exact_in_64_bits,
    gradients,
    keeps_dtype,
    leaves_input,
    numbers,
)
from gptlib.instruments.exercises.diagnosis import NotYet, Wrong, kind
from gptlib.instruments.exercises.grader import Check, as_given

# ---- RMSNorm


def squares(x, dim=-1):
    """The mean of the squares."""
    return (x**2).mean(dim, keepdim=True)


rms_norm = Check(
    right=lambda x, eps: F.rms_norm(x, x.shape[-1:], eps=eps),
    mistakes={
        "the squares are summed: take their mean, or the result is too small by √C": (
            lambda x, eps: x / ((x**2).sum(-1, keepdim=True) + eps).sqrt()
        ),
        "that is a row of length 1: the mean of its squares is to be 1, not their sum": (
            lambda x, eps: F.normalize(x, dim=-1)
        ),
        "ε is outside the root: √(mean of squares + ε)": lambda x, eps: (
            x / (squares(x).sqrt() + eps)
        ),
        "ε is missing: a row of zeros would be divided by zero": lambda x, eps: (
            x / squares(x).sqrt()
        ),
        "ε is squared: √(mean of squares + ε)": lambda x, eps: x / (squares(x) + eps**2).sqrt(),
        "ε is the least that it divides by: it is added, √(mean of squares + ε)": (
            lambda x, eps: x / squares(x).sqrt().clamp(min=eps)
        ),
        "ε is not the one that came: use the argument": lambda x, eps: (
            x / (squares(x) + 1e-5).sqrt()
        ),
        "ε is added to x: it belongs inside the root": lambda x, eps: (x + eps) / squares(x).sqrt(),
        "the mean is subtracted: that is LayerNorm; RMSNorm leaves it": (
            lambda x, eps: F.layer_norm(x, x.shape[-1:], eps=eps)
        ),
        "the variance is taken in place of the mean of squares: nothing is subtracted here": (
            lambda x, eps: x / (x.var(-1, keepdim=True, unbiased=False) + eps).sqrt()
        ),
        "the unbiased variance is taken in place of the mean of squares: nothing is subtracted here": (
            lambda x, eps: x / (x.var(-1, keepdim=True) + eps).sqrt()
        ),
        "the mean is squared: square first, then take the mean": (
            lambda x, eps: x / (x.mean(-1, keepdim=True) ** 2 + eps).sqrt()
        ),
        "the mean of the sizes is taken: that of the squares, and the root of it": (
            lambda x, eps: x / (x.abs().mean(-1, keepdim=True) + eps)
        ),
        "the root is missing": lambda x, eps: x / (squares(x) + eps),
        "it multiplies by the root: divide": lambda x, eps: x * (squares(x) + eps).sqrt(),
        "that is what x is to be divided by": lambda x, eps: (squares(x) + eps).sqrt(),
        "the mean runs over the positions: dim=-1, over the channels": (
            lambda x, eps: x / (squares(x, 1) + eps).sqrt()
        ),
        "the mean runs over the batch: dim=-1, over the channels": lambda x, eps: (
            x / (squares(x, 0) + eps).sqrt()
        ),
        "the mean runs over everything: dim=-1, with keepdim=True": (
            lambda x, eps: x / ((x**2).mean() + eps).sqrt()
        ),
    },
    cases=(
        lambda: (numbers(2, 5, 12) / 50 + 0.02, 1e-4),
        lambda: (numbers(3, 1, 12, seed=1) + 1, 1e-5),
    ),
    probes=(leaves_input, gradients, keeps_dtype),
    explanation="the same as PyTorch's rms_norm, for small numbers too",
)


# ---- rotary positions


def by_complex(x):
    """RoPE as it is meant: each pair of channels is a complex number, multiplied by e to the i · angle."""
    D = x.shape[-1]
    there = {"dtype": torch.float64, "device": x.device}
    speeds = 10_000 ** (-torch.arange(0, D, 2, **there) / D)
    angles = torch.arange(x.shape[-2], **there)[:, None] * speeds
    a, b = x.to(torch.float64).chunk(2, dim=-1)
    turned = torch.complex(a, b) * torch.polar(torch.ones_like(angles), angles)
    return torch.cat([turned.real, turned.imag], dim=-1).to(x.dtype)


def halves(a, b, cos, sin):
    """A pair turned, as it should be."""
    return a * cos - b * sin, a * sin + b * cos


def rotated(x, first=0, base=10_000.0, exponent=lambda i, D: 2 * i / D, turn=halves, unit=1.0):
    """The same in real numbers; the arguments name what can go wrong."""
    T, D = x.shape[-2:]
    speeds = base ** -exponent(torch.arange(D // 2), D)
    angles = unit * torch.arange(first, first + T)[:, None] * speeds
    return torch.cat(turn(*x.chunk(2, dim=-1), angles.cos(), angles.sin()), dim=-1)


def apart(x):
    """Even channels first, then the odd ones."""
    return torch.cat([x[..., ::2], x[..., 1::2]], dim=-1)


def together(x):
    """The first channel of each half, then the second, …"""
    return torch.stack(x.chunk(2, dim=-1), dim=-1).flatten(-2)


def close_in_16_bits(check, yours):
    """A probe: 512 positions in bfloat16 are as exact as its numbers are, and come back in it."""
    x = numbers(1, 1, 512, 8).bfloat16()
    try:
        mine = yours(x)
    except Exception as problem:
        raise Wrong(f"in bfloat16 it fails: {type(problem).__name__}") from None
    if mine.dtype != x.dtype:
        raise Wrong(NOT_CAST_BACK.format(came=mine.dtype, given=x.dtype))
    if (mine - by_complex(x)).abs().max() >= 0.1:
        raise Wrong(IN_16_BITS)


NOT_CAST_BACK = "{given} goes in and {came} comes out: the result has to go back, .to(x.dtype)"
IN_16_BITS = (
    "in bfloat16 late positions are far off: it has no 257; make the angles in 32 bits at least"
)
rope = Check(
    right=by_complex,
    mistakes={
        "it turns the other way: (a cos − b sin, a sin + b cos)": (
            lambda x: rotated(x, turn=lambda a, b, cos, sin: halves(a, b, cos, -sin))
        ),
        "the sign in front of b sin is missing, so that lengths change: a cos − b sin": (
            lambda x: rotated(x, turn=lambda a, b, cos, sin: (a * cos + b * sin, a * sin + b * cos))
        ),
        "the two halves are exchanged: first a cos − b sin, then a sin + b cos": (
            lambda x: rotated(x, turn=lambda *pair: halves(*pair)[::-1])
        ),
        "neighboring channels make the pairs, as in the paper; here i goes with i + D/2": (
            lambda x: together(rotated(apart(x)))
        ),
        "neighboring channels are turned, and then stand in halves: i goes with i + D/2, before and after": (
            lambda x: rotated(apart(x))
        ),
        "the halves are turned, and then interleaved: torch.cat, so that a channel stays where it is": (
            lambda x: together(rotated(x))
        ),
        "counting starts at 1: position 0 is not turned": lambda x: rotated(x, first=1),
        "the exponent runs twice as fast: 2i/D for pair i, with i up to D/2": (
            lambda x: rotated(x, exponent=lambda i, D: 4 * i / D)
        ),
        "the exponent runs at half the pace: 2i/D for pair i, not i/D": (
            lambda x: rotated(x, exponent=lambda i, D: i / D)
        ),
        "the sign of the exponent is wrong: the angles shrink from pair to pair": (
            lambda x: rotated(x, exponent=lambda i, D: -2 * i / D)
        ),
        "the speeds are in the opposite order: pair 0 turns fastest": (
            lambda x: rotated(x, exponent=lambda i, D: (D - 2 - 2 * i) / D)
        ),
        "the base is 1,000: it is 10,000": lambda x: rotated(x, base=1_000.0),
        "all pairs turn at the same speed: pair i by position / 10000^(2i/D)": (
            lambda x: rotated(x, exponent=lambda i, D: 0 * i)
        ),
        "the angles are taken as degrees: sin and cos of them as they are": (
            lambda x: rotated(x, unit=torch.pi / 180)
        ),
        "the positions run along the heads: T is the axis before the last": (
            lambda x: rotated(x.transpose(1, 2)).transpose(1, 2)
        ),
        "sines are added, as in 2017: here pairs are turned": (
            lambda x: rotated(x, turn=lambda a, b, cos, sin: (a + sin, b + cos))
        ),
    },
    cases=(case((2, 3, 5, 8)), case((1, 2, 7, 4))),
    probes=(leaves_input, gradients, exact_in_64_bits, any_device, close_in_16_bits),
    explanation="each pair turned by its angle, as with complex numbers, on any device, in any dtype",
)


# ---- a cache, and two bugs


def one_by_one(step):
    """A function that feeds a step six tokens in turn and gives what each of them got."""
    as_given(step)

    def call(q, k, v):
        past, found = None, []
        for t in range(q.shape[2]):
            result = step(*(part[:, :, t : t + 1] for part in (q, k, v)), past, rotated)
            if result is None or result is Ellipsis:
                raise NotYet("nothing comes back; is there still a …, or is the return missing?")
            if not (isinstance(result, tuple | list) and len(result) == 2):
                raise Wrong(f"{kind(result)} came back; expected: out, (keys, values)")
            out, past = result
            if not (isinstance(past, tuple | list) and len(past) == 2):
                raise Wrong(f"{kind(past)} came back as the cache; expected: (keys, values)")
            if past[0].shape[2] != t + 1 or past[1].shape[2] != t + 1:
                raise Wrong(
                    f"after {t + 1} tokens the cache holds {past[0].shape[2]} keys and {past[1].shape[2]} values: join "
                    "old and new along dim 2, the positions, and return both"
                )
            found.append(out)
        return torch.cat(found, dim=2)

    return call


def step_of(
    place=lambda before: before, place_k=None, place_v=None, causal=False, again=False, scale=None,
    join=lambda old, new: torch.cat([old, new], dim=2), keys_as_values=False, exchanged=False,
):  # fmt: skip
    """A step with a cache; the arguments name what can go wrong.

    place says where the new token stands, given the number of those before; place_k and place_v the same for keys and
    values alone. again: keys are turned at every step, "all" as they came, "once more" as they are.
    """

    def step(q, k, v, past, rotate):
        before = 0 if past is None else past[0].shape[2]
        if not again:
            k = rotate(k, (place_k or place)(before))
        if place_v:
            v = rotate(v, place_v(before))
        if past is not None:
            k, v = join(past[0], k), join(past[0] if keys_as_values else past[1], v)
        turned = rotate(k, 0) if again else k
        k = turned if again == "once more" else k
        q = rotate(q, place(before))
        out = F.scaled_dot_product_attention(q, turned, v, is_causal=causal, scale=scale)
        return out, ((v, k) if exchanged else (k, v))

    return step


BEHIND = "it stands behind those in the cache, past[0].shape[2]"
cached_step = Check(
    right=step_of(again="all"),  # keeps the keys as they came and turns all of them at each step
    mistakes={
        f"every new token stands at position 0: {BEHIND}": step_of(place=lambda before: 0),
        f"every new query stands at position 0: {BEHIND}": (
            step_of(place=lambda before: 0, place_k=lambda before: before)
        ),
        f"every new key stands at position 0: {BEHIND}": step_of(place_k=lambda before: 0),
        "only the first position is attended to: is_causal=True lets query 0 see key 0; one new token may see all": (
            step_of(causal=True)
        ),
        "the position is one too large: with n tokens in the cache the new one is number n": (
            step_of(place=lambda before: before + 1 if before else 0)
        ),
        "the position is one too small: with n tokens in the cache the new one is number n": (
            step_of(place=lambda before: max(before - 1, 0))
        ),
        "the position is the number of heads, shape[1]: the positions are the axis before the last, shape[2]": (
            step_of(place=lambda before: 3 if before else 0)
        ),
        "keys from the cache are turned again at every step: turn a key once, when it comes": (
            step_of(again="once more")
        ),
        "the values are turned too: only queries and keys are": step_of(
            place_v=lambda before: before
        ),
        "the cache's keys are taken for its values: past[1]": step_of(keys_as_values=True),
        "keys and values come back exchanged: (k, v)": step_of(exchanged=True),
        "the scores are not divided by √D: leave scale to the call, as it was": step_of(scale=1.0),
    },
    cases=(case((2, 3, 6, 4), (2, 3, 6, 4), (2, 3, 6, 4)),),
    prepare=one_by_one,
    probes=(leaves_input,),
    explanation="token by token the same as all at once",
)

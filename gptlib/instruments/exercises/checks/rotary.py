"""Checks of notebook 12: rotary positions, and writing with a cache."""

import torch
import torch.nn.functional as F

from gptlib.instruments.exercises.checks.judging import Check
from gptlib.instruments.exercises.checks.making import IN_32_BITS, ON_CPU, case, works_when_moved
from gptlib.instruments.exercises.checks.reading import NotYet, Wrong, kind


def by_complex(x):
    """RoPE as it is meant: each pair of channels is a complex number, multiplied by e to the i · angle."""
    D = x.shape[-1]
    there = {"dtype": torch.float64, "device": x.device}
    angles = torch.arange(x.shape[-2], **there)[:, None] * 10_000 ** (
        -torch.arange(0, D, 2, **there) / D
    )
    turn = torch.polar(torch.ones_like(angles), angles)
    a, b = x.to(torch.float64).chunk(2, dim=-1)
    turned = torch.complex(a, b) * turn
    return torch.cat([turned.real, turned.imag], dim=-1).to(x.dtype)


def rotated(x, first=0, halved=1.0, sign=1, angles=None):
    """The same in real numbers; the arguments name what can go wrong."""
    T, D = x.shape[-2:]
    if angles is None:
        speeds = 10_000.0 ** (-torch.arange(0, D, 2) * halved / D)
        angles = torch.arange(first, first + T)[:, None] * speeds
    a, b = x.chunk(2, dim=-1)
    sin, cos = sign * angles.sin(), angles.cos()
    return torch.cat([a * cos - b * sin, a * sin + b * cos], dim=-1)


def neighbours(x):
    """Channels 2i and 2i + 1 make a pair."""
    dealt = torch.cat([x[..., ::2], x[..., 1::2]], dim=-1)
    return torch.stack(rotated(dealt).chunk(2, dim=-1), dim=-1).flatten(-2)


def not_orthogonal(x):
    """A turn with one minus too few."""
    a, b = x.chunk(2, dim=-1)
    angles = torch.arange(x.shape[-2])[:, None] * 10_000.0 ** (
        -torch.arange(0, x.shape[-1], 2) / x.shape[-1]
    )
    return torch.cat(
        [a * angles.cos() + b * angles.sin(), a * angles.sin() + b * angles.cos()], dim=-1
    )


def one_speed(x):
    """A turn at the same speed for all pairs."""
    return rotated(
        x, angles=torch.arange(x.shape[-2])[:, None].float().expand(-1, x.shape[-1] // 2)
    )


IN_16_BITS = (
    "in bfloat16 late positions are far off: it has no 257; make the angles in 32 bits at least"
)


def in_its_own_bits(x):
    """Angles with as many bits as x has."""
    there = {"dtype": x.dtype, "device": x.device}
    speeds = 10_000.0 ** (-torch.arange(0, x.shape[-1], 2, **there) / x.shape[-1])
    return rotated(x, angles=torch.arange(x.shape[-2], **there)[:, None] * speeds)


def close_in_16_bits(call, cases, right):
    """A fact: 512 positions in bfloat16 are as exact as its numbers are, and come back in it."""
    x = torch.randn(1, 1, 512, 8, generator=torch.Generator().manual_seed(0)).bfloat16()
    try:
        mine = call(x)
        close = mine.dtype == x.dtype and (mine - right(x)).abs().max() < 0.1
    except Exception:
        close = False
    if not close:
        raise Wrong(IN_16_BITS)


rope = Check(
    right=by_complex,
    wrong={
        "it turns the other way: (a cos − b sin, a sin + b cos)": lambda x: rotated(x, sign=-1),
        "neighbouring channels make the pairs, as in the paper; here d goes with d + D/2": neighbours,
        "counting starts at 1: position 0 is not turned": lambda x: rotated(x, first=1),
        "the exponent runs twice as fast: 2i/D for pair i, with i up to D/2": lambda x: rotated(
            x, halved=2.0
        ),
        "the exponent runs at half the pace: 2i/D for pair i, not i/D": lambda x: rotated(
            x, halved=0.5
        ),
        "all pairs turn at the same speed: pair i by position / 10000^(2i/D)": one_speed,
        "the sign in front of b sin is missing, so that lengths change: a cos − b sin": not_orthogonal,
        "the positions run along the heads: T is the axis before the last": lambda x: rotated(
            x.transpose(1, 2)
        ).transpose(1, 2),
        ON_CPU: rotated,
        IN_32_BITS: lambda x: by_complex(x).float(),
        IN_16_BITS: in_its_own_bits,
    },
    cases=(case((2, 3, 5, 8)), case((1, 2, 7, 4))),
    facts=(
        works_when_moved(torch.float64, IN_32_BITS),
        works_when_moved("meta", ON_CPU),
        close_in_16_bits,
    ),
    well="each pair turned by its angle, as with complex numbers, on any device, in any dtype",
)


# ---- a cache, and two bugs


def one_by_one(step):
    """A function that feeds a step six tokens in turn and stacks what each of them got."""
    if not callable(step):
        raise Wrong(f"{kind(step)} came, a function was expected")

    def call(q, k, v):
        past, found = None, []
        for t in range(q.shape[2]):
            result = step(*(part[:, :, t : t + 1] for part in (q, k, v)), past, rotated)
            if result is None or result is Ellipsis:
                raise NotYet("nothing comes back; is there still a …, or is the return missing?")
            if not (isinstance(result, tuple | list) and len(result) == 2):
                raise Wrong(f"{kind(result)} came back; expected was out, (keys, values)")
            out, past = result
            found.append(out)
        return torch.cat(found, dim=2)

    return call


def step_of(
    place=len, causal=False, keep=lambda old, new: torch.cat([old, new], dim=2), again=False
):
    """A step with a cache; place says where the new token stands, given the number of those before."""

    def step(q, k, v, past, rotate):
        before = 0 if past is None else past[0].shape[2]
        here = place(range(before))
        k = k if again else rotate(k, here)
        if past is not None:
            k, v = keep(past[0], k), keep(past[1], v)
        keys = rotate(k, 0) if again == "all" else k
        if again == "once more":
            k = keys = rotate(k, 0)
        out = F.scaled_dot_product_attention(rotate(q, here), keys, v, is_causal=causal)
        return out, (k, v)

    return step


FIRST = "only the first position is heard: is_causal=True lets query 0 see key 0; one new token may see all"
AT_0 = "every new token stands at position 0: it stands behind those in the cache, past[0].shape[2]"

cached_step = Check(
    right=step_of(again="all"),  # keeps the keys as they came and turns all of them at each step
    wrong={
        AT_0: step_of(place=lambda before: 0),
        FIRST: step_of(causal=True),
        "the position is one too large: with n tokens in the cache the new one is number n": step_of(
            place=lambda before: len(before) + 1 if before else 0
        ),
        "the position is one too small: with n tokens in the cache the new one is number n": step_of(
            place=lambda before: max(len(before) - 1, 0)
        ),
        "the cache forgets: add the new key and value to the old ones": step_of(
            keep=lambda old, new: new
        ),
        "keys from the cache are turned again at every step: turn a key once, when it comes": step_of(
            again="once more"
        ),
    },
    cases=(case((2, 3, 6, 4), (2, 3, 6, 4), (2, 3, 6, 4)),),
    prepare=one_by_one,
    well="token by token the same as all at once",
)

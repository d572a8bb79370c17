"""Whether a reader's numbers are the right ones, and if not, how they relate to them."""

import torch

STEPS = {  # functions of a tensor and an axis, most of them without the axis
    "taking away axis {d}, whose size is 1": lambda t, d: t.squeeze(d),
    "the minus sign": lambda t, d: -t,
    "softmax over the last axis": lambda t, d: t.softmax(-1),
    "a logarithm": lambda t, d: t.log(),
    "an exponential": lambda t, d: t.exp(),
    "the root": lambda t, d: t.sqrt(),
    "the square": lambda t, d: t**2,
    "the division of each row by its sum": lambda t, d: t / t.sum(-1, keepdim=True),
    "the mean over axis {d}": lambda t, d: t.mean(d),
    "the sum over axis {d}": lambda t, d: t.sum(d),
    "the choice of the last along axis {d}": lambda t, d: t.select(d, -1),
    "the choice of the first along axis {d}": lambda t, d: t.select(d, 0),
    "leaving out the first along axis {d}": lambda t, d: t.narrow(d, 1, t.shape[d] - 1),
    "leaving out the last along axis {d}": lambda t, d: t.narrow(d, 0, t.shape[d] - 1),
    "turning axis {d} round": lambda t, d: t.flip(d),
    "exchanging the axes {d} and {e}": lambda t, d: t.transpose(d, d + 1),
    "the mean of all numbers": lambda t, d: t.mean(),
    "the sum of all numbers": lambda t, d: t.sum(),
}


def agree(mine, expected):
    """Whether two lists of {label: tensor} are the same but for rounding."""
    if isinstance(mine, str) or isinstance(expected, str):  # what an exception said
        return mine == expected
    return len(mine) == len(expected) and all(
        a.keys() == b.keys() and all(same(a[label], b[label]) for label in b)
        for a, b in zip(mine, expected)
    )


def same(a, b):
    """Whether two tensors have one shape and, but for rounding, equal numbers."""
    return a.shape == b.shape and bool(close(a, b).all())


def close(a, b):
    """Where two tensors of one shape are equal but for rounding."""
    return torch.isclose(a.double(), b.double(), rtol=1e-4, atol=1e-5, equal_nan=True)


def difference(mine, expected):
    """A sentence for how mine differs from expected, lists of {label: tensor}."""
    _, a, b = first_difference(mine, expected)
    return related(mine, expected) or first_place(a, b)


def related(mine, expected):
    """A sentence for what relates mine to expected, lists of {label: tensor}; None if nothing is found."""
    label, a, b = first_difference(mine, expected)
    if label:
        return f"{label}: {shown(a)}; expected: {shown(b)}"
    pairs = [(one[""], right[""]) for one, right in zip(mine, expected)]
    return (
        rounded(pairs)
        or one_step(pairs)
        or other_shape(pairs)
        or in_common(pairs)
        or no_comparison(a, b)
    )


def first_difference(mine, expected):
    """The first label under which mine and expected differ, and its two tensors."""
    return next(
        (label, one[label], right[label])
        for one, right in zip(mine, expected)
        for label in right
        if not same(one[label], right[label])
    )


def shown(tensor):
    """A few numbers as text, or a yes or no."""
    if tensor.dtype is torch.bool and tensor.dim() == 0:
        return "yes" if tensor else "no"
    return ", ".join(f"{x:.4g}" for x in tensor.flatten().tolist()[:12])


def rounded(pairs):
    """A sentence if mine is what was expected, rounded to a few decimals; else None."""
    for places in (1, 2, 3):
        if all(a.any() and same(a, b.double().round(decimals=places)) for a, b in pairs):
            return "the numbers are rounded: give all the digits"
    return None


def one_step(pairs):
    """A sentence if one step leads from mine to expected, or back, in all pairs; else None."""
    axes = max(tensor.dim() for pair in pairs for tensor in pair)
    for words, step in STEPS.items():
        for d in range(axes if "{d}" in words else 1):
            name = words.format(d=d, e=d + 1)
            if all(leads(step, d, a, b) for a, b in pairs):
                return f"the numbers are right, but one step is missing: {name}"
            if all(leads(step, d, b, a) for a, b in pairs):
                return f"the numbers are right, but for one step too many: {name}"
    return None


def leads(step, d, a, b):
    """Whether b is what step makes of a."""
    try:
        return same(step(a, d), b)
    except (IndexError, RuntimeError):  # a has no such axis
        return False


def other_shape(pairs):
    """A sentence if all that differs is the shape; else None."""
    if all(same(a.flatten(), b.flatten()) for a, b in pairs):
        a, b = next((a, b) for a, b in pairs if a.shape != b.shape)
        came, wanted = tuple(a.shape), tuple(b.shape)
        return f"the numbers are right, but not their shape: {came} came, {wanted} was expected"
    return None


def in_common(pairs):
    """A sentence if mine has the same numbers in other places, or all of them larger by a factor; else None."""
    if len(pairs) > 1 and all(a.shape == b.shape == () for a, b in pairs):
        return times(*map(torch.stack, zip(*pairs)))
    if any(a.numel() != b.numel() or a.numel() < 4 for a, b in pairs):
        return None
    if all(same(a.flatten().sort().values, b.flatten().sort().values) for a, b in pairs):
        return "the right numbers at wrong places: which axis is cut or joined, and in which order?"
    a, b = pairs[0]
    if a.shape != b.shape or a.isnan().any():
        return None
    if factor := times(a, b):
        return factor
    rows = torch.ones_like(b.sum(-1))
    if same(b.sum(-1), rows) and not same(a.sum(-1), rows):
        sums = a.sum(-1).flatten()
        return f"the rows have to add to 1; one adds to {sums[(sums - 1).abs().argmax()]:.4g}"
    return None


def times(a, b):
    """A sentence if the numbers of a are those of b, all of them larger by a factor; else None."""
    factor = ((a * b).sum() / (b * b).sum()).item()
    return f"every number is {factor:.4g} times what was expected" if same(a, factor * b) else None


def no_comparison(a, b):
    """A sentence if two tensors differ in their shape, or mine is nan where they first differ; else None."""
    if a.shape != b.shape:
        return f"shape {tuple(a.shape)} came, {tuple(b.shape)} was expected"
    place = differing(a, b)
    if not a[place].isnan():
        return None
    return (
        f"nan at {named(place)}: 0/0 gives that, ∞/∞ (e to a large number is ∞), the logarithm of a negative number, "
        "and a softmax over nothing but −∞"
    )


def first_place(a, b):
    """A sentence for the first place at which two tensors of one shape differ."""
    place = differing(a, b)
    return f"first difference at {named(place)}: {a[place]:.4g} came, {b[place]:.4g} was expected"


def differing(a, b):
    """The first place at which two tensors of one shape differ."""
    return tuple((~close(a, b)).nonzero()[0].tolist())


def named(place):
    """A place in words."""
    return f"[{', '.join(map(str, place))}]" if place else "the only number"

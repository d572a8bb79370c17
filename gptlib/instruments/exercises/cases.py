"""What a check hands to a reader's code, and how it builds a module of theirs."""

import torch
import torch.nn as nn

from gptlib.instruments.exercises.diagnosis import NotYet, Wrong, kind


def numbers(*shape, seed=0):
    """Random numbers of this shape, the same ones every time."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def case(*shapes, rest=()):
    """A function that makes the arguments of one call: a random tensor for each shape, then rest."""
    return lambda: (*(numbers(*shape, seed=i) for i, shape in enumerate(shapes)), *rest)


def made(cls, *arguments):
    """A module of a reader's class."""
    if isinstance(cls, nn.Module):
        raise Wrong(f"{kind(cls)} came, the class itself was expected: without brackets")
    if not callable(cls):
        raise Wrong(f"{kind(cls)} came, a class was expected")
    module = cls(*arguments)
    if not isinstance(module, nn.Module):
        raise Wrong(f"{kind(module)} came out of the class, an nn.Module was expected")
    frozen = [name for name, p in module.named_parameters() if not p.requires_grad]
    if frozen:
        raise Wrong(f"{frozen[0]} is not trained: leave out requires_grad=False")
    return module


def with_known_weights(module):
    """module, with the same random weights every time."""
    with torch.no_grad():
        for i, parameter in enumerate(module.parameters(), start=7):
            size = parameter.shape[-1] ** -0.5 if parameter.dim() > 1 else 1
            parameter.copy_(size * numbers(*parameter.shape, seed=i))
    return module


def module_like(right, *sizes):
    """A function that makes a module of a reader's class, with the weights that one of the class right gets."""

    def prepare(cls):
        module, model = made(cls, *sizes), right(*sizes)
        compare_parameters(dict(module.named_parameters()), dict(model.named_parameters()))
        if len(list(module.buffers())) > len(list(model.buffers())):
            raise Wrong("it keeps a buffer: make what it needs in forward, for the length at hand")
        module.load_state_dict(with_known_weights(model).state_dict(), strict=False)
        return module

    return prepare


def only_biases(names):
    """Whether all of these are names of biases."""
    return all(name.endswith("bias") for name in names)


def compare_parameters(found, wanted):
    """Raises a sentence if parameters, {name: parameter}, have other names, shapes or constant starts than wanted."""
    if not found:
        raise NotYet(
            f"it has no parameters so far: make its layers in __init__; expected: {', '.join(wanted)}"
        )
    more, missing = sorted(found.keys() - wanted.keys()), sorted(wanted.keys() - found.keys())
    if more and not missing:
        cure = "is it a layer too many, or a constant, such as a mask? That is no parameter"
        cure = "bias=False leaves them out" if only_biases(more) else cure
        raise Wrong(f"it has {', '.join(more)} on top of {', '.join(wanted)}: {cure}")
    if missing and not more:
        cure = ": leave bias=False out there" if only_biases(missing) else ""
        raise Wrong(f"it has no {', '.join(missing)}{cure}; expected: {', '.join(wanted)}")
    if wanted.keys() != found.keys():
        names = (", ".join(sorted(these)) for these in (found, wanted))
        raise Wrong("its parameters are {}; expected: {}".format(*names))
    for name, right in wanted.items():
        shapes = tuple(found[name].shape), tuple(right.shape)
        if shapes[0] != shapes[1]:
            swapped = shapes[0] == shapes[1][::-1]
            cure = "; the sizes are swapped, it's nn.Linear(in, out)" if swapped else ""
            raise Wrong(f"{name} has the shape {shapes[0]}, expected: {shapes[1]}{cure}")
        start = right.flatten()[0].item()
        if (right == start).all() and not (found[name] == start).all():
            raise Wrong(f"{name} has to start as {start:g} everywhere, to change nothing at first")


def planted(right, **functions):
    """The class right with other functions in place of its own: what somebody wrote by mistake."""
    return type(right.__name__, (right,), {name: staticmethod(f) for name, f in functions.items()})

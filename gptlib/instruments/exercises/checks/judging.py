"""How an exercise answers: yours is compared with an independent answer and with what the usual mistakes give.

A Check never raises, and draws nothing from the global random numbers; what it says is one line, the same every time,
that begins with `right`, `not yet` or `not right`.
"""

from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass

import torch

from gptlib.instruments.exercises.checks import reading
from gptlib.instruments.exercises.checks.reading import NotYet, Wrong


@contextmanager
def own_randomness():
    """Inside the block torch draws from a fixed seed; afterwards the global random numbers go on as if nothing was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


def as_given(function):
    """What a Check of a function prepares: nothing."""
    if not callable(function):
        raise Wrong(f"{reading.kind(function)} came, a function was expected")
    return function


class Speaks:
    """Whatever can be called with a reader's work: it prints the line that judge returns, and never raises."""

    def __call__(self, *yours):
        print(self.judge(*yours))

    def __repr__(self):
        return "a check; call it with what you wrote"


@dataclass(frozen=True, repr=False)
class Check(Speaks):
    """One exercise.

    right: an independent answer, in the form that the reader's has. wrong: {sentence: what one would have written if}.
    cases: functions that make the arguments of one call, anew each time. prepare: from what the reader wrote to
    something that can be called. facts: functions of (yours prepared, cases, right prepared), asked once the numbers
    are right; each raises Wrong with a sentence of wrong. well: what has been shown when all is right.
    """

    right: Callable
    wrong: dict
    cases: tuple
    well: str
    prepare: Callable = as_given
    facts: tuple = ()

    def judge(self, *yours):
        """The line for what the reader wrote."""
        return told(lambda: self.verdict(*(yours or [None])))

    def verdict(self, yours, *more):
        """What is shown if yours is right; raises Wrong or NotYet with a sentence."""
        if more:
            raise Wrong(f"{1 + len(more)} things came, one was expected")
        if reading.untouched(yours):
            raise NotYet("fill in the … and run the cell again")
        mine, expected = self.observe(yours), self.observe(self.right)
        if not same(mine, expected):
            raise Wrong(self.recognised(mine, expected) or difference(mine, expected))
        for fact in self.facts:
            fact(self.prepare(yours), self.cases, self.prepare(self.right))
        return self.well

    def observe(self, candidate):
        """All numbers that candidate gives for the cases, as a list of tensors."""
        with own_randomness():
            call = self.prepare(candidate)
            return [t for case in self.cases for t in reading.tensors(call(*case()))]

    def recognised(self, mine, expected):
        """The sentence of the mistake that gives the same numbers as mine, at least in the first result, or None."""
        planted = {sentence: self.observed(wrong) for sentence, wrong in self.wrong.items()}
        for upto in (None, 1):
            if upto and same(mine[:1], expected[:1]):
                return None
            for sentence, theirs in planted.items():
                if theirs and same(mine[:upto], theirs[:upto]):
                    return sentence
        return None

    def observed(self, planted):
        """What observe gives for a planted mistake; None for one that is found in another way than by numbers."""
        try:
            return self.observe(planted)
        except (Wrong, NotYet):
            return None


def told(verdict):
    """The line for a verdict, a function that says what is shown or raises; whatever it raises is told."""
    try:
        with own_randomness():
            return f"right: {verdict()}"
    except NotYet as open_end:
        return f"not yet: {open_end}"
    except Wrong as mistake:
        return f"not right: {mistake}"
    except NotImplementedError as problem:
        return f"not yet: {reading.raised(problem)}"
    except (Exception, SystemExit) as problem:
        return f"not right: {reading.raised(problem)}"


def same(mine, expected):
    """Whether two lists of tensors have equal shapes and, but for rounding, equal numbers."""
    return len(mine) == len(expected) and all(
        a.shape == b.shape and torch.allclose(a, b, rtol=1e-4, atol=1e-5, equal_nan=True)
        for a, b in zip(mine, expected)
    )


def difference(mine, expected):
    """A sentence for the first thing in which mine and expected, lists of tensors, differ."""
    if len(mine) != len(expected):
        return f"{len(mine)} result(s) came, {len(expected)} were expected"
    for a, b in zip(mine, expected):
        if a.shape != b.shape:
            return f"shape {tuple(a.shape)} came, {tuple(b.shape)} was expected"
        if not same([a], [b]):
            return first_place(a, b)
    return "it differs"  # cannot be: called when they differ


def first_place(a, b):
    """A sentence for the first place at which a and b, tensors of one shape, differ."""
    place = (~torch.isclose(a, b, rtol=1e-4, atol=1e-5, equal_nan=True)).nonzero()[0].tolist()
    at = f"[{', '.join(map(str, place))}]" if place else "the only number"
    mine, expected = a[tuple(place)].item(), b[tuple(place)].item()
    if mine != mine:
        return f"nan at {at}; 0/0 gives that, and a softmax over nothing but −∞"
    return f"first difference at {at}: {mine:.4g} came, {expected:.4g} was expected"

"""How an exercise is graded: yours is compared with an independent answer and with what the usual mistakes give.

Nothing here raises or draws from the global random numbers. What an exercise says is one line, the same every time,
that begins with `right`, `not yet` or `not right`; `run.py check` looks for these words.
"""

from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property

import torch

from gptlib.instruments.exercises import diagnosis, relations, trials, written
from gptlib.instruments.exercises.diagnosis import NotYet, Wrong
from gptlib.instruments.exercises.relations import agree


def devices_in_use():
    """The numbers of the GPUs that have random numbers of their own by now; without a GPU none."""
    if torch.cuda.is_available() and not torch.cuda.is_initialized():
        return []  # to ask for their state would start them
    return list(range(torch.accelerator.device_count()))


@contextmanager
def own_randomness(seed=0):
    """Inside the block torch draws from its own seed; afterwards every generator goes on as if nothing had been."""
    with torch.random.fork_rng(devices=devices_in_use()):
        torch.default_generator.manual_seed(seed)  # torch.manual_seed would seed the GPU's as well
        yield


class Exercise:
    """What a cell calls with a reader's work: prints one line, and never raises."""

    def __call__(self, *yours):
        print(self.judge(*yours))

    def __repr__(self):
        return "a check; call it with what you wrote"

    def judge(self, *yours):
        """The line for what the reader wrote."""
        try:
            with own_randomness():
                return f"right: {self.grade(*(yours or [None]))}"
        except NotYet as open_end:
            return f"not yet: {open_end}"
        except Wrong as mistake:
            return f"not right: {mistake}"
        except NotImplementedError as problem:
            return f"not yet: {diagnosis.raised(problem)}"
        except (Exception, SystemExit) as problem:
            return f"not right: {diagnosis.raised(problem)}"


def alternatives(mistake):
    """A mistake as a list; a list is several ways of making the same one."""
    return mistake if isinstance(mistake, list) else [mistake]


def as_given(function):
    """What a Check of a function calls: the function itself."""
    if not callable(function):
        raise Wrong(f"{diagnosis.kind(function)} came, a function was expected")
    return function


@dataclass(frozen=True, repr=False)
class Check(Exercise):
    """An exercise whose answer is a function or a class.

    right: an independent answer. mistakes: {sentence: what one would have written if, or a list of several such}; one
    that raises is known by what it says. cases: functions that make the arguments of one call, anew each time.
    explanation: what has been shown when all is right. prepare: from what was written to what is called. probes:
    functions of (check, yours), asked once the numbers are right.
    """

    right: Callable
    mistakes: dict
    cases: tuple
    explanation: str
    prepare: Callable = as_given
    probes: tuple = ()

    def grade(self, yours, *more):
        """The explanation if yours is right; raises Wrong or NotYet with a sentence."""
        if more:
            raise Wrong(f"{1 + len(more)} things came, one was expected")
        if diagnosis.untouched(yours):
            raise NotYet("fill in the … and run the cell again")
        mine, expected = self.attempt(yours), self.observe(self.right)
        if not agree(mine, expected):
            raise Wrong(self.what_is_wrong(yours, mine, expected))
        for probe in self.probes:
            probe(self, yours)
        return self.explanation

    def observe(self, candidate, seed=0):
        """What candidate gives, for each case {label: tensor}."""
        with own_randomness(seed):
            call = self.prepare(candidate)
            return [diagnosis.tensors(diagnosis.called(call, case())) for case in self.cases]

    def attempt(self, yours):
        """What yours gives; if it raises, the sentence of the mistake that raises the same, or what was raised."""
        try:
            return self.observe(yours)
        except (Wrong, NotYet, NotImplementedError):
            raise
        except Exception as problem:
            said = diagnosis.one_line(problem)
            for sentence, several in self.planted.items():
                if said in several:
                    raise Wrong(sentence + diagnosis.place(problem, " ({})")) from problem
            hint = written.hint(said, yours, self.right)
            raise Wrong(diagnosis.raised(problem, hint)) from problem

    def what_is_wrong(self, yours, mine, expected):
        """The sentence for numbers that are not the expected ones."""
        borrowed = written.borrowed(yours)
        named = self.recognized(mine, expected)
        if not (named or borrowed):
            unused = trials.ignored_number(self, yours) or written.unused(yours, self.right)
            if unused:
                similar = self.recognized(mine, expected, upto=1)
                return f"{unused}; {similar or relations.difference(mine, expected)}"
        named = (
            named
            or self.recognized(mine, expected, upto=1)
            or trials.unsteady(self, yours)
            or trials.altering(self, yours)
        )
        if named and borrowed:
            return f"{named}; or is it this: {borrowed}"
        return named or borrowed or self.unnamed(yours, mine, expected)

    def unnamed(self, yours, mine, expected):
        """The sentence for what no planted mistake gives: how the numbers are related, or what is not read."""
        if related := relations.related(mine, expected):
            hints = related, written.size_as_number(related, yours, self.right)
        else:
            hints = trials.ignored_place(self, yours), relations.difference(mine, expected)
        return "; ".join(filter(None, hints))

    def recognized(self, mine, expected, upto=None):
        """The sentence of the mistake that gives the same as mine, in all cases or in the first upto; or None."""
        if agree(mine[:upto], expected[:upto]):
            return None
        for sentence, several in self.planted.items():
            if any(theirs and agree(mine[:upto], theirs[:upto]) for theirs in several):
                return sentence
        return None

    @cached_property
    def planted(self):
        """{sentence: [what each way of making its mistake gives]}."""
        return {
            sentence: [self.observed(one) for one in alternatives(mistake)]
            for sentence, mistake in self.mistakes.items()
        }

    def observed(self, mistake):
        """What observe gives for a planted mistake, or what it raises, in words; nothing if no numbers come."""
        try:
            return self.observe(mistake)
        except (Wrong, NotYet):
            return []
        except Exception as problem:
            return diagnosis.one_line(problem)


@dataclass(frozen=True, repr=False)
class Both(Exercise):
    """An exercise in two parts: a piece to write, and what an experiment with it gave."""

    piece: Check
    number: Exercise

    def grade(self, *yours):
        """Both explanations; raises Wrong or NotYet for the first part that is not right."""
        if len(yours) != 2:
            raise NotYet("this check wants two things, what you wrote and what you found")
        return f"{self.piece.grade(yours[0])}; {self.number.grade(yours[1])}"

"""How an exercise answers whose result is a number or a word, from paper or from an experiment."""

from dataclasses import dataclass

from gptlib.instruments.exercises.checks import reading
from gptlib.instruments.exercises.checks.judging import Check, Speaks, told
from gptlib.instruments.exercises.checks.reading import NotYet, Wrong


@dataclass(frozen=True, repr=False)
class Answer(Speaks):
    """An exercise whose answer is one or several numbers or words, worked out on paper or found by an experiment.

    right: (low, high) for each number, or the word. wrong: {sentence: the answer that one gets if}. well: what the
    answer means. sought: what has to be given, in words.
    """

    right: tuple
    wrong: dict
    well: str
    sought: str = "a number"

    def judge(self, *yours):
        """The line for what the reader answered, several things as a tuple or one after the other."""
        return told(lambda: self.verdict(yours[0] if len(yours) == 1 else yours or None))

    def verdict(self, yours):
        """What the answer means if it is right; raises Wrong or NotYet with a sentence."""
        if reading.untouched(yours) or (
            isinstance(yours, tuple | list) and any(map(reading.untouched, yours))
        ):
            raise NotYet("put your answer in place of the … and run the cell again")
        mine = reading.answers(yours)
        if fits(mine, self.right):
            return self.well
        for sentence, planted in self.wrong.items():
            if fits(mine, ranges(planted)):
                raise Wrong(sentence)
        if len(mine) != len(self.right):
            raise Wrong(f"{len(mine)} answer(s) came; expected was {self.sought}")
        raise Wrong(f"{reading.shown(yours)} came; sought was {self.sought}")


def about(*numbers, within=0.005):
    """Ranges around numbers, wide enough for an answer that was rounded to three digits."""
    return tuple((n - within * abs(n) - 1e-9, n + within * abs(n) + 1e-9) for n in numbers)


def ranges(planted):
    """The ranges of an answer that is given as a number, a word, or several; whole numbers are meant exactly."""
    several = planted if isinstance(planted, tuple) else (planted,)
    return tuple(
        p if isinstance(p, str | tuple) else about(p, within=0 if isinstance(p, int) else 0.005)[0]
        for p in several
    )


def fits(mine, right):
    """Whether every answer lies in its range, or is the word."""
    return len(mine) == len(right) and all(
        a == r if isinstance(r, str) or isinstance(a, str) else r[0] <= a <= r[1]
        for a, r in zip(mine, right)
    )


@dataclass(frozen=True, repr=False)
class Both(Speaks):
    """Two checks in one exercise: a piece to write and what an experiment with it gave."""

    first: Check
    second: Answer

    def judge(self, *yours):
        """The line of the first of the two that is not right yet; else both."""
        if len(yours) != 2:
            return "not yet: this check wants two things, what you wrote and what you found"
        lines = self.first.judge(yours[0]), self.second.judge(yours[1])
        return next(
            (line for line in lines if not line.startswith("right")),
            f"{lines[0]}; {lines[1].removeprefix('right: ')}",
        )

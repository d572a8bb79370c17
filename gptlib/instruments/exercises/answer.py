"""How an answer in numbers or words is graded, from paper or from an experiment."""

import math
from dataclasses import dataclass
from itertools import permutations

import numpy as np
import torch

from gptlib.instruments.exercises.diagnosis import NotYet, Wrong, kind, untouched
from gptlib.instruments.exercises.grader import Exercise, alternatives

ARRAYS = torch.Tensor | np.ndarray | np.generic
PLACES = ("first", "second", "third", "fourth")


@dataclass(frozen=True, repr=False)
class Answer(Exercise):
    """An exercise whose answer is one or several numbers or words.

    right: for each of them a word, (low, high), a whole number that is meant exactly, or another number, of which two
    digits are enough. mistakes: {sentence: the answer that one gets if, or a list of such}. expected: what has to be
    given, in words. explanation: what the answer means.
    """

    right: tuple
    mistakes: dict
    expected: str
    explanation: str

    def grade(self, *yours):
        """The explanation if yours is right; raises Wrong or NotYet with a sentence."""
        mine = tuple(map(number_or_word, parts(yours[0] if len(yours) == 1 else yours)))
        if all_fit(mine, self.right):
            return self.explanation
        for sentence, planted in self.wrong_answers():
            if all_fit(mine, planted):
                raise Wrong(sentence)
        shown = ", ".join(one if isinstance(one, str) else f"{one:.6g}" for one in mine)[:60]
        raise Wrong(f"{self.relation(mine) or f'{shown} came'}; expected: {self.expected}")

    def relation(self, mine):
        """What yours has in common with the right answer, or why it cannot be one; None if nothing is found."""
        if len(mine) != len(self.right):
            return f"{len(mine)} answer{'s' * (len(mine) > 1)} came, not {len(self.right)}"
        for one, wanted in zip(mine, self.right):
            if isinstance(one, str) != isinstance(wanted, str):
                return f"{one!r} came, not a {'word' if isinstance(wanted, str) else 'number'}"
        if len(mine) > 1 and all_fit(mine[::-1], self.right):
            return "the other way round"
        if all(isinstance(wanted, str) for wanted in self.right):
            strange = next((word for word in mine if word not in self.words()), None)
            return f"{strange!r} is none of the words" if strange else self.partly(mine)
        if not all(map(math.isfinite, mine)):
            return "nan and ∞ are no answers"
        if len(mine) in (3, 4) and any(all_fit(one, self.right) for one in permutations(mine)):
            return "the right numbers, but in another order"
        if all_fit([abs(one) for one in mine], [size(wanted) for wanted in self.right]):
            return "a sign is wrong"
        for power in (-9, -6, -3, -2, -1, 1, 2, 3, 6, 9):
            if all_fit([one / 10.0**power for one in mine], self.right):
                return f"the digits are right, but 10^{power} times what they should be"
        if all(fits(one, wanted) or rounded(one, wanted) for one, wanted in zip(mine, self.right)):
            return "rounded too far"
        return self.partly(mine)

    def wrong_answers(self):
        """(sentence, answer) for every wrong answer that has a sentence."""
        return [
            (sentence, one if isinstance(one, tuple) else (one,))
            for sentence, mistake in self.mistakes.items()
            for one in alternatives(mistake)
        ]

    def words(self):
        """Every word that occurs in an answer, right or wrong."""
        answers = self.right, *(answer for _, answer in self.wrong_answers())
        return {word for answer in answers for word in answer if isinstance(word, str)}

    def partly(self, mine):
        """Which of several answers is the only wrong one, and whether the wrong ones are close; or None."""
        wrong = {place: pair for place, *pair in zip(PLACES, mine, self.right) if not fits(*pair)}
        near = all(close(*pair) for pair in wrong.values())
        if len(wrong) != 1 or len(mine) == 1:
            return "close, but not exact enough" if near else None
        (place,) = wrong
        return f"the {place} is {'close, but not exact enough' if near else 'wrong'}, the rest is right"


def parts(yours):
    """An answer as a list or tuple, whichever way several were given."""
    several = yours.tolist() if isinstance(yours, ARRAYS) else yours
    several = several if isinstance(several, tuple | list) else (several,)
    if len(several) == 1 and isinstance(several[0], tuple | list):
        return several[0]  # a row of a table that has no other
    return several


def number_or_word(one):
    """One answer as a float or as a word in small letters; raises NotYet or Wrong."""
    if untouched(one):
        raise NotYet("put your answer in place of the … and run the cell again")
    if isinstance(one, ARRAYS) and math.prod(one.shape) == 1:
        one = one.item()
    if isinstance(one, str):
        return one.strip().lower()
    if isinstance(one, int | float):
        return float(one)
    raise Wrong(f"{kind(one)} came, a number or a word was expected")


def all_fit(mine, wanted):
    """Whether each answer is the one that is wanted at its place."""
    return len(mine) == len(wanted) and all(map(fits, mine, wanted))


def fits(mine, wanted):
    """Whether an answer is the word, lies in the range, or is the number, to two digits if it is not a whole one."""
    if isinstance(wanted, str) or isinstance(mine, str):
        return mine == wanted
    if isinstance(wanted, tuple):
        return wanted[0] <= mine <= wanted[1]
    if isinstance(wanted, int):
        return mine == wanted
    return abs(mine - wanted) <= 0.005 * abs(wanted) or mine == float(f"{wanted:.2g}")


def close(mine, wanted):
    """Whether an answer is within 6 % of a number that it isn't."""
    return isinstance(wanted, int | float) and abs(mine - wanted) <= 0.06 * abs(wanted)


def size(wanted):
    """What is wanted without its sign."""
    if isinstance(wanted, tuple):
        return tuple(sorted(map(abs, wanted)))
    return abs(wanted)


def rounded(mine, wanted):
    """Whether mine is what is wanted, but with too few digits; a whole number is never meant to be rounded."""
    low, high = wanted if isinstance(wanted, tuple) else (wanted, wanted)
    digits = max(1, len(f"{mine:g}".replace(".", "").strip("-0")))
    inside = float(f"{low:.{digits}g}") <= mine <= float(f"{high:.{digits}g}")
    return inside and not isinstance(wanted, int)

"""The checks: right is right, every usual mistake is named, and nothing that a reader writes makes one fail."""

import re
import sys

import pytest
import torch
import torch.nn as nn

from gptlib.instruments.exercises import checks
from gptlib.instruments.exercises.checks.answering import Both
from gptlib.instruments.exercises.checks.judging import Check, same

EVERY = {
    name: check for exercises in checks.EXERCISES.values() for name, check in exercises.items()
}
PARTS = {name: check for name, check in EVERY.items() if not isinstance(check, Both)}
PARTS |= {
    f"{name}, {word}": part
    for name, check in EVERY.items()
    if isinstance(check, Both)
    for word, part in (("piece", check.first), ("number", check.second))
}
PIECES = {name: part for name, part in PARTS.items() if isinstance(part, Check)}


def middle(answer):
    """An answer's ranges as the numbers in their middle; words as they are."""
    several = answer if isinstance(answer, tuple) else (answer,)
    return tuple(sum(one) / 2 if isinstance(one, tuple) else one for one in several)


def as_readers(part, answer):
    return answer if isinstance(part, Check) else middle(answer)


@pytest.mark.parametrize("name", PARTS)
def test_the_right_answer_is_right(name):
    part = PARTS[name]
    assert part.judge(as_readers(part, part.right)) == f"right: {part.well}"


@pytest.mark.parametrize("name", PARTS)
def test_every_planted_mistake_gets_its_own_sentence(name):
    part = PARTS[name]
    assert len(part.wrong) >= 2
    for sentence, planted in part.wrong.items():
        assert part.judge(as_readers(part, planted)) == f"not right: {sentence}"


@pytest.mark.parametrize("name", PIECES)
def test_no_two_mistakes_give_the_same_numbers(name):
    part = PIECES[name]
    right = part.observe(part.right)
    seen = [numbers for numbers in map(part.observed, part.wrong.values()) if numbers]
    by_numbers = [numbers for numbers in seen if not same(numbers, right)]  # the others, by a fact
    assert len(by_numbers) >= 2
    for i, numbers in enumerate(by_numbers):
        assert not any(same(numbers, other) for other in by_numbers[:i])


NAMED = {
    "divided by √C": ("head", "attention"),
    "softmax runs over the wrong axis": ("window", "alibi", "head", "attention"),
    "the mask comes after softmax": ("head", "attention"),
    "each position sees the next one too": ("head", "attention"),
    "nobody sees itself": ("head", "attention"),
    "the mask is 0, a score like any other": ("window", "head", "attention"),
    "ε is outside the root": ("layer_norm", "rms_norm"),
    "the unbiased one": ("layer_norm",),
    "heads and positions are mixed up": ("attention",),
    "it drops in eval mode too": ("dropout",),
    "multiplied by 1/p": ("dropout",),
    "the logits of the first position": ("next_probabilities",),
    "the targets are not shifted": ("get_batch",),
    "the input is changed in place": (
        "head",
        "scaled",
        "layer_norm",
        "dropout",
        "next_probabilities",
    ),
    "made on the CPU": ("head", "attention", "rope"),
    "made in 32 bits": ("head", "attention", "layer_norm", "rope"),
    "the wrong side is kept": ("next_probabilities",),
    "the token that crosses top_p is dropped": ("next_probabilities",),
    "multiplied by the temperature": ("next_probabilities",),
    "the sign is wrong": ("alibi",),
    "a copy, which goes its own way": ("tied_weights, piece",),
    "stands at position 0": ("cached_step",),
}


@pytest.mark.parametrize(("words", "names"), NAMED.items())
def test_the_usual_mistakes_are_planted_where_they_fit(words, names):
    for name in names:
        assert any(words in sentence for sentence in PARTS[name].wrong), name


def fails(*arguments):
    raise KeyError(f"no\nsuch thing at {hex(id(arguments))}")


class Stub(nn.Module):
    def __init__(self, *sizes):
        super().__init__()

    def forward(self, *arguments):
        return ...


class Empty(nn.Module): ...


def stubs_for(name):
    """What stands in a cell before anybody wrote in it, for a number, a class or a function."""
    right = PIECES[name].right if name in PIECES else None
    if isinstance(right, type):
        return (Stub, Empty)
    return (lambda *a: ..., lambda *a: None) if callable(right) else ()


@pytest.mark.parametrize("name", EVERY)
def test_an_unsolved_cell_says_not_yet(name, capsys):
    for unsolved in (None, ..., *stubs_for(name)):
        EVERY[name](*[unsolved] * (2 if isinstance(EVERY[name], Both) else 1))
        assert capsys.readouterr().out.startswith("not yet: "), unsolved


class NotConstructed(nn.Module):
    def __init__(self, *sizes):
        self.weight = nn.Linear(1, 1)  # without super().__init__()


def forever():
    while True:
        yield 0


class Unspeakable(Exception):
    def __str__(self):
        raise RuntimeError


def unspeakable(*arguments):
    raise Unspeakable


def leaves(*arguments):
    sys.exit("enough")


def itself(*arguments):
    endless = []
    endless.append(endless)
    return endless


ODD = (
    None,
    ...,
    3,
    -1.0,
    "a word",
    b"",
    [],
    (),
    {},
    {1: 2},
    object(),
    nn.Linear(2, 2),
    int,
    Exception,
)
ODD += (fails, unspeakable, leaves, itself, forever, forever(), NotConstructed, Stub, Empty, Stub())
ODD += (lambda: 0, lambda *a: torch.tensor(float("nan")), lambda *a: torch.zeros(2, 3, 4, 5, 6))
ODD += (lambda *a: "text", lambda *a: forever(), lambda *a: torch.zeros(2, 5, dtype=torch.int8))
ODD += (lambda *a: torch.zeros(3, dtype=torch.complex64), lambda *a: torch.zeros(3, device="meta"))
ODD += (lambda *a: a[0], lambda *a: a, lambda *a: nn.Linear(2, 2), lambda *a: {}, float("nan"))
ODD += ((None, 3), (3, "a"), [..., ...], torch.zeros(9, 9), torch.zeros(0), torch.tensor(2.0))


@pytest.mark.parametrize("name", EVERY)
def test_whatever_a_reader_writes_a_check_answers_in_one_line(name, capsys):
    for odd in ODD:
        EVERY[name](*[odd] * (2 if isinstance(EVERY[name], Both) else 1))
        said = capsys.readouterr().out
        assert said.count("\n") == 1 and said.startswith(("not yet: ", "not right: ")), (odd, said)
        assert not re.search("0x[0-9a-f]|Traceback", said)


def test_any_number_of_arguments_gets_a_line_and_a_check_does_not_show_its_answer(capsys):
    for check in EVERY.values():
        for count in (0, 2, 3):
            check(*[3.5] * count)
            said = capsys.readouterr().out
            assert said.count("\n") == 1 and said.startswith("not")
        assert repr(check) == "a check; call it with what you wrote"
    assert checks.heads.judge(64, 4 * 384**2).startswith("right")


def test_an_exception_is_told_with_the_readers_own_line():
    def my_window(T, width):
        return torch.zeros(T, T) @ torch.zeros(width + 100, 1)

    said = checks.window.judge(my_window)
    assert said.startswith("not right: RuntimeError in line ")
    assert "of my_window, `return torch.zeros(T, T) @ torch.zeros(width + 100, 1)`" in said
    assert "KeyError in line" in checks.rope.judge(fails) and "0x…" in checks.rope.judge(fails)


@pytest.mark.parametrize("name", PIECES)
def test_a_check_draws_nothing_from_the_global_random_numbers_and_always_says_the_same(name):
    part, said = PIECES[name], []
    for seed in (1, 2):
        torch.manual_seed(seed)
        before = torch.get_rng_state()
        said.append([part.judge(part.right), part.judge(list(part.wrong.values())[1])])
        assert torch.equal(before, torch.get_rng_state())
    assert said[0] == said[1]


def test_a_mistake_that_is_not_planted_is_told_by_the_first_place_or_the_shape():
    off = checks.window.judge(lambda T, width: checks.window.right(T, width) + 0.25 * torch.eye(T))
    assert off == "not right: first difference at [0, 0]: 1.25 came, 1 was expected"
    wider = checks.window.judge(lambda T, width: torch.zeros(T, T + 1))
    assert wider == "not right: shape (7, 8) came, (7, 7) was expected"


def test_two_mistakes_at_once_are_told_one_after_the_other():
    def twice(logits, targets):  # a sum, and not in logarithms
        return -logits.softmax(dim=-1).gather(-1, targets[..., None]).log().sum()

    assert "the sum in place of the mean" in checks.next_token_loss.judge(twice)


def test_other_names_and_shapes_of_parameters_are_told():
    class Renamed(Stub):
        def __init__(self, n_embd, head_size, block_size):
            super().__init__()
            self.q = nn.Linear(n_embd, head_size)

    said = checks.head.judge(Renamed)
    assert "its parameters are q.bias, q.weight; expected were key.weight, query.weight" in said
    assert "the class itself was expected" in checks.head.judge(Renamed(2, 2, 2))


def test_a_twin_that_is_written_differently_is_right():
    def by_loop(q, k, slope):
        out = torch.zeros(*q.shape[:2], q.shape[1])
        for t in range(q.shape[1]):
            back = torch.arange(t, -1, -1)
            scores = (q[:, t : t + 1] * k[:, : t + 1]).sum(-1) / q.shape[-1] ** 0.5 - slope * back
            out[:, t, : t + 1] = scores.softmax(-1)
        return out

    assert checks.alibi.judge(by_loop).startswith("right")


def test_both_halves_of_an_exercise_have_to_be_right():
    tie, gain = checks.tied_weights.first.right, 0.03
    assert checks.tied_weights.judge(tie, gain).startswith("right")
    assert checks.tied_weights.judge(tie, ...).startswith("not yet")
    assert checks.tied_weights.judge(lambda model: model, gain).startswith(
        "not right: nothing is tied"
    )
    assert checks.tied_weights.judge(tie).startswith("not yet")

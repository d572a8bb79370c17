"""The checks: right is right, every usual mistake is named, and nothing that a reader writes makes one fail."""

import re
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.nn as nn
import torch.nn.functional as F

from gptlib.instruments.exercises import cases, check, probes
from gptlib.instruments.exercises.grader import Both, Check, alternatives
from gptlib.instruments.exercises.relations import agree

EXERCISES = check.BY_NAME
PARTS = {name: one for name, one in EXERCISES.items() if not isinstance(one, Both)}
PARTS |= {
    f"{name}, {word}": part
    for name, both in EXERCISES.items()
    if isinstance(both, Both)
    for word, part in (("piece", both.piece), ("number", both.number))
}
PIECES = {name: part for name, part in PARTS.items() if isinstance(part, Check)}
each_part = pytest.mark.parametrize("part", PARTS.values(), ids=PARTS.keys())
each_piece = pytest.mark.parametrize("part", PIECES.values(), ids=PIECES.keys())
each_exercise = pytest.mark.parametrize("exercise", EXERCISES.values(), ids=EXERCISES.keys())


def as_readers(part, answer):
    """What a reader would give: for a range a number in it."""
    if isinstance(part, Check):
        return answer
    several = answer if isinstance(answer, tuple) else (answer,)
    return tuple(sum(one) / 2 if isinstance(one, tuple) else one for one in several)


@each_part
def test_the_independent_answer_is_right(part):
    assert part.judge(as_readers(part, part.right)) == f"right: {part.explanation}"


@each_part
def test_every_planted_mistake_gets_its_own_sentence(part):
    assert len(part.mistakes) >= 2
    for sentence, mistake in part.mistakes.items():
        for planted in alternatives(mistake):
            assert part.judge(as_readers(part, planted)) == f"not right: {sentence}"


@each_piece
def test_no_two_mistakes_give_the_same_numbers(part):
    seen = [(sentence, numbers) for sentence, ways in part.planted.items() for numbers in ways]
    for sentence, numbers in seen:
        assert numbers, (
            "a mistake that gives no numbers is found by a probe: try it in test_wrong_solutions"
        )
        others = [other for words, other in seen if words != sentence]
        assert not any(agree(numbers, other) for other in others), sentence


# ---- whatever comes, a line


def fails(*arguments):
    raise KeyError(f"no\nsuch thing at {hex(id(arguments))}")


class Stub(nn.Module):
    def __init__(self, *sizes):
        super().__init__()

    def forward(self, *arguments):
        return ...


class Empty(nn.Module): ...


def stubs_for(exercise):
    """What stands in a cell before anybody wrote in it, for a number, a class or a function."""
    right = exercise.right if isinstance(exercise, Check) else None
    if isinstance(right, type):
        return (Stub, Empty)
    return (lambda *a: ..., lambda *a: None) if callable(right) else ()


@each_exercise
def test_an_unsolved_cell_says_not_yet(exercise, capsys):
    for unsolved in (None, ..., *stubs_for(exercise)):
        exercise(*[unsolved] * (2 if isinstance(exercise, Both) else 1))
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


# fmt: off
ODD = (
    None, ..., 3, -1.0, "a word", b"", [], (), {}, {1: 2}, object(), nn.Linear(2, 2), int, Exception, float("nan"),
    fails, unspeakable, leaves, itself, forever, forever(), NotConstructed, Stub, Empty, Stub(),
    (None, 3), (3, "a"), [..., ...], torch.zeros(9, 9), torch.zeros(0), torch.tensor(2.0),
    lambda: 0, lambda *a: torch.tensor(float("nan")), lambda *a: torch.zeros(2, 3, 4, 5, 6),
    lambda *a: "text", lambda *a: forever(), lambda *a: torch.zeros(2, 5, dtype=torch.int8),
    lambda *a: torch.zeros(3, dtype=torch.complex64), lambda *a: torch.zeros(3, device="meta"),
    lambda *a: a[0], lambda *a: a, lambda *a: nn.Linear(2, 2), lambda *a: {}, lambda *a: {"": 3}, lambda *a: (1, 2),
)
# fmt: on


@each_exercise
def test_whatever_a_reader_writes_a_check_answers_in_one_line(exercise, capsys):
    for odd in ODD:
        exercise(*[odd] * (2 if isinstance(exercise, Both) else 1))
        said = capsys.readouterr().out
        assert said.count("\n") == 1 and said.startswith(("not yet: ", "not right: ")), (odd, said)
        assert not re.search("0x[0-9a-f]|Traceback", said)


@each_exercise
def test_any_number_of_arguments_gets_a_line_and_a_check_does_not_show_its_answer(exercise):
    for count in (0, 2, 3):
        assert exercise.judge(*[3.5] * count).startswith("not")
    assert repr(exercise) == "a check; call it with what you wrote"


def test_several_answers_may_come_as_a_tuple_as_a_tensor_or_one_after_the_other():
    assert check.heads.judge(64, 4 * 384**2).startswith("right")
    assert check.masked_row.judge(torch.tensor([0.2, 0.6, 0.2, 0.0])).startswith("right")
    assert check.shared_keys.judge(["Negated ", "ROLLED"]).startswith("right")


def test_an_exercise_that_does_not_exist_is_told_with_those_that_do():
    with pytest.raises(AttributeError, match=r"no exercise is called windwo; there are chunks, "):
        check.windwo  # noqa: B018


# ---- randomness


@each_piece
def test_a_check_draws_nothing_from_the_global_random_numbers_and_always_says_the_same(part):
    said = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        before = torch.get_rng_state()
        said.append(
            [part.judge(part.right), part.judge(alternatives(list(part.mistakes.values())[1])[0])]
        )
        assert torch.equal(before, torch.get_rng_state())
    assert said[0] == said[1]


@pytest.fixture
def gpu(monkeypatch):
    """A GPU as far as random numbers go: its state is one number, which torch.manual_seed sets and we can look at."""
    state = SimpleNamespace(seed=torch.tensor(77))
    monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda *a: torch.device("cuda"))
    monkeypatch.setattr(torch.accelerator, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_rng_state", lambda device: state.seed.clone())
    monkeypatch.setattr(
        torch.cuda, "set_rng_state", lambda new, device: setattr(state, "seed", new)
    )
    monkeypatch.setattr(
        torch.cuda, "manual_seed_all", lambda seed: setattr(state, "seed", torch.tensor(seed))
    )
    return state


def test_a_check_leaves_the_random_numbers_of_a_gpu_as_they_were(gpu):
    check.window.judge(check.window.right)
    assert gpu.seed == 77

    def seeds_everything(T, width):
        torch.manual_seed(5)
        assert gpu.seed == 5  # the stand-in does what a GPU does
        return check.window.right(T, width)

    assert check.window.judge(seeds_everything).startswith("right")
    assert gpu.seed == 77


def test_a_check_does_not_start_a_gpu_that_is_not_in_use(gpu, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: False)
    monkeypatch.setattr(torch.cuda, "get_rng_state", fails)
    assert check.window.judge(check.window.right).startswith("right")
    assert gpu.seed == 77


# ---- mistakes that are not planted


RightHead = check.head.right


def head(forward):
    return type("MyHead", (RightHead,), {"forward": forward})


def test_an_exception_is_told_with_the_readers_own_line():
    def my_window(T, width):
        return torch.zeros(T, T) @ torch.zeros(width + 100, 1)

    said = check.window.judge(my_window)
    assert said.startswith("not right: RuntimeError in line ")
    assert "of my_window, `return torch.zeros(T, T) @ torch.zeros(width + 100, 1)`" in said
    assert "KeyError in line" in check.rope.judge(fails) and "0x…" in check.rope.judge(fails)


def test_a_mistake_that_is_not_planted_is_told_by_the_first_place_or_the_shape():
    def off(T, width):
        return check.window.right(T, width) + 0.25 * (torch.eye(T) - torch.eye(T).roll(1, 0))

    first = "not right: first difference at [0, 0]: 1.25 came, 1 was expected"
    assert check.window.judge(off) == first
    wider = check.window.judge(lambda T, width: torch.zeros(T, T + 1 + 0 * width))
    assert wider == "not right: shape (7, 8) came, (7, 7) was expected"


def swapped_axes(q, k, slope):
    return q @ k.transpose(0, 1) - slope


def test_a_mistake_that_raises_is_told_by_its_sentence_and_the_readers_line():
    said = check.alibi.judge(swapped_axes)
    assert said.startswith("not right: the wrong axes of k are swapped: transpose(-2, -1) swaps")
    assert "of swapped_axes, `return q @ k.transpose(0, 1) - slope`)" in said


def test_an_exception_about_shapes_is_told_with_those_that_came_in():
    said = check.alibi.judge(lambda q, k, slope: q @ torch.zeros(7, 7))
    assert said.endswith("; it was called with the shapes (2, 5, 3) and (2, 5, 3)")


def test_the_right_numbers_in_another_shape_are_told_by_the_shapes():
    said = check.head.judge(head(lambda self, x: RightHead.forward(self, x).squeeze()))
    assert (
        said
        == "not right: the numbers are right, but not their shape: (3, 6) came, (3, 1, 6) was expected"
    )


RELATED = {
    "one step is missing: the minus sign": lambda right: -right,
    "one step too many: a logarithm": lambda right: right.log(),
    "one step is missing: a logarithm": lambda right: right.exp(),
    "one step too many: softmax over the last axis": lambda right: right.softmax(-1),
    "one step is missing: the root": lambda right: right**2,
    "one step too many: the mean over axis 1": lambda right: right.mean(1),
    "one step too many: the choice of the last along axis 0": lambda right: right[-1],
    "one step too many: leaving out the last along axis 0": lambda right: right[:-1],
    "one step is missing: turning axis 0 round": lambda right: right.flip(0),
    "one step is missing: exchanging the axes 0 and 1": lambda right: right.T,
    "one step is missing: the mean over axis 0": lambda right: torch.stack(
        [0.5 * right, 1.5 * right]
    ),
    "the right numbers at wrong places": lambda right: right.flatten()[
        torch.tensor([2, 5, 0, 3, 1, 4])
    ].view(2, 3),
    "every number is 3 times what was expected": lambda right: 3 * right,
    "one step is missing: taking away axis 0, whose size is 1": lambda right: right[None],
    "one step too many: the mean of all numbers": lambda right: right.mean(),
    "the numbers are rounded": lambda right: (right * 10).round() / 10,
}


@pytest.mark.parametrize("words", RELATED)
def test_numbers_that_are_one_step_from_right_are_told_by_the_step(words):
    numbers = torch.tensor([[0.12, 0.44, 0.63], [0.21, 0.72, 0.55]])
    plain = Check(right=lambda: numbers, mistakes={}, cases=(tuple,), explanation="")
    assert words in plain.judge(lambda: RELATED[words](numbers))


def test_rows_that_do_not_add_to_one_are_told():
    weights = Check(lambda: torch.full((2, 4), 0.25), {}, (tuple,), "")
    said = weights.judge(lambda: torch.tensor([[0.25, 0.25, 0.25, 0.25], [0.5, 0.3, 0.2, 0.1]]))
    assert said == "not right: the rows have to add to 1; one adds to 1.1"


def test_two_mistakes_at_once_are_told_one_after_the_other():
    def twice(logits, targets):  # a sum, and not in logarithms
        return -logits.softmax(dim=-1).gather(-1, targets[..., None]).log().sum()

    assert "the sum in place of the mean" in check.next_token_loss.judge(twice)


width = 3  # as if a cell of the notebook had set it


def test_a_number_that_only_the_notebook_has_is_told():
    def my_window(T, w):
        return check.window.right(T, width) * 0.9

    assert "width is not defined in my_window: it is taken from the notebook" in check.window.judge(
        my_window
    )


table = torch.zeros(4, 4)  # as if a cell of the notebook had set it


def by_the_notebooks_table(T, width):
    return (table + torch.zeros(T, T)).softmax(-1) * width


HINTS = {  # sentence: (exercise, what somebody wrote), and an exception or a shape says the rest
    "table is not defined in by_the_notebooks_table": ("window", by_the_notebooks_table),
    "T is never used in <lambda>; shape": ("window", lambda T, width: torch.eye(8) * width),
    "width is never used in <lambda>; the window is one too": ("window", lambda T, width: check.window.right(T, 2)),
    "65 is a fixed number in <lambda>": ("next_token_loss", lambda x, y: x.view(-1, 65)[y].mean()),
    "9 is a fixed number in <lambda>": ("window", lambda T, width: torch.zeros(T, 9) + width),
    "lack keepdim=True?": ("next_probabilities", lambda x, t, p: x[:, -1] / x[:, -1].sum(-1) * t * p),
}  # fmt: skip


@pytest.mark.parametrize("words", HINTS)
def test_what_stands_in_the_code_is_told_beside_an_exception_or_a_shape(words):
    name, yours = HINTS[words]
    assert words in EXERCISES[name].judge(yours)


def test_an_argument_that_the_right_answer_leaves_out_too_is_not_told():
    plain = Check(
        right=lambda x, unneeded: x + 1,
        mistakes={},
        cases=(lambda: (torch.ones(2), 0),),
        explanation="",
    )
    assert "never used" not in plain.judge(lambda x, unneeded: x)


def test_what_draws_at_random_is_told():
    said = check.rope.judge(lambda x: F.dropout(check.rope.right(x), 0.5))
    assert "it gives other numbers the next time: is something random" in said


def test_other_names_shapes_and_starts_of_parameters_are_told():
    class Renamed(Stub):
        def __init__(self, n_embd, head_size, block_size):
            super().__init__()
            self.q = nn.Linear(n_embd, head_size)

    said = check.head.judge(Renamed)
    assert "its parameters are q.bias, q.weight; expected: key.weight, query.weight" in said
    assert "the class itself was expected" in check.head.judge(Renamed(2, 2, 2))


def layers(bias=False, swapped=False, **more):
    """A MyHead with other layers than the right one."""

    class MyHead(RightHead):
        def __init__(self, n_embd, head_size, block_size):
            super().__init__(n_embd, head_size, block_size)
            sizes = (head_size, n_embd) if swapped else (n_embd, head_size)
            for name in ("query", "key", "value"):
                setattr(self, name, nn.Linear(*sizes, bias=bias))
            for name, parameter in more.items():
                setattr(self, name, parameter)

    return MyHead


def test_parameters_too_many_too_few_and_turned_round_are_told():
    said = check.head.judge(layers(bias=True))
    assert "it has key.bias, query.bias, value.bias on top of" in said and "bias=False" in said
    said = check.head.judge(layers(mask=nn.Parameter(torch.ones(8, 8))))
    assert "it has mask on top of" in said and "is no parameter" in said
    assert "it has no key.weight; expected" in check.head.judge(layers(key=None))
    assert "the sizes are swapped, it's nn.Linear(in, out)" in check.head.judge(
        layers(swapped=True)
    )


@pytest.mark.parametrize(
    ("yours", "words"),
    [
        ((1.45, 20.1), "the other way round; expected: two factors"),
        ((-20.1, 1.45), "a sign is wrong"),
        ((0.201, 0.0145), "the digits are right, but 10^-2 times what they should be"),
        ((201, 14.5), "the digits are right, but 10^1 times what they should be"),
        ((20.1, 7.0), "the second is wrong, the rest is right"),
        ((20.1, float("nan")), "nan and ∞ are no answers"),
        (("20.1", "1.45"), "'20.1' came, not a number"),
        ((20.1,), "1 answer came, not 2"),
        ((21, 1.5), "the first is close, but not exact enough, the rest is right"),
        ((21, 1.4), "close, but not exact enough; expected"),
        (np.array([1.5, 20]), "the other way round"),
        ((np.float32(20.1), 7.0), "the second is wrong, the rest is right"),
    ],
)
def test_an_answer_that_is_nearly_right_is_told_how(yours, words):
    assert words in check.factors.judge(yours)


def test_what_is_not_rounded_is_not_told_that_it_is():
    assert "rounded" in check.filled.judge(1, 2.41)
    assert "rounded" not in check.filled.judge(1.27, 2.41)


def test_an_answer_that_is_rounded_to_one_digit_is_told_how_many_are_wanted():
    said = check.normed_row.judge(-0.6, -0.6, -0.6, 1.7)
    assert said == "not right: rounded too far; expected: four numbers, to two digits"


def test_two_digits_may_still_be_too_few():
    assert "rounded too far" in check.trigram.judge(0.1, 2.03)


def test_numbers_of_numpy_and_a_row_in_a_table_are_answers_too():
    row = np.array([0.2, 0.6, 0.2, 0.0])
    for yours in (row, row[None], torch.tensor(row)[None], tuple(row), list(row.astype("float32"))):
        assert check.masked_row.judge(yours).startswith("right")
    assert check.chunks.judge(np.int64(992)).startswith("right")
    assert "in another order" in check.masked_row.judge(row[[1, 0, 2, 3]])


def test_a_word_that_is_none_of_those_asked_for_is_told():
    assert "'lm head' is none of the words" in check.frozen.judge(("lm head", "bias"))


# ---- probes: right numbers are not all


def changed_in_place(self, x):
    out = RightHead.forward(self, x)
    x.mul_(2)
    return out


PROBED = {
    "the input is changed in place": changed_in_place,
    "the gradient of input 1": lambda self, x: RightHead.forward(self, x).detach(),
    "the gradient of query.weight": lambda self, x: RightHead.attend(
        F.linear(x, self.query.weight.detach()), self.key(x), self.value(x), 12
    ),
    "made on the CPU": lambda self, x: RightHead.forward(self, x) + torch.zeros(x.shape[1], 1),
    "made in 32 bits": lambda self, x: RightHead.forward(self, x).float(),
}


@pytest.mark.parametrize("words", PROBED)
def test_right_numbers_do_not_hide_what_a_module_does_besides(words):
    assert check.head.judge(RightHead).startswith("right")
    assert words in check.head.judge(head(PROBED[words]))


def test_a_buffer_is_told_where_the_right_class_has_none():
    class Buffered(RightHead):
        def __init__(self, *sizes):
            super().__init__(*sizes)
            self.register_buffer("mask", torch.ones(8, 8))

    assert "it keeps a buffer" in check.head.judge(Buffered)


@pytest.mark.parametrize("name", ["head", "attention"])
def test_attention_is_probed_for_gradients_devices_and_dtypes(name):
    wanted = {probes.leaves_input, probes.gradients, probes.any_device, probes.exact_in_64_bits}
    assert wanted <= set(EXERCISES[name].probes)


def test_both_halves_of_an_exercise_have_to_be_right():
    tie, gain = check.tied_weights.piece.right, 0.03
    assert check.tied_weights.judge(tie, gain).startswith("right")
    assert check.tied_weights.judge(tie, ...).startswith("not yet")
    assert "nothing is tied" in check.tied_weights.judge(lambda model: model, gain)
    assert check.tied_weights.judge(tie).startswith("not yet")


def test_a_twin_that_is_written_differently_is_right():
    def by_loop(q, k, slope):
        out = torch.zeros(*q.shape[:2], q.shape[1])
        for t in range(q.shape[1]):
            back = torch.arange(t, -1, -1)
            scores = (q[:, t : t + 1] * k[:, : t + 1]).sum(-1) / q.shape[-1] ** 0.5 - slope * back
            out[:, t, : t + 1] = scores.softmax(-1)
        return out

    assert check.alibi.judge(by_loop).startswith("right")


# ---- wrong solutions of readers


def scaled(**what):
    """A MyScaled(layer) with another start or another forward."""

    class MyScaled(nn.Module):
        def __init__(self, layer):
            super().__init__()
            self.layer = what.get("keep", lambda layer: layer)(layer)
            self.a = what.get("a", lambda: nn.Parameter(torch.zeros(1)))()

        def forward(self, x):
            return what.get("out", lambda x, a, f: x + a * f(x))(x, self.a, self.layer)

    return MyScaled


class MyNorm(nn.Module):
    def __init__(self, n_embd, eps=1e-5):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(n_embd))
        self.bias = nn.Parameter(torch.zeros(n_embd))

    def forward(self, x):
        return self.weight * self.of(x) + self.bias

    def of(self, x):
        x = x - x.mean(-1, keepdim=True)
        return x / ((x**2).mean(-1, keepdim=True) + self.eps).sqrt()


class InPlace(nn.Dropout):
    def forward(self, x):
        return x.copy_(F.dropout(x, self.p, self.training))


class FromZero(MyNorm):
    def __init__(self, n_embd, eps=1e-5):
        super().__init__(n_embd, eps)
        nn.init.zeros_(self.weight)


class ByDifference(MyNorm):
    def of(self, x):
        mean = x.mean(-1, keepdim=True)
        return (x - mean) / ((x**2).mean(-1, keepdim=True) - mean**2 + self.eps).sqrt()


class ByVar(MyNorm):
    def of(self, x):
        return (x - x.mean(-1, keepdim=True)) / (
            x.var(-1, keepdim=True, correction=0) + self.eps
        ).sqrt()


def reversed_halves(x):
    """Right RoPE in 32 bits, not cast back."""
    return check.rope.right(x.float() if x.dtype == torch.bfloat16 else x)


def batch_of(make):
    """A get_batch that draws its starts by make(number of starts, batch_size, generator)."""

    def my_get_batch(tokens, block_size, batch_size, generator):
        starts = make(len(tokens) - block_size, batch_size, generator)
        x = torch.stack([tokens[i : i + block_size] for i in starts])
        return x, torch.stack([tokens[i + 1 : i + block_size + 1] for i in starts])

    return my_get_batch


drawn_by_hand = batch_of(lambda n, B, g: torch.randint(n, (B,), generator=g))


def batch_that(change):
    """A right get_batch whose x and y are changed afterwards."""
    return lambda *a: tuple(map(change, check.get_batch.right(*a)))


def reseeded(tokens, block_size, batch_size, generator):
    return check.get_batch.right(tokens, block_size, batch_size, generator.manual_seed(1))


def loss_by_hand(logits, targets):
    return -F.log_softmax(logits, dim=-1).gather(-1, targets[..., None]).mean()


def rotated_at(dtype):
    """RoPE with angles made in a dtype."""

    def my_rope(x):
        T, D = x.shape[-2:]
        here = {"device": x.device, "dtype": dtype or x.dtype}
        angles = torch.arange(T, **here)[:, None] * 10_000 ** (-torch.arange(0, D, 2, **here) / D)
        a, b = x.chunk(2, dim=-1)
        cos, sin = angles.cos(), angles.sin()
        return torch.cat([a * cos - b * sin, a * sin + b * cos], -1).to(x.dtype)

    return my_rope


def table_of(weight_of, returns=lambda model: model):
    """A my_tie that gives lm_head another module or weight."""

    def my_tie(model):
        model.lm_head.weight = weight_of(model)
        return returns(model)

    return my_tie


class TripledAndTurned(check.attention.right):
    """The 3 is no size of the batch: the right answer has it too."""

    def forward(self, x):
        return 3 * super().forward(x).transpose(0, 1)


WRONG = [
    ("get_batch", batch_of(lambda n, B, g: range(B)), "the starts do not depend on"),
    ("get_batch", batch_of(lambda n, B, g: torch.arange(B) % n), "the starts do not depend on"),
    ("get_batch", batch_of(lambda n, B, g: torch.randint(n + 3, (B,), generator=g)), "a row runs past the end"),
    ("get_batch", batch_of(lambda n, B, g: torch.randint(n + 3 - B, (B,), generator=g)), "depends on batch_size"),
    ("get_batch", batch_of(lambda n, B, g: torch.randperm(n, generator=g)[:B]), "no start is drawn twice"),
    ("get_batch", batch_of(lambda n, B, g: torch.randint(n, (4,), generator=g)), "is one of them a fixed number"),
    ("get_batch", batch_of(lambda n, B, g: (torch.rand(B, generator=g) * n).long()), "^right"),
    ("get_batch", lambda t, T, B, g: drawn_by_hand(t, B, T, g), "exchanged"),
    ("get_batch", batch_that(torch.Tensor.float), "the ids come back as torch.float32"),
    ("get_batch", batch_that(torch.flatten), "in one long row"),
    ("get_batch", batch_that(lambda part: part[0]), "a single chunk came back"),
    ("get_batch", reseeded, "the generator gets a new seed inside"),
    ("next_token_loss", loss_by_hand, "^right"),
    ("next_token_loss", lambda x, y: loss_by_hand(x[:, :-1], y[:, :-1]), "^the last place on axis 1 of input 1"),
    ("next_token_loss", lambda x, y: loss_by_hand(x[:1], y[:1]), "^the last place on axis 0 of input 1"),
    ("next_token_loss", lambda x, y: 3 * loss_by_hand(x, y), "^every number is 3 times"),
    ("next_token_loss", lambda x, y: F.cross_entropy(x.transpose(1, 2), y), "cross_entropy is what is to be built"),
    ("next_token_loss", lambda x, y: loss_by_hand(x.detach(), y), "the gradient of input 1 is not"),
    ("next_token_loss", lambda x, y: loss_by_hand(x, y).item(), "the gradient of input 1 is not"),
    ("get_batch", lambda *a: [list(part) for part in check.get_batch.right(*a)], "torch.stack makes one tensor"),
    ("get_batch", lambda *a: [part[:, :2] for part in check.get_batch.right(*a)][:1], "1 things came back"),
    ("one_back", 10 * torch.eye(8), r"the shape \(8, 8\) came"),
    ("alibi", lambda q, k, s: (q @ k.transpose(1, 2)).softmax(-1).tril(), "rows have to add to 1|the mask comes after"),
    ("alibi", lambda *a: check.alibi.right(*a).detach(), "the gradient of input 1 is not"),
    ("alibi", lambda q, k, slope: check.alibi.right(q, k, 0.3), "slope makes no difference"),
    ("alibi", lambda *a: check.alibi.right(*a[:2], 0.3), "input 3 makes no difference"),
    ("alibi", lambda q, k, s: check.alibi.right(q.div_(2), k, s), "the input is changed in place"),
    ("head", head(lambda self, x: RightHead.forward(self, x.sub_(x.mean()))), "the input is changed in place"),
    ("attention", TripledAndTurned, r"^shape \(5, 3, 12\) came, \(3, 5, 12\) was expected$"),
    ("one_back", 1.0 * torch.eye(9), "every letter attends to itself"),
    ("one_back", 6 * torch.eye(9).roll(-1, 1), "softly"),
    ("one_back", 10 * torch.eye(9).roll(-1), "roll without dims"),
    ("filled", (1.4, 2.4), "two decimals"),
    ("filled", (1.39, 2.38), "on the training text"),
    ("filled", (0.44, 0.44), "what a head without a mask gets"),
    ("filled", (0.93, 1.28), "after softmax"),
    ("knocked_out", 0.47, "the largest of four rises"),
    ("knocked_out", 0.23, "eight whole columns"),
    ("knocked_out", 0.5, "rounded too far"),
    ("heads", (64, 590_000), "the second is close, but not exact enough"),
    ("scaled", scaled(a=lambda: nn.Parameter(torch.zeros(1), requires_grad=False)), "a is not trained"),
    ("scaled", scaled(a=lambda: torch.zeros(1)), "it has no learnable number of its own"),
    ("scaled", scaled(a=lambda: 0.0), "it has no learnable number of its own"),
    ("scaled", scaled(a=lambda: nn.Parameter(torch.ones(1))), "a starts at another number than 0"),
    ("scaled", scaled(a=lambda: nn.Parameter(torch.zeros(6))), "6 numbers of its own: one for all channels"),
    ("scaled", scaled(keep=lambda layer: [layer], out=lambda x, a, f: x + a * f[0](x)), "the layer's parameters"),
    ("scaled", scaled(out=lambda x, a, f: x + a.item() * f(x)), "the gradient of a is not"),
    ("scaled", scaled(out=lambda x, a, f: x + a * f(x).detach()), "the gradient of input 1 is not"),
    ("layer_norm", FromZero, "weight has to start as 1 everywhere"),
    ("layer_norm", ByDifference, "it loses its digits for rows far from 0"),
    ("layer_norm", ByVar, "var is what is to be built here"),
    ("rms_norm", lambda x, eps: (x / ((x**2).mean(-1, keepdim=True) + eps).sqrt()).float(), "made in 32 bits"),
    ("rope", reversed_halves, r"torch.bfloat16 goes in and torch.float32 comes out: the result has to go back"),
    ("rope", rotated_at(None), "in bfloat16 late positions are far off"),
    ("tied_weights", table_of(lambda m: m.position_embedding_table.weight), "both hold the token table's numbers: no"),
    ("tied_weights", table_of(lambda m: m.token_embedding_table.weight, lambda m: 3), "an int came back"),
    ("cached_step", lambda q, k, v, past, rotate: (q, (k, v)), "after 2 tokens the cache holds 1 keys and 1 values"),
    ("cached_step", lambda q, k, v, past, rotate: q, r"a Tensor came back, expected: out, \(keys, values\)"),
    ("scaled", scaled(out=lambda x, a, f: x.add_(a * f(x))), "in-place|changed in place|the gradient"),
    ("dropout", InPlace, "the input is changed in place"),
    ("alibi", lambda q, k, s: q @ k.transpose(1, 2) * s * float("nan"), "^nan at "),
    ("derivatives", (0.07, 0.07), "^right"),
    ("factors", (20, 1.5), "^right"),
    ("gpt_millions", 85.1, "those are the 12 blocks without tables and lm_head"),
    ("gpt_millions", 163, "163.0 has no biases"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "yours", "words"), WRONG, ids=lambda part: str(part)[:30])
def test_wrong_solutions_are_told_and_reasonable_ones_pass(name, yours, words):
    several = (yours, 0.03) if name == "tied_weights" else (yours,)
    said = EXERCISES[name].judge(*several).removeprefix("not right: ")
    assert re.search(words, said), said


def test_cases_are_the_same_every_time_and_planted_classes_differ_in_what_is_planted():
    assert torch.equal(cases.numbers(3, 2), cases.numbers(3, 2))
    changed = cases.planted(check.scaled.right, out=lambda x, a, layer: 7)
    assert changed(nn.Linear(2, 2))(torch.zeros(1, 2)) == 7 and changed is not check.scaled.right

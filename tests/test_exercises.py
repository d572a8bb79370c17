"""The exercises of the notebooks: three or more each, unsolved they say so, and every folded solution passes."""

import ast
import re
from dataclasses import dataclass, replace
from functools import cache
from itertools import combinations

import numpy as np
import pytest
import torch

from gptlib.data import load_text, train_val_split
from gptlib.instruments.exercises import check
from gptlib.instruments.models import pretrained
from gptlib.instruments.publish import authoring
from gptlib.tokenizer import LECTURE_ALPHABET, CharTokenizer
from gptlib.train import TrainConfig

CHECKED = re.compile(r"^check\.(\w+)\(.*", re.M)
SOLUTION = re.compile(r"<details><summary>Solution</summary>(.*?)</details>", re.S)
BLOCK = re.compile(r"```python\n(.*?)```", re.S)
# what stands in the notebook in front of an exercise and is not a definition
GIVEN = {
    "knocked_out": "model = LanguageModel(65, 8, 32, CausalSelfAttention(32, 4))",
    "vowels": "model, tokenizer = pretrained.load()\nletters = 'aeioubcdfghjklmnpqrstvwxyz'\n"
    "groups = torch.combinations(torch.arange(26), 5)",
}


@dataclass
class Exercise:
    notebook: str
    name: str
    cell: str
    text: str  # from the cell to the next one

    @property
    def check(self):
        return CHECKED.search(self.cell).group()

    @property
    def blocks(self):
        return [block for fold in SOLUTION.findall(self.text) for block in BLOCK.findall(fold)]


def exercises_of(number, cells):
    """The exercises among cells, a list of (kind, source)."""
    found = []
    for kind, source in cells:
        if kind == "code" and CHECKED.search(source):
            found.append(Exercise(number, CHECKED.search(source).group(1), source, ""))
        elif kind == "markdown" and found:
            found[-1].text += source
    return found


CELLS = {
    path.name[:2]: [
        (cell.cell_type, authoring.code_of(cell)) for cell in authoring.read(path).cells
    ]
    for path in sorted(authoring.NOTEBOOKS.glob("*.ipynb"))
}
EXERCISES = [e for number, cells in CELLS.items() for e in exercises_of(number, cells)]
each_exercise = pytest.mark.parametrize(
    "exercise", EXERCISES, ids=lambda e: f"{e.notebook}-{e.name}"
)
DEFINES = ast.Import | ast.ImportFrom | ast.FunctionDef | ast.ClassDef


@cache
def corpus():
    """The text as tokens."""
    text = load_text(authoring.ROOT / "data" / "shakespeare.txt")
    return torch.tensor(CharTokenizer().encode(text))


@cache
def namespace(number):
    """What a reader has at the exercises: imports and definitions of the notebook, a little data, a short training."""
    names, own = {"LECTURE_ALPHABET": LECTURE_ALPHABET}, {e.cell for e in EXERCISES}
    for kind, source in CELLS[number]:
        if kind == "code" and source not in own:
            body = [node for node in ast.parse(source).body if isinstance(node, DEFINES)]
            exec(compile(ast.Module(body, []), f"{number}.py", "exec"), names)
    tokens = corpus()
    # the counting of 02 takes a second on the whole text; what trains gets little
    names["train_tokens"], names["val_tokens"] = train_val_split(tokens)
    names["data"] = tokens[:2000], tokens[2000:2300]
    names["tokenizer"], names["text"] = CharTokenizer(), CharTokenizer().decode(tokens[:20_000])
    names["config"] = replace(TrainConfig(), steps=2, eval_every=2, eval_batches=1)
    for exercise in EXERCISES:
        if exercise.notebook == number:
            exec(GIVEN.get(exercise.name, ""), names)
    return names


@pytest.fixture
def in_notebooks(monkeypatch):
    monkeypatch.chdir(authoring.NOTEBOOKS)
    with torch.random.fork_rng(devices=[]):
        yield


def test_the_checks_in_a_notebook_are_those_of_its_file_in_the_same_order():
    found = {number: [e.name for e in EXERCISES if e.notebook == number] for number in CELLS}
    there = {number: list(exercises) for number, exercises in check.EXERCISES.items()}
    for number in sorted({*found, *there} - {"00"}):
        assert found.get(number) == there.get(number), (
            f"left: what notebook {number} calls as check.NAME(…); right: what is defined in "
            f"gptlib/instruments/exercises/nb{number}.py. Give both the same names in the same order."
        )


@pytest.mark.parametrize("number", [number for number in CELLS if number != "00"])
def test_a_notebook_has_three_exercises_or_more(number):
    count = len(check.EXERCISES[number])
    assert count >= 3, f"{count} in nb{number}.py; CONTRIBUTING.md says how to add one"


def test_no_two_exercises_have_one_name():
    assert len(check.BY_NAME) == sum(map(len, check.EXERCISES.values()))


@each_exercise
def test_an_unsolved_cell_says_not_yet_and_runs_through(exercise, in_notebooks, capsys):
    exec(exercise.cell, namespace(exercise.notebook) | {"check": check})
    said = capsys.readouterr().out
    assert said.startswith("not yet: ") and said.count("\n") == 1, (
        f"the cell of {exercise.name} as it stands in the notebook has to say `not yet`: leave a … in it"
    )


@each_exercise
def test_the_folded_solution_passes_its_check(exercise, in_notebooks, capsys):
    names = namespace(exercise.notebook) | {"check": check}
    for other in EXERCISES:  # a solution may use those before it
        if other.notebook == exercise.notebook:
            for block in other.blocks:
                if other is exercise or not block.startswith("# trains"):
                    exec(block, names)
        if other is exercise:
            break
    capsys.readouterr()
    exec(exercise.check, names)
    said = capsys.readouterr().out
    assert said.startswith("right: "), f"the folded solution of {exercise.name} gets: {said}"


# ---- measured answers: what is accepted is what the page says it measured, and what can be computed here

SPAN = re.compile(r"(\d\.\d+) to (\d\.\d+)")
MEASURED = ["fade", "filled", "knocked_out", "plus", "norms", "tied_weights"]


def spans_on_the_page(exercise):
    """[(low, high)] of every `2.27 to 2.29` and of every list of seeds, `0.030, 0.040, 0.028`, in a solution."""
    spans = [(float(low), float(high)) for low, high in SPAN.findall(exercise.text)]
    for several in re.findall(r"seeds: (\d\.\d+(?:, \d\.\d+)+)", exercise.text):
        seeds = [float(one) for one in several.split(", ")]
        spans.append((min(seeds), max(seeds)))
    return spans


@pytest.mark.parametrize("name", MEASURED)
def test_what_seeds_gave_is_accepted_and_little_else(name):
    (exercise,) = [e for e in EXERCISES if e.name == name]
    spans, answer = spans_on_the_page(exercise), check.BY_NAME[name]
    for low, high in getattr(answer, "number", answer).right:
        inside = [(a, b) for a, b in spans if low < a and b < high]
        assert inside, f"{name} accepts {low} to {high}; its solution says {spans}"
        measured = max(b for _, b in inside) - min(a for a, _ in inside)
        assert high - low < 3 * measured + 0.2, (
            f"{name} accepts {low} to {high}: wider than {inside}"
        )


@pytest.mark.parametrize("name", ["shared_keys", "frozen"])
def test_the_word_that_is_right_is_the_one_with_the_largest_loss_on_the_page(name):
    (exercise,) = [e for e in EXERCISES if e.name == name]
    losses = re.findall(r"`?((?:half )?\w+)`?(?: \|)? (\d\.\d+) to (\d\.\d+)", exercise.text)
    words = check.BY_NAME[name].words()
    spans = {word: (float(low), float(high)) for word, low, high in losses if word in words}
    worst, best = (
        max(spans, key=lambda word: spans[word][0]),
        min(spans, key=lambda word: spans[word]),
    )
    answer = check.BY_NAME[name].right
    assert answer == ((worst, best) if len(answer) == 2 else (worst,)), spans


def test_the_size_of_a_vocabulary_lies_where_the_page_has_three_characters_a_token():
    (exercise,) = [e for e in EXERCISES if e.name == "pieces"]
    said = r"of ([\d,]+) gives ([\d.]+) characters a token, and one of ([\d,]+) gives ([\d.]+):"
    found = re.search(said, exercise.text)
    low, at_low, high, at_high = (float(number.replace(",", "")) for number in found.groups())
    size = low * (high / low) ** ((3 - at_low) / (at_high - at_low))  # straight in log(size)
    assert check.pieces.judge(size).startswith("right")
    assert "take more pieces" in check.pieces.judge(low)
    assert "a smaller size will do" in check.pieces.judge(high)
    assert "take more pieces" in check.pieces.judge(size * 0.95)
    assert "a smaller size will do" in check.pieces.judge(size * 1.05)


def trigram_loss(constant):
    """The validation loss of counted trigrams, counted and scored in numpy."""
    train_tokens, val_tokens = (part.numpy() for part in train_val_split(corpus()))
    counts = np.full((65, 65, 65), float(constant))
    np.add.at(counts, (train_tokens[:-2], train_tokens[1:-1], train_tokens[2:]), 1)
    pairs = counts.sum(-1)
    first, second, third = val_tokens[:-2], val_tokens[1:-1], val_tokens[2:]
    return -np.log(counts[first, second, third] / pairs[first, second]).mean()


def test_the_best_constant_of_a_trigram_is_accepted_and_its_neighbors_are_not():
    losses = {constant: trigram_loss(constant) for constant in (0.05, 0.1, 0.2, 1)}
    assert min(losses, key=losses.get) == 0.1
    assert check.trigram.judge(0.1, losses[0.1]).startswith("right")
    assert "smaller is not always better" in check.trigram.judge(0.05, losses[0.05])
    assert "try smaller ones" in check.trigram.judge(0.2, losses[0.2])
    assert "try smaller ones" in check.trigram.judge(1, losses[1])


def vowels_in(weight, center=True, unit=True):
    """(mean cosine of a e i o u, how many groups of five letters are at least as close) for rows of a weight."""
    _, tokenizer = pretrained.load()
    letters = "aeioubcdfghjklmnpqrstvwxyz"
    rows = weight.detach()[tokenizer.encode(letters)].double().numpy()
    rows = rows - rows.mean(0) if center else rows
    rows = rows / np.linalg.norm(rows, axis=1, keepdims=True) if unit else rows
    cosine = rows @ rows.T
    groups = np.array(list(combinations(range(26), 5)))
    close = sum(cosine[groups[:, i], groups[:, j]] for i, j in combinations(range(5), 2)) / 10
    return close[0], int((close >= close[0]).sum())


def test_the_vowels_of_the_pretrained_model_are_where_the_check_says():
    model, _ = pretrained.load()
    assert check.vowels.judge(*vowels_in(model.lm_head.weight)).startswith("right")
    table = vowels_in(model.token_embedding_table.weight)
    assert "that is the table at the beginning" in check.vowels.judge(*table)
    whole = vowels_in(model.lm_head.weight, center=False)
    assert "take the mean of the 26 rows off" in check.vowels.judge(*whole)
    product = vowels_in(model.lm_head.weight, unit=False)
    assert "that is the dot product" in check.vowels.judge(*product)


# a slip in the text of a solution, as a reader would make it, and what the check has to say
SLIPS = [
    ("get_batch", "i + 1 : i + block_size + 1", "i : i + block_size", "the targets are not shifted"),
    ("get_batch", "len(tokens) - block_size", "len(tokens) - block_size - 1", "the last start is never"),
    ("get_batch", ", generator=generator", "", "the generator is not used"),
    ("next_token_loss", "F.log_softmax(logits, dim=-1)", "F.softmax(logits, dim=-1).log()", "infinite"),
    ("next_token_loss", "dim=-1", "dim=1", "softmax runs over the positions"),
    ("next_token_loss", "mean()", "sum()", "the sum in place of the mean"),
    ("next_token_loss", "return -", "return ", "the minus is missing"),
    ("next_probabilities", "logits[:, -1]", "logits[:, 0]", "the logits of the first position"),
    ("next_probabilities", "/ temperature", "* temperature", "multiplied by the temperature"),
    ("next_probabilities", "descending=True", "descending=False", "the wrong side is kept"),
    ("next_probabilities", "- values  #", "#", "the token that crosses top_p is dropped"),
    ("next_probabilities", " / p.sum(dim=-1, keepdim=True)", "", "what is left does not add to one"),
    ("next_probabilities", "logits[:, -1] / temperature", "logits.div_(temperature)[:, -1]", "in place"),
    ("window", ">= width", "> width", "the window is one too wide"),
    ("window", "(distance < 0) | ", "", "the window sees the future"),
    ("window", 'float("-inf")', "0.0", "the mask is 0"),
    ("one_back", "roll(-1", "roll(1", "roll the other way"),
    ("alibi", "- slope", "+ slope", "the sign is wrong"),
    ("alibi", " / D**0.5", "", "not divided"),
    ("head", "q.shape[-1]", "x.shape[-1]", "divided by √C"),
    ("head", "math.sqrt(q.shape[-1])", "q.shape[-1]", "in place of its root"),
    ("head", "triu(1)", "triu(2)", "each position sees the next one too"),
    ("head", "triu(1)", "triu(0)", "no position sees itself"),
    ("head", 'float("-inf")', "0", "the mask is 0"),
    ("head", "dim=-1", "dim=1", "softmax runs over the wrong axis"),
    ("head", ", device=x.device", "", "made on the CPU"),
    ("head", 'F.softmax(scores.masked_fill(future, float("-inf")), dim=-1)',
     "F.softmax(scores, dim=-1).masked_fill(future, 0.0)", "the mask comes after softmax"),
    ("head", "q, k, v =", "x /= 3; x = x * 3; q, k, v =", "changed in place"),
    ("attention", "D**0.5", "C**0.5", "divided by √C"),
    ("attention", "view(B, T, H, D).transpose(1, 2)", "reshape(B, H, T, D)", "mixed up"),
    ("attention", "out.transpose(1, 2).reshape", "out.reshape", "mixed up at the end"),
    ("attention", "triu(1)", "triu(2)", "each position sees the next one too"),
    ("gated", "torch.sigmoid(self.gate(x)) * self.expand(x)", "self.gate(x) * self.expand(x)", "sigmoid is"),
    ("scaled", "return x + self", "return self", "x itself is missing"),
    ("scaled", "nn.Parameter(torch.zeros(1))", "torch.zeros(1)", "no learnable number"),
    ("scaled", "torch.zeros(1)", "torch.ones(1)", "a starts at another number"),
    ("layer_norm", "torch.sqrt(variance + self.eps)", "(torch.sqrt(variance) + self.eps)", "outside the root"),
    ("layer_norm", "(x**2).mean(dim=-1, keepdim=True)", "x.var(dim=-1, keepdim=True)", "the unbiased one"),
    ("layer_norm", "x = x - x.mean", "x -= x.mean", "in place"),
    ("layer_norm", "dim=-1", "dim=1", "run over the positions"),
    ("layer_norm", "x = x - x", "x = x.float(); x = x - x", "in 32 bits"),
    ("dropout", "not self.training", "False", "in eval mode too"),
    ("dropout", "/ (1 - self.p)", "/ self.p", "multiplied by 1/p"),
    ("dropout", ">= self.p", "< self.p", "it keeps with probability p"),
    ("tied_weights", "table.weight\n", "table.weight.clone()\n", "TypeError in line 2 of my_tie"),
    ("tied_weights", "model.token_embedding_table.weight\n",
     "nn.Parameter(model.token_embedding_table.weight.clone())\n", "a copy, which goes its own way"),
    ("tied_weights", "lm_head.weight =", "lm_head.weight.data =", "share their memory"),
    ("min_p", "amax(dim=-1, keepdim=True)", "max()", "the largest logit of the whole batch"),
    ("min_p", "+ math.log(min_p)", "- min_p", "lies min_p below"),
    ("min_p", 'float("-inf")', "0.0", "the logit 0"),
    ("min_p", "logits < lowest", "logits <= lowest", "with min_p = 1 the best one stays"),
    ("looks_back", "diagonal(-1", "diagonal(1", "the letter after"),
    ("logit_lens", "model.lm_head(model.norm(x))", "model.lm_head(x)", "the last norm is missing"),
    ("rms_norm", "((x**2).mean(dim=-1, keepdim=True) + eps).sqrt()",
     "((x**2).mean(dim=-1, keepdim=True).sqrt() + eps)", "outside the root"),
    ("rms_norm", ".mean(", ".sum(", "the squares are summed"),
    ("rope", "a * cos - b * sin, a * sin + b * cos", "a * cos + b * sin, b * cos - a * sin", "the other way"),
    ("rope", "torch.arange(T, **here)", "torch.arange(1, T + 1, **here)", "counting starts at 1"),
    ("rope", "x.device", '"cpu"', "made on the CPU"),
    ("cached_step", "rotate(q, before), rotate(k, before)", "rotate(q, 0), rotate(k, 0)", "at position 0"),
    ("cached_step", "attention(q, k, v)", "attention(q, k, v, is_causal=True)", "only the first position"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "old", "new", "words"), SLIPS, ids=lambda part: part[:24])
def test_a_slip_in_the_solution_is_named(name, old, new, words, in_notebooks, capsys):
    (exercise,) = [e for e in EXERCISES if e.name == name]
    names = namespace(exercise.notebook) | {"check": check, "my_gain": 0.03}
    block = next(block for block in exercise.blocks if old in block)
    exec(compile(block.replace(old, new), "slip.py", "exec"), names)
    capsys.readouterr()
    exec(exercise.check, names)
    said = capsys.readouterr().out
    assert said.startswith("not right: ") and words in said


@each_exercise
def test_an_exercise_says_how_long_it_takes_and_folds_its_solution(exercise):
    place = [source for _, source in CELLS[exercise.notebook]].index(exercise.cell)
    before = CELLS[exercise.notebook][place - 1][1]
    assert re.search(r"^\*\*\d+ \([\w-]+ minutes?[,)]", before, re.M), (
        f"{exercise.name}: the cell in front of it has to begin its text like **2 (ten minutes).**"
    )
    assert exercise.blocks, (
        f"{exercise.name}: no ```python block in <details><summary>Solution</summary> behind its cell"
    )
    assert exercise.text.count("<details>") == exercise.text.count("</details>")


def test_the_reader_of_exercises_finds_cell_check_and_solution():
    folded = "<details><summary>Solution</summary>\n\n```python\nmy = 992\n```\n</details>"
    cells = [("markdown", "**1 (one minute).** Go."), ("code", "my = ...\ncheck.chunks(my)")]
    (found,) = exercises_of("01", [*cells, ("markdown", folded)])
    assert (found.name, found.check, found.blocks) == ("chunks", "check.chunks(my)", ["my = 992\n"])

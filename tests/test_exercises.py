"""The exercises of the notebooks: three each, unsolved they say so, and every folded solution passes its check."""

import ast
import re
from dataclasses import dataclass, replace
from functools import cache

import pytest
import torch

from gptlib.data import load_text, train_val_split
from gptlib.instruments.exercises import checks
from gptlib.instruments.publish import authoring
from gptlib.tokenizer import LECTURE_ALPHABET, CharTokenizer
from gptlib.train import TrainConfig

CHECKED = re.compile(r"^check\.(\w+)\(.*", re.M)
SOLUTION = re.compile(r"<details><summary>Solution</summary>(.*?)</details>", re.S)
BLOCK = re.compile(r"```python\n(.*?)```", re.S)
# what stands in the notebook at that point and is not a definition
GIVEN = {
    "06": "model = LanguageModel(65, 8, 32, CausalSelfAttention(32, 4))",
    "11": "model, tokenizer = pretrained.load()\nletters = 'aeioubcdfghjklmnpqrstvwxyz'\n"
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
    exec(GIVEN.get(number, ""), names)
    return names


@pytest.fixture
def in_notebooks(monkeypatch):
    monkeypatch.chdir(authoring.NOTEBOOKS)
    with torch.random.fork_rng(devices=[]):
        yield


def test_every_lecture_has_its_three_exercises_in_order():
    found = {}
    for exercise in EXERCISES:
        found.setdefault(exercise.notebook, []).append(exercise.name)
    assert found == {number: list(named) for number, named in checks.EXERCISES.items()}
    assert list(found) == [number for number in CELLS if number != "00"]
    assert all(len(names) == 3 for names in found.values())


@each_exercise
def test_an_unsolved_cell_says_not_yet_and_runs_through(exercise, in_notebooks, capsys):
    exec(exercise.cell, namespace(exercise.notebook) | {"check": checks})
    said = capsys.readouterr().out
    assert said.startswith("not yet: ") and said.count("\n") == 1


@each_exercise
def test_the_folded_solution_passes_its_check(exercise, in_notebooks, capsys):
    names = namespace(exercise.notebook) | {"check": checks}
    for other in EXERCISES:  # a solution may use those before it
        if other.notebook == exercise.notebook:
            for block in other.blocks:
                if other is exercise or not block.startswith("# trains"):
                    exec(block, names)
        if other is exercise:
            break
    capsys.readouterr()
    exec(exercise.check, names)
    assert capsys.readouterr().out.startswith("right: ")


# a slip in the text of a solution, as a reader would make it, and what the check has to say
SLIPS = [
    (
        "get_batch",
        "i + 1 : i + block_size + 1",
        "i : i + block_size",
        "the targets are not shifted",
    ),
    (
        "get_batch",
        "len(tokens) - block_size",
        "len(tokens) - block_size - 1",
        "the last start is never",
    ),
    ("get_batch", ", generator=generator", "", "the generator is not used"),
    (
        "next_token_loss",
        "F.log_softmax(logits, dim=-1)",
        "F.softmax(logits, dim=-1).log()",
        "infinite",
    ),
    ("next_token_loss", "dim=-1", "dim=1", "softmax runs over the positions"),
    ("next_token_loss", "mean()", "sum()", "the sum in place of the mean"),
    ("next_token_loss", "return -", "return ", "the minus is missing"),
    ("next_probabilities", "logits[:, -1]", "logits[:, 0]", "the logits of the first position"),
    ("next_probabilities", "/ temperature", "* temperature", "multiplied by the temperature"),
    ("next_probabilities", "descending=True", "descending=False", "the wrong side is kept"),
    ("next_probabilities", "- values  #", "#", "the token that crosses top_p is dropped"),
    (
        "next_probabilities",
        " / p.sum(dim=-1, keepdim=True)",
        "",
        "what is left does not add to one",
    ),
    (
        "next_probabilities",
        "logits[:, -1] / temperature",
        "logits.div_(temperature)[:, -1]",
        "in place",
    ),
    ("window", ">= width", "> width", "the window is one too wide"),
    ("window", "(distance < 0) | ", "", "the window sees the future"),
    ("window", 'float("-inf")', "0.0", "the mask is 0"),
    ("one_back", "roll(-1", "roll(1", "roll the other way"),
    ("alibi", "- slope", "+ slope", "the sign is wrong"),
    ("alibi", " / D**0.5", "", "not divided"),
    ("head", "q.shape[-1]", "x.shape[-1]", "divided by √C"),
    ("head", "math.sqrt(q.shape[-1])", "q.shape[-1]", "in place of its root"),
    ("head", "triu(1)", "triu(2)", "each position sees the next one too"),
    ("head", "triu(1)", "triu(0)", "nobody sees itself"),
    ("head", 'float("-inf")', "0", "the mask is 0"),
    ("head", "dim=-1", "dim=1", "softmax runs over the wrong axis"),
    ("head", ", device=x.device", "", "made on the CPU"),
    (
        "head",
        'F.softmax(scores.masked_fill(future, float("-inf")), dim=-1)',
        "F.softmax(scores, dim=-1).masked_fill(future, 0.0)",
        "the mask comes after softmax",
    ),
    ("head", "q, k, v =", "x /= 3; x = x * 3; q, k, v =", "changed in place"),
    ("attention", "q.shape[-1] ** 0.5", "C**0.5", "divided by √C"),
    (
        "attention",
        "view(B, T, self.n_head, -1).transpose(1, 2)",
        "reshape(B, self.n_head, T, -1)",
        "mixed up",
    ),
    ("attention", "out.transpose(1, 2).reshape", "out.reshape", "mixed up at the end"),
    ("attention", "triu(1)", "triu(2)", "each position sees the next one too"),
    (
        "gated",
        "torch.sigmoid(self.gate(x)) * self.expand(x)",
        "self.gate(x) * self.expand(x)",
        "sigmoid is",
    ),
    ("scaled", "return x + self", "return self", "x itself is missing"),
    ("scaled", "nn.Parameter(torch.zeros(1))", "torch.zeros(1)", "no learnable number"),
    ("scaled", "torch.zeros(1)", "torch.ones(1)", "a starts at another number"),
    (
        "layer_norm",
        "torch.sqrt(variance + self.eps)",
        "(torch.sqrt(variance) + self.eps)",
        "outside the root",
    ),
    (
        "layer_norm",
        "(x**2).mean(dim=-1, keepdim=True)",
        "x.var(dim=-1, keepdim=True)",
        "the unbiased one",
    ),
    ("layer_norm", "x = x - x.mean", "x -= x.mean", "in place"),
    ("layer_norm", "dim=-1", "dim=1", "run over the positions"),
    ("layer_norm", "x = x - x", "x = x.float(); x = x - x", "in 32 bits"),
    ("dropout", "not self.training", "False", "in eval mode too"),
    ("dropout", "/ (1 - self.p)", "/ self.p", "multiplied by 1/p"),
    ("dropout", ">= self.p", "< self.p", "it keeps with probability p"),
    ("tied_weights", "table.weight\n", "table.weight.clone()\n", "TypeError in line 2 of my_tie"),
    (
        "tied_weights",
        "model.token_embedding_table.weight\n",
        "nn.Parameter(model.token_embedding_table.weight.clone())\n",
        "a copy, which goes its own way",
    ),
    ("tied_weights", "lm_head.weight =", "lm_head.weight.data =", "share their memory"),
    ("looks_back", "diagonal(-1", "diagonal(1", "the letter after"),
    (
        "logit_lens",
        "model.lm_head(model.norm(x))",
        "model.lm_head(x)",
        "the last norm is missing",
    ),
    (
        "rms_norm",
        "((x**2).mean(dim=-1, keepdim=True) + eps).sqrt()",
        "((x**2).mean(dim=-1, keepdim=True).sqrt() + eps)",
        "outside the root",
    ),
    ("rms_norm", ".mean(", ".sum(", "the squares are summed"),
    (
        "rope",
        "a * cos - b * sin, a * sin + b * cos",
        "a * cos + b * sin, b * cos - a * sin",
        "the other way",
    ),
    ("rope", "torch.arange(T, **here)", "torch.arange(1, T + 1, **here)", "counting starts at 1"),
    ("rope", "x.device", '"cpu"', "made on the CPU"),
    (
        "cached_step",
        "rotate(q, before), rotate(k, before)",
        "rotate(q, 0), rotate(k, 0)",
        "at position 0",
    ),
    (
        "cached_step",
        "attention(q, k, v)",
        "attention(q, k, v, is_causal=True)",
        "only the first position",
    ),
]


@pytest.mark.parametrize(("name", "old", "new", "words"), SLIPS, ids=lambda part: part[:24])
def test_a_slip_in_the_solution_is_named(name, old, new, words, in_notebooks, capsys):
    (exercise,) = [e for e in EXERCISES if e.name == name]
    names = namespace(exercise.notebook) | {"check": checks, "my_gain": 0.03}
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
    minutes = re.findall(r"^\*\*\d \((\w+) minutes?[,)]|^\*\*\d \((\w+) minutes?, ", before, re.M)
    assert minutes, f"{exercise.name}: no time in front of its cell"
    assert exercise.blocks and exercise.text.count("<details>") == exercise.text.count("</details>")


def test_the_reader_of_exercises_finds_cell_check_and_solution():
    folded = "<details><summary>Solution</summary>\n\n```python\nmy = 992\n```\n</details>"
    cells = [("markdown", "**1 (one minute).** Go."), ("code", "my = ...\ncheck.chunks(my)")]
    (found,) = exercises_of("01", [*cells, ("markdown", folded)])
    assert (found.name, found.check, found.blocks) == ("chunks", "check.chunks(my)", ["my = 992\n"])

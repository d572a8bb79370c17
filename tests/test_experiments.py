"""Experiments: a run is what it says, stored rows and a reader's stay apart, mistakes are answered in sentences."""

import json
import math
import os
import shutil
import statistics
import subprocess
import sys
from collections import Counter
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.nn as nn

from gptlib.bigram import BigramLanguageModel
from gptlib.data import train_val_split
from gptlib.instruments import files
from gptlib.instruments.measure import __main__ as command
from gptlib.instruments.measure import experiments, results, runner, sealed, table, texts
from gptlib.instruments.measure.catalogue import EXPERIMENTS, practice, speedrun
from gptlib.instruments.measure.experiment import Experiment, Variant
from gptlib.instruments.measure.results import MINE, STORED, Conditions
from gptlib.instruments.measure.run_one import best_threads, run_one
from gptlib.instruments.models import inspection
from gptlib.instruments.show import plots
from gptlib.tokenizer import CharTokenizer
from gptlib.train import TrainConfig, train

ROOT = Path(__file__).parents[1]


class Explodes(BigramLanguageModel):
    def forward(self, tokens):
        return super().forward(tokens) * math.nan


TINY = Experiment(
    "tiny",
    "Does it work?",
    {
        "plain": Variant(lambda: BigramLanguageModel(65)),
        "fast": Variant(lambda: BigramLanguageModel(65), {"learning_rate": 1.0}),
        "bad": Variant(lambda: Explodes(65)),
    },
    TrainConfig(steps=3, batch_size=2, block_size=4),
    seeds=2,
    measures={"extra": lambda trained: 0.5},
    verdict=lambda rows: f"{len(rows)} rows",
)


@pytest.fixture
def desk(tmp_path, monkeypatch):
    """A folder with shelves of its own, TINY in the catalogue, and a short text to train on, short.txt."""
    (tmp_path / "short.txt").write_text("to be or not to be " * 30)
    for name, shelf in (("MINE", MINE), ("STORED", STORED)):
        aside = replace(shelf, folder=tmp_path / name.lower())
        for module in (results, command):
            monkeypatch.setattr(module, name, aside)
    monkeypatch.setitem(EXPERIMENTS, "tiny", TINY)
    return tmp_path


def row_of(experiment=TINY, variant="plain", seed=0, **others):
    """A row as a run would have left it, under the catalogue's setting, on the stored text."""
    row = {
        "text": "shakespeare",
        "crc": texts.STORED["shakespeare"],
        "variant": variant,
        "seed": seed,
        "steps": experiment.config(variant, seed).steps,
        "train_loss": 2.0,
        "full_loss": 2.5,
        "seconds": 1.0,
        "parameters": 10,
        "setting": experiment.setting_of(variant),
        "torch": torch.__version__,
        "machine": results.machine_with("cpu"),
    }
    return row | dict.fromkeys(experiment.measures, 0.5) | others


def here(**others):
    return Conditions(**{"machine": results.machine_with("cpu")} | others)


# ---- one run


def test_a_row_says_what_was_run_and_on_what(desk):
    text = texts.read_text(desk / "short.txt")
    row = run_one(TINY, "fast", 1, text)
    assert {name: row[name] for name in ("text", "variant", "seed", "steps", "parameters")} == {
        "text": "short", "variant": "fast", "seed": 1, "steps": 3, "parameters": 65 * 65,
    }  # fmt: skip
    assert json.loads(row["setting"])["learning_rate"] == 1.0 and row["extra"] == 0.5
    assert row["machine"].endswith(" cpu") and row["torch"] == torch.__version__
    assert run_one(TINY, "fast", 1, text, steps=5)["steps"] == 5


def test_the_same_seed_gives_the_same_row_but_for_the_time_and_another_seed_another(desk):
    text = texts.read_text(desk / "short.txt")
    one, two, other = (run_one(TINY, "plain", seed, text) for seed in (1, 1, 2))
    assert one | {"seconds": 0} == two | {"seconds": 0}
    assert one["full_loss"] != other["full_loss"]
    still = replace(TINY, setting=replace(TINY.setting, learning_rate=1e-9))  # the start alone
    assert len({run_one(still, "plain", seed, text)["full_loss"] for seed in (1, 2)}) == 2


def test_the_train_loss_is_of_what_was_trained_on_and_the_full_loss_of_the_rest(desk):
    (desk / "two.txt").write_text("a" * 900 + "b" * 100)
    row = run_one(TINY, "fast", 0, texts.read_text(desk / "two.txt"), steps=20)
    assert row["train_loss"] < 0.1 < 3 < row["full_loss"]


def test_a_tokenizer_is_made_of_the_training_part_alone_and_loses_nothing_of_the_rest(desk):
    text = texts.read_text(desk / "short.txt")
    seen = []
    variant = Variant(None, tokenizer=lambda part: seen.append(part) or CharTokenizer())
    (train_tokens, val_tokens), characters = texts.data_for(variant, text)
    train_text, val_text = train_val_split(text.content)
    assert seen == [train_text] and characters == len(val_text)
    assert CharTokenizer().decode(train_tokens) == train_text
    assert CharTokenizer().decode(val_tokens) == val_text


def test_a_byte_pair_encoding_does_not_know_what_only_the_validation_part_has(desk):
    text = replace(texts.read_text(desk / "short.txt"), content="to be or not " * 30 + "zz" * 15)
    with pytest.raises(ValueError, match="lost a part"):
        texts.data_for(Variant(None, tokenizer=practice.bpe_of(80)), text)


def test_larger_pieces_give_the_same_characters_in_fewer_tokens():
    corpus, variants = texts.read_text(), EXPERIMENTS["vocabulary"].variants
    (train_tokens, val), characters = texts.data_for(variants["characters"], corpus)
    again = texts.read_data()
    assert torch.equal(train_tokens, again[0]) and torch.equal(val, again[1])
    (_, pieces), as_many = texts.data_for(variants["BPE 256"], corpus)
    assert characters == as_many == len(val) > len(pieces)


def test_a_share_is_the_beginning_of_the_training_part_and_leaves_the_rest_whole(desk):
    text = texts.read_text(desk / "short.txt")
    (whole, val), _ = texts.data_for(Variant(None), text)
    (part, same), _ = texts.data_for(Variant(None, share=0.25), text)
    assert torch.equal(part, whole[: len(whole) // 4]) and torch.equal(val, same)


def test_a_variant_may_have_a_setting_of_its_own():
    own = TrainConfig(steps=7, batch_size=3, block_size=2)
    made = replace(TINY, variants={"other": Variant(lambda: None, {"steps": 9}, setting=own)})
    assert made.config("other", seed=4) == replace(own, steps=9, seed=4)
    assert made.config("other", seed=4, steps=2).steps == 2


def test_the_fastest_number_of_threads_is_one_that_the_machine_has(desk, monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    before = torch.get_num_threads()
    try:
        assert best_threads(TINY, "plain", texts.read_text(desk / "short.txt")) in (1, 2)
    finally:
        torch.set_num_threads(before)


# ---- which rows count


OTHERS = {
    "another text of the same name": {"crc": "00000000"},
    "other steps": {"steps": 4},
    "another setting": {"setting": "{}"},
    "another device": {"machine": results.machine_with("cuda")},
    "another seed": {"seed": 1},
    "a variant that is no more": {"variant": "gone"},
}


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
def test_a_reader_s_run_under_other_conditions_is_another_run(desk, other):
    shelf = results.MINE
    results.put(shelf, TINY, row_of(full_loss=1.0))
    results.put(shelf, TINY, row_of(full_loss=9.0) | other)
    results.put(shelf, TINY, row_of(full_loss=2.0))  # takes the place of the first alone
    assert sorted(row["full_loss"] for row in results.all_rows(shelf, TINY)) == ["2.0", "9.0"]
    losses = results.losses_in(results.rows_under(here(), TINY, shelf))
    assert losses == {"plain": [2.0, 9.0] if "seed" in other else [2.0]}
    assert runner.missing([("plain", 0)], TINY, shelf, here()) == []


@pytest.mark.parametrize(
    "changed",
    [
        replace(TINY, setting=replace(TINY.setting, batch_size=3)),
        replace(TINY, setting=replace(TINY.setting, steps=4)),
        replace(TINY, sizes={"n_embd": 1}),
        replace(TINY, variants={"plain": replace(TINY.variants["plain"], changes={"steps": 5})}),
    ],
)
def test_rows_of_what_the_catalogue_had_before_are_neither_read_nor_taken_for_done(
    desk, monkeypatch, changed
):
    for name in ("STORED", "MINE"):
        results.put(getattr(results, name), TINY, row_of())
    assert experiments.mean("tiny", "plain") == 2.5
    monkeypatch.setitem(EXPERIMENTS, "tiny", changed)
    assert experiments.losses("tiny") == {} and experiments.rows_of("tiny") == []
    for name in ("STORED", "MINE"):
        assert runner.missing([("plain", 0)], changed, getattr(results, name), here())
    with pytest.raises(KeyError):
        experiments.mean("tiny", "plain")


def test_a_stored_row_takes_the_place_of_one_with_another_setting(desk):
    results.put(results.STORED, TINY, row_of(setting="{}", full_loss=9.0))
    results.put(results.STORED, TINY, row_of(full_loss=1.0))
    assert experiments.losses("tiny") == {"plain": [1.0]}
    assert len(results.all_rows(results.STORED, TINY)) == 1


def test_texts_are_told_apart_by_content_and_called_by_their_file(desk):
    copy, other = desk / "copy.txt", desk / "shakespeare.txt"
    shutil.copy(texts.CORPUS, copy)
    other.write_text("another shakespeare")
    assert texts.read_text(copy) == texts.read_text() and texts.read_text().is_stored
    assert texts.read_text(other).name == "shakespeare" and not texts.read_text(other).is_stored


def test_the_mean_and_the_largest_distance_from_it():
    assert experiments.summary([1.0, 2.0, 6.0]) == (3.0, 3.0)
    assert experiments.summary([0.0, 4.0, 5.0]) == (3.0, 3.0)  # the largest may lie below
    assert all(math.isnan(value) for value in experiments.summary([1.0, math.inf]))


def test_rows_are_ordered_by_the_number_of_the_seed(desk):
    for seed in (10, 2):
        results.put(results.STORED, TINY, row_of(seed=seed))
    rows = results.all_rows(results.STORED, TINY)
    assert [row["seed"] for row in rows] == ["2", "10"]


def test_losses_and_means_are_those_of_the_file_by_variant_in_the_order_of_the_catalogue():
    rows = [row for row in files.read_rows(STORED.path("ladder")) if row["text"] == "shakespeare"]
    head = [float(row["full_loss"]) for row in rows if row["variant"] == "one head"]
    assert experiments.losses("ladder")["one head"] == head and len(head) == 5
    assert experiments.mean("ladder", "one head") == statistics.fmean(head)
    assert list(experiments.losses("ladder")) == list(EXPERIMENTS["ladder"].variants)
    assert len(experiments.losses("ladder", text="tinyshakespeare")["one head"]) == 1


# ---- running


def asked(*words):
    return command.main(["run", "tiny", "--text", "short.txt", "--jobs", "1", *words])


def stored(name="MINE"):
    return [(row["variant"], row["seed"]) for row in results.all_rows(getattr(results, name), TINY)]


@pytest.fixture
def at_desk(desk, monkeypatch):
    monkeypatch.chdir(desk)
    return desk


def test_what_was_run_is_kept_and_not_run_again_and_the_rest_is(at_desk, capsys):
    asked("--seeds", "1")
    assert "3 runs to do" in capsys.readouterr().out
    asked()
    assert "3 runs to do" in capsys.readouterr().out
    assert stored() == [(variant, seed) for variant in TINY.variants for seed in "01"]
    before = results.all_rows(results.MINE, TINY)
    asked()
    said = capsys.readouterr().out
    assert "All of these runs are in mine" in said and "--again" in said
    assert results.all_rows(results.MINE, TINY) == before
    assert not results.STORED.folder.exists()


def test_again_replaces_the_asked_rows_and_no_others(at_desk):
    asked()
    asked("--steps", "2", "--seeds", "1")
    rows = [row | {"seconds": "77"} for row in results.all_rows(results.MINE, TINY)]
    results.write(results.MINE, TINY, rows)
    asked("--again", "--only", "fast", "--only", "bad", "--seeds", "1")
    anew = [row for row in results.all_rows(results.MINE, TINY) if row["seconds"] != "77"]
    assert [(row["variant"], row["seed"], row["steps"]) for row in anew] == [
        ("fast", "0", "3"),
        ("bad", "0", "3"),
    ]
    assert len(results.all_rows(results.MINE, TINY)) == 9


def test_a_broken_off_command_keeps_what_is_done_and_goes_on_there(at_desk, monkeypatch, capsys):
    whole, done = runner.run_one, []

    def stops(*arguments):
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(arguments[1:3])
        return whole(*arguments)

    monkeypatch.setattr(runner, "run_one", stops)
    with pytest.raises(SystemExit, match="goes on"):
        asked()
    assert stored() == [("plain", "0"), ("fast", "0")]
    monkeypatch.setattr(runner, "run_one", whole)
    asked()
    assert "4 runs to do" in capsys.readouterr().out and len(stored()) == 6


def test_a_reader_s_command_runs_everything_though_it_is_stored(monkeypatch):
    asked_for = []
    monkeypatch.setattr(
        command.runner, "run", lambda _, wanted, shelf, *__: asked_for.append((wanted, shelf))
    )
    monkeypatch.setattr(command, "MINE", replace(MINE, folder=Path("nowhere")))
    command.main(["run", "two_of_qkv"])
    [(wanted, shelf)] = asked_for
    assert len(wanted) == 5 * len(EXPERIMENTS["two_of_qkv"].variants) and shelf.folder == Path(
        "nowhere"
    )


def test_only_store_writes_to_the_stored_rows_and_drops_what_the_catalogue_has_not(
    at_desk, monkeypatch
):
    crc = texts.read_text("short.txt").crc
    monkeypatch.setitem(texts.STORED, "short", crc)
    old = row_of(text="short", setting="{}")
    strangers = [old, old | {"variant": "gone"}, old | {"seed": 7}, row_of(seed=7)]
    results.write(results.STORED, TINY, [row_of(seed=1), *strangers])
    asked()
    assert len(stored("STORED")) == 5 and len(stored("MINE")) == 6
    asked("--store")
    assert len(stored("STORED")) == 7 and len(experiments.rows_of("tiny", "short")) == 6
    assert len(experiments.rows_of("tiny")) == 1
    path = results.STORED.path("tiny")
    assert sealed.sums(path.with_name("SHA256SUMS")) == {"tiny.csv": sealed.digest(path)}
    assert "crc" not in path.read_text() and len(stored("MINE")) == 6


def test_a_timed_experiment_runs_one_after_the_other(desk, monkeypatch):
    asked_for = []
    monkeypatch.setattr(runner, "workers", lambda jobs: asked_for.append(jobs) or nullcontext(map))
    text, wanted = texts.read_text(desk / "short.txt"), [("plain", 0), ("fast", 0)]
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    for experiment in (TINY, replace(TINY, timed=True)):
        runner.run(experiment, wanted, results.MINE, text)
    assert asked_for == [2, 1]


# ---- what is shown


def test_divergence_is_a_result_and_not_a_gap(at_desk, capsys):
    asked("--only", "bad")
    assert all(math.isnan(float(row["full_loss"])) for row in results.all_rows(results.MINE, TINY))
    assert "2  diverged" in capsys.readouterr().out


def test_stored_and_own_rows_stand_side_by_side_with_a_verdict_on_each(at_desk, capsys):
    for seed, loss in enumerate((2.0, 3.0)):
        results.put(results.STORED, TINY, row_of(seed=seed, full_loss=loss))
    results.put(results.MINE, TINY, row_of(full_loss=2.25, seconds=8.0))
    results.put(results.MINE, TINY, row_of(full_loss=7.0, steps=1))
    command.main(["table", "tiny"])
    said = capsys.readouterr().out
    [line] = [line for line in said.splitlines() if line.startswith("plain ")]
    left, right = line.split(" | ")
    assert "2  2.500 ± 0.500" in left and "1  2.250 ± 0.000" in right and "8.0" in right
    assert "stored: 2 rows" in said and "yours: 1 rows" in said and "7.0" not in said


def test_the_race_is_decided_on_the_readers_own_rows_beside_the_stored(at_desk, capsys):
    for variant, (loss, seconds) in {
        speedrun.RECIPE: (1.9, 300), "modern, 2 blocks": (1.8, 100), "and the letter before": (2.0, 1),
    }.items():  # fmt: skip
        row = row_of(speedrun.SPEEDRUN, variant, full_loss=loss, seconds=seconds)
        results.put(results.MINE, speedrun.SPEEDRUN, row)
        results.put(results.STORED, speedrun.SPEEDRUN, row | {"seconds": 50})
    command.main(["table", "speedrun"])
    said = capsys.readouterr().out
    assert "yours: the recipe's mean loss of 1.900 is reached by modern, 2 blocks in 1/3.0" in said
    assert "stored: the recipe's mean loss of 1.900 is reached by modern, 2 blocks in 1/1.0" in said


def test_another_text_gets_its_own_table_and_so_does_another_number_of_steps(at_desk, capsys):
    results.put(results.STORED, TINY, row_of(full_loss=9.876))
    asked("--seeds", "1", "--steps", "2")
    said = capsys.readouterr().out
    assert "on short" in said and "9.876" not in said and "stored" not in said
    command.main(["table", "tiny", "--text", "short.txt"])
    assert "Nothing is measured yet" in capsys.readouterr().out
    command.main(["table", "tiny", "--steps", "2", "--text", "short.txt"])
    assert capsys.readouterr().out in said


def test_a_line_of_the_table_has_means_of_everything_that_is_measured():
    rows = [row_of(seconds=s, full_loss=v, extra=x) for s, v, x in ((1, 2, 0.25), (3, 4, 0.75))]
    assert table.cell(rows, TINY.measures).split() == ["2", "3.000", "±", "1.000", "2.0", "0.500"]


# ---- the command line


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("", "Say list, run NAME or table NAME; there are: ladder, "),
        ("run", "there are: ladder, "),
        ("run nope", "There is no experiment 'nope'; there are: ladder, "),
        ("table nope", "There is no experiment 'nope'; there are: ladder, "),
        ("lost", "invalid choice: 'lost'"),
        ("run tiny --steps 0", "--steps: '0' came; it must be a whole number of at least 1"),
        ("run tiny --seeds few", "--seeds: 'few' came"),
        ("run tiny --only x", "tiny has no variant 'x'; there are: 'plain', 'fast', 'bad'"),
        ("run tiny --device nope", "no device 'nope' here; leave --device out"),
        ("run tiny --text nope.txt", "no file 'nope.txt'"),
        ("run tiny --text empty.txt", "empty cannot be used here: the text has 0 tokens"),
        ("run tiny --text brief.txt", "brief cannot be used here: the text has 2 tokens"),
        (
            "run tiny --text odd.txt",
            "odd cannot be used here: this text contains '@' (position 570)",
        ),
        ("run tiny --text latin.txt", "is not UTF-8 text"),
        ("run tiny --store --steps 2", "stored rows are for the catalogue's steps"),
        ("run tiny --store --text short.txt", "on shakespeare and tinyshakespeare; leave --store"),
    ],
)
def test_what_cannot_be_done_is_answered_in_one_sentence_before_anything_is_lost(
    at_desk, words, sentence, capsys
):
    (at_desk / "empty.txt").write_text("")
    (at_desk / "brief.txt").write_text("to be or not to be ")
    (at_desk / "odd.txt").write_text("to be or not to be " * 30 + "@")
    (at_desk / "latin.txt").write_bytes(b"caf\xe9 " * 100)
    results.put(results.MINE, TINY, row_of())
    words = words.split()
    with pytest.raises(SystemExit) as ended:
        command.main(words + ["--again"] * (len(words) > 2))
    said = str(ended.value)
    assert sentence in said and "\n" not in said and "usage" not in said
    assert capsys.readouterr() == ("", "") and len(stored()) == 1


def test_the_list_has_every_experiment_with_its_question(capsys):
    command.main(["list"])
    lines = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert lines == {experiment.name: experiment.question for experiment in EXPERIMENTS.values()}


@pytest.fixture
def copy(tmp_path):
    """The project in a folder of its own, without a my/, and a short text in it."""
    folder = tmp_path / "copy"
    folder.mkdir()
    shutil.copy(ROOT / "run.py", folder)
    shutil.copytree(
        ROOT / "gptlib", folder / "gptlib", ignore=shutil.ignore_patterns("__pycache__")
    )
    shutil.copytree(ROOT / "data" / "results", folder / "data" / "results")
    shutil.copy(texts.CORPUS, folder / "data")
    (folder / "short.txt").write_text("to be or not to be " * 30)
    return folder


def test_a_first_run_can_be_started_from_the_command_line_and_shows_what_came_out(copy):
    before = {path.name: path.read_bytes() for path in (copy / "data" / "results").iterdir()}
    words = [
        "experiments",
        "run",
        "two_of_qkv",
        "--steps",
        "2",
        "--seeds",
        "1",
        "--jobs",
        "2",
        "--text",
        "short.txt",
    ]
    words += ["--only", "q, k, v", "--only", "no q"]
    done = subprocess.run(
        [sys.executable, "run.py", *words],
        cwd=copy,
        env=os.environ | {"PYTHONPATH": str(copy), "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        encoding="ascii",
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "two_of_qkv: 2 runs to do, 2 at a time" in done.stdout
    rows = files.read_rows(copy / "my" / "results" / "two_of_qkv.csv")
    assert [(row["text"], row["variant"], row["steps"]) for row in rows] == [
        ("short", "q, k, v", "2"),
        ("short", "no q", "2"),
    ]
    for row in rows:
        assert f"1  {float(row['full_loss']):.3f} ? 0.000" in done.stdout
    after = {path.name: path.read_bytes() for path in (copy / "data" / "results").iterdir()}
    assert after == before


# ---- what is stored


def problems(experiment, rows):
    """A sentence for everything about stored rows that makes them no results of the catalogue's experiment."""
    again = f"python run.py experiments run {experiment.name} --store"
    if rows and list(rows[0]) != [*STORED.columns, *experiment.measures]:
        yield f"the columns of {experiment.name}.csv are not those of today: {again} --again"
    runs = Counter()
    for row in rows:
        run = ", ".join(f"{column} {row[column]}" for column in STORED.same)
        runs[run] += 1
        known = {"crc": texts.STORED.get(row["text"]), **row}
        if known["crc"] is None or not results.belongs(known, experiment, Conditions(known["crc"])):
            yield f"the catalogue has no such run ({run}): {again} drops its row, and does what is missing"
        elif int(row["seed"]) >= experiment.seeds:
            yield f"more seeds than the catalogue has ({run}): {again}"
    yield from (f"two rows of one run ({run}): {again}" for run in runs if runs[run] > 1)
    if experiment.timed and len({row["machine"] for row in rows}) > 1:
        yield f"times of several machines in {experiment.name}.csv: {again} --again"
    conditions = Conditions(texts.STORED["shakespeare"])
    missing = runner.missing(runner.asked_runs(experiment), experiment, STORED, conditions)
    if missing and not experiment.score_every:  # runs of an hour may come one by one
        yield f"{experiment.name} is not complete: {again}"


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_experiment_is_complete_and_nothing_else_is_stored(name):
    found = list(problems(EXPERIMENTS[name], files.read_rows(STORED.path(name))))
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"setting": "{}"}, "no such run"),
        ({"steps": "20"}, "no such run"),
        ({"variant": "gone"}, "no such run"),
        ({"text": "hamlet"}, "no such run"),
        ({"seed": "7"}, "more seeds"),
        ({}, "two rows of one run"),
        ({"machine": "elsewhere"}, "several machines"),
    ],
)
def test_a_stored_row_that_is_no_run_of_the_catalogue_gets_a_sentence(change, sentence):
    rows = files.read_rows(STORED.path("speedrun"))
    found = list(problems(EXPERIMENTS["speedrun"], [*rows, rows[0] | change]))
    assert any(sentence in problem and "--store" in problem for problem in found)


def test_every_stored_file_is_as_it_was_measured():
    sums = sealed.sums()
    found = {path.name: sealed.digest(path) for path in STORED.folder.glob("*.csv")}
    for name in sorted(found.keys() | sums.keys()):
        assert found.get(name) == sums.get(name), (
            f"data/results/{name} is not what was measured. If it was edited by accident: git checkout it. If its rows "
            "have to change, let the command do it that measures them, with --store: it notes the new digest."
        )


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_stored_rows_say_how_many_parameters_their_models_have(name):
    experiment = EXPERIMENTS[name]
    counts = {
        variant: sum(p.numel() for p in made.build().parameters())
        for variant, made in experiment.variants.items()
    }
    for row in experiments.rows_of(name):
        assert int(row["parameters"]) == counts[row["variant"]], row["variant"]


def test_results_stay_small():
    assert sum(path.stat().st_size for path in STORED.folder.glob("*.csv")) < 2_000_000


def test_no_two_experiments_have_the_same_name():
    from gptlib.instruments.measure import catalogue

    found = [
        one
        for module in vars(catalogue).values()
        for one in getattr(module, "__dict__", {}).values()
        if isinstance(one, Experiment)
    ]
    for one in found:
        assert EXPERIMENTS[one.name] is one, f"two experiments are called {one.name}"


# ---- the variants


def different_variants():
    """{experiment: {name: variant}}, only the first of those that differ in numbers alone."""
    numbers, found, seen = {"steps", "learning_rate", "batch_size"}, {}, set()
    for experiment in EXPERIMENTS.values():
        for name, made in experiment.variants.items():
            kind = (made.build, *sorted(made.changes.keys() - numbers))
            if kind not in seen:
                found.setdefault(experiment.name, {})[name] = made
            seen.add(kind)
    return found


DIFFERENT = different_variants()


@pytest.mark.parametrize("name", DIFFERENT)
def test_a_variant_is_a_module_that_trains(name):
    """Three steps change every weight that is to learn, and none of the others."""
    experiment = EXPERIMENTS[name]
    text = replace(texts.read_text(), content=texts.read_text().content[:20_000])
    for variant, made in DIFFERENT[name].items():
        config = replace(experiment.config(variant, 0, steps=3), batch_size=2, eval_batches=1)
        data, _ = texts.data_for(made, text)
        torch.manual_seed(0)
        model = made.build()
        before = {key: weight.clone() for key, weight in model.named_parameters()}
        losses = [found for _, found in train(model, data, config)]
        assert math.isfinite(losses[-1]["val"])
        for key, weight in model.named_parameters():
            assert torch.equal(weight, before[key]) != weight.requires_grad, f"{variant}: {key}"


@pytest.mark.parametrize("name", DIFFERENT)
def test_no_token_sees_the_future_in_any_model_that_is_compared_but_the_one_without_a_mask(name):
    for variant, made in DIFFERENT[name].items():
        torch.manual_seed(0)
        if variant == "without mask":
            with pytest.raises(AssertionError, match="sees the future"):
                inspection.assert_causal(made.build(), 4)
        else:
            model = made.build()
            for weight in model.parameters():  # a head of zeros would show nothing
                _ = nn.init.normal_(weight, std=0.3) if not weight.any() else None
            inspection.assert_causal(model, min(4, getattr(model, "block_size", 4)))


def test_the_controls_have_as_many_weights_as_what_they_control():
    variants = EXPERIMENTS["two_of_qkv"].variants
    sizes = {name: sum(p.numel() for p in v.build().parameters()) for name, v in variants.items()}
    assert len({sizes[name] for name in sizes if name != "q, k, v"}) == 1 < len(set(sizes.values()))


def test_seeds_beyond_the_range_of_a_comparison_get_an_arrow_in_their_row():
    groups = {"in it": [2.1, 2.2], "beyond": [3.3, 3.4]}
    (axes,) = plots.compare(groups, x_range=(2.0, 2.5)).axes
    arrows = [words for words in axes.texts if words.arrow_patch]
    assert axes.get_xlim() == (2.0, 2.5) and [arrow.xy for arrow in arrows] == [(1.0, 1)]
    assert not any(words.arrow_patch for words in plots.compare(groups).axes[0].texts)


def test_the_ladder_picture_draws_seeds_divergence_and_what_others_report():
    groups = {"one": [2.5, 2.6], "two": [2.1], "gone": [math.nan, math.inf]}
    picture = plots.ladder(groups, reported={"one": 2.4}, elsewhere={"two": 2.0})
    axes = picture.axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == list(groups)
    assert {text.get_text() for text in axes.texts} == {"2.550", "2.100", "diverged"}
    assert axes.get_xlim()[0] < 2.0 < 2.6 < axes.get_xlim()[1]
    assert [line.get_marker() for line in axes.lines].count("D") == 1

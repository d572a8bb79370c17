"""The harness: what is done is not run again, what is missing is known, and rows say what they are."""

import json
import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.nn as nn

from gptlib.bigram import BigramLanguageModel
from gptlib.instruments.measure import experiments
from gptlib.instruments.measure.catalogue import EXPERIMENTS
from gptlib.instruments.measure.experiments import Experiment, Variant
from gptlib.instruments.models import inspection
from gptlib.instruments.show import plots
from gptlib.train import TrainConfig

ROOT = Path(__file__).parents[1]


def nothing(trained):
    return 0.5


class Explodes(BigramLanguageModel):
    def forward(self, tokens):
        return super().forward(tokens) * math.nan


TINY = Experiment(
    "tiny",
    "Does the harness work?",
    {
        "plain": Variant(lambda: BigramLanguageModel(65)),
        "fast": Variant(lambda: BigramLanguageModel(65), {"learning_rate": 1.0}),
        "bad": Variant(lambda: Explodes(65)),
    },
    TrainConfig(steps=3, batch_size=2, block_size=4),
    seeds=2,
    measures={"extra": nothing},
)


@pytest.fixture
def results(tmp_path, monkeypatch):
    """Results go to a folder of the test, runs happen in this process, on a short text."""

    class Here:
        def __init__(self, jobs): ...

        def __enter__(self):
            return self

        def __exit__(self, *_): ...

        def imap_unordered(self, function, tasks):
            for _, variant, seed, steps, device, text in tasks:
                ran.append((variant, seed))
                yield experiments.run_one(TINY, variant, seed, steps, device, text)

    ran = []
    (tmp_path / "short.txt").write_text("to be or not to be " * 30)
    monkeypatch.setattr(experiments, "DATA", tmp_path)
    monkeypatch.setattr(
        experiments.multiprocessing, "get_context", lambda _: type("C", (), {"Pool": Here})
    )
    return ran, tmp_path / "short.txt"


def test_a_run_is_stored_with_what_it_was_and_never_done_twice(results, capsys):
    ran, text = results
    experiments.run(TINY, seeds=1, text=text)
    assert len(ran) == 3
    experiments.run(TINY, text=text)
    assert ran[3:] == [("plain", 1), ("fast", 1), ("bad", 1)]
    experiments.run(TINY, text=text)
    assert len(ran) == 6
    rows = experiments.rows_of("tiny")
    assert [(row["variant"], row["seed"]) for row in rows] == [
        (v, s) for v in TINY.variants for s in "01"
    ]
    assert json.loads(rows[2]["setting"])["learning_rate"] == 1.0 and rows[0]["extra"] == "0.5"
    assert rows[0]["parameters"] == "4225" and rows[0]["torch"] == torch.__version__


def test_data_of_characters_are_the_lectures_and_larger_pieces_give_the_same_text_in_fewer_tokens():
    train, val = experiments.read_data(experiments.CORPUS)
    variants = EXPERIMENTS["vocabulary"].variants
    (train_again, val_again), characters = experiments.data_for(
        variants["characters"], experiments.CORPUS
    )
    assert torch.equal(train, train_again) and torch.equal(val, val_again)
    (_, pieces), as_many = experiments.data_for(variants["BPE 256"], experiments.CORPUS)
    assert characters == as_many == len(val) > len(pieces)


def test_another_number_of_steps_is_another_run(results):
    ran, text = results
    experiments.run(TINY, seeds=1, text=text)
    assert len(experiments.missing_runs(TINY, 1, 4, text)) == 3
    assert experiments.missing_runs(TINY, 1, 3, text) == []


def test_the_same_seed_gives_the_same_row_but_for_the_time(results):
    _, text = results
    one, two = (experiments.run_one(TINY, "plain", 1, text=text) for _ in range(2))
    assert one | {"seconds": 0} == two | {"seconds": 0}


def test_divergence_is_a_result_and_not_a_gap(results):
    _, text = results
    experiments.run(TINY, text=text)
    values = experiments.losses("tiny", text="short")["bad"]
    assert len(values) == 2 and all(math.isnan(value) for value in values)
    assert math.isnan(experiments.summary(values)[0])
    assert "diverged" in experiments.table("tiny", text="short")


def test_a_timed_experiment_runs_one_after_the_other(results, monkeypatch):
    _, text = results
    jobs, pool = [], experiments.multiprocessing.get_context("spawn").Pool
    asked = type("C", (), {"Pool": lambda self, n: (jobs.append(n), pool(n))[1]})
    monkeypatch.setattr(experiments.multiprocessing, "get_context", lambda _: asked())
    experiments.run(replace(TINY, timed=True), seeds=1, text=text)
    assert jobs == [1]


def test_a_variant_may_have_a_setting_of_its_own():
    own = TrainConfig(steps=7, batch_size=3, block_size=2)
    made = replace(TINY, variants={"other": Variant(lambda: None, {"steps": 9}, setting=own)})
    assert made.config("other", seed=4) == replace(own, steps=9, seed=4)


def test_the_fastest_number_of_threads_is_one_that_the_machine_has(results, monkeypatch):
    _, text = results
    monkeypatch.setattr(experiments.os, "cpu_count", lambda: 2)
    before = torch.get_num_threads()
    try:
        assert experiments.best_threads(TINY, "plain", text=text) in (1, 2)
    finally:
        torch.set_num_threads(before)


def test_the_mean_and_the_largest_distance_from_it():
    assert experiments.summary([1.0, 2.0, 6.0]) == (3.0, 3.0)


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_experiment_of_the_series_is_complete(name):
    experiment = EXPERIMENTS[name]
    missing = experiments.missing_runs(experiment, experiment.seeds, None, experiments.CORPUS)
    assert missing == [], f"run `python run.py experiments run {name}`"


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_stored_rows_belong_to_variants_that_exist_and_say_how_many_parameters_these_have(name):
    experiment = EXPERIMENTS[name]
    for row in experiments.rows_of(name):
        assert row["variant"] in experiment.variants
    for variant in experiment.variants:
        row = next(row for row in experiments.rows_of(name) if row["variant"] == variant)
        model = experiment.variants[variant].build()
        assert int(row["parameters"]) == sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_no_token_sees_the_future_in_any_model_that_is_compared_but_the_one_without_a_mask(name):
    for variant, made in EXPERIMENTS[name].variants.items():
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


def test_results_stay_small():
    assert sum(path.stat().st_size for path in experiments.DATA.glob("results/*.csv")) < 2_000_000


def test_the_readmes_experiments_command_lists_them():
    done = subprocess.run(
        [sys.executable, "run.py", "experiments", "list"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0 and all(name in done.stdout for name in EXPERIMENTS)


def test_a_first_run_can_be_started_from_the_command_line(capsys):
    experiments.main(["list"])
    said = capsys.readouterr().out
    assert all(name in said for name in EXPERIMENTS)
    with pytest.raises(SystemExit):
        experiments.main(["run", "nonsense"])


def test_the_ladder_picture_draws_seeds_divergence_and_what_others_report():
    groups = {"one": [2.5, 2.6], "two": [2.1], "gone": [math.nan, math.inf]}
    picture = plots.ladder(groups, reported={"one": 2.4}, elsewhere={"two": 2.0})
    axes = picture.axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == list(groups)
    assert {text.get_text() for text in axes.texts} == {"2.550", "2.100", "diverged"}
    assert axes.get_xlim()[0] < 2.0 < 2.6 < axes.get_xlim()[1]
    assert [line.get_marker() for line in axes.lines].count("D") == 1


def test_a_variant_is_a_module_that_trains():
    for experiment in EXPERIMENTS.values():
        for variant in experiment.variants.values():
            assert isinstance(variant.build(), nn.Module)

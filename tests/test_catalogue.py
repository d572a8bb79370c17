"""What the catalogue of experiments computes, against torch's own count, numbers by hand, and nanoGPT's figures."""

import copy
import itertools
import math
import statistics

import pytest
import torch
import torch.nn as nn
from benchmarks import growth as bench
from torch.utils.flop_counter import FlopCounterMode

from gptlib.bigram import BigramLanguageModel
from gptlib.instruments.files import read_rows
from gptlib.instruments.measure import growth
from gptlib.instruments.measure.catalogue import attention, ladder, measures, speedrun, transformer
from gptlib.instruments.measure.catalogue import modern as catalogue
from gptlib.instruments.measure.experiment import Trained
from gptlib.model import GPT, GPTConfig
from gptlib.modern import ModernGPT
from gptlib.train import TrainConfig, next_token_loss

TINY = GPTConfig(vocab_size=11, block_size=8, n_embd=16, n_head=2, n_layer=2)


# ---- what a step costs


@pytest.mark.parametrize("sizes", [{}, {"n_embd": 64}, {"block_size": 16, "n_layer": 2}])
def test_the_formula_for_parameters_is_what_the_model_has(sizes):
    sizes = growth.BASE | sizes
    model = GPT(GPTConfig(n_head=4, **sizes))
    assert bench.parameters(**sizes) == sum(weight.numel() for weight in model.parameters())


def test_the_formula_for_operations_is_what_torch_counts():
    sizes = {"block_size": 32, "n_embd": 64, "n_layer": 2}
    model, tokens = GPT(GPTConfig(n_head=4, **sizes)), torch.randint(65, (4, 32))
    with FlopCounterMode(display=False) as counter:
        next_token_loss(model(tokens), tokens).backward()
    assert math.isclose(counter.get_total_flops(), bench.flops(**sizes, tokens=128), rel_tol=0.1)


def test_what_the_forward_pass_keeps_grows_with_its_tokens():
    model = GPT(GPTConfig(n_embd=32, n_layer=1))
    once, twice = (bench.saved_bytes(model, torch.randint(65, (B, 64))) for B in (4, 8))
    assert 1.9 < twice / once < 2.1 and once > 4 * 64 * 32 * 4 * 10


def test_growth_reads_rows_of_the_machine_and_the_sizes_that_are_asked_for(tmp_path, monkeypatch):
    monkeypatch.setattr(growth, "STORED", tmp_path / "growth.csv")
    first = growth.sizes()[0]
    row = {"swept": first[0], **first[1], "machine": "here cpu"}
    other_size, elsewhere = row | {"n_embd": 77}, row | {"machine": "there cuda"}
    bench.write_rows(growth.STORED, [row, other_size, elsewhere])
    assert growth.rows("cpu") == [{name: str(value) for name, value in row.items()}]


def test_every_size_of_growth_is_stored_once_with_the_counts_of_the_formulas():
    stored = read_rows(growth.STORED)
    assert growth.rows("cpu, 1 thread(s), float32") == stored, (
        "python tests/benchmarks/growth.py --store"
    )
    assert len(stored) == len(growth.sizes())
    for row, (swept, sizes) in zip(stored, growth.sizes()):
        assert (row["swept"], int(row["parameters"])) == (swept, bench.parameters(**sizes))
        assert float(row["gflops"]) == round(bench.flops(**sizes) / 1e9, 3)


def test_a_readers_growth_goes_to_my_and_is_printed_beside_the_stored(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(bench, "MY", tmp_path)
    monkeypatch.setattr(bench, "least_of", lambda function, budget=1.0: 0.5)
    few = growth.sizes()[:2]
    monkeypatch.setattr(growth, "sizes", lambda: few)
    before = growth.STORED.read_bytes()
    threads = torch.get_num_threads()
    bench.main(store=False)
    torch.set_num_threads(threads)
    rows = read_rows(tmp_path / "results" / "growth.csv")
    assert [row["milliseconds"] for row in rows] == ["500.0"] * len(growth.sizes())
    assert growth.STORED.read_bytes() == before
    assert capsys.readouterr().out.count("| 500.0") == len(rows)


# ---- what the variants are


def test_nothing_is_frozen_but_the_tables_of_positions_that_are_meant_to_be():
    frozen = {
        (experiment.name, name): [key for key, w in model.named_parameters() if not w.requires_grad]
        for experiment in (transformer.POSITION, catalogue.PARTS, ladder.LADDER)
        for name, variant in experiment.variants.items()
        for model in [variant.build()]
    }
    table = ["position_embedding_table.weight"]
    meant = [("position", kind) for kind in ("frozen random", "sinusoidal", "none")]
    meant.append(("modern_parts", "RoPE"))
    assert {run: keys for run, keys in frozen.items() if keys} == dict.fromkeys(meant, table)


def test_tables_of_positions_are_zero_or_waves_as_large_as_the_learned_one():
    tables = {
        kind: transformer.with_positions(kind).position_embedding_table.weight.detach()
        for kind in transformer.POSITION.variants
    }
    assert not tables["none"].any() and tables["frozen random"].std() > 0
    wave = tables["sinusoidal"]
    assert wave.std().item() == pytest.approx(tables["learned"].std().item(), rel=0.1)
    position, channel = 5, 6  # Vaswani et al.: sin and cos of position / 10000^(channel / C)
    angle = position / 10_000 ** (channel / 64)
    size = wave[0, 1]  # cos 0
    assert torch.allclose(
        wave[position, channel : channel + 2] / size,
        torch.tensor([math.sin(angle), math.cos(angle)]),
        atol=1e-5,
    )


# ---- what is measured of a trained model


def test_the_loss_at_a_position_is_the_mean_over_windows_of_one_prediction():
    torch.manual_seed(0)
    model = GPT(GPTConfig(block_size=12, n_embd=16, n_head=2, n_layer=1))
    tokens = torch.randint(65, (100,))
    trained = Trained(model, (tokens.flip(0), tokens), TrainConfig(block_size=12), 100)
    for position in (1, 5, 12):
        slow = [
            -model(tokens[start : start + 12][None])[0]
            .log_softmax(-1)[position - 1, tokens[start + position]]
            .item()
            for start in range(0, 100 - 12, 8)
        ]
        assert measures.loss_at(trained, position) == pytest.approx(statistics.fmean(slow))
    assert measures.last_position_loss(trained) == measures.loss_at(trained, 12)
    assert math.isnan(measures.loss_at(trained, 13))


@pytest.mark.parametrize("layers", [1, 2])
def test_without_its_mask_only_a_model_of_several_layers_says_something_else_at_the_end(layers):
    torch.manual_seed(0)
    model = attention.heads_in_a_row(layers)
    for weight in model.parameters():
        nn.init.normal_(weight, std=0.5)
    trained = Trained(model, (torch.randint(65, (200,)),) * 2, TrainConfig(), 200)
    same = math.isclose(
        measures.last_position_loss(trained),
        measures.last_position_loss_without_mask(trained),
        rel_tol=1e-5,
    )
    assert same == (layers == 1)


def test_bits_are_shared_out_over_the_characters_that_the_tokens_stand_for():
    even = BigramLanguageModel(4)
    nn.init.zeros_(even.token_embedding_table.weight)  # two bits a token
    parts = tuple(torch.zeros(size, dtype=torch.long) for size in (7, 11))
    trained = Trained(even, parts, TrainConfig(), 40)
    assert measures.bits_per_character(trained) == pytest.approx(2 * 10 / 40)
    assert measures.characters_per_token(trained) == 40 / 11


# ---- the speedrun


def test_the_recipe_is_nanogpts_but_for_names():
    model = speedrun.nano_gpt()
    assert sum(weight.numel() for weight in model.parameters()) == 804_096  # nanoGPT prints 0.80M
    assert model.lm_head.weight is model.token_embedding_table.weight
    assert not [name for name, _ in model.named_parameters() if name.endswith("bias")]
    config = speedrun.NanoConfig()
    rates = [config.lr_at(step) for step in (0, 49, 100, 1050, 2000)]
    assert torch.allclose(
        torch.tensor(rates), torch.tensor([9.9e-6, 4.95e-4, 1e-3, 5.5e-4, 1e-4]), rtol=0.01
    )
    matrices, rest = config.optimizer(model).param_groups
    assert (matrices["weight_decay"], rest["weight_decay"]) == (0.1, 0) and rest["betas"] == (
        0.9,
        0.99,
    )


def test_the_recipe_starts_at_gpt2s_size_at_any_width():
    torch.manual_seed(0)
    for width in (64, 256):
        model = speedrun.nano_gpt(GPTConfig(n_embd=width, n_layer=2))
        assert model.token_embedding_table.weight.std().item() == pytest.approx(0.02, rel=0.05)
        into_the_stream = model.blocks[1].ffwd.proj.weight.std().item()
        assert into_the_stream == pytest.approx(0.02 / math.sqrt(2 * 2), rel=0.05)


def test_a_long_gradient_is_cut_to_length_one_and_a_short_one_left():
    for length, expected in ((50.0, 1.0), (0.5, 0.5)):
        weight = nn.Parameter(torch.zeros(4))
        weight.grad = torch.full((4,), length / 2)
        catalogue.Clipped(torch.optim.SGD([weight], lr=1.0)).step()
        assert math.isclose(weight.detach().norm().item(), expected, rel_tol=1e-4)


def test_the_letter_before_is_added_and_the_first_has_none():
    model = catalogue.with_previous_token(ModernGPT(TINY))
    table = model.token_embedding_table
    table.before.weight.data.normal_()
    tokens = torch.tensor([[3, 5, 7]])
    expected = table.table(tokens)[0, 1] + table.before.weight[3]
    assert torch.allclose(table(tokens)[0, 1], expected)
    assert torch.equal(table(tokens)[0, 0], table.table(tokens)[0, 0])


def rows_with(column, **values):
    """Rows of variants, {variant: [(full_loss, column's value)]}, with as many seeds."""
    return [
        {"variant": variant, "full_loss": loss, column: value}
        for variant, pairs in values.items()
        for loss, value in pairs
    ]


def test_the_verdict_counts_only_those_that_reach_the_goal():
    recipe = {speedrun.RECIPE: [(1.9, 100), (2.1, 120)]}
    others = {"good": [(1.9, 10), (2.0, 12)], "bad": [(2.1, 1), (2.1, 1)]}
    rows = rows_with("seconds", **recipe, **others)
    assert speedrun.ratios(rows) == {"good": 10.0}
    assert "2.000 is reached by good in 1/10.0 of the seconds" in speedrun.verdict(rows)
    assert speedrun.RECIPE in speedrun.verdict(rows_with("seconds", **others))
    assert "by nobody" in speedrun.verdict(rows_with("seconds", **recipe))


def test_a_part_reaches_the_goal_with_the_shortest_schedule_whose_mean_is_there(monkeypatch):
    tried = {"a, 500 steps": [(1.9, 9), (2.2, 9)], "a, 1000 steps": [(1.9, 1.0), (2.1, 1.5)]}
    stored = {
        speedrun.SPEEDRUN.name: rows_with("seconds", **{speedrun.RECIPE: [(2.0, 100)]}),
        speedrun.STEPS_TO_GOAL.name: rows_with("step_cost", **tried, **{"b, 700 steps": [(3, 1)]}),
    }
    monkeypatch.setattr(speedrun, "stored_rows", lambda experiment: stored[experiment.name])
    assert speedrun.reached() == {"a": (1000, 0.625), "b": None}


def test_what_a_step_costs_is_the_ratio_of_the_middles_and_leaves_the_model_alone(monkeypatch):
    mine, recipes = itertools.cycle([3.0, 3.0, 9.0]), itertools.repeat(2.0)
    ticks = itertools.chain.from_iterable((0.0, a, 0.0, b) for a, b in zip(mine, recipes))
    monkeypatch.setattr(speedrun.time, "perf_counter", lambda: next(ticks))
    data = (torch.randint(65, (500,)),) * 2
    model = GPT(GPTConfig(n_embd=16, n_head=2, n_layer=1))
    before = copy.deepcopy(model.state_dict())
    config = speedrun.NanoConfig()
    assert speedrun.step_cost(Trained(model, data, config, 500), steps=20) == 1.5
    assert all(torch.equal(before[name], now) for name, now in model.state_dict().items())


def test_the_rest_of_the_speedrun_stays_within_the_recipes_size():
    sizes = [
        sum(weight.numel() for weight in variant.build().parameters())
        for variant in speedrun.SPEEDRUN.variants.values()
    ]
    assert max(sizes) <= 810_000

"""The pretrained models: as small, as good and as reproducible as their notes and logs say."""

import copy
import shutil
from dataclasses import replace

import pytest
import torch

from gptlib.instruments import files
from gptlib.instruments.measure import long_run, recipes
from gptlib.instruments.measure.texts import read_data
from gptlib.instruments.models import checkpoint, inspection, pretrained
from gptlib.instruments.show.write import write
from gptlib.model import GPT, GPTConfig
from gptlib.train import full_loss

CHECKPOINTS = pretrained.CHECKPOINTS


def test_the_pretrained_model_scores_what_its_note_and_its_log_say_and_at_most_1_46():
    model, _ = pretrained.load()
    about, _ = checkpoint.read(CHECKPOINTS / "shakespeare.safetensors")
    measured = full_loss(model, read_data()[1], model.block_size)
    assert measured <= 1.46 and about["step"] == recipes.RECIPES["shakespeare"].training.steps
    assert abs(measured - about["full_loss"]) < 2e-3  # stored in 16 bits
    log = files.read_rows(files.DATA / "results" / "shakespeare_training.csv")
    scores = {int(row["step"]): float(row["full_loss"]) for row in log if row["full_loss"]}
    assert about["full_loss"] == min(scores.values()) == scores[about["step"]]


def test_the_checkpoints_are_small():
    assert (CHECKPOINTS / "shakespeare.safetensors").stat().st_size <= 6_000_000
    assert sum(path.stat().st_size for path in CHECKPOINTS.glob("snapshots_*")) <= 4_000_000


def test_the_snapshots_learn_from_one_to_the_next():
    models = pretrained.snapshots()
    assert tuple(models) == recipes.RECIPES["snapshots"].keep
    tokens = read_data()[1][:10_000]
    losses = [full_loss(model, tokens, model.block_size) for model in models.values()]
    assert losses == sorted(losses, reverse=True) and losses[0] > 4 > 2 > losses[-1]


def test_the_pretrained_model_is_causal_and_writes_its_alphabet():
    model, tokenizer = pretrained.load()
    inspection.assert_causal(model, 12)
    text = write(model, tokenizer, "ROMEO:\n", 40, seed=1)
    assert len(text) == 40 and not model.training
    assert inspection.attention_maps(model, torch.tensor([tokenizer.encode("ROMEO:")])).shape == (
        6,
        1,
        6,
        6,
        6,
    )


def test_loading_a_model_uses_up_no_randomness():
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    pretrained.load()
    assert torch.equal(torch.rand(1), expected)


def test_a_readers_own_model_is_loaded_in_the_same_way_and_a_note_without_sizes_gets_a_sentence(
    tmp_path,
):
    model = GPT(GPTConfig(vocab_size=3, block_size=4, n_embd=8, n_head=2, n_layer=1))
    checkpoint.save(tmp_path / "mine", model, {"sizes": vars(model.config), "alphabet": "xyz"})
    again, tokenizer = pretrained.load_gpt(tmp_path / "mine")
    tokens = torch.tensor([tokenizer.encode("zyx")])
    assert torch.equal(again(tokens), model.eval()(tokens))
    checkpoint.save(tmp_path / "bare", model)
    with pytest.raises(ValueError, match="does not say its sizes"):
        pretrained.load_gpt(tmp_path / "bare")


@pytest.fixture
def small_recipe(tmp_path, monkeypatch):
    """A recipe that takes a second, in a folder of its own."""
    (tmp_path / "data" / "results").mkdir(parents=True)
    (tmp_path / "data" / "shakespeare.txt").write_text("to be or not to be " * 40)
    monkeypatch.setattr(files, "DATA", tmp_path / "data")
    monkeypatch.setattr(files, "MY", tmp_path / "my")
    numbers = {"steps": 6, "batch_size": 2, "block_size": 8, "eval_every": 2, "eval_batches": 1}
    training = recipes.WarmupThenLinear(learning_rate=1e-2, warmup=2, **numbers)
    sizes = GPTConfig(block_size=8, n_embd=16, n_head=2, n_layer=1)
    recipe = recipes.Recipe(sizes, training, score_every=2)
    monkeypatch.setitem(recipes.RECIPES, "small", recipe)
    return tmp_path


def test_a_recipe_leaves_a_log_and_the_best_model_and_goes_on_where_it_was_broken_off(
    small_recipe, monkeypatch
):
    recipes.make("small")
    rows = files.read_rows(small_recipe / "my" / "results" / "small_training.csv")
    assert [row["step"] for row in rows] == ["0", "2", "4", "6"]
    model, _ = pretrained.load_gpt(small_recipe / "my" / "small.safetensors")
    about, tensors = checkpoint.read(small_recipe / "my" / "small.safetensors")
    assert about["full_loss"] == min(float(row["full_loss"]) for row in rows[1:])
    assert all(tensor.dtype == torch.float16 for tensor in tensors.values())

    run = small_recipe / "my" / "runs" / "small" / long_run.RUN
    straight = checkpoint.read(run)[1]
    run.unlink()
    monkeypatch.setattr(
        recipes, "watch", lambda steps, _: (pair for pair in steps if pair[0] <= 4 or stop())
    )

    def stop():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        recipes.make("small")
    monkeypatch.setattr(recipes, "watch", lambda steps, _: steps)
    recipes.make("small")
    resumed = checkpoint.read(run)[1]
    assert all(
        torch.equal(straight[name], resumed[name]) for name in straight if name.startswith("model.")
    )


def test_the_schedule_rises_and_then_falls_to_zero():
    config = recipes.WarmupThenLinear(steps=1000, learning_rate=1.0, warmup=100)
    rates = [config.lr_at(step) for step in range(1001)]
    assert rates[0] == 0.01 and max(rates) > 0.9 and rates[1000] == 0
    assert all(a < b for a, b in zip(rates[:80], rates[1:80])) and all(
        a > b for a, b in zip(rates[100:], rates[101:])
    )


def test_a_recipe_leaves_the_stored_models_and_logs_alone_unless_told(small_recipe, monkeypatch):
    recipes.make("small")
    assert {path.name for path in (small_recipe / "data").rglob("*.*")} == {"shakespeare.txt"}
    shutil.rmtree(small_recipe / "my" / "runs")
    large = replace(recipes.RECIPES["small"], large=True)
    monkeypatch.setitem(recipes.RECIPES, "large", large)
    recipes.make("large", store=True)
    assert [path.name for path in small_recipe.rglob("large.safetensors")] == ["large.safetensors"]
    assert (small_recipe / "my" / "large.safetensors").exists()
    recipes.make("small", store=True)
    assert (small_recipe / "data" / "checkpoints" / "small.safetensors").exists()
    assert (small_recipe / "data" / "results" / "small_training.csv").exists()


@pytest.mark.parametrize("name", ["scaled_up", "scaled_up_modern"])
def test_the_large_recipes_are_the_lectures_size_and_train_when_they_are_made_small(
    name, small_recipe, monkeypatch
):
    recipe = recipes.RECIPES[name]
    sizes = replace(recipe.sizes, block_size=8, n_embd=16, n_head=2, n_layer=1, dropout=0.0)
    training = replace(
        recipe.training, steps=40, batch_size=4, block_size=8, eval_every=20, learning_rate=5e-3
    )
    assert sum(p.numel() for p in recipe.build(recipe.sizes).parameters()) / 1e6 == pytest.approx(
        10.7, abs=0.15
    )
    monkeypatch.setitem(
        recipes.RECIPES, name, replace(recipe, sizes=sizes, training=training, score_every=20)
    )
    rows = recipes.make(name)
    assert rows[-1]["full_loss"] < rows[1]["full_loss"] < rows[0]["val"]


def test_the_last_line_of_a_recipe_says_the_best_loss_and_the_first_moment_at_its_goal():
    rows = [
        {"full_loss": loss, "minutes": minutes}
        for loss, minutes in (("", 5), (2.0, 10), (1.4873, 20), (1.40, 30), (1.45, 40))
    ]
    assert recipes.verdict("scaled_up", rows).endswith(
        "best validation loss 1.4000, after 30 minutes; 1.4873 reached after 20 minutes"
    )
    assert recipes.verdict("scaled_up", rows[:2]).endswith("1.4873 not reached")
    assert recipes.verdict("snapshots", rows).endswith("after 30 minutes")
    assert "not scored yet" in recipes.verdict("snapshots", rows[:1])


def test_muon_of_a_recipe_steps_the_matrices_of_the_blocks_and_adamw_all_the_rest():
    model = GPT(GPTConfig(block_size=8, n_embd=16, n_head=2, n_layer=2))
    muon, adamw = recipes.WarmupThenLinear(steps=10).optimizer(model).optimizers
    names = {id(weight): name for name, weight in model.named_parameters()}
    of = lambda optimizer: {  # noqa: E731
        names[id(weight)] for group in optimizer.param_groups for weight in group["params"]
    }
    matrices = {n for n, w in model.named_parameters() if n.startswith("blocks.") and w.dim() == 2}
    assert (of(muon), of(adamw)) == (matrices, set(names.values()) - matrices)


def test_the_recipes_optimizer_goes_on_from_its_saved_state_as_if_it_had_never_stopped():
    def step(model, optimizer):
        model.zero_grad()
        model(tokens).square().mean().backward()
        optimizer.step()

    model, tokens = (
        GPT(GPTConfig(block_size=8, n_embd=16, n_head=2, n_layer=1)),
        torch.arange(8)[None],
    )
    optimizer = recipes.WarmupThenLinear(steps=10).optimizer(model)
    for _ in range(2):
        step(model, optimizer)
    twin = copy.deepcopy(model)
    fresh = recipes.WarmupThenLinear(steps=10).optimizer(twin)
    fresh.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    step(model, optimizer)
    step(twin, fresh)
    assert all(torch.equal(*pair) for pair in zip(model.parameters(), twin.parameters()))


def test_the_log_of_every_recipe_says_steps_losses_and_machine():
    for name in ("shakespeare", "snapshots"):
        rows = files.read_rows(files.DATA / "results" / f"{name}_training.csv")
        assert {"step", "train", "val", "full_loss", "machine", "torch"} <= set(rows[0])
        assert int(rows[-1]["step"]) > 0

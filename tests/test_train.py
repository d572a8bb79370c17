import dataclasses
import math

import pytest
import torch
import torch.nn as nn
import torch.nn.functional as F

from gptlib.bigram import BigramLanguageModel
from gptlib.data import get_batch
from gptlib.instruments.measure.baselines import counted_baselines
from gptlib.train import TrainConfig, estimate_loss, evaluating, full_loss, next_token_loss, train

CONFIG = TrainConfig(
    steps=20, batch_size=4, block_size=5, learning_rate=1e-2, eval_every=10, eval_batches=3
)


@pytest.fixture
def data():
    tokens = torch.randint(11, (2_000,), generator=torch.Generator().manual_seed(0))
    return tokens[:1_800], tokens[1_800:]


def bigram(seed=0):
    torch.manual_seed(seed)
    return BigramLanguageModel(11)


def test_the_loss_is_minus_the_mean_log_probability_of_what_came():
    logits = torch.log(torch.tensor([[[0.5, 0.25, 0.25], [0.1, 0.1, 0.8]]]))
    loss = next_token_loss(logits, torch.tensor([[0, 2]])).item()
    assert math.isclose(loss, -(math.log(0.5) + math.log(0.8)) / 2, rel_tol=1e-6)


def test_full_loss_scores_every_token_but_the_first_exactly_once(data):
    model, tokens = bigram(), data[1]
    one_by_one = [
        F.cross_entropy(model(a[None]), b).item()
        for a, b in zip(tokens[:-1].unbind(), tokens[1:].split(1))
    ]
    for block_size in (1, 3, 7, 199, 500):
        assert math.isclose(
            full_loss(model, tokens, block_size), sum(one_by_one) / 199, rel_tol=1e-5
        )


def test_full_loss_shows_the_model_consecutive_windows_and_nothing_twice():
    seen = []

    class Watches(nn.Embedding):
        def forward(self, tokens):
            seen.extend(tokens.tolist())
            return super().forward(tokens)

    full_loss(Watches(8, 8), torch.arange(8), 3)
    assert seen == [[0, 1, 2], [3, 4, 5], [6]]


def test_a_model_that_gives_every_token_the_same_costs_ln_v(data):
    model = bigram()
    nn.init.zeros_(model.token_embedding_table.weight)
    assert math.isclose(full_loss(model, data[1], 4), math.log(11), rel_tol=1e-6)
    assert math.isclose(counted_baselines(data, 11)["knows nothing"], math.log(11))


def test_training_takes_the_steps_that_the_same_loop_by_hand_takes(data):
    model, twin = bigram(), bigram()
    for _ in train(model, data, CONFIG):
        pass
    optimizer = torch.optim.AdamW(twin.parameters(), lr=1e-2)
    for step in range(20):
        x, y = get_batch(data[0], 5, 4, torch.Generator().manual_seed(1337 * 1_000_000 + step))
        optimizer.zero_grad()
        F.cross_entropy(twin(x).view(-1, 11), y.reshape(-1)).backward()
        optimizer.step()
    for ours, theirs in zip(model.parameters(), twin.parameters()):
        assert torch.allclose(ours, theirs, atol=1e-6)


def test_every_step_is_handed_over_and_losses_when_they_are_due(data):
    pairs = list(train(bigram(), data, dataclasses.replace(CONFIG, steps=25)))
    assert [step for step, _ in pairs] == list(range(26))
    assert [step for step, losses in pairs if losses] == [0, 10, 20, 25]
    assert set(pairs[0][1]) == {"train", "val"}


def test_a_seed_gives_the_same_model_and_another_seed_another(data):
    def trained(seed):
        model = bigram()
        list(train(model, data, dataclasses.replace(CONFIG, seed=seed)))
        return model.token_embedding_table.weight

    assert torch.equal(trained(1), trained(1)) and not torch.equal(trained(1), trained(2))


def test_the_schedule_reaches_the_optimizer(data):
    class Halving(TrainConfig):
        def lr_at(self, step):
            return 1.0 / 2**step

    model = bigram()
    config = Halving(steps=3, block_size=5)
    optimizer = config.optimizer(model)
    rates = [optimizer.param_groups[0]["lr"] for _ in train(model, data, config, optimizer)]
    assert rates[1:] == [1.0, 0.5, 0.25]


def test_estimating_asks_the_same_batches_every_time_and_leaves_the_model_as_it_was(data):
    model = nn.Sequential(bigram(), nn.Dropout(0.5)).train()
    random_state = torch.get_rng_state()
    assert estimate_loss(model, data, CONFIG) == estimate_loss(model, data, CONFIG)
    assert model.training and torch.equal(torch.get_rng_state(), random_state)
    assert all(p.grad is None for p in model.parameters())


def test_each_part_of_the_estimate_is_the_loss_on_its_own_split_and_on_batches_of_its_own(data):
    model = bigram()
    found = estimate_loss(model, data, CONFIG)
    for split, tokens in zip(("train", "val"), data):
        generator = torch.Generator().manual_seed(CONFIG.seed)
        batches = [get_batch(tokens, 5, 4, generator) for _ in range(CONFIG.eval_batches)]
        alone = [F.cross_entropy(model(x).flatten(0, 1), y.flatten()).item() for x, y in batches]
        assert math.isclose(found[split], sum(alone) / 3, rel_tol=1e-6), split
    assert found["train"] != found["val"]


def test_the_defaults_are_the_lectures():
    expected = {"steps": 5000, "batch_size": 32, "block_size": 8, "learning_rate": 1e-3}
    expected |= {"eval_every": 500, "eval_batches": 20, "seed": 1337}
    assert dataclasses.asdict(TrainConfig()) == expected


def test_a_part_that_was_in_eval_mode_stays_there():
    model = nn.Sequential(nn.Dropout(), nn.Dropout()).train()
    model[1].eval()
    with evaluating(model):
        assert not model[0].training
    assert model.training and model[0].training and not model[1].training


def test_tokens_of_32_bits_are_refused_where_torch_would_fail_later(data):
    model = bigram()
    short = tuple(tokens.int() for tokens in data)
    for action in (
        lambda: next(train(model, short, CONFIG)),
        lambda: full_loss(model, short[1], 4),
    ):
        with pytest.raises(TypeError, match=r"torch\.int32; ids are whole numbers of 64 bits"):
            action()


def test_the_mode_is_put_back_even_after_an_error():
    model = nn.Dropout().train()
    with pytest.raises(ZeroDivisionError), evaluating(model):
        assert not model.training and 1 / 0
    assert model.training


def test_breaking_off_leaves_a_model_with_exactly_the_steps_seen(data):
    model, twin = bigram(), bigram()
    for step, _ in train(model, data, CONFIG):
        if step == 7:
            break
    list(train(twin, data, dataclasses.replace(CONFIG, steps=7)))
    assert torch.equal(model.token_embedding_table.weight, twin.token_embedding_table.weight)


BAD_SETTINGS = [
    {"batch_size": 0},
    {"block_size": 0},
    {"learning_rate": -1.0},
    {"steps": -1},
    {"eval_every": 0},
]


@pytest.mark.parametrize("change", BAD_SETTINGS)
def test_settings_that_make_no_sense_get_a_sentence(change):
    with pytest.raises(ValueError, match=next(iter(change))):
        TrainConfig(**change)


def test_data_that_does_not_fit_is_refused_before_the_first_step(data):
    model = bigram()
    before = model.token_embedding_table.weight.clone()
    bad = [(data[0], data[1][:5]), (data[0].float(), data[1]), (data[0] + 1, data[1]), (data[0],)]
    for pair in bad:
        with pytest.raises((ValueError, TypeError)):
            next(train(model, pair, CONFIG))
    assert torch.equal(model.token_embedding_table.weight, before)

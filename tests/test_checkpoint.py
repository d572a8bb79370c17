import dataclasses
import json

import pytest
import torch
import torch.nn as nn
from safetensors import safe_open

from gptlib.instruments.models import checkpoint
from gptlib.train import TrainConfig, train

CONFIG = TrainConfig(steps=12, batch_size=4, block_size=5, eval_every=5, eval_batches=1)


@pytest.fixture
def data():
    tokens = torch.randint(11, (500,), generator=torch.Generator().manual_seed(0))
    return tokens[:400], tokens[400:]


def with_dropout():
    torch.manual_seed(3)
    return nn.Sequential(nn.Embedding(11, 8), nn.Dropout(0.3), nn.Linear(8, 11))


def same(one, other):
    return all(
        torch.equal(a, b) for a, b in zip(one.state_dict().values(), other.state_dict().values())
    )


def test_a_saved_model_comes_back_with_its_note(tmp_path):
    model, other = (
        with_dropout(),
        nn.Sequential(nn.Embedding(11, 8), nn.Dropout(), nn.Linear(8, 11)),
    )
    checkpoint.save(
        tmp_path / "my" / "model.safetensors", model, {"alphabet": "añ\n", "sizes": [1, 2]}
    )
    about = checkpoint.load(tmp_path / "my" / "model.safetensors", other)
    assert about == {"alphabet": "añ\n", "sizes": [1, 2]} and same(model, other)
    assert [path.name for path in (tmp_path / "my").iterdir()] == ["model.safetensors"]


def test_the_file_is_safetensors_with_json_and_nothing_that_runs(tmp_path):
    checkpoint.save(tmp_path / "m", with_dropout(), {"a": 1})
    with safe_open(tmp_path / "m", framework="pt") as file:
        assert json.loads(file.metadata()["about"]) == {"a": 1}


@pytest.mark.parametrize("stop", [1, 6, 11])
def test_a_run_that_was_broken_off_and_resumed_is_bit_for_bit_the_uninterrupted_one(
    tmp_path, data, stop
):
    straight = with_dropout()
    list(train(straight, data, CONFIG))

    broken = with_dropout()
    for step, _ in checkpoint.resumable(tmp_path / "run", broken, data, CONFIG, save_every=1):
        if step == stop:
            break
    torch.manual_seed(99)  # a new process has another random state
    resumed = with_dropout()
    steps = [step for step, _ in checkpoint.resumable(tmp_path / "run", resumed, data, CONFIG)]
    assert steps[0] == stop and same(straight, resumed)


def test_more_steps_go_on_from_a_finished_run(tmp_path, data):
    model = with_dropout()
    list(checkpoint.resumable(tmp_path / "run", model, data, CONFIG))
    longer = dataclasses.replace(CONFIG, steps=20)
    again = with_dropout()
    steps = [step for step, _ in checkpoint.resumable(tmp_path / "run", again, data, longer)]
    straight = with_dropout()
    list(train(straight, data, longer))
    assert steps == list(range(12, 21)) and same(again, straight)


def test_another_setting_or_text_is_refused_by_name_and_nothing_changes(tmp_path, data):
    list(checkpoint.resumable(tmp_path / "run", with_dropout(), data, CONFIG))
    stored = (tmp_path / "run").read_bytes()
    other = dataclasses.replace(CONFIG, learning_rate=0.5)
    with pytest.raises(ValueError, match="another learning_rate"):
        list(checkpoint.resumable(tmp_path / "run", with_dropout(), data, other))
    with pytest.raises(ValueError, match="another text"):
        list(checkpoint.resumable(tmp_path / "run", with_dropout(), (data[1], data[0]), CONFIG))
    assert (tmp_path / "run").read_bytes() == stored


@pytest.mark.parametrize(
    ("sizes", "words"),
    [
        ((11, 9), r"0\.weight is \(11, 8\) in the file and \(11, 9\) in the model"),
        ((12, 8), r"0\.weight"),
    ],
)
def test_a_checkpoint_of_another_shape_is_refused_and_the_model_stays(tmp_path, sizes, words):
    checkpoint.save(tmp_path / "m", with_dropout())
    model = nn.Sequential(nn.Embedding(*sizes), nn.Dropout(), nn.Linear(sizes[1], sizes[0]))
    before = [p.clone() for p in model.parameters()]
    with pytest.raises(ValueError, match=words):
        checkpoint.load(tmp_path / "m", model)
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters()))


def test_missing_and_surplus_weights_are_named(tmp_path):
    checkpoint.save(tmp_path / "m", nn.Linear(2, 2))
    with pytest.raises(ValueError, match=r"bias is \(2,\) in the file and missing in the model"):
        checkpoint.load(tmp_path / "m", nn.Linear(2, 2, bias=False))
    checkpoint.save(tmp_path / "m", nn.Linear(2, 2, bias=False))
    with pytest.raises(ValueError, match=r"bias is missing in the file and \(2,\) in the model"):
        checkpoint.load(tmp_path / "m", nn.Linear(2, 2))


@pytest.mark.parametrize("keep", [0, 4, 60, -1])
def test_a_truncated_checkpoint_gets_a_sentence(tmp_path, keep):
    checkpoint.save(tmp_path / "m", nn.Linear(20, 20))
    (tmp_path / "m").write_bytes((tmp_path / "m").read_bytes()[:keep])
    with pytest.raises(ValueError, match="not a whole checkpoint"):
        checkpoint.load(tmp_path / "m", nn.Linear(20, 20))


def test_a_missing_checkpoint_gets_a_sentence(tmp_path):
    with pytest.raises(FileNotFoundError, match="no checkpoint"):
        checkpoint.load(tmp_path / "none", nn.Linear(2, 2))


def test_a_crash_while_saving_leaves_the_old_file_whole(tmp_path, monkeypatch):
    model = nn.Linear(2, 2)
    checkpoint.save(tmp_path / "m", model, {"step": 1})

    def crash(tensors, path, metadata):
        path.write_bytes(b"half")
        raise OSError("No space left on device")

    monkeypatch.setattr(checkpoint, "save_file", crash)
    with pytest.raises(OSError, match="space"):
        checkpoint.save(tmp_path / "m", model, {"step": 2})
    assert checkpoint.load(tmp_path / "m", nn.Linear(2, 2)) == {"step": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["m"]

import dataclasses
import json

import pytest
import torch
import torch.nn as nn
from safetensors import safe_open
from safetensors.torch import save_file

from gptlib.instruments.models import checkpoint
from gptlib.instruments.models.pretrained import load_gpt
from gptlib.model import GPT, GPTConfig
from gptlib.modern import ModernConfig, ModernGPT
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


def modern(dropout=0.3):
    torch.manual_seed(3)
    return ModernGPT(GPTConfig(11, 5, 8, 2, 1, dropout))


MODERN = ModernConfig(steps=9, batch_size=4, block_size=5, eval_every=5, eval_batches=1, warmup=3)


@pytest.mark.parametrize("stop", [1, 4, 8])
def test_a_modern_run_with_dropout_and_two_optimizers_resumes_bit_for_bit(tmp_path, data, stop):
    straight = modern()
    list(train(straight, data, MODERN))
    for step, _ in checkpoint.resumable(tmp_path / "run", modern(), data, MODERN, save_every=1):
        if step == stop:
            break
    torch.manual_seed(99)
    resumed = modern()
    steps = [step for step, _ in checkpoint.resumable(tmp_path / "run", resumed, data, MODERN)]
    assert steps[0] == stop and same(straight, resumed)


def test_another_schedule_from_the_start_is_refused_and_the_same_one_continued(tmp_path, data):
    for step, _ in checkpoint.resumable(tmp_path / "run", modern(), data, MODERN, save_every=1):
        if step == 4:
            break
    longer = dataclasses.replace(MODERN, steps=20)
    with pytest.raises(ValueError, match="one of 20 would have had other learning rates"):
        list(checkpoint.resumable(tmp_path / "run", modern(), data, longer))


def test_fewer_steps_than_there_were_are_refused_instead_of_doing_nothing(tmp_path, data):
    list(checkpoint.resumable(tmp_path / "run", with_dropout(), data, CONFIG))
    fewer = dataclasses.replace(CONFIG, steps=5)
    with pytest.raises(ValueError, match="has had 12 steps, and 5 are asked for"):
        list(checkpoint.resumable(tmp_path / "run", with_dropout(), data, fewer))


def changed(path, **about):
    """The checkpoint at path with another note."""
    old, tensors = checkpoint.read(path)
    save_file(tensors, path, metadata={"about": json.dumps(old | about)})


def test_a_run_on_another_kind_of_device_is_refused_and_a_macs_run_on_its_cpu_goes_on(
    tmp_path, data
):
    path = tmp_path / "run"
    list(checkpoint.resumable(path, with_dropout(), data, CONFIG))
    about, tensors = checkpoint.read(path)
    assert [name for name in tensors if name.startswith("random")] == ["random.cpu"]
    changed(path, run=about["run"] | {"device": "mps"})
    with pytest.raises(ValueError, match="another device"):
        list(checkpoint.resumable(path, with_dropout(), data, CONFIG))


@pytest.mark.parametrize("about", [{"run": 3}, {"step": "4"}, {"run": None, "step": 4}])
def test_a_file_that_no_run_saved_is_not_gone_on_from(tmp_path, data, about):
    path = tmp_path / "run"
    list(checkpoint.resumable(path, with_dropout(), data, CONFIG))
    changed(path, **about)
    model = with_dropout()
    with pytest.raises(ValueError, match="cannot be gone on from"):
        list(checkpoint.resumable(path, model, data, CONFIG))
    assert same(model, with_dropout())


def test_a_run_of_the_first_edition_gets_a_sentence(tmp_path, data):
    note = {"step": 5, "run": {"steps": 12}}
    checkpoint.save(tmp_path / "run", with_dropout(), note, {"random.mps": torch.zeros(3)})
    with pytest.raises(ValueError, match=r"no run of this edition saved it; .* checkpoint\.load"):
        list(checkpoint.resumable(tmp_path / "run", with_dropout(), data, CONFIG))


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


def first_editions_names(model):
    """model's weights under the names of the first edition: a body of dropout, blocks and norm."""
    L, renamed = len(model.blocks), {}
    for name, tensor in model.state_dict().items():
        first, _, rest = name.partition(".")
        if first == "blocks":
            number, _, rest = rest.partition(".")
            name = f"body.{int(number) + 1}.{rest}"
        elif first == "norm":
            name = f"body.{L + 1}.{rest}"
        renamed[f"model.{name}"] = tensor
    return renamed


@pytest.mark.parametrize("kind", [GPT, ModernGPT])
def test_a_model_saved_in_the_first_edition_loads(tmp_path, kind):
    torch.manual_seed(0)
    model = kind(GPTConfig(3, 4, 8, 2, 12))
    for weight in model.parameters():
        torch.nn.init.normal_(weight)
    note = {"sizes": vars(model.config), "alphabet": "xyz"}
    note |= {"kind": "ModernGPT"} if kind is ModernGPT else {}
    save_file(first_editions_names(model), tmp_path / "m", metadata={"about": json.dumps(note)})
    loaded, tokenizer = load_gpt(tmp_path / "m")
    assert type(loaded) is kind and same(loaded, model) and tokenizer.decode([2]) == "z"
    other = kind(model.config)
    checkpoint.load(tmp_path / "m", other)
    assert same(other, model)


HOSTILE = [
    {"sizes": 5},
    {"sizes": {"vocab_size": 10**9}},
    {"sizes": {"n_layer": 10**9}},
    {"sizes": {"n_embd": 10**12, "n_head": 1}},
    {"sizes": {"block_size": 10**12}},
    {"sizes": {"dropout": "half"}},
    {"sizes": {"size": 3}},
    {"alphabet": 7},
    {"alphabet": ["ab"]},
    {"kind": "os.system"},
    {"kind": ["GPT"]},
]


@pytest.mark.parametrize("note", HOSTILE, ids=str)
def test_a_note_that_does_not_fit_its_weights_gets_a_sentence_and_builds_nothing(tmp_path, note):
    model = GPT(GPTConfig(3, 4, 8, 2, 1))
    about = {"sizes": vars(model.config), "alphabet": "xyz"}
    if isinstance(note.get("sizes"), dict):
        note = {"sizes": about["sizes"] | note["sizes"]}
    checkpoint.save(tmp_path / "m", model, about | note)
    with pytest.raises(ValueError, match=r"^'.*m' (has a note that makes no model|says )"):
        load_gpt(tmp_path / "m")


def test_a_note_that_is_no_dict_gets_a_sentence(tmp_path):
    save_file({"model.w": torch.zeros(1)}, tmp_path / "m", metadata={"about": "[1, 2]"})
    with pytest.raises(ValueError, match="has a note that save does not write"):
        checkpoint.read(tmp_path / "m")


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

import base64
import dataclasses
import io
import signal
from concurrent.futures import ThreadPoolExecutor

import ipywidgets
import numpy as np
import pytest
import torch
from PIL import Image

from gptlib.bigram import BigramLanguageModel
from gptlib.instruments.measure import timing
from gptlib.instruments.measure.baselines import counted_baselines
from gptlib.instruments.models import subwords
from gptlib.instruments.models.checkpoint import resumable
from gptlib.instruments.show import plots, progress, widgets
from gptlib.instruments.show.picture import Picture, description_in, few_colours
from gptlib.instruments.show.progress import Clock, NotebookPanel, minutes, watch
from gptlib.tokenizer import CharTokenizer
from gptlib.train import TrainConfig, full_loss, train

MATRIX = np.array([[0.2, 0.8], [1.0, 0.0]])


def pixels(png):
    found = Image.open(io.BytesIO(png)).convert("RGBA")
    return np.asarray(Image.alpha_composite(Image.new("RGBA", found.size, "white"), found))


def test_the_same_data_gives_the_same_bytes_and_other_data_others():
    draw = lambda matrix: plots.heatmap(matrix, "ab", "cd", "a title", numbers=".1f").png()  # noqa: E731
    assert draw(MATRIX) == draw(MATRIX) != draw(MATRIX.T)


@pytest.mark.parametrize("make", [
    lambda m: plots.heatmap(m, "ab", "cd", "t", numbers=".1f", top=1),
    lambda m: plots.bars(m[0], "ab", "t", top=1),
    lambda m: plots.side_by_side({"one": m, "two": m}, "ab", "cd", numbers=".1f", top=1),
])  # fmt: skip
def test_the_fast_redraw_shows_what_a_new_picture_would(make):
    moved = make(MATRIX)
    data = (
        MATRIX.T[0]
        if "bars" in repr(moved)
        else [MATRIX.T] * 2
        if "one" in repr(moved)
        else MATRIX.T
    )
    fast, whole = pixels(moved.png_of(data)), pixels(make(MATRIX.T).png())
    assert (np.abs(fast.astype(int) - whole).max(axis=2) > 40).mean() < 0.01


def test_a_picture_is_twice_as_sharp_as_its_size_on_the_page_and_has_no_background():
    picture = plots.heatmap(MATRIX, "ab", "cd", "t")
    data, size = picture._repr_mimebundle_()
    found = pixels(base64.b64decode(data["image/png"]))
    width, height = size["image/png"]["width"], size["image/png"]["height"]
    assert found.shape == (2 * height, 2 * width, 4) and (found[0, 0] == 255).all()
    assert (
        Image.open(io.BytesIO(base64.b64decode(data["image/png"])))
        .convert("RGBA")
        .getpixel((0, 0))[3]
        == 0
    )


def test_few_colours_are_close_to_the_many_and_fit_a_palette():
    ramp = np.zeros((16, 4096, 4), dtype=np.uint8)
    ramp[..., :3] = np.random.default_rng(0).integers(0, 256, (16, 4096, 3))
    ramp[..., 3] = 255
    few = np.asarray(few_colours(ramp).convert("RGBA")).astype(int)
    assert len(np.unique(few.reshape(-1, 4), axis=0)) <= 256 and np.abs(few - ramp).max() < 64
    plain = plots.heatmap(MATRIX, "ab", "cd", "t", numbers=".1f")
    plain.canvas.draw()
    exact = plain._pixels().astype(int)
    few = np.asarray(few_colours(plain._pixels()).convert("RGBA")).astype(int)
    seen = exact[..., 3] > 128
    assert np.abs(few - exact)[seen].max() <= 16


def test_invisible_characters_are_made_visible():
    assert plots.visible("a b\n\t") == ["a", "␣", "b", "↵", "⇥"]


@pytest.mark.parametrize(("log_x", "xs", "shown"), [
    (True, [1, 4, 1024], {"1", "4", "1,024"}),
    (10, [1.0, 0.1, 0.001], {"1", "0.1", "0.001"}),
])  # fmt: skip
def test_a_logarithmic_axis_is_labelled_with_plain_numbers(log_x, xs, shown):
    picture = plots.curves({"line": (xs, xs)}, log_x=log_x)
    picture.png()
    assert shown <= {label.get_text() for label in picture.axes[0].get_xticklabels()}


# what a reader without red or green cones sees, in linear RGB (Machado, Oliveira and Fernandes 2009, severity 1)
PROTANOPIA = [
    [0.152286, 1.052583, -0.204868],
    [0.114503, 0.786281, 0.099216],
    [-0.003882, -0.048116, 1.051998],
]
DEUTERANOPIA = [
    [0.367322, 0.860646, -0.227968],
    [0.280085, 0.672501, 0.047413],
    [-0.011820, 0.042940, 0.968881],
]


@pytest.mark.parametrize("seen_by", [np.eye(3), np.array(PROTANOPIA), np.array(DEUTERANOPIA)])
@pytest.mark.parametrize("together", [("query", "key", "value", "x"), ("train", "val", "sample")])
def test_colours_that_stand_together_are_told_apart_without_full_colour_vision(seen_by, together):
    codes = [
        [int(plots.COLOURS[name][i : i + 2], 16) / 255 for i in (1, 3, 5)] for name in together
    ]
    seen = np.clip(np.array(codes) ** 2.2 @ seen_by.T, 0, 1) ** (1 / 2.2)
    gaps = [np.linalg.norm(a - b) for i, a in enumerate(seen) for b in seen[:i]]
    assert min(gaps) > 0.15


def test_a_moved_slider_changes_the_image_and_a_bad_value_leaves_the_last_good_one():
    def data(scale):
        if scale > 0.9:
            raise ValueError("too much <b>")
        return MATRIX * scale

    live = widgets.Live(
        plots.heatmap(MATRIX, top=1), data, scale=widgets.slider(0.0, 1.0, 0.5, 0.1)
    )
    first = live.image.value
    live.controls["scale"].value = 0.2
    second = live.image.value
    assert first != second and np.allclose(live.shown, MATRIX * 0.2)
    live.controls["scale"].value = 1.0
    assert live.image.value == second and live.image.sentence == "too much <b>"
    live.controls["scale"].value = 0.5
    assert live.image.value == first and live.image.sentence == ""


def test_a_live_picture_carries_a_still_one_and_words_for_places_without_widgets():
    live = widgets.Live(
        plots.heatmap(MATRIX, title="weights"), lambda s: MATRIX, s=widgets.slider(0, 3, 1)
    )
    bundle, size = live._repr_mimebundle_()
    assert (pixels(base64.b64decode(bundle["image/png"])) == pixels(live.picture.png())).all()
    assert size["image/png"] == dict(zip(("width", "height"), live.picture.size))
    assert bundle["text/plain"] == "[picture: weights, 2 × 2] with s"


def test_the_training_picture_draws_each_loss_under_its_own_name_and_colour():
    history = [(0, {"train": 4.0, "val": 4.5}), (10, {"train": 2.0, "val": 3.0})]
    lines = {line.get_label(): line for line in plots.losses(history).axes[0].lines}
    assert lines["train"].get_ydata().tolist() == [4, 2] and lines["val"].get_ydata().tolist() == [
        4.5,
        3,
    ]
    assert {name: lines[name].get_color() for name in lines} == {n: plots.COLOURS[n] for n in lines}


def test_a_picture_carries_what_it_draws_and_shows_in_its_words():
    lines = {"train": ([0, 1], [3.0, 2.0]), "val": ([0, 1], [3.0, 2.5])}
    picture = plots.curves(lines, "a title", "step", "loss", baselines={"uniform": 4.17})
    (found,) = description_in(picture.png())
    assert found["words"] == ["a title", "step", "loss"] and "uniform 4.17" in found["texts"]
    assert found["legend"] == [["train", "#56b4e9"], ["val", "#d55e00"]]
    assert found["lines"][1][0] == "val" and found["lines"][1][-1] == [3.0, 2.5]
    (found,) = description_in(plots.heatmap(MATRIX, "ab", "cd").png())
    assert found["ticks"] == [["c", "d"], ["a", "b"]] and found["images"][0][0] == [2, 2]
    (found,) = description_in(plots.bars([1, 2], "ab").png())
    assert [bar[-1] for bar in found["bars"]] == [1, 2]


def test_live_text_escapes_what_is_typed_and_reports_bad_input():
    def data(line):
        return widgets.token_boxes(CharTokenizer().encode(line) and list(line))

    live = widgets.LiveHTML("boxes", data, line=widgets.text_box("a & b"))
    assert "&amp;" in live.shown and "5 tokens" in live.html.value
    live.controls["line"].value = "é"
    assert "&#x27;é&#x27;" in live.sentence.value and "5 tokens" in live.html.value
    assert not any(isinstance(part, ipywidgets.Image) for part in live.box.children)


def test_counted_baselines_are_what_the_counted_models_score():
    tokens = torch.randint(6, (900,), generator=torch.Generator().manual_seed(0))
    data = tokens[:800], tokens[800:]
    pairs = torch.ones(6, 6)
    for a, b in zip(data[0], data[0][1:]):
        pairs[a, b] += 1
    model = BigramLanguageModel(6)
    model.token_embedding_table.weight.data = (pairs / pairs.sum(1, keepdim=True)).log()
    marks = counted_baselines(data, 6)
    assert abs(marks["counted bigram"] - full_loss(model, data[1], 7)) < 1e-5
    single = (torch.bincount(data[0], minlength=6) + 1.0).log()
    model.token_embedding_table.weight.data = single.expand(6, 6).clone()
    assert abs(marks["letter frequencies"] - full_loss(model, data[1], 7)) < 1e-5


TINY = TrainConfig(steps=6, batch_size=2, block_size=3, eval_every=3, eval_batches=1)


def training():
    tokens = torch.arange(40) % 7
    return train(BigramLanguageModel(7), (tokens, tokens), TINY)


def test_watching_hands_on_every_pair_and_leaves_one_tidy_line(capsys):
    pairs = list(watch(training(), TINY.steps))
    said = capsys.readouterr()
    assert [step for step, _ in pairs] == list(range(7))
    assert (
        said.out == "" and said.err.count("\n") == 1 and said.err.startswith("step 6 of 6 · train ")
    )


def long_training(model, steps=40):
    tokens = torch.arange(40) % 7
    config = dataclasses.replace(TINY, steps=steps)
    return train(model, (tokens, tokens), config)


def seeded_bigram():
    torch.manual_seed(0)
    return BigramLanguageModel(7)


def interrupted_at(step, training):
    """training, with an interrupt, such as Ctrl-C sends, before that step is handed over."""
    for pair in training:
        if pair[0] == step:
            signal.raise_signal(signal.SIGINT)
        yield pair


def test_an_interrupted_training_goes_on_as_if_it_had_not_been(capsys):
    straight, model = seeded_bigram(), seeded_bigram()
    losses = [pair for pair in long_training(straight) if pair[1]]
    watched = watch(interrupted_at(17, long_training(model)), 40)
    first = [step for step, _ in watched]
    assert first == list(range(18)) and "stopped at step 17; the" in capsys.readouterr().err
    second = [step for step, _ in watched]
    assert second == list(range(18, 41)) and "step 40 of 40 · train" in capsys.readouterr().err
    assert watched.history == losses
    assert torch.equal(*(m.token_embedding_table.weight for m in (straight, model)))


def test_a_second_interrupt_does_not_wait_and_the_program_goes_on(capsys):
    watched = watch(interrupted_at(4, interrupted_at(4, training())), TINY.steps)
    assert [step for step, _ in watched] == [0, 1, 2, 3]
    assert "stopped at step 3; the model keeps" in capsys.readouterr().err
    assert list(watched) == [] and "this training ended at step 3" in capsys.readouterr().err


def test_outside_a_step_an_interrupt_is_what_it_was():
    before = signal.getsignal(signal.SIGINT)
    for _ in watch(training(), TINY.steps):
        assert signal.getsignal(signal.SIGINT) is before


def test_a_training_can_be_watched_in_another_thread_which_no_interrupt_reaches():
    with ThreadPoolExecutor() as pool:
        assert len(pool.submit(lambda: list(watch(training(), TINY.steps))).result()) == 7


def test_a_loop_that_is_left_finishes_its_panel_and_can_be_taken_up_again(capsys):
    watched = watch(training(), TINY.steps)
    for step, _ in watched:
        if step == 2:
            break
    assert "left at step 2; the model keeps" in capsys.readouterr().err
    assert [step for step, _ in watched] == [3, 4, 5, 6]


def test_a_stopped_run_on_disk_goes_on_too(tmp_path):
    tokens, straight, resumed = torch.arange(40) % 7, seeded_bigram(), seeded_bigram()
    list(train(straight, (tokens, tokens), TINY))

    def run(model):
        return resumable(tmp_path / "run", model, (tokens, tokens), TINY, save_every=1)

    list(watch(interrupted_at(4, run(seeded_bigram())), TINY.steps))
    assert [step for step, _ in watch(run(resumed), TINY.steps)] == [4, 5, 6]
    assert torch.equal(*(m.token_embedding_table.weight for m in (straight, resumed)))


def test_an_error_in_training_finishes_the_panel_and_goes_on(capsys):
    def failing():
        yield 0, {}
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        list(watch(failing(), 10))
    assert capsys.readouterr().err.startswith("step 0 of 10")


def test_the_time_left_after_a_resume_counts_only_the_steps_seen(monkeypatch):
    ticks = iter([100.0, 100.0, 104.0])
    monkeypatch.setattr(progress.time, "perf_counter", lambda: next(ticks))
    clock = Clock(1000)
    assert clock.left(900) is None  # resumed there
    assert clock.left(940) == 4.0 / 40 * 60


@pytest.fixture
def panels(monkeypatch):
    """As in a notebook: (the panels that watch makes, what is displayed), as lists that fill."""
    made, shown = [], []
    monkeypatch.setattr("IPython.display.display", lambda thing, **_: shown.append(thing))
    monkeypatch.setattr(progress, "in_notebook", lambda: True)
    keep = lambda *arguments: made.append(NotebookPanel(*arguments)) or made[-1]  # noqa: E731
    monkeypatch.setattr(progress, "NotebookPanel", keep)
    return made, shown


def parts(box):
    """All widgets in a box."""
    return [box] + [part for child in getattr(box, "children", ()) for part in parts(child)]


def test_the_notebook_panel_shows_bar_words_curve_and_text_and_leaves_a_still_curve(panels):
    made, shown = panels
    for step, _ in watch(training(), TINY.steps, sample=lambda: "a <b> & c"):
        (panel,) = made
        assert (panel.curve in parts(panel.box)) == (step >= 3)  # two losses make a curve
        if step == 3:
            curve = panel.curve.value
            assert panel.bar.value == 3 and "step 3 of 6 · train" in panel.words.value
    assert curve != panel.curve.value and pixels(curve).shape == pixels(panel.curve.value).shape
    assert panel.sample.value == "<pre>a &lt;b&gt; &amp; c</pre>"
    assert list(shown[0]) == [widgets.WIDGET_VIEW] and isinstance(shown[1], Picture)


def test_the_stop_button_ends_the_loop_and_the_next_panel_goes_on_with_the_curve(panels):
    made, _ = panels
    watched = watch(training(), TINY.steps)
    for step, _ in watched:
        (panel,) = made
        assert panel.button in parts(panel.box)
        if step == 4:
            panel.button.click()
    assert step == 4 and "stopped at step 4; the model keeps" in panel.words.value
    assert panel.button not in parts(panel.box)
    for _ in watched:
        assert made[1].curve in parts(made[1].box)
    assert watched.step == 6 and [step for step, _ in watched.history] == [0, 3, 6]


def test_a_sample_is_asked_for_at_every_evaluation_only():
    asked = []
    list(watch(training(), TINY.steps, sample=lambda: asked.append(1) or "text"))
    assert len(asked) == 3


def test_minutes():
    assert (minutes(75.9), minutes(5), minutes(3600)) == ("1:15", "0:05", "60:00")


def test_gpt2_pieces_are_those_of_the_published_vocabulary():
    gpt2 = subwords.gpt2()
    assert gpt2.n_vocab == 50_257
    assert gpt2.encode("hello world") == [31373, 995]
    assert subwords.pieces(gpt2, "hello world") == ["hello", " world"]


TEXT = "Where is Romeo, my Romeo?\n"


def test_pieces_put_together_are_the_text():
    bpe = subwords.train_bpe(TEXT * 20, 280)
    for tokenizer in (CharTokenizer.from_text(TEXT), bpe, subwords.gpt2()):
        assert "".join(subwords.pieces(tokenizer, TEXT)) == TEXT


@pytest.fixture(scope="module")
def any_text():
    """Tokenizers that promise to take any text: ours, learned from a text without digits, and GPT-2's."""
    return subwords.with_all_bytes(subwords.train_bpe(TEXT * 20, 40)), subwords.gpt2()


@pytest.mark.parametrize(
    "typed", ["chào", "1623", "<img src=x onerror=alert(1)>", "春はあけぼの 👍🏽", "\x00\t", ""]
)
def test_whatever_is_typed_comes_back_byte_for_byte(any_text, typed):
    for tokenizer in any_text:
        assert b"".join(subwords.pieces_in_bytes(tokenizer, typed)) == typed.encode()
    ours, _ = any_text
    assert ours.decode(ours.encode(typed).ids) == typed


def test_a_part_of_a_character_is_shown_as_its_bytes(any_text):
    assert subwords.pieces(any_text[0], "chào") == ["c", "h", "C3", "A0", "o"]


def test_the_added_bytes_change_nothing_of_what_was_learned(any_text):
    before = subwords.train_bpe(TEXT * 20, 40)
    assert any_text[0].encode(TEXT).ids == before.encode(TEXT).ids
    single = {token for token in any_text[0].get_vocab() if len(token) == 1}
    assert len(single) == 256 and any_text[0].get_vocab_size() == before.get_vocab_size() + len(
        single - set(before.get_vocab())
    )


def test_the_signs_of_bytes_are_those_of_the_tokenizers_library():
    from tokenizers.pre_tokenizers import ByteLevel

    assert sorted(subwords.BYTE_SIGNS.values()) == sorted(ByteLevel.alphabet())
    for byte, sign in subwords.BYTE_SIGNS.items():
        if byte < 128:  # a byte of its own in UTF-8
            ((found, _),) = ByteLevel(add_prefix_space=False, use_regex=False).pre_tokenize_str(
                chr(byte)
            )
            assert found == sign


def test_what_takes_turns_counts_with_the_middle_of_its_rounds_and_its_better_number_of_threads(
    monkeypatch,
):
    monkeypatch.setattr(timing.os, "cpu_count", lambda: 2)
    before, asked = torch.get_num_threads(), []
    took = iter([3, 10, 1, 10, 2, 10, 5, 7, 4, 7, 9, 7])  # one thread, then two; a, b, a, b, a, b
    monkeypatch.setattr(timing, "seconds", lambda way: (way(), next(took))[1])
    ways = {name: lambda name=name: asked.append((name, torch.get_num_threads())) for name in "ab"}
    assert timing.fastest(ways, rounds=3) == {"a": 2, "b": 7}
    assert asked == [("a", 1), ("b", 1)] * 3 + [("a", 2), ("b", 2)] * 3
    assert torch.get_num_threads() == before

"""Pictures, the controls over them, and times that take turns."""

import base64
import io

import ipywidgets
import numpy as np
import pytest
import torch
from PIL import Image

from gptlib.bigram import BigramLanguageModel
from gptlib.instruments.measure import timing
from gptlib.instruments.measure.baselines import counted_baselines
from gptlib.instruments.show import plots, widgets
from gptlib.instruments.show.picture import description_in, frequent_colours
from gptlib.tokenizer import CharTokenizer
from gptlib.train import full_loss

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


def test_a_picture_keeps_its_frequent_colours_exactly_and_fits_a_palette():
    shades = plots.heatmap(np.linspace(0, 1, 400).reshape(20, 20), "", "", "t")
    shades.canvas.draw()
    exact = shades._pixels().astype(int)
    few = np.asarray(frequent_colours(shades._pixels()).convert("RGBA")).astype(int)
    assert len(np.unique(few.reshape(-1, 4), axis=0)) <= 256
    seen = exact[..., 3] > 128
    apart = np.abs(few - exact)[seen].max(axis=-1)
    assert (apart == 0).mean() > 0.95 and apart.mean() < 0.5


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


def test_curves_redraw_each_line_with_its_new_heights_and_leave_the_baselines():
    lines = {"one": ([0, 1], [1.0, 2.0]), "other": ([0, 1], [3.0, 4.0])}
    picture = plots.curves(lines, baselines={"counted bigram": 2.5})
    picture.draw_data([[5.0, 6.0], [7.0, 8.0]])
    heights = [list(line.get_ydata()) for line in picture.axes[0].lines]
    assert heights == [[5, 6], [7, 8], [2.5, 2.5]]


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

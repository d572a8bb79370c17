"""Attention pictures: tokens on both axes, the weights where they belong, one scale for all."""

import numpy as np

from gptlib.instruments.show import patterns, widgets

WEIGHTS = np.array([[1.0, 0.0, 0.0], [0.25, 0.75, 0.0], [0.2, 0.3, 0.5]])
OTHER = np.eye(3)


def labels(axes):
    return [
        [label.get_text() for label in axis.get_ticklabels()] for axis in (axes.yaxis, axes.xaxis)
    ]


def test_a_pattern_has_its_tokens_on_both_axes_and_its_weights_in_their_places():
    axes = patterns.pattern(WEIGHTS, "a b").axes[0]
    assert labels(axes) == [["a", "␣", "b"]] * 2
    assert (axes.get_ylabel(), axes.get_xlabel()) == ("query", "key")
    assert np.array_equal(axes.images[0].get_array(), WEIGHTS)


def test_queries_and_keys_may_be_different_tokens():
    axes = patterns.pattern(WEIGHTS[:2], "xy", keys="abc").axes[0]
    assert labels(axes) == [["x", "y"], ["a", "b", "c"]]


def test_all_patterns_share_one_scale_from_0_to_1_whatever_their_weights():
    found = patterns.patterns({"one": 0.1 * WEIGHTS, "other": OTHER}, "abc")
    assert {axes.images[0].get_clim() for axes in found.axes[:2]} == {(0, 1)}
    assert [axes.get_title() for axes in found.axes[:2]] == ["one", "other"]
    assert found.axes[-1].get_ylabel() == "attention weight"  # the color bar


def test_a_square_that_is_marked_has_a_frame_around_it():
    (frame,) = patterns.pattern(WEIGHTS, "abc", marked=[(2, 1)]).axes[0].patches
    assert frame.get_bbox().bounds == (0.5, 1.5, 1, 1)  # column 1, row 2


def test_a_weight_that_is_not_a_number_leaves_its_square_blank():
    axes = patterns.pattern(np.where(WEIGHTS, WEIGHTS, np.nan), "abc", numbers=".2f").axes[0]
    words = [text.get_text() for text in axes.texts]
    assert words == ["1.00", "", "", "0.25", "0.75", "", "0.20", "0.30", "0.50"]


def test_a_live_pattern_shows_the_new_weights():
    for picture, new in (
        (patterns.pattern(WEIGHTS, "abc"), OTHER),
        (patterns.patterns({"one": WEIGHTS, "two": WEIGHTS}, "abc"), {"one": OTHER, "two": OTHER}),
    ):
        live = widgets.Live(picture, lambda t, new=new: new, t=widgets.slider(0, 1, 0))
        live.controls["t"].value = 1
        assert all(np.array_equal(axes.images[0].get_array(), OTHER) for axes in picture.axes[:-1])

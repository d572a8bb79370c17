"""Watching a training: what one sees, stopping it, going on."""

import dataclasses
import io
import signal
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from PIL import Image

from gptlib.bigram import BigramLanguageModel
from gptlib.instruments.models.checkpoint import resumable
from gptlib.instruments.show import progress, widgets
from gptlib.instruments.show.panel import Clock, NotebookPanel, minutes, summary
from gptlib.instruments.show.picture import Picture
from gptlib.instruments.show.progress import watch
from gptlib.train import TrainConfig, train


def size_of(png):
    return Image.open(io.BytesIO(png)).size


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
    monkeypatch.setattr("time.perf_counter", lambda: next(ticks))
    clock = Clock(1000)
    assert clock.left(900) is None  # resumed there
    assert clock.left(940) == 4.0 / 40 * 60


def test_losses_of_an_earlier_step_are_not_shown_as_those_of_the_present_one():
    history = [(0, {"train": 4.1774, "val": 4.18}), (100, {"train": 2.5, "val": 2.6})]
    assert summary(38, history[:1], Clock(600)) == (
        "step 38 of 600 · at step 0: train 4.177, val 4.180"
    )
    assert summary(100, history, Clock(600)) == "step 100 of 600 · train 2.500, val 2.600"


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
    assert curve != panel.curve.value and size_of(curve) == size_of(panel.curve.value)
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

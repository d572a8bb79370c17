"""A long training: scored on the whole validation part on the way, clocked without that, and resumable."""

import time
from dataclasses import asdict, dataclass
from pathlib import Path

from gptlib.instruments.models import checkpoint
from gptlib.instruments.models.pretrained import save_gpt
from gptlib.tokenizer import LECTURE_ALPHABET
from gptlib.train import full_loss

RUN, BEST = "run.safetensors", "best.safetensors"


@dataclass(frozen=True)
class Score:
    """How a training stood after so many steps: its loss on the whole validation part, and what it had taken so far.

    cpu_minutes are summed over threads, minutes are the clock's; both without the scoring.
    """

    step: int
    full_loss: float
    cpu_minutes: float
    minutes: float


class Clock:
    """CPU and wall time in minutes of what happens inside `with`; goes on from what an earlier one had."""

    def __init__(self, cpu_minutes=0.0, minutes=0.0):
        self.cpu_minutes, self.minutes = cpu_minutes, minutes

    def __enter__(self):
        self.began = time.process_time(), time.perf_counter()

    def __exit__(self, *_):
        cpu, wall = self.began
        self.cpu_minutes += (time.process_time() - cpu) / 60
        self.minutes += (time.perf_counter() - wall) / 60


def scored(folder, model, data, config, every, scores):
    """`train`, which also fills scores, a list of Score; in folder it keeps RUN, to go on from, and BEST.

    every: steps between two scores; a last one is at the end. BEST has the weights of the lowest. data: (train tokens,
    val tokens), each (N,) long.
    """
    run, best = Path(folder) / RUN, Path(folder) / BEST
    before = checkpoint.read(run)[0].get("note", {}) if is_begun(folder) else {}
    scores[:] = [Score(**score) for score in before.get("scores", [])]
    clock = Clock(**before.get("clock", {}))

    def note():
        spent = {"cpu_minutes": clock.cpu_minutes, "minutes": clock.minutes}
        return {"scores": [asdict(score) for score in scores], "clock": spent}

    steps = checkpoint.resumable(run, model, data, config, every, note=note)
    while True:
        with clock:
            step, losses = next(steps, (None, None))
        if step is None:
            return
        if step and (step % every == 0 or step == config.steps):
            scores.append(score_of(model, data, step, clock))
            if scores[-1] == min(scores, key=lambda score: score.full_loss):
                about = {"step": step, "full_loss": scores[-1].full_loss}
                save_gpt(best, model, LECTURE_ALPHABET, about)
        yield step, losses


def is_begun(folder):
    """Whether folder has something that a training goes on from."""
    return (Path(folder) / RUN).exists()


def score_of(model, data, step, clock):
    """The Score of model after step steps."""
    loss = full_loss(model, data[1], model.block_size)
    return Score(step, round(loss, 4), round(clock.cpu_minutes, 4), round(clock.minutes, 4))

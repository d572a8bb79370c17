"""What an experiment is: a question, the variants that are compared, and the setting under which all of them train."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace

import torch

from gptlib.tokenizer import CharTokenizer
from gptlib.train import TrainConfig


@dataclass(frozen=True)
class Variant:
    """One thing to compare: how to build its model, and what its training changes in the experiment's setting.

    share: how much of the training part it may see, from its beginning. tokenizer: a function of the training text
    that returns something with encode; the lecture's characters unless said. threads: how many its training uses; with
    None it tries and takes the fastest. setting: in place of the experiment's.
    """

    build: Callable
    changes: dict = field(default_factory=dict)
    share: float = 1.0
    tokenizer: Callable = lambda text: CharTokenizer()
    threads: int | None = 1
    setting: TrainConfig | None = None


@dataclass(frozen=True)
class Trained:
    """A trained model with what it was trained and is measured on.

    data: (train tokens, val tokens). characters: how many the val tokens stand for. scores: on the way, if any.
    """

    model: torch.nn.Module
    data: tuple
    config: TrainConfig
    characters: int
    scores: tuple = ()


@dataclass(frozen=True)
class Experiment:
    """A question, its variants, the setting that they share, and how many seeds each gets.

    measures: {column: function(Trained) -> number}, asked of every trained model besides the losses.
    sizes: what the builders use, for the record. timed: the seconds are what is compared, so run one after the other.
    verdict: a function of result rows that says in a line what came out.
    """

    name: str
    question: str
    variants: dict
    setting: TrainConfig
    seeds: int = 5
    sizes: dict = field(default_factory=dict)
    measures: dict = field(default_factory=dict)
    timed: bool = False
    score_every: int | None = None
    verdict: Callable | None = None

    def config(self, variant, seed, steps=None):
        """The TrainConfig of one run."""
        changes = dict(self.variants[variant].changes)
        if steps:
            changes["steps"] = steps
        return replace(self.variants[variant].setting or self.setting, **changes, seed=seed)

    def setting_of(self, variant):
        """What a run of variant depends on besides text, seed, steps and machine, as compact JSON."""
        numbers = asdict(self.config(variant, seed=0))
        del numbers["seed"], numbers["steps"]
        return json.dumps(self.sizes | numbers, sort_keys=True)

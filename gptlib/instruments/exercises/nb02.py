"""Exercises: the loss by hand, top-p, a trigram."""

import torch
import torch.nn.functional as F

from gptlib.instruments.exercises import probes
from gptlib.instruments.exercises.answer import Answer
from gptlib.instruments.exercises.cases import case, numbers
from gptlib.instruments.exercises.grader import Check


def log_p(logits, targets, dim=-1):
    """log softmax over an axis, at the targets, (B, T)."""
    return F.log_softmax(logits, dim=dim).gather(-1, targets[..., None])[..., 0]


def p(logits, targets):
    """The targets' probabilities, (B, T)."""
    return logits.softmax(-1).gather(-1, targets[..., None])[..., 0]


def by_division(logits, targets):
    """The loss with e to the logits spelled out, which divides ∞ by ∞."""
    e = logits.exp()
    return -(e.gather(-1, targets[..., None])[..., 0] / e.sum(-1)).log().mean()


def logits_and_targets(times=1.0):
    """A case: logits of that size and their targets."""
    return lambda: (times * numbers(2, 5, 7), torch.tensor([[3, 1, 4, 1, 5], [2, 6, 5, 3, 0]]))


next_token_loss = Check(
    right=lambda x, y: F.cross_entropy(x.transpose(1, 2), y),
    mistakes={
        "infinite for logits × 200, since a probability became 0: stay in logarithms, F.log_softmax":
            lambda x, y: -p(x, y).log().mean(),
        "nan for logits × 200, since e to them is ∞, and so is the sum: stay in logarithms, F.log_softmax": by_division,
        "something is added before the logarithm, and caps the loss: F.log_softmax needs nothing":
            lambda x, y: -(p(x, y) + 1e-9).log().mean(),
        "probabilities are cut off before the logarithm: F.log_softmax needs no clamp":
            lambda x, y: -p(x, y).clamp(min=1e-10).log().mean(),
        "softmax runs over the positions (T): dim=-1, over the vocabulary": lambda x, y: -log_p(x, y, dim=1).mean(),
        "softmax runs over the batch (B): dim=-1, over the vocabulary": lambda x, y: -log_p(x, y, dim=0).mean(),
        "reshape to (B, V, T) tears the rows apart: transpose(1, 2) exchanges two axes":
            lambda x, y: F.cross_entropy(x.reshape(2, 7, 5), y),
        "the sum in place of the mean: divide by the number of targets": lambda x, y: -log_p(x, y).sum(),
        "the sum over the positions, the mean over the batch: divide by B · T": lambda x, y: -log_p(x, y).sum(1).mean(),
        "the minus is missing: −ln": lambda x, y: log_p(x, y).mean(),
        "the logarithm is missing: −ln of the probability": lambda x, y: -p(x, y).mean(),
        "the logarithm to base 2 gives bits: use log, for nats": lambda x, y: -p(x, y).log2().mean(),
        "the mean is taken before the logarithm: first −ln of each, then the mean": lambda x, y: -p(x, y).mean().log(),
        "that is the perplexity, e to the loss": lambda x, y: (-log_p(x, y).mean()).exp(),
        "the logits are taken as if they were probabilities: softmax first":
            lambda x, y: -x.gather(-1, y[..., None]).mean(),
        "the targets are not used: gather takes theirs out of the vocabulary": lambda x, y: -x.log_softmax(-1).mean(),
        "[..., targets] takes every target at every position: gather takes one each":
            lambda x, y: -x.log_softmax(-1)[..., y].mean(),
        "the targets are shifted once more: get_batch has done it": lambda x, y: -log_p(x[:, :-1], y[:, 1:]).mean(),
        "the last position only: every position has a target": lambda x, y: -log_p(x, y)[:, -1].mean(),
        "one loss for each position: the loss is one number, their mean": lambda x, y: -log_p(x, y),
    },
    cases=(logits_and_targets(), logits_and_targets(200.0)),
    probes=(probes.leaves_input,),
    explanation="the same as F.cross_entropy, for large logits too",
)  # fmt: skip


def by_list(logits, temperature, top_p):
    """Example by example, in plain Python numbers."""
    rows = []
    for scores in (logits[:, -1] / temperature).double().softmax(dim=-1).tolist():
        kept, total = {}, 0.0
        for token in sorted(range(len(scores)), key=lambda i: -scores[i]):
            if total < top_p:
                kept[token] = scores[token]
            total += scores[token]
        rows.append([kept.get(i, 0.0) / sum(kept.values()) for i in range(len(scores))])
    return torch.tensor(rows)


def last(logits, temperature=1.0, dim=-1):
    """The probabilities at the last position."""
    return F.softmax(logits[:, -1] / temperature, dim=dim)


def cut(p, top_p, keep=lambda before, p, top_p: before < top_p, descending=True, back=True):
    """The probabilities with 0 for tokens that are not kept; the arguments name what can go wrong."""
    ordered, order = p.sort(dim=-1, descending=descending)
    ordered = ordered * keep(ordered.cumsum(-1) - ordered, ordered, top_p)
    return torch.zeros_like(p).scatter(-1, order, ordered) if back else ordered


def normalized(p):
    """Rows that add to one."""
    return p / p.sum(-1, keepdim=True)


def nucleus(logits, temperature, top_p, **what):
    """Top-p, with what goes wrong in cut."""
    return normalized(cut(last(logits, temperature), top_p, **what))


def even():
    """Probabilities of 1/2, 1/4 and twice 1/8, whose sums are exact in binary; top_p is one of these sums."""
    return torch.tensor([0.25, 0.125, 0.5, 0.125]).log().repeat(1, 2, 1), 1.0, 0.5


next_probabilities = Check(
    right=by_list,
    mistakes={
        "the logits of the first position are used: the next token follows the last, logits[:, -1]":
            lambda x, t, p: nucleus(x[:, :1], t, p),
        "the logits are multiplied by the temperature: divide": lambda x, t, p: nucleus(x, 1 / t, p),
        "the temperature is left out": lambda x, t, p: nucleus(x, 1.0, p),
        "the temperature divides probabilities: divide the logits, before softmax":
            lambda x, t, p: normalized(cut(last(x) / t, p)),
        "the temperature comes after the cut: divide the logits, before softmax":
            lambda x, t, p: normalized(cut(last(x), p) ** (1 / t)),
        "the token that crosses top_p is dropped: it is the last one kept":
            lambda x, t, p: nucleus(x, t, p, keep=lambda before, one, p: before + one < p),
        "one token too many where the sum is exactly top_p: before < top_p, not <=":
            lambda x, t, p: nucleus(x, t, p, keep=lambda before, one, p: before <= p),
        "the wrong side is kept: sort with descending=True, and keep the most probable":
            lambda x, t, p: nucleus(x, t, p, descending=False),
        "what is left does not add to one: divide by its sum": lambda x, t, p: cut(last(x, t), p),
        "divided by the sum over the batch: each row by its own, dim=-1, keepdim=True":
            lambda x, t, p: cut(last(x, t), p) / cut(last(x, t), p).sum(),
        "softmax of what is left, and dropped tokens come back: divide by the sum":
            lambda x, t, p: cut(last(x, t), p).softmax(-1),
        "the probabilities stay in sorted order: put them back to their tokens, with scatter":
            lambda x, t, p: nucleus(x, t, p, back=False),
        "nothing is cut off: where does top_p come in?": lambda x, t, p: last(x, t),
        "softmax runs over the batch: dim=-1, over the vocabulary":
            lambda x, t, p: normalized(cut(last(x, t, dim=0), p)),
        "every token above top_p is kept, each by itself: it is their sum that has to reach it":
            lambda x, t, p: nucleus(x, t, p, keep=lambda before, one, p: one >= p),
        "all positions come back: only the last one has the next token, (B, V)":
            lambda x, t, p: normalized(cut(F.softmax(x / t, dim=-1), p)),
    },
    cases=(
        case((3, 4, 9), rest=(0.7, 0.8)),
        lambda: (2 * numbers(2, 3, 7, seed=4), 1.5, 0.6),
        lambda: (5 * numbers(2, 1, 5, seed=5), 1.0, 0.1),
        even,
    ),
    probes=(probes.leaves_input,),
    explanation="the last position, sharpened, cut off behind the token that reaches top_p, adding to one",
)  # fmt: skip

# counted: 2.0338 with 0.1, 2.0343 with 0.07 and 2.0342 with 0.15; 2.0355 with 0.05, 2.0353 with 0.2
ANY = (0.0, 5.0)
trigram = Answer(
    right=((0.07, 0.15), (2.033, 2.035)),
    mistakes={
        "with one added to each count, rare rows are mostly ones: try smaller constants": ((0.16, 2.0), (2.035, 2.10)),
        "smaller is not always better: a pair that came once says little, try 0.1": ((0.0, 0.06), (2.035, 2.20)),
        "with nothing added, what never came has probability 0 and loss ∞": (0, (10.0, float("inf"))),
        "that is the loss on the training part: score the validation part": (ANY, (1.8, 2.029)),
        "that is the bigram's loss: the row is chosen by two characters": (ANY, (2.47, 2.50)),
        "that is in bits: log, for nats": (ANY, (2.92, 2.95)),
    },
    expected="the best constant, to one significant digit, and its loss, to three decimals",
    explanation="0.45 below the bigram",
)  # fmt: skip

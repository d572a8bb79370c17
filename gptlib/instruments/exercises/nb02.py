"""Exercises: the loss by hand, top-p, a trigram."""

import math
from functools import partial

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


def capped(logits, targets, least):
    """The loss with something added to each probability."""
    return -(p(logits, targets) + least).log().mean()


def clamped(logits, targets, least):
    """The loss with probabilities of at least so much."""
    return -p(logits, targets).clamp(min=least).log().mean()


def logits_and_targets(times=1.0):
    """A case: logits of that size and their targets."""
    return lambda: (times * numbers(2, 5, 7), torch.tensor([[3, 1, 4, 1, 5], [2, 6, 5, 3, 0]]))


next_token_loss = Check(
    right=lambda x, y: F.cross_entropy(x.transpose(1, 2), y),
    mistakes={
        "infinite for logits × 200: a probability became 0, or e to the logits ∞; stay in logarithms, F.log_softmax":
            lambda x, y: -p(x, y).log().mean(),
        "nan for logits × 200, since e to them is ∞, and so is the sum: stay in logarithms, F.log_softmax": by_division,
        "something is added before the logarithm, or clamped, and that caps the loss: F.log_softmax needs neither":
            [partial(loss, least=10.0**-k) for k in range(5, 16) for loss in (capped, clamped)],
        "softmax runs over the positions (T): dim=-1, over the vocabulary": lambda x, y: -log_p(x, y, dim=1).mean(),
        "softmax runs over the batch (B): dim=-1, over the vocabulary": lambda x, y: -log_p(x, y, dim=0).mean(),
        "reshape to (B, V, T) tears the rows apart: transpose(1, 2) exchanges two axes":
            lambda x, y: F.cross_entropy(x.reshape(2, 7, 5), y),
        "the sum in place of the mean: divide by the number of targets": lambda x, y: -log_p(x, y).sum(),
        "the sum over the positions, the mean over the batch: divide by B · T": lambda x, y: -log_p(x, y).sum(1).mean(),
        "the minus is missing: −ln": lambda x, y: log_p(x, y).mean(),
        "the logarithm is missing: −ln of the probability": [
            lambda x, y: -p(x, y).mean(), lambda x, y: p(x, y).mean(), lambda x, y: 1 - p(x, y).mean()
        ],
        "sigmoid looks at one logit alone: softmax compares all of the vocabulary": [
            lambda x, y: -F.logsigmoid(x).gather(-1, y[..., None]).mean(),
            lambda x, y: F.binary_cross_entropy_with_logits(x, F.one_hot(y, x.shape[-1]).to(x)),
        ],
        "softmax runs over everything at once: dim=-1, over the vocabulary":
            lambda x, y: (x.logsumexp((0, 1, 2)) - x.gather(-1, y[..., None])).mean(),
        "the logarithm to base 2 gives bits: use log, for nats":
            [lambda x, y: -p(x, y).log2().mean(), lambda x, y: -log_p(x, y).mean() / math.log(2)],
        "the logarithm to base 10: use log, to base e, for nats":
            [lambda x, y: -p(x, y).log10().mean(), lambda x, y: -log_p(x, y).mean() / math.log(10)],
        "softmax is applied twice: log_softmax takes the logits": lambda x, y: -log_p(x.softmax(-1), y).mean(),
        "the logarithm of the logits themselves: softmax first":
            lambda x, y: -x.gather(-1, y[..., None]).log().mean(),
        "the largest logit is subtracted, but not the logarithm of the sum: F.log_softmax does both":
            lambda x, y: -(x - x.amax(-1, keepdim=True)).gather(-1, y[..., None]).mean(),
        "the most probable token is scored, not the target: gather takes the target's":
            lambda x, y: -x.log_softmax(-1).amax(-1).mean(),
        "the zeros of the one-hot rows count in the mean: sum over the vocabulary, then the mean":
            lambda x, y: -log_p(x, y).mean() / x.shape[-1],
        "the logits are flattened in another order than the targets: no transpose before":
            lambda x, y: -log_p(x.transpose(0, 1).reshape(x.shape), y).mean(),
        "that is the entropy of the predictions: the targets don't come in":
            lambda x, y: -(x.softmax(-1) * x.log_softmax(-1)).sum(-1).mean(),
        "that is the accuracy, the share of targets that are the most probable":
            lambda x, y: (x.argmax(-1) == y).double().mean(),
        "the median in place of the mean": lambda x, y: -log_p(x, y).median(),
        "the squared error, not −ln of the target's probability":
            lambda x, y: (x.softmax(-1) - F.one_hot(y, x.shape[-1])).square().mean(),
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
    probes=(
        probes.leaves_input,
        probes.written_without("cross_entropy", "CrossEntropyLoss", "next_token_loss"),
        probes.gradients,
    ),
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


def scattered_back(p, top_p, order_of):
    """cut, with places that order_of makes of the right ones."""
    ordered, order = p.sort(dim=-1, descending=True)
    ordered = ordered * (ordered.cumsum(-1) - ordered < top_p)
    return torch.zeros_like(p).scatter(-1, order_of(order), ordered)


def one_more(before, one, top_p):
    """What is kept if the token after the last is kept as well."""
    keep = before < top_p
    return torch.cat([torch.ones_like(keep[:, :1]), keep[:, :-1]], dim=-1)


def top_k(p, k):
    """The k most probable, the others 0."""
    return p * (p >= p.topk(k).values[:, -1:])


def kept_as_in_the_first_row(before, one, top_p):
    """As many for each row as the first one keeps."""
    return torch.arange(before.shape[-1]) < (before[0] < top_p).sum()


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
        "the temperature has no effect: divide the logits by it": lambda x, t, p: nucleus(x, 1.0, p),
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
        "logits[-1] is the last example of the batch: the last position is logits[:, -1]":
            lambda x, t, p: normalized(cut(F.softmax(x[-1] / t, dim=-1), p)),
        "the positions are averaged or added: the next token follows the last, logits[:, -1]": [
            lambda x, t, p: nucleus(x.mean(1, keepdim=True), t, p),
            lambda x, t, p: nucleus(x.sum(1, keepdim=True), t, p),
        ],
        "softmax is applied twice": lambda x, t, p: normalized(cut(last(x, t).softmax(-1), p)),
        "the wrong tokens are cut off: keep where the sum before is less than top_p":
            lambda x, t, p: nucleus(x, t, p, keep=lambda before, one, p: before > p),
        "softmax of probabilities: divide by the sum, or put the −∞ into the logits":
            lambda x, t, p: cut(last(x, t), p).masked_fill(cut(last(x, t), p) == 0, -math.inf).softmax(-1),
        "one token too many is kept: the token that reaches top_p is the last":
            lambda x, t, p: nucleus(x, t, p, keep=one_more),
        "places holds where each value came from, so gather mixes them up: scatter puts them back":
            lambda x, t, p: normalized(cut(last(x, t), p, back=False).gather(-1, last(x, t).argsort(-1, True))),
        "every row is put back by the places of the first: scatter goes row by row":
            lambda x, t, p: normalized(scattered_back(last(x, t), p, lambda order: order[:1].expand_as(order))),
        "the first row says how many are kept in all of them: each row has its own sum":
            lambda x, t, p: nucleus(x, t, p, keep=kept_as_in_the_first_row),
        "softmax is missing: top_p is about probabilities": lambda x, t, p: normalized(cut(x[:, -1] / t, p)),
        "compared with the best one's probability, each by itself: it is their sum that has to reach top_p":
            lambda x, t, p: nucleus(x, t, p, keep=lambda before, one, p: one >= p * one[:, :1]),
        "top_p is taken as a share of the vocabulary: it is a sum of probabilities":
            lambda x, t, p: normalized(top_k(last(x, t), max(1, int(p * x.shape[-1])))),
        "dropped logits become 0, a score like any other: they have to be −∞":
            lambda x, t, p: (x[:, -1] / t * (cut(last(x, t), p) > 0)).softmax(-1),
        "divided by the sums over the batch: dim=-1, over the vocabulary":
            lambda x, t, p: cut(last(x, t), p) / cut(last(x, t), p).sum(0, keepdim=True),
        "divided by top_p: what is kept adds to top_p or more, so divide by its sum":
            lambda x, t, p: cut(last(x, t), p) / p,
        "divided by the first row's sum: each row by its own, dim=-1, keepdim=True":
            lambda x, t, p: cut(last(x, t), p) / cut(last(x, t), p)[0].sum(),
        "a token is drawn: the probabilities are asked for":
            lambda x, t, p: torch.multinomial(nucleus(x, t, p), num_samples=1),
        "the logarithms came: the probabilities are asked for": lambda x, t, p: nucleus(x, t, p).log(),
        "only the most probable token is left: where does top_p come in?": lambda x, t, p: nucleus(x, t, 1e-9),
        "that is which tokens are kept: their probabilities are asked for":
            lambda x, t, p: (cut(last(x, t), p) > 0) * 1.0,
        "all tokens that are kept get the same: they keep their probabilities":
            lambda x, t, p: normalized((cut(last(x, t), p) > 0) * 1.0),
        "the sum runs over the tokens in the order of their ids: sort first":
            lambda x, t, p: normalized(last(x, t) * (last(x, t).cumsum(-1) - last(x, t) < p)),
        "the sum runs over the batch: cumsum(dim=-1), over the vocabulary":
            lambda x, t, p: nucleus(x, t, p, keep=lambda before, one, p: one.cumsum(0) - one < p),
        "1 − top_p is kept in place of top_p": lambda x, t, p: nucleus(x, t, 1 - p),
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
        "in a rare row so large a constant outweighs the real counts: try smaller ones": ((0.16, 2.0), (2.035, 2.10)),
        "smaller is not always better: a pair that came once says little, try 0.1": ((0.0, 0.06), (2.035, 2.20)),
        "with nothing added, what never came has probability 0 and loss ∞": (0, (10.0, float("inf"))),
        "it is scored on text that was counted: count the training split, score the validation split":
            (ANY, (1.75, 1.97)),
        "the constant is right, but gives a lower loss: is this the loss of another one?":
            ((0.07, 0.15), (2.0351, 2.12)),
        "that is how far it is below the counted bigram: give the loss itself": (ANY, (0.43, 0.46)),
        "that is the perplexity, e to the loss": (ANY, (7.5, 7.8)),
        "the whole table is divided by its sum: each row by its own, dim=-1": (ANY, (7.83, 7.95)),
        "divided by the sum over the second character: dim=-1, over the third": (ANY, (1.59, 1.68)),
        "the logarithm of the mean probability: first the logarithm of each, then the mean": (ANY, (1.33, 1.37)),
        "one character of the two is left out: the row is chosen by both": (ANY, (2.905, 2.92)),
        "that is the bigram's loss: the row is chosen by two characters": (ANY, (2.47, 2.50)),
        "that is in bits: log, for nats": (ANY, (2.925, 2.95)),
    },
    expected="the best constant, to one significant digit, and its loss, to three decimals",
    explanation="0.45 below the bigram",
)  # fmt: skip

"""Checks of answers that are worked out on paper."""

import math

from gptlib.instruments.exercises.checks.answering import Answer, about

chunks = Answer(
    right=about(992, within=0),
    wrong={
        "the last chunk needs one token more, the target of its last position": 993,
        "start 0 counts too: from 0 to 991": 991,
        "chunks may overlap: every start from 0 on is possible": (125,),
        "a chunk of 8 with its targets takes 9 tokens, and chunks may overlap": 124,
        "not every token can be a start: 9 tokens have to be left": 1000,
    },
    sought="the number of different chunks",
    well="starts from 0 to 1000 − 8 − 1; token 0 is never a target",
)

masked_row = Answer(
    right=about(0.2, 0.6, 0.2, 0.0),
    wrong={
        "e⁰ is 1, not 0: take e to each score before you divide": (0.0, 1.0, 0.0, 0.0),
        "−∞ was taken for 0: e to the −∞ is exactly 0": (1 / 6, 1 / 2, 1 / 6, 1 / 6),
        "the sum counts the hidden one too: it is 1 + 3 + 1": (1 / 6, 1 / 2, 1 / 6, 0.0),
        "that is e to the scores: divide by their sum": (1.0, 3.0, 1.0, 0.0),
    },
    sought="four weights",
    well="e to the scores is (1, 3, 1, 0), the sum 5",
)

factors = Answer(
    right=about(math.exp(3), math.exp(3 / 8)),
    wrong={
        "the second is divided by 64: √64 is 8": (math.exp(3), math.exp(3 / 64)),
        "those are the differences: softmax takes e to them": (3.0, 3 / 8),
        "the second is divided too late: first the difference 3/8, then e to it": (
            math.exp(3),
            math.exp(3) / 8,
        ),
        "the other way round: first without dividing": (math.exp(3 / 8), math.exp(3)),
    },
    sought="two factors",
    well="e³ and e^(3/8): a factor of 20 becomes one of 1.5",
)

heads = Answer(
    right=about(64, 4 * 384**2, within=0),
    wrong={
        "Wo is missing: four matrices of C × C": (64, 3 * 384**2),
        "the heads share the channels: 6 heads together have as many as one of size 384": (
            64,
            4 * 6 * 384**2,
        ),
        "biases are counted: there was to be none": (64, 4 * 384**2 + 4 * 384),
        "Wo is C × C as well, whatever the head size": (64, 3 * 384**2 + 384 * 64),
        "the head size is C / n_head": (384, 4 * 384**2),
        "that is one head's share: 6 of them, and Wo": (64, 3 * 384 * 64),
    },
    sought="the head size and the number of weights",
    well="four matrices of C × C, whatever the number of heads",
)

ffwd_weights = Answer(
    right=about(8 * 384**2, 4 * 384**2, within=0),
    wrong={
        "feed-forward is four times as wide in between: C × 4C and 4C × C": (
            2 * 384**2,
            4 * 384**2,
        ),
        "the other way round: feed-forward first": (4 * 384**2, 8 * 384**2),
        "one of the two matrices is missing: C × 4C and 4C × C": (4 * 384**2, 4 * 384**2),
        "attention has Wo besides q, k and v": (8 * 384**2, 3 * 384**2),
        "biases are counted: there was to be none": (8 * 384**2 + 5 * 384, 4 * 384**2),
    },
    sought="the weights of feed-forward and of attention",
    well="8 C² and 4 C²: two thirds of a block think, one third talks",
)

derivatives = Answer(
    right=about(0.8**12, 0.8**12),
    wrong={
        "f′ is −0.2, so each factor is 1 − 0.2": (0.8**12, 1.2**12),
        "the factor is 1 + f′: the plus adds 1": (0.8**12, 0.2**12),
        "derivatives of a chain are multiplied, not added up: 0.8¹²": (9.6, 9.6),
        "the plus is no promise: 1 − 0.2 is 0.8 again": (0.8**12, 1.0),
    },
    sought="two numbers, without and with the plus",
    well="0.069 both times: the plus helps where f′ is near 0, and is no promise for every f",
)

normed_row = Answer(
    right=about(*(n / math.sqrt(3) for n in (-1, -1, -1, 3))),
    wrong={
        "divided by √4: the sum of squares goes by C = 4, not by C − 1": (-0.5, -0.5, -0.5, 1.5),
        "divided by the variance: take its root": (-1 / 3, -1 / 3, -1 / 3, 1.0),
        "the mean was left in: subtract 6 first": tuple(n / math.sqrt(39) for n in (5, 5, 5, 9)),
        "the mean is subtracted, and now divide by √3": (-1.0, -1.0, -1.0, 3.0),
        "the variance is the mean of the squares, not their sum: divide by √3": tuple(
            n / math.sqrt(12) for n in (-1, -1, -1, 3)
        ),
    },
    sought="four numbers",
    well="(−1, −1, −1, 3) / √3; (10, 10, 10, 18) gives the same, the size of a row is forgotten",
)


def millions(V=50_257, T=1_024, C=768, L=12, inside=8, wo=1):
    """The parameters of our GPT, part by part, in millions."""
    attention = (3 + wo) * C * C + wo * C
    ffwd = inside * C * C + (inside // 2 + 1) * C
    return (V * C + T * C + L * (attention + ffwd + 4 * C) + 2 * C + C * V + V) / 1e6


gpt_millions = Answer(
    right=about(millions(), within=0.0006),
    wrong={
        "that is GPT-2's own number: ours has a matrix for lm_head besides the token table": (
            (124.3, 124.6),
        ),
        "the position table is missing, T × C": millions(T=0),
        "feed-forward is four times as wide in between: 8 C²": millions(inside=2),
        "the blocks are counted once: there are 12": millions(L=1),
        "Wo is missing: four matrices of C × C in attention": millions(wo=0),
        "in millions, please": millions() * 1e6,
    },
    sought="a number of millions, to one decimal",
    well="163.1 million; GPT-2 ties lm_head to the token table, which saves 38.6",
)

"""Exercises: how many chunks a text has, drawing a batch, the size of a vocabulary."""

import torch

from gptlib.instruments.exercises import diagnosis
from gptlib.instruments.exercises.answer import Answer
from gptlib.instruments.exercises.diagnosis import Wrong
from gptlib.instruments.exercises.grader import Check, as_given

chunks = Answer(
    right=(992,),
    mistakes={
        "the last chunk needs one token more, the target of its last position": 993,
        "start 0 counts too: from 0 to 991": 991,
        "a chunk of 8 with its targets takes 9 tokens, and chunks may overlap": 124,
        "chunks may overlap: every start from 0 on is possible": ((110.0, 126.0),),
        "not every token can be a start: 9 tokens have to be left": 1000,
        "999 tokens have one before them, but a chunk's first token needs 8 after it: count the starts": 999,
        "too many: each start needs 8 more tokens after it, so subtract 8": ((993.5, 1010.0),),
        "the text has 1,000 tokens, and all of them may be drawn from: no validation split is taken off":
            ((890, 893),),
        "too few: the last start is at 1000 − 8 − 1, and start 0 counts too": ((900.0, 991.5),),
        "that is the number of tokens in all chunks: count the chunks": [992 * 8, 1000 * 8, 999 * 8, 993 * 8],
        "position 0 is the one that never holds a target; my_chunks is how many chunks there are": 0,
    },
    expected="the number of different chunks",
    explanation="starts from 0 to 1000 − 8 − 1; the token at position 0 is never a target",
)  # fmt: skip


EXCHANGED = "block_size and batch_size are exchanged: batch_size rows of block_size tokens"
NOT_FROM_GENERATOR = (
    "the starts do not depend on the generator: torch.randint(…, generator=generator)"
)


def seeded(seed):
    """A random generator of our own."""
    return torch.Generator().manual_seed(seed)


def drawn(get_batch, tokens, block_size, batch_size, generator):
    """A batch; raises a sentence if it has another form than a batch has."""
    seed = generator.initial_seed()
    pair = get_batch(tokens, block_size, batch_size, generator)
    x, y = diagnosis.several(pair, "two tensors, x and y")
    if generator.initial_seed() != seed:
        raise Wrong(
            "the generator gets a new seed inside, so every batch is the same: draw from it"
        )
    if x.numel() == block_size:
        raise Wrong("a single chunk came back: does the loop end too early, or keep only the last?")
    if x.shape == (batch_size * block_size,):
        raise Wrong(
            "all chunks are in one long row: torch.stack keeps them apart, torch.cat doesn't"
        )
    if x.dim() != 2 or x.shape != y.shape:
        raise Wrong(
            f"x has the shape {tuple(x.shape)}, y {tuple(y.shape)}: a row for each chunk, and in y a target for "
            "each position of x"
        )
    if x.shape == (len(tokens) - block_size, block_size) and len(x) < batch_size:
        raise Wrong("no start is drawn twice: rows are drawn independently, and may repeat")
    if sorted(x.shape) != sorted((block_size, batch_size)):
        raise Wrong(
            f"x has the shape {tuple(x.shape)} for block_size {block_size} and batch_size {batch_size}: is one of "
            "them a fixed number?"
        )
    if x.dtype != tokens.dtype or y.dtype != tokens.dtype:
        raise Wrong(
            f"the ids come back as {x.dtype} and {y.dtype}: leave them as they are in tokens"
        )
    return x, y


def why_it_fails(get_batch, problem):
    """A sentence for an exception in a short text: how does the same function do in a long one? None if as badly."""
    try:
        one, other = (
            drawn(get_batch, torch.arange(10_000), 3, 5, seeded(seed))[0] for seed in (5, 6)
        )
    except (IndexError, RuntimeError):
        return None
    if one.shape == (3, 5):
        return EXCHANGED
    if torch.equal(one, other):
        return NOT_FROM_GENERATOR
    if "expects 'from' to be less" in str(problem):
        return "the range of the starts depends on batch_size: a start has to leave room for block_size tokens"
    return "a row runs past the end of the text: a start has to leave room for block_size tokens and a last target"


def seen_in_bulk(get_batch):
    """A function that looks at many chunks of twelve numbered tokens: how they go on, and which ones there are."""
    as_given(get_batch)

    def draw(block_size, batch_size, generator):
        try:
            return drawn(get_batch, torch.arange(12), block_size, batch_size, generator)
        except (IndexError, RuntimeError) as problem:
            if sentence := why_it_fails(get_batch, problem):
                raise Wrong(sentence) from problem
            raise

    def call(block_size, batch_size):
        generator = seeded(5)
        x, y = draw(block_size, batch_size, generator)
        return {
            "x, counted from the first token of its row": x - x[:, :1],
            "y, counted from the first token of x": y - x[:, :1],
            "the starts that are drawn": (x[:, :1] == torch.arange(12)).any(0),
            "the same seed gives the same batch": torch.equal(
                x, draw(block_size, batch_size, seeded(5))[0]
            ),
            "the next batch from the same generator is another one": not torch.equal(
                x, draw(block_size, batch_size, generator)[0]
            ),
            "another seed gives another batch": not torch.equal(
                x, draw(block_size, batch_size, seeded(6))[0]
            ),
        }

    return call


def batches(lag=1, first=0, last=0, seeded=True, step=1, rows=None):
    """A get_batch: y lags behind x, starts are left out or multiples of step, and only so many rows differ."""

    def get_batch(tokens, block_size, batch_size, generator):
        count = (len(tokens) - block_size - max(lag - 1, 0) - last + step - 1) // step
        starts = torch.randint(
            first, count, (rows or batch_size, 1), generator=generator if seeded else None
        )
        index = step * starts.expand(batch_size, 1) + torch.arange(block_size)
        return tokens[index], tokens[index + lag]

    return get_batch


def rolled(*arguments):
    """A get_batch whose targets are its own x, turned round by one."""
    x, _ = by_unfold(*arguments)
    return x, x.roll(-1, dims=1)


def by_unfold(tokens, block_size, batch_size, generator):
    """All chunks there are, by unfold, and a choice among them."""
    chunks = tokens.unfold(0, block_size + 1, 1)
    chosen = chunks[torch.randint(len(chunks), (batch_size,), generator=generator)]
    return chosen[:, :-1], chosen[:, 1:]


get_batch = Check(
    right=by_unfold,
    mistakes={
        "the targets are not shifted: y is x, and the model would only have to copy": batches(lag=0),
        "the targets are shifted by two: y is x one step later": batches(lag=2),
        "the targets are shifted the wrong way: y is the token after, not the one before": batches(lag=-1, first=1),
        "x and y are exchanged: y lies one token further": lambda *a: by_unfold(*a)[::-1],
        "x and y are different chunks: draw the starts once, for both":
            lambda *a: (by_unfold(*a)[0], by_unfold(*a)[1]),
        "the last start is never drawn: randint leaves its upper end out, so len(tokens) - block_size": batches(last=1),
        "start 0 is never drawn: randint begins at 0 by itself": batches(first=1),
        "the generator is not used, so the same seed gives another batch: pass it to randint": batches(seeded=False),
        NOT_FROM_GENERATOR:
            lambda t, T, B, g: by_unfold(t, T, B, seeded(0)),
        "only the generator's seed is used, so its next batch is the same again: draw with generator=generator":
            lambda t, T, B, g: by_unfold(t, T, B, seeded(g.initial_seed())),
        "chunks begin at multiples of block_size only: every start from 0 on is possible": batches(step=3),
        "all rows are the same chunk: draw batch_size starts": batches(rows=1),
        "starts in the last part of the text are never drawn: all up to len(tokens) - block_size - 1 are possible":
            [batches(last=k) for k in range(2, 9)],
        "the last target of a row is the row's own first token: y comes from the text, one step later": rolled,
        EXCHANGED:
            lambda *a: tuple(part.T for part in by_unfold(*a)),
    },
    cases=(lambda: (3, 2000),),
    prepare=seen_in_bulk,
    explanation="each target is the next token, each start is drawn, the same seed gives the same batch",
)  # fmt: skip

# BPE draws nothing at random: 2,352 pieces give 2.9999 characters each, 2,353 give 3.0002
PIECES = 2_353
pieces = Answer(
    right=((PIECES - 100, PIECES + 100),),  # the exercise says: to within a hundred
    mistakes={
        "that is more than 3 characters a token: a smaller size will do": ((PIECES, 65_536),),
        "that is less than 3 characters a token: take more pieces": ((66, PIECES),),
        "65 are the single characters: BPE adds pieces to them": 65,
        "that is the size in thousands: give the whole number": ((2.2, 2.5),),
        "that is a number of tokens that the text becomes: how many different ones are in the vocabulary?":
            ((100_000, 1_200_000),),
        "that is a number of characters a token: which vocabulary size gives 3?": ((1, 6),),
    },
    expected="a vocabulary size",
    explanation="each further tenth of a character costs more pieces than the last",
)  # fmt: skip

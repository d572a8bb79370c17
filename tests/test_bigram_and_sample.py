import pytest
import torch
import torch.nn as nn
import torch.nn.functional as F

from gptlib.bigram import BigramLanguageModel
from gptlib.instruments.show.write import stream, write
from gptlib.sample import generate
from gptlib.tokenizer import CharTokenizer


@pytest.fixture
def model():
    torch.manual_seed(0)
    return BigramLanguageModel(65)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def test_logits_are_the_rows_of_the_table(model):
    tokens = torch.randint(65, (3, 5), generator=seeded())
    one_hot = F.one_hot(tokens, 65).float()
    assert torch.allclose(model(tokens), one_hot @ model.token_embedding_table.weight)


def test_generation_keeps_the_prompt_and_adds_what_was_asked_for(model):
    prompt = torch.randint(65, (2, 3), generator=seeded())
    for n in (0, 1, 7):
        out = generate(model, prompt, n)
        assert out.shape == (2, 3 + n) and torch.equal(out[:, :3], prompt)


def test_top_1_is_argmax_and_so_is_a_temperature_near_zero(model):
    prompt = torch.tensor([[5]])
    greedy = [5]
    for _ in range(6):
        greedy.append(int(model.token_embedding_table.weight[greedy[-1]].argmax()))
    assert generate(model, prompt, 6, top_k=1)[0].tolist() == greedy
    assert generate(model, prompt, 6, temperature=1e-4)[0].tolist() == greedy


@pytest.mark.parametrize(
    ("temperature", "top_k"), [(1.0, None), (0.5, None), (2.0, None), (1.0, 3), (0.7, 2)]
)
def test_draws_follow_the_probabilities_worked_out_by_hand(temperature, top_k):
    logits = torch.tensor([1.0, 2.0, 0.5, 3.0, -1.0])
    model = BigramLanguageModel(5)
    model.token_embedding_table.weight.data[:] = logits
    weights = (logits / temperature).exp()
    weights[logits.argsort(descending=True)[top_k or 5 :]] = 0
    drawn = generate(
        model, torch.zeros(20_000, 1, dtype=torch.long), 1, temperature, top_k, seeded()
    )[:, 1]
    shares = torch.bincount(drawn, minlength=5) / 20_000
    assert torch.allclose(shares, weights / weights.sum(), atol=0.015)


def test_any_module_from_tokens_to_logits_can_write():
    model = nn.Sequential(nn.Embedding(7, 4), nn.Linear(4, 7))
    assert generate(model, torch.tensor([[1, 2]]), 3).shape == (1, 5)


def test_a_model_with_a_block_size_is_never_shown_more():
    shown = []

    class Short(nn.Embedding):
        block_size = 4

        def forward(self, tokens):
            shown.append(tokens)
            return super().forward(tokens)

    out = generate(Short(7, 7), torch.tensor([[1, 2, 3]]), 3)
    assert [tokens.shape[1] for tokens in shown] == [3, 4, 4]
    assert torch.equal(shown[2], out[:, 1:5])  # and never less: the last block_size tokens


def test_generation_keeps_no_gradients():
    kept = []

    class Watches(nn.Embedding):
        def forward(self, tokens):
            kept.append(super().forward(tokens))
            return kept[-1]

    generate(Watches(7, 7), torch.tensor([[1]]), 2)
    assert kept and not any(logits.requires_grad for logits in kept)


@pytest.mark.parametrize(
    ("tokens", "options", "words"),
    [
        (torch.zeros(1, 0, dtype=torch.long), {}, "at least one token"),
        (torch.zeros(3, dtype=torch.long), {}, r"must be \(B, T\)"),
        (torch.zeros(1, 2), {}, "dtype=torch.long"),
        ([[1, 2]], {}, r"torch\.tensor"),
        (torch.tensor([[1, 65]]), {}, "id 65"),
        (torch.tensor([[1, -1]]), {}, "id -1"),
        (torch.tensor([[1]]), {"temperature": 0}, "temperature is 0"),
        (torch.tensor([[1]]), {"temperature": float("nan")}, "temperature is nan"),
        (torch.tensor([[1]]), {"top_k": 0}, "top_k is 0"),
        (torch.tensor([[1]]), {"top_k": 66}, "vocabulary's 65"),
        (torch.tensor([[1]]), {"top_k": 2.5}, "top_k is 2.5"),
    ],
)
def test_bad_prompts_and_options_get_a_sentence_and_use_up_no_randomness(
    model, tokens, options, words
):
    generator = seeded()
    before = generator.get_state()
    with pytest.raises((ValueError, TypeError), match=words):
        generate(model, tokens, 5, generator=generator, **options)
    assert torch.equal(generator.get_state(), before)


def test_streaming_gives_the_same_tokens_one_by_one(model):
    prompt = torch.tensor([[1, 2]])
    whole = generate(model, prompt, 20, 0.8, 10, seeded(4))[0, 2:].tolist()
    pieces = list(stream(model, prompt, 20, temperature=0.8, top_k=10, generator=seeded(4)))
    assert [piece.item() for piece in pieces] == whole


def test_writing_switches_to_eval_and_back():
    class Remembers(nn.Embedding):
        modes = ()

        def forward(self, tokens):
            self.modes += (self.training,)
            return super().forward(tokens)

    model = Remembers(65, 65).train()
    text = write(model, CharTokenizer(), "\n", 5, seed=1)
    assert len(text) == 5 and model.modes == (False,) * 5 and model.training
    assert text == write(model, CharTokenizer(), "\n", 5, seed=1)

"""The smallest language model: the next token depends on this one alone."""

import torch.nn as nn


class BigramLanguageModel(nn.Module):
    """Looks up, for each token, a score for every possible next token.

    tokens (B, T) long -> logits (B, T, V). The table is (V, V): row = this token, column = the next.
    """

    def __init__(self, vocab_size):
        super().__init__()
        self.vocab_size = vocab_size
        self.token_embedding_table = nn.Embedding(vocab_size, vocab_size)

    def forward(self, tokens):
        return self.token_embedding_table(tokens)  # (B, T, V)

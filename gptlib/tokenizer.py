"""Text to integers and back, one integer a character."""

from gptlib import validate

LECTURE_ALPHABET = "\n !$&',-.3:;?ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


class CharTokenizer:
    """Uses each character's place in an alphabet as its id.

    alphabet: the characters in the order of their ids; the lecture's 65 unless you give another.
    A repeated or empty alphabet, an unknown character or id raise ValueError with a sentence.

    >>> CharTokenizer("abc").encode("cab")
    [2, 0, 1]
    """

    def __init__(self, alphabet=LECTURE_ALPHABET):
        validate.unique_characters(alphabet)
        self.itos = dict(enumerate(alphabet))
        self.stoi = {character: token for token, character in self.itos.items()}
        self.vocab_size = len(self.itos)

    @classmethod
    def from_text(cls, text):
        return cls(sorted(set(text)))

    def encode(self, text):
        validate.known_characters(text, self.stoi)
        return [self.stoi[character] for character in text]

    def decode(self, tokens):
        tokens = list(tokens)
        validate.known_ids(tokens, self.vocab_size)
        return "".join(self.itos[int(token)] for token in tokens)

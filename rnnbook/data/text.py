"""Text as tokens, and tokens as numbers."""

import codecs
import re
import unicodedata
import warnings
from collections import Counter
from functools import lru_cache
from importlib import resources

import numpy as np

from .. import _validate

__all__ = [
    "END_OF_LINE",
    "UNKNOWN",
    "Vocabulary",
    "alice_opening",
    "detokenize",
    "house_that_jack_built",
    "load_text",
    "read_text",
    "split_text",
    "tokenize",
]


UNKNOWN = "<unk>"
"""The token that stands for all the words that a capped vocabulary leaves out."""

END_OF_LINE = "<eos>"
"""The token of a line end at the level "whitespace"."""

_LEVELS = ("char", "word", "whitespace")

# What is written without spaces, by the first word of the names that Unicode gives its letters.
_UNSPACED = {
    **{name: name.title() for name in ("THAI", "LAO", "KHMER", "TIBETAN", "TAI", "JAVANESE")},
    **dict.fromkeys(("CJK", "BOPOMOFO"), "Chinese"),
    **dict.fromkeys(("HIRAGANA", "KATAKANA"), "Japanese"),
    "MYANMAR": "Burmese",
}

# What stands inside a word: apostrophes, and full stops between two letters or two digits.
_JOINT = r"""(?:['’‘＇·‧׳״]|(?<=[א-ת])"(?=[א-ת])|(?<=\d)[.,٫٬](?=\d)|(?<![\d_])\.(?=[^\W\d_]))"""

# Marks that close what stands before them, and follow it without a space.
_CLOSING = ".,;:!?%…‥،؛؟۔।॥։።၊။។、。，．：；！？"

_RHYME = [
    "house that Jack built",
    "malt that lay in",
    "rat that ate",
    "cat that killed",
    "dog that worried",
    "cow with the crumpled horn that tossed",
    "maiden all forlorn that milked",
    "man all tattered and torn that kissed",
    "priest all shaven and shorn that married",
    "cock that crowed in the morn that waked",
    "farmer sowing his corn that kept",
    "horse and the hound and the horn that belonged to",
]


def house_that_jack_built():
    """Return the nursery rhyme in which every stanza repeats all of the one before.

    It is generated from its twelve clauses, a stanza a line. In words and line ends it
    has 475 tokens, 48 different ones. What follows "that" depends on the word before
    it, what follows "the" on how far the stanza has come: a model needs a memory.

    Returns
    -------
    str
    """
    stanzas = [_RHYME[k::-1] for k in range(len(_RHYME))]
    return "".join(f"this is the {' the '.join(stanza)}\n" for stanza in stanzas)


def alice_opening():
    """Return the opening of *Alice's Adventures in Wonderland*, prose that does not repeat itself.

    The beginning of chapter 1, "Down the Rabbit-Hole", prepared for language models: in small
    letters and as one line, without quotation marks, and with commas or brackets for the dashes.
    In characters it has 4,650 tokens, 37 different ones; in words and other signs 1,048.

    Returns
    -------
    str

    References
    ----------
    Lewis Carroll, *Alice's Adventures in Wonderland*, 1865; in the public domain.
    """
    text = resources.files(__package__).joinpath("alice.txt").read_text(encoding="utf8")
    return " ".join(text.split())


class Vocabulary:
    """The different tokens of a text, each with a number, in order of first appearance.

    ``Vocabulary(vocabulary.tokens)`` is the same vocabulary again; the tokens are plain
    strings, so that ``json.dumps(vocabulary.tokens)`` writes it down.

    Parameters
    ----------
    tokens : sequence of str
        The text, from `tokenize`; tokens may occur any number of times.
    max_size : int, optional
        At least 2. If there are more different tokens, the most frequent ones stay (of
        equally frequent ones, the first), and `UNKNOWN`, number 0, stands for the rest.

    Attributes
    ----------
    tokens : tuple of str
        The token of each number.
    """

    def __init__(self, tokens, max_size=None):
        counts = Counter(_check_tokens("tokens", tokens))
        if not counts:
            raise ValueError("tokens must hold at least one token, got none")
        if max_size is not None:
            max_size = _validate.integer("max_size", max_size, minimum=2)
            if len(counts) > max_size:
                del counts[UNKNOWN]
                frequent = {token for token, _ in counts.most_common(max_size - 1)}
                counts = [UNKNOWN, *(token for token in counts if token in frequent)]
        self.tokens = tuple(counts)
        self._ids = {token: i for i, token in enumerate(self.tokens)}

    def __len__(self):
        return len(self.tokens)

    def __contains__(self, token):
        return token in self._ids

    def __eq__(self, other):
        return isinstance(other, Vocabulary) and self.tokens == other.tokens

    __hash__ = None

    def __repr__(self):
        return f"Vocabulary of {len(self)} tokens: {_validate.shorten(repr(self.tokens))}"

    def encode(self, tokens):
        """Return the numbers of the tokens, an array of int64, shape (K,).

        Raises
        ------
        ValueError
            If a token is not in the vocabulary, unless `UNKNOWN` is, which then stands
            for it.
        """
        _check_tokens("tokens", tokens)
        unknown = self._ids.get(UNKNOWN)
        ids = [self._ids.get(token, unknown) for token in tokens]
        if unknown is None and None in ids:
            place = ids.index(None)
            raise ValueError(
                f"tokens must be in the vocabulary of {len(self)}, "
                f"got {_validate.shorten(repr(tokens[place]))} at place {place}"
            )
        return np.array(ids, np.int64)

    def decode(self, ids):
        """Return the tokens of numbers, a list or array of int, shape (K,), as a list."""
        ids = _validate.indices("ids", ids, ("K",), size=len(self), what="token ids")
        return [self.tokens[i] for i in ids]


def tokenize(text, level):
    """Cut a text into tokens.

    Parameters
    ----------
    text : str
    level : {"char", "word", "whitespace"}
        Into characters, which are the code points of Unicode: an accent or vowel sign that
        is written as a mark of its own is one too. Or into words, punctuation marks and line
        ends, without the spaces between them.

        The third is for a text that has been cut already, as the Penn Treebank's has: a
        token is whatever stands between whitespace, ``<unk>`` like any other, and each
        line end is the token ``<eos>``. So published perplexities count.

    Returns
    -------
    list of str

    Warns
    -----
    UserWarning
        At the level of words, if the text has letters of a script without spaces between
        words, such as Chinese, Japanese, Thai, Khmer or Tibetan.

    Notes
    -----
    Words begin and end where Unicode's text segmentation lets them. A word keeps its
    case, its accents and vowel signs, and what an apostrophe or a full stop joins to it: "The"
    and "the" are two tokens, "don't", "e.g" and "3.5" are one. A hyphen stands by itself. So
    does each sign, with what belongs to it: a flag or a family of emoji is one token. Lower
    the text first where case is not wanted; ``unicodedata.normalize("NFC", text)`` lets two
    spellings of one letter be the same.

    Where no spaces tell, each Chinese character and each hiragana is a token, and of the other
    such scripts each run of letters, which may be a whole clause.

    References
    ----------
    Unicode Standard Annex #29, "Unicode Text Segmentation", section 4.
    """
    if not isinstance(text, str):
        raise TypeError(f"text must be a str, got {_validate.describe(text)}")
    level = _validate.choice("level", level, _LEVELS)
    if level == "whitespace":
        return text.replace("\n", f" {END_OF_LINE} ").split()
    if level == "char":
        return list(text)
    letters = set(text)
    if unspaced := {_UNSPACED[script] for script in map(_script, letters) if script in _UNSPACED}:
        warnings.warn(
            f"text is in part {', '.join(sorted(unspaced))}, written without spaces, so that "
            'its words cannot be told apart; level="char" takes characters instead',
            stacklevel=2,
        )
    return _words(letters).findall(text)


def detokenize(tokens, level):
    """Join tokens to a readable text.

    From characters it is the text itself. Words are set apart by a space, but not
    before a comma or what else closes, nor after what opens, nor at a line end, nor
    between Chinese or Japanese ones; of the spaces that `tokenize` dropped, others may be
    missing or too many. What was cut at whitespace is set apart by one space, and
    ``<eos>`` is a line end again.

    Parameters
    ----------
    tokens : sequence of str
    level : {"char", "word", "whitespace"}

    Returns
    -------
    str
    """
    level = _validate.choice("level", level, _LEVELS)
    _check_tokens("tokens", tokens)
    if level == "char":
        return "".join(tokens)
    if level == "whitespace":
        lines = " ".join("\n" if token == END_OF_LINE else token for token in tokens)
        return lines.replace(" \n", "\n").replace("\n ", "\n")
    parts, last = [], "\n"
    for token in tokens:
        parts += [token] if _stand_close(last[:1], token[:1]) else [" ", token]
        last = token
    return "".join(parts)


def read_text(path, *, encoding="utf-8"):
    """Read a text file of the reader's own.

    A byte order mark is dropped; line ends become ``\\n``, wherever the file was written.

    Parameters
    ----------
    path : str or os.PathLike, or a file open for reading bytes
        A pipe will do as well.
    encoding : str
        How its characters are written in bytes, by a name that Python knows.

    Returns
    -------
    str

    Raises
    ------
    FileNotFoundError, IsADirectoryError
        If there is no such file, or it is a folder.
    ValueError
        If there is no such encoding, or if the file is empty, binary, or not in that
        encoding (the message says at which byte).
    """
    encoding = text_encoding(encoding)
    if hasattr(path, "read"):
        name, raw = getattr(path, "name", "the file"), path.read()
    else:
        path = _validate.path("path", path)
        if path.is_dir():
            raise IsADirectoryError(f"path must be a text file, got the folder {str(path)!r}")
        if not path.exists():
            raise FileNotFoundError(f"path must be an existing text file, got {str(path)!r}")
        name, raw = path.name, path.read_bytes()
    wanted = f"{_validate.printable(str(name))} must be a text file in {encoding.upper()}"
    if not isinstance(raw, bytes):
        raise TypeError(f"path must be open for reading bytes, got {_validate.describe(raw)}")
    if not raw:
        raise ValueError(f"{wanted}, got an empty file")
    if not encoding.startswith(("utf-16", "utf-32")):
        if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
            raise ValueError(f"{wanted}, got UTF-16")
        if (place := raw.find(0)) >= 0:
            raise ValueError(f"{wanted}, got a binary file, with a zero at byte {place}")
    try:
        text = raw.decode(encoding)
    except UnicodeDecodeError as error:
        at = error.start
        raise ValueError(f"{wanted}, got 0x{raw[at]:02x} at byte {at}: {error.reason}") from None
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")


def load_text(path, level, *, max_vocabulary=None, encoding="utf-8"):
    """Load a text file of the reader's own as token ids.

    Parameters
    ----------
    path : str or os.PathLike, or a file open for reading bytes
        As for `read_text`.
    level : {"char", "word", "whitespace"}
        As for `tokenize`.
    max_vocabulary : int, optional
        As for `Vocabulary`.
    encoding : str
        As for `read_text`.

    Returns
    -------
    ids : ndarray of int64, shape (K,)
        At least two.
    vocabulary : Vocabulary
        Of the whole text.

    Raises
    ------
    FileNotFoundError, IsADirectoryError
        If there is no such file, or it is a folder.
    ValueError
        If it is not a text in that encoding, or holds fewer than two tokens.
    """
    level = _validate.choice("level", level, _LEVELS)
    if max_vocabulary is not None:
        max_vocabulary = _validate.integer("max_vocabulary", max_vocabulary, minimum=2)
    tokens = tokenize(read_text(path, encoding=encoding), level)
    if len(tokens) < 2:
        name = _validate.path("path", getattr(path, "name", path)).name
        raise ValueError(f"{name} must hold at least two tokens, got {len(tokens)}")
    vocabulary = Vocabulary(tokens, max_vocabulary)
    return vocabulary.encode(tokens), vocabulary


def split_text(tokens, *, held_out=0.1):
    """Hold out the last part of a text, to judge a model by what it has never read.

    Parameters
    ----------
    tokens : sequence of int, shape (K,)
    held_out : float
        The share to hold out, greater than 0 and below 1.

    Returns
    -------
    train, test : ndarray of int
        The text up to the cut, and from there on: views of `tokens`, if that is an array.

    Raises
    ------
    ValueError
        If one of the parts has fewer than two tokens, a token and one to follow it.
    """
    size = np.iinfo(np.int64).max
    tokens = _validate.indices("tokens", tokens, ("K",), size=size, what="tokens")
    held_out = _validate.real("held_out", held_out, above=0, below=1)
    cut = len(tokens) - round(held_out * len(tokens))
    if min(cut, len(tokens) - cut) < 2:
        raise ValueError(
            f"held_out must leave at least two tokens on both sides, "
            f"got {held_out} of {len(tokens)} tokens"
        )
    return tokens[:cut], tokens[cut:]


def text_encoding(name):
    """Check that Python knows an encoding of texts by that name; return its usual name."""
    if not isinstance(name, str):
        raise TypeError(f"encoding must be a str, got {_validate.describe(name)}")
    try:
        "".encode(name)  # refuses what is no encoding of texts, as "base64"
        return codecs.lookup(name).name
    except (LookupError, ValueError):
        wanted = "the name of a text encoding, as 'utf-8'"
        raise ValueError(
            f"encoding must be {wanted}, got {_validate.shorten(repr(name))}"
        ) from None


def _check_tokens(name, tokens):
    if not isinstance(tokens, (list, tuple)):
        raise TypeError(f"{name} must be a list of str, got {_validate.describe(tokens)}")
    for place, token in enumerate(tokens):
        if not isinstance(token, str):
            got = _validate.describe(token)
            raise TypeError(f"{name} must be a list of str, got {got} at place {place}")
    return tokens


def _words(letters):
    """Return the pattern of a token; `re` knows letters, but not the marks among these signs."""
    kinds = {"marks": "\u200d", "bows": "", "single": ""}
    for letter in letters:
        category = unicodedata.category(letter)
        if category in ("Mn", "Mc", "Me", "Cf") or letter in "🏻🏼🏽🏾🏿":
            kinds["marks"] += letter  # accents, vowel signs, invisible joiners, skin tones
        elif category == "Pc":
            kinds["bows"] += letter  # like the underscore, part of a word
        elif _script(letter) in ("CJK", "HIRAGANA"):
            kinds["single"] += letter
    blank = "\u200b"  # a space of no width
    marks, bows, single = (re.escape(kind.replace(blank, "")) for kind in kinds.values())
    other = f"(?![{single}])" if single else ""
    run = f"{other}[\\w{bows}](?:{other}[\\w{bows}{marks}])*"
    sign = f"[^\\w\\s{blank}][{marks}]*"
    return re.compile(
        f"{run}(?:{_JOINT}{run})*|\n|\\w[{marks}]*|[🇦-🇿]{{2}}[{marks}]*|"
        f"{sign}(?:(?<=\u200d){sign})*"  # signs joined to one
    )


@lru_cache(1024)
def _script(letter):
    """Return the first word of the name of a letter, but for its width or age."""
    if not letter.isalpha():
        return ""
    name = unicodedata.name(letter, "").removeprefix("HALFWIDTH ").removeprefix("NEW ")
    return name.partition(" ")[0].partition("-")[0]


@lru_cache(4096)
def _stand_close(sign, other):
    """Return whether no space is between two tokens that begin with these signs, or none."""
    if sign in ("", "\n") or other in ("", "\n", *_CLOSING):
        return True
    if unicodedata.category(sign) in ("Ps", "Pi") or unicodedata.category(other) in ("Pe", "Pf"):
        return True
    return _is_unspaced(sign) and _is_unspaced(other)


def _is_unspaced(sign):
    """Return whether signs like this one, Chinese, Japanese or Tibetan, have no spaces between."""
    wide = unicodedata.east_asian_width(sign) in ("W", "F") and _script(sign) != "HANGUL"
    return wide or "\u0f00" <= sign <= "\u0fff"

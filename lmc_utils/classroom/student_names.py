"""Compare names of students, whatever the order of words, capitals, accents and Unicode forms."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from itertools import permutations

_MAX_WORDS = 5  # of which all orders are tried
_MIN_JOINED = 4  # letters: shorter names occur in other words


def name_words(text: str) -> frozenset[str]:
    """The words of a name, in no order.

    >>> name_words("Lee, Ann") == name_words("ann_lee"), name_words("Zoe\u0308") == name_words("Zoë")
    (True, True)
    """
    return frozenset(_words(unicodedata.normalize("NFC", text)))


def is_same_name(text: str, student: str) -> bool:
    """Whether a text is the name of a student and nothing else.

    >>> is_same_name("Lee, Ann", "Ann Lee"), is_same_name("leeann", "Ann Lee"), is_same_name("group/ann_lee", "Ann Lee")
    (True, True, False)
    """
    words, found = _plain_words(student), _plain_words(text)
    return set(words) == set(found) or "".join(found) in _joined(words)


def may_be_name(text: str, student: str) -> bool:
    """Whether a text, such as an author in a file name, contains the name of a student, or at least two parts of it.

    >>> may_be_name("tutorial 2/ann_lee", "Ann Lee"), may_be_name("ann lee", "Ann Marie Lee"), may_be_name("ben", "Ann")
    (True, True, False)
    >>> may_be_name("muller_zoe", "Zoë Müller"), may_be_name("mullerzoe2", "Zoë Müller"), may_be_name("alan", "Al")
    (True, True, False)
    """
    words, found = _plain_words(student), _plain_words(text)
    contained = set(words) <= set(found) or not _joined(words).isdisjoint(_sequences(found))
    return contained or (len(set(found)) > 1 and set(found) <= set(words))


@lru_cache(maxsize=100)
def _joined(words: tuple[str, ...]) -> frozenset[str]:
    """The words without spaces, in every order."""
    orders = permutations(words) if len(words) <= _MAX_WORDS else [words]
    return frozenset("".join(order) for order in orders)


@lru_cache(maxsize=10_000)
def _sequences(words: tuple[str, ...]) -> frozenset[str]:
    """Words, also without numbers (`leeann2`), and up to five in sequence without spaces, if they are long enough."""
    joined = {"".join(words[row : row + count]) for row in range(len(words)) for count in range(1, _MAX_WORDS + 1)}
    joined |= {each.strip("0123456789") for each in words}
    return frozenset(each for each in joined if len(each) >= _MIN_JOINED)


@lru_cache(maxsize=10_000)
def _plain_words(text: str) -> tuple[str, ...]:
    """The words of a text, in order, without accents."""
    return tuple(_words(_without_accents(text)))


def _words(text: str) -> list[str]:
    return re.findall(r"[^\W_]+", text.casefold())


def _without_accents(text: str) -> str:
    return "".join(each for each in unicodedata.normalize("NFKD", text) if not unicodedata.combining(each))

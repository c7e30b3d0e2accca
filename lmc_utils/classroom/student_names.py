"""Compare names of students, whatever the order of words, capitals, accents and Unicode forms."""

from __future__ import annotations

import re
import unicodedata
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
    words, found = _words(_without_accents(student)), _words(_without_accents(text))
    return set(words) == set(found) or "".join(found) in _joined(words)


def may_be_name(text: str, student: str) -> bool:
    """Whether a text, such as an author in a file name, contains the name of a student, or at least two parts of it.

    >>> may_be_name("tutorial 2/ann_lee", "Ann Lee"), may_be_name("ann lee", "Ann Marie Lee"), may_be_name("ben", "Ann")
    (True, True, False)
    >>> may_be_name("muller_zoe", "Zoë Müller"), may_be_name("mullerzoe2", "Zoë Müller"), may_be_name("alan", "Al")
    (True, True, False)
    """
    words, found = _words(_without_accents(student)), _words(_without_accents(text))
    contained = set(words) <= set(found) or any(
        len(joined) >= _MIN_JOINED and _is_joined(joined, found) for joined in _joined(words)
    )
    return contained or (len(set(found)) > 1 and set(found) <= set(words))


def _joined(words: list[str]) -> set[str]:
    """The words without spaces, in every order."""
    orders = permutations(words) if len(words) <= _MAX_WORDS else [tuple(words)]
    return {"".join(order) for order in orders}


def _is_joined(joined: str, found: list[str]) -> bool:
    """Whether a name without spaces is a word, or several in sequence, or a word with a number: `leeann`, `leeann2`."""
    if any(joined == each.strip("0123456789") for each in found):
        return True
    starts = (row for row, each in enumerate(found) if joined.startswith(each))
    ends = range(1, len(joined) + 1)
    return any("".join(found[row : row + count]) == joined for row in starts for count in ends)


def _words(text: str) -> list[str]:
    return re.findall(r"[^\W_]+", text.casefold())


def _without_accents(text: str) -> str:
    return "".join(each for each in unicodedata.normalize("NFKD", text) if not unicodedata.combining(each))

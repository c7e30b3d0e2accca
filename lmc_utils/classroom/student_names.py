"""Compare names of students, whatever the order of words, capitals, accents and Unicode forms."""

from __future__ import annotations

import re
import unicodedata
from itertools import permutations

_MAX_WORDS = 5  # of which all orders are tried


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
    >>> may_be_name("muller_zoe", "Zoë Müller")
    True
    """
    words, found = _words(_without_accents(student)), _words(_without_accents(text))
    contained = set(words) <= set(found) or any(each in "".join(found) for each in _joined(words))
    return contained or (len(set(found)) > 1 and set(found) <= set(words))


def _joined(words: list[str]) -> set[str]:
    """The words without spaces, in every order."""
    orders = permutations(words) if len(words) <= _MAX_WORDS else [tuple(words)]
    return {"".join(order) for order in orders}


def _words(text: str) -> list[str]:
    return re.findall(r"[^\W_]+", text.casefold())


def _without_accents(text: str) -> str:
    return "".join(each for each in unicodedata.normalize("NFKD", text) if not unicodedata.combining(each))

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


def contains_name(text: str, student: str) -> bool:
    """Whether a text, such as a file name, contains the name of a student.

    >>> contains_name("leeann_12345_67890_01_toy_exercises.ipynb", "Ann Lee"), contains_name("ben/01.ipynb", "Ann Lee")
    (True, False)
    >>> contains_name("muller_zoe.ipynb", "Zoë Müller")
    True
    """
    words, found = _words(_without_accents(student)), _words(_without_accents(text))
    orders = permutations(words) if len(words) <= _MAX_WORDS else [tuple(words)]
    return set(words) <= set(found) or any("".join(order) in "".join(found) for order in orders)


def _words(text: str) -> list[str]:
    return re.findall(r"[^\W_]+", text.casefold())


def _without_accents(text: str) -> str:
    return "".join(each for each in unicodedata.normalize("NFKD", text) if not unicodedata.combining(each))

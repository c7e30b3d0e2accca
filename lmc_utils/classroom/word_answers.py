"""Match a word that answers an exercise with the allowed ones, whatever its case, punctuation and ending."""

from __future__ import annotations

import re
from collections.abc import Iterable


def matching_choice(word: str, choices: Iterable[str]) -> str | None:
    """The choice that a word means, whatever its case, punctuation and ending; None unless there is exactly one.

    Nothing is guessed beyond that: a suggestion would be a wrong answer, or the right one.

    >>> [matching_choice(word, ["rises", "falls", "stays"]) for word in ("Rise", "'FALLS'", "rose", "")]
    ['rises', 'falls', None, None]
    """
    found = [choice for choice in choices if _stem(choice) == _stem(word)]
    return found[0] if len(found) == 1 else None


def _stem(words: str) -> str:
    """A word or several in lower case, without punctuation, spaces and the ending of the last one.

    >>> _stem("Rising."), _stem("fork_0"), _stem("twice the learning rates")
    ('ris', 'fork0', 'twicethelearningrat')
    """
    return re.sub(r"(?:ing|e?[sdr]|e)$", "", re.sub(r"[\W_]+", "", words.casefold()))

"""Parts of sentences: lists and counts as a person writes them. Pure."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable


def told(parts: Iterable[str]) -> str:
    """Return such as `a, b and c`."""
    parts = list(parts)
    return " and ".join(filter(None, [", ".join(parts[:-1]), *parts[-1:]]))


def counted(count: int, noun: str) -> str:
    """Return such as `1 dataset` or `3 datasets`."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def one_line(text: str) -> str:
    """Return text with each run of white space, line ends too, as one blank."""
    return " ".join(text.split())


def clean(text: str) -> str:
    """Return text on one line, without what XML forbids or what reorders or hides characters."""
    shown = (c if unicodedata.category(c)[0] != "C" or c.isspace() else "\ufffd" for c in text)
    return one_line("".join(shown))

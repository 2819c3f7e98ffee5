"""Flags that take one of a few words: a typo is answered with the nearest."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import TypeVar

import typer

from gpbench.core.errors import nearest

Words = TypeVar("Words", bound=StrEnum)


def word(words: type[Words]) -> Callable[[str], Words]:
    """Return the parser of a flag; typer's own suggests nothing."""
    known = list(map(str, words))

    def parse(text: str) -> Words:
        if text not in known:
            raise typer.BadParameter(
                f"'{text}' is not one of {', '.join(map(repr, known))}.{nearest(text, known)}"
            )
        return words(text)

    return parse


def listed(words: type[StrEnum]) -> str:
    """Return the words as they stand in the help."""
    return f"<{'|'.join(words)}>"

r"""Any text as LaTeX that pdflatex compiles and shows as it is, in T1 or OT1 encoding. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from itertools import pairwise

LONGEST_WORD = 20
"""Characters after which a word is none: a hash or an invented name, which may break anywhere."""
_PIECE = 5
"""Characters between the breaks of such a word: no wider than a line may be stretched."""

_SPECIAL: Mapping[str, str] = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "_": r"\_",
    "%": r"\%",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': "''",
    "`": r"\textasciigrave{}",
    "[": "{[}",  # after \\ or \item it would begin an option
    "]": "{]}",
    "*": "{*}",  # after \\ it would forbid a page break
}
_KNOWN = (frozenset(map(chr, range(0xC0, 0x180))) - set("ĦħĸĿŀŉŦŧſ")) | set(
    "¡£§°±²³µ·¹»«¿…÷€™\u00d7\u2013\u2014\u2018\u2019\u201c\u201d"
)
"""What pdflatex knows besides ASCII with Latin fonts only."""
_LIGATING = frozenset("-,'\"")
"""Characters of which two make another one, as hyphens a dash."""
_BREAK = r"\allowbreak{}"
_JOINT = re.compile(r"(?<=[_=/:@|])(?=\w)|(?<=\[)(?=[A-Za-z])|(?<=,)(?=[A-Za-z])")
"""Where a name may break: never in a number, nor inside a pair such as `[-0.4, +0.2]`."""


def escaped(text: str) -> str:
    """Return text that LaTeX shows on one line as it is; names may break between their parts.

    Accents that stand alone are put on their letters, compatible forms become plain ones, and what
    has no Latin letter is shown by its code point, as in `U+4E2D`.
    """
    words = unicodedata.normalize("NFC", text).split()
    return " ".join(_BREAK.join(map(_shown, _pieces(word))) for word in words)


def _pieces(word: str) -> Iterator[str]:
    """Yield the parts of a word between which it may break."""
    for part in _JOINT.split(word):
        size = _PIECE if len(part) > LONGEST_WORD else LONGEST_WORD
        yield from (part[at : at + size] for at in range(0, len(part), size))


def _shown(piece: str) -> str:
    apart = (
        "{}" * (before in _LIGATING and char in _LIGATING) + _character(char)
        for before, char in pairwise(f" {piece}")
    )
    return "".join(apart)


def _character(char: str) -> str:
    plain = char if _known(char) else unicodedata.normalize("NFKC", char)
    if all(map(_known, plain)):
        return "".join(_SPECIAL.get(each, each) for each in plain)
    return rf"\texttt{{U+{ord(char):04X}}}{_BREAK}"


def _known(char: str) -> bool:
    return char in _KNOWN or (char.isascii() and char.isprintable())

"""What must not leave the machine: absolute paths, and user names with them."""

from __future__ import annotations

import re
from typing import Any

PLACEHOLDER = "(path)"

_ENDS = r"""\s"'`<>|;,()\[\]{}"""
_BEFORE = r"""(?<![^\s"'`>|;,()\[\]{}=:])"""  # not <: a closing tag is no path
_PATHS = re.compile(
    rf"""
    # in quotes: up to the closing one, spaces and all
    (?P<quote>["'`])(?:file://|~[\w.-]*/|/(?=[^/\s])|[A-Za-z]:[\\/]|\\\\)[^"'`]*(?P=quote)
    | \bfile:/*[^{_ENDS}]*
    | (?<=:)/{{3,}}[^{_ENDS}]*                          # sqlite:////home/...
    | {_BEFORE}~[\w.-]*/[^{_ENDS}]*
    | {_BEFORE}(?<!:/)/(?=[^/{_ENDS}])[^{_ENDS}]*     # /home/...; not the // of https://
    | {_BEFORE}[A-Za-z]:[\\/](?!/)[^{_ENDS}]*         # C:\Users\...; not the :// of a URL
    | \\\\[\w.-]+\\[^{_ENDS}]*                        # \\server\share
    """,
    re.VERBOSE,
)


def without_paths(text: str, placeholder: str = PLACEHOLDER) -> str:
    """Return the text with absolute and `~` paths and file URLs replaced; other URLs stay."""
    return _PATHS.sub(placeholder, text)


def scrubbed(value: Any) -> Any:
    """Return a JSON value with absolute paths taken out of every string and key in it."""
    match value:
        case str():
            return without_paths(value)
        case dict():
            return {without_paths(key): scrubbed(item) for key, item in value.items()}
        case list() | tuple():
            return [scrubbed(item) for item in value]
        case _:
            return value

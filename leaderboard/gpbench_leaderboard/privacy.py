"""What must not leave the machine: absolute paths, and with them user names, are taken out of every published string."""

from __future__ import annotations

import re
from typing import Any

PLACEHOLDER = "(path)"
ENVIRONMENT = ("device", "cpu", "platform", "python")
"""The facts of a machine that a site shows, beside library versions; host names and process ids are none of them."""

_ENDS = r"""\s"'`<>|;,()\[\]{}"""
_BEFORE = r"""(?<![^\s"'`>|;,()\[\]{}=:])"""  # not <: a closing tag is no path
_PATHS = re.compile(
    rf"""
    (?P<quote>["'`])(?:file://|~[\w.-]*/|/(?=[^/\s])|[A-Za-z]:[\\/]|\\\\)[^"'`]*(?P=quote)  # quoted: spaces and all
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
    """Return the text with each absolute path, `~` path or file URL replaced; other URLs and `a/b` stay."""
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

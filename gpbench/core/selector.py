"""Selector texts: `name[param=value,...]`, chains with `+`, globs, `all`, seed lists. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from gpbench.core.errors import ConfigError, InvalidValueError, UnknownNameError

EVERYTHING = "all"
MOST_SEEDS = 1000
"""More seeds than this in one list are a mistyped number."""

_OPEN, _CLOSE = "[", "]"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]*")
_PARAMETER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True)
class SelectorPart:
    """One name with the parameters in its brackets, still texts."""

    name: str
    params: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        inside = ",".join(f"{name}={value}" for name, value in self.params.items())
        return f"{self.name}[{inside}]" if inside else self.name


@dataclass(frozen=True)
class Selector:
    """A name with parameters, or several of them chained with `+`."""

    parts: tuple[SelectorPart, ...]

    def __str__(self) -> str:
        return "+".join(map(str, self.parts))


def split_list(text: str) -> list[str]:
    """Return the entries of a comma list; commas inside brackets belong to the entry.

    Raises:
        ConfigError: If an entry is empty or brackets do not match.
    """
    return _split(text, ",", text)


def parse_selector(text: str) -> Selector:
    """Return the selector that a text is; `str` of it is the text without needless spaces.

    Raises:
        ConfigError: If the text is no selector; the message shows how one looks.
    """
    return Selector(tuple(_part(piece, text) for piece in _split(text, "+", text)))


def is_pattern(text: str) -> bool:
    """Return whether a text stands for several names: a glob or `all`."""
    return text == EVERYTHING or (_OPEN not in text and ("*" in text or "?" in text))


def expand(
    patterns: Sequence[str],
    known: Sequence[str],
    kind: str,
    *,
    everything: Sequence[str] | None = None,
) -> tuple[tuple[str, ...], frozenset[str]]:
    """Return the texts that patterns stand for, each once, and those that were not named.

    A pattern with brackets or `+` is passed on as it is, after its names are checked.

    Args:
        patterns: Names, globs, `all`, selectors.
        known: The names that exist.
        kind: What they name, in the singular, for messages.
        everything: What `all` stands for; all that is known where None.

    Raises:
        UnknownNameError: If a name does not exist.
        ConfigError: If a glob matches nothing, or there is nothing for `all` to stand for.
    """
    named: list[str] = []
    found: dict[str, None] = {}
    for pattern in patterns:
        if is_pattern(pattern):
            matches = list(_matches(pattern, known, known if everything is None else everything))
            if not matches:
                raise _nothing_matches(pattern, known, kind)
            found.update(dict.fromkeys(matches))
            continue
        selector = parse_selector(pattern)
        for part in selector.parts:
            if part.name not in known:
                raise UnknownNameError(kind, part.name, known)
        named.append(str(selector))
        found[str(selector)] = None
    return tuple(found), frozenset(found) - frozenset(named)


def parse_seeds(text: str, field_name: str = "seeds") -> tuple[int, ...]:
    """Return the seeds of a text: `5` is 0..4, `0-4` and `1,7` are what they say, `7-7` is 7.

    Raises:
        InvalidValueError: If the text is none of these, or names a seed twice; says `field_name`.
    """
    entries = [entry.strip() for entry in text.split(",")]
    if len(entries) == 1 and re.fullmatch(r"[0-9]{1,9}", entries[0]):
        entries = [f"0-{int(entries[0]) - 1}"]
    seeds: list[int] = []
    for entry in entries:
        match = re.fullmatch(r"([0-9]{1,9})(?:-(-?[0-9]{1,9}))?", entry)
        if match is None:
            raise InvalidValueError(
                field_name,
                text,
                "a count (5), a range (0-4), a list (1,7), or one given seed (7-7)",
            )
        first, last = int(match[1]), int(match[2] or match[1])
        if not 0 <= last - first < MOST_SEEDS - len(seeds):
            raise InvalidValueError(field_name, text, f"1 to {MOST_SEEDS} seeds")
        seeds.extend(range(first, last + 1))
    if len(set(seeds)) < len(seeds):
        raise InvalidValueError(field_name, text, "each seed once")
    return tuple(seeds)


def _matches(pattern: str, known: Sequence[str], everything: Sequence[str]) -> Iterator[str]:
    if pattern == EVERYTHING:
        return iter(everything)
    return (name for name in known if fnmatchcase(name, pattern))


def _nothing_matches(pattern: str, known: Sequence[str], kind: str) -> ConfigError:
    if pattern == EVERYTHING and known:
        return ConfigError(f"'all' stands for no {kind} here; name one. {_listing(known)}")
    return ConfigError(f"no {kind} matches '{pattern}'. {_listing(known)}")


def _listing(known: Sequence[str], most: int = 12) -> str:
    shown = ", ".join(sorted(known)[:most])
    more = f", ... ({len(known)} in all)" if len(known) > most else ""
    return f"Known: {shown}{more}." if known else "None is known."


def _part(piece: str, whole: str) -> SelectorPart:
    name, bracket, rest = piece.partition(_OPEN)
    name = name.strip()
    if not _NAME.fullmatch(name):
        raise _malformed(whole, f"'{name}' is no name")
    if bracket and not rest.endswith(_CLOSE):
        raise _malformed(whole, f"'{rest.rpartition(_CLOSE)[2]}' follows the bracket")
    inside = rest[:-1].strip()
    params: dict[str, str] = {}
    for entry in _split(inside, ",", whole) if inside else []:
        key, equals, value = (text.strip() for text in entry.partition("="))
        if not equals or not value or not _PARAMETER.fullmatch(key):
            raise _malformed(whole, f"'{entry}' is not param=value")
        if key in params:
            raise _malformed(whole, f"parameter '{key}' is given twice")
        params[key] = value
    return SelectorPart(name, params)


def _split(text: str, separator: str, whole: str) -> list[str]:
    """Return the stripped pieces between separators that stand outside brackets."""
    pieces, depth, start = [], 0, 0
    for position, character in enumerate(text):
        depth += (character == _OPEN) - (character == _CLOSE)
        if depth < 0:
            raise _malformed(whole, "a ']' has no '['")
        if character == separator and depth == 0:
            pieces.append(text[start:position].strip())
            start = position + 1
    if depth:
        raise _malformed(whole, "a '[' is not closed")
    pieces.append(text[start:].strip())
    if not all(pieces):
        raise _malformed(whole, f"nothing stands before or after a '{separator}'")
    return pieces


def _malformed(text: str, reason: str) -> ConfigError:
    return ConfigError(
        f"'{text}' is no selector: {reason}; write name, name[param=value,param=value], or a+b"
    )

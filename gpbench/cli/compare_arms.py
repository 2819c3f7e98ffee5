"""The arms that the arguments and `--baseline` of `gpbench compare` name. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, TypedDict

from gpbench.core.errors import InvalidValueError
from gpbench.core.selector import expand, is_pattern, parse_selector, split_list

if TYPE_CHECKING:
    from gpbench.compare.comparison import Ablation

BEST = "best:"


class Named(TypedDict):
    """Fields of a request."""

    candidates: tuple[str, ...]
    baselines: tuple[str, ...]
    ablation: Ablation | None


def named(
    texts: Sequence[str], baseline: str | None, ablation: str | None, known: Sequence[str]
) -> Named:
    """Return who is compared with whom; with `--ablation` the arguments are what it meets.

    Raises:
        ConfigError: If a text names no arm, or the arm has no ablations.
    """
    arms = named_arms(texts, known)
    if ablation is None:
        baselines = named_baselines(baseline, known)
        if len(baselines) > 1:  # what a glob of `best:` brings in besides is no candidate too
            baselines = tuple(arm for arm in baselines if arm not in arms) or baselines
        return Named(candidates=arms, baselines=baselines, ablation=None)
    from gpbench.compare.ablation import ablation_of

    full = _full_method(ablation, known)
    found = ablation_of(full, known, arms)
    return Named(
        candidates=(full,), baselines=tuple(arm for arm, _ in found.ingredients), ablation=found
    )


def named_arms(texts: Iterable[str], known: Sequence[str]) -> tuple[str, ...]:
    """Return the arms that texts name: an arm as it is, a list with commas, or globs.

    Raises:
        ConfigError: If a glob matches none, or a text is no selector.
    """
    names: list[str] = []
    for text in texts:
        for entry in [text] if text in known else split_list(text):
            if entry in known:
                names.append(entry)
            elif is_pattern(entry):
                names += expand([entry], known, "arm")[0]
            else:
                names.append(_arm(entry))
    return tuple(names)


def named_baselines(text: str | None, known: Sequence[str]) -> tuple[str, ...]:
    """Return the arm to compare with, or all that `best:` names; none where None.

    Raises:
        ConfigError: If the text names no arm, or several without `best:`.
    """
    if text is None:
        return ()
    if text in known:
        return (text,)
    arms = ", ".join(known)
    if text.startswith(BEST):
        several = text.removeprefix(BEST).strip()
        if not several:
            raise InvalidValueError("--baseline", text, f"name arms after {BEST} ({arms})")
        return named_arms([several], known)
    if not text.strip():
        raise InvalidValueError("--baseline", text, f"name an arm ({arms})")
    if is_pattern(text) or len(split_list(text)) > 1:
        best = f"one arm ({arms}), or {BEST}{text} for the best of several"
        raise InvalidValueError("--baseline", text, best)
    return (_arm(text),)


def _full_method(text: str, known: Sequence[str]) -> str:
    """Return the arm whose ablations are meant.

    Raises:
        ConfigError: If the text is not one name.
    """
    if text in known:
        return text
    if not text.strip() or text.startswith(BEST) or is_pattern(text) or len(split_list(text)) > 1:
        raise InvalidValueError("--ablation", text, f"name one arm ({', '.join(known)})")
    return _arm(text)


def _arm(text: str) -> str:
    """Return an arm with parameters as plans write it; a table may call its arms as it likes."""
    return str(parse_selector(text)) if "[" in text else text

"""Which arms of a study are ablations of a full method, and what each of them lacks. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gpbench.compare.comparison import Ablation
from gpbench.core.errors import ComparisonError, ConfigError, UnknownNameError
from gpbench.core.selector import Selector, SelectorPart, parse_selector


def ablation_of(full: str, arms: Sequence[str], chosen: Sequence[str] = ()) -> Ablation:
    """Return the ablations of an arm.

    By themselves these are its strategies with other parameters, and chains that lack one of them;
    of chosen arms of other kinds only the name says what they lack.

    Args:
        full: The arm with all its ingredients.
        arms: All arms of the study.
        chosen: The arms to take instead.

    Raises:
        UnknownNameError: If an arm is not in the study.
        ComparisonError: If the study has no ablation of the arm, or it is chosen itself.
    """
    for name in (full, *chosen):
        if name not in arms:
            raise UnknownNameError("arm", name, arms)
    if full in chosen:
        raise ComparisonError(f"'{full}' is the full method and no ablation of itself")
    lacks = {
        arm: _difference(full, arm) for arm in arms if arm != full and (not chosen or arm in chosen)
    }
    found = tuple(
        (arm, told or f"{arm} instead") for arm, told in lacks.items() if told or arm in chosen
    )
    if not found:
        raise ComparisonError(
            f"no ablation of '{full}' among the arms {', '.join(arms)}: run it with other "
            f"parameters, as {full.partition('[')[0]}[NAME=VALUE], or name the arms"
        )
    return Ablation(full, found)


def _difference(full: str, arm: str) -> str:
    """Return in a few words what an arm has otherwise; empty where it is another method."""
    try:
        whole, other = parse_selector(full), parse_selector(arm)
    except ConfigError:  # a table may call its arms as it likes
        return ""
    names = [part.name for part in whole.parts]
    if [part.name for part in other.parts] == names:
        pairs = zip(whole.parts, other.parts, strict=True)
        return ", ".join(told for a, b in pairs for told in _settings(a, b, alone=len(names) == 1))
    return _lacking(whole, other)


def _settings(full: SelectorPart, other: SelectorPart, *, alone: bool) -> Iterator[str]:
    """Yield the parameters that differ; those not named in a selector have their default."""
    of = "" if alone else f"{full.name} "
    for name in dict.fromkeys((*full.params, *other.params)):
        ours, theirs = full.params.get(name, "default"), other.params.get(name, "default")
        if ours != theirs:
            instead = "" if ours == "default" else f" instead of {ours}"
            yield f"{of}{name}={theirs}{instead}"


def _lacking(full: Selector, other: Selector) -> str:
    """Return which strategies of a chain another one lacks; empty unless the rest is the same."""
    kept = [part for part in full.parts if part in other.parts]
    if tuple(kept) != other.parts or len(kept) == len(full.parts):
        return ""
    lost = [str(part) for part in full.parts if part not in other.parts]
    return f"without {' and '.join(lost)}"

"""`gpbench compare --require`: which candidates miss a verdict, and why. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpbench.compare.comparison import Comparison, Contrast
    from gpbench.compare.words import Level


def unmet(comparison: Comparison, wanted: str, level: Level | None) -> str | None:
    """Return a sentence for every candidate without the verdict, None where all have it.

    A verdict that diverged runs could turn round does not count.

    Args:
        comparison: What was found.
        wanted: The verdict that every candidate needs.
        level: What it must be about; None: strategies.
    """
    missed = [
        f"  - {_named(contrast, comparison)}: {why}"
        for contrast in comparison.contrasts
        for why in _missed(contrast, wanted, level or "strategy")
    ]
    if not missed:
        return None
    count = f"{len(missed)} of {len(comparison.contrasts)} claims"
    return "\n".join([f"--require {wanted} is not met by {count}", *missed])


def _missed(contrast: Contrast, wanted: str, level: Level) -> Iterator[str]:
    """Yield why a contrast does not have the verdict, if it does not."""
    finding = contrast.finding
    if finding.verdict != wanted:
        yield f"{finding.verdict}: {finding.reason}"
    elif finding.level != level:
        mend = f"more pre-trainings, or --level {finding.level}" if level == "strategy" else ""
        yield f"{wanted} at level {finding.level}, not {level}{mend and f' ({mend})'}"
    elif contrast.sensitivity is not None and contrast.sensitivity.fragile:
        a, b = contrast.sensitivity.diverged
        yield (
            f"{wanted}, but fragile: with scores for the diverged runs ({a} of the candidate, {b} "
            "of the baseline) the sign or the decision can be another"
        )


def _named(contrast: Contrast, comparison: Comparison) -> str:
    """Return the candidate, and the label fraction where there are several."""
    fractions = {each.label_fraction for each in comparison.contrasts}
    where = f" ({100 * contrast.label_fraction:g} % labels)" if len(fractions) > 1 else ""
    return f"{contrast.candidate}{where} against {contrast.baseline}"

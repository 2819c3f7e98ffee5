"""Which arms are compared: the candidates, and the baseline or the baselines. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from gpbench.compare.comparison import Request
from gpbench.compare.study import Study
from gpbench.core.errors import ComparisonError, UnknownNameError

USUAL_BASELINE = "imagenet"


@dataclass(frozen=True)
class Sides:
    """Arms in the order of the study."""

    candidates: tuple[str, ...]
    baselines: tuple[str, ...]


def sides(study: Study, request: Request) -> Sides:
    """Return who is compared with whom.

    Raises:
        UnknownNameError: If an arm is not in the study.
        ComparisonError: If no baseline is named and `imagenet` is not there, or no candidate is.
    """
    for name in (*request.candidates, *request.baselines):
        if name not in study.arms:
            raise UnknownNameError("arm", name, study.arms)
    arms = ", ".join(study.arms)
    wanted = request.baselines or (USUAL_BASELINE,)
    baselines = tuple(arm for arm in study.arms if arm in wanted)
    if not baselines:
        raise ComparisonError(
            f"'{study.name}' has no arm '{USUAL_BASELINE}' to compare with: name one by --baseline "
            f"({arms})"
        )
    named = request.candidates or study.arms
    candidates = tuple(arm for arm in study.arms if arm in named and arm not in baselines)
    if not candidates:
        told = ", ".join(baselines)
        raise ComparisonError(
            f"nothing to compare with the baseline {told}: '{study.name}' has only {arms}"
            if len(study.arms) == len(baselines)
            else f"nothing to compare: {told} is the baseline; name another arm of {arms}"
        )
    return Sides(candidates, baselines)

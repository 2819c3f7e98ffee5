"""References -> the tables of published claims, each told apart from what was run here. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from gpbench_leaderboard.page import Claim, ClaimGroup
from gpbench_leaderboard.references import Reference

NOT_TESTED = "not tested here"
RUN_HERE = "run here under another protocol or budget: see Scores"


def claims(
    references: Iterable[Reference], ran: Collection[tuple[str, str]]
) -> tuple[ClaimGroup, ...]:
    """Return the claims by paper; `ran`: the (strategy, dataset) pairs with finished results."""
    chosen = [reference for reference in references if reference.role == "claim"]
    return _grouped(((reference.paper, reference) for reference in chosen), ran)


def baselines(
    references: Iterable[Reference], ran: Collection[tuple[str, str]]
) -> tuple[ClaimGroup, ...]:
    """Return the other published scores by dataset."""
    chosen = [reference for reference in references if reference.role == "baseline"]
    return _grouped(((reference.dataset, reference) for reference in chosen), ran)


def status(reference: Reference, ran: Collection[tuple[str, str]]) -> str:
    """Return whether the claim's strategy was run on the claim's dataset; never a judgement."""
    return RUN_HERE if (reference.strategy, reference.dataset) in ran else NOT_TESTED


def _grouped(
    named: Iterable[tuple[str, Reference]], ran: Collection[tuple[str, str]]
) -> tuple[ClaimGroup, ...]:
    found: dict[str, list[Claim]] = {}
    for name, reference in named:
        found.setdefault(name, []).append(Claim(reference, status(reference, ran)))
    return tuple(ClaimGroup(name, tuple(rows)) for name, rows in found.items())

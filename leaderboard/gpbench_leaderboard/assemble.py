"""Stored experiment, its results and their comparison -> one Page. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from gpbench import __version__
from gpbench.compare.comparison import Comparison
from gpbench.core.stage import SourceSpec
from gpbench.store import Result, StoredExperiment
from gpbench_leaderboard.arms import arms, strategy_cards
from gpbench_leaderboard.classes import class_tables
from gpbench_leaderboard.command import command
from gpbench_leaderboard.facts import banners, run_facts
from gpbench_leaderboard.page import Page
from gpbench_leaderboard.published import baselines, claims
from gpbench_leaderboard.references import Reference
from gpbench_leaderboard.scores import by_cell, columns, score_rows
from gpbench_leaderboard.verdicts import verdicts


def assemble(
    stored: StoredExperiment,
    results: Sequence[Result],
    sources: Sequence[SourceSpec],
    comparison: Comparison | str,
    references: Sequence[Reference],
) -> Page:
    """Return the page; `comparison` is the reason where there is none."""
    baseline = None if isinstance(comparison, str) else comparison.baseline
    shown = arms(stored.strategies, baseline)
    cells = by_cell(results, stored.datasets)
    finished = [result for result in results if result.total is not None]
    ran = {(result.arm.partition("[")[0], result.dataset) for result in finished}
    several_backbones = len({result.backbone for result in results}) > 1
    several_fractions = len({result.label_fraction for result in results}) > 1
    return Page(
        title=stored.name,
        question=question(len(stored.strategies), len(stored.datasets)),
        banners=banners(stored),
        facts=run_facts(stored, sources, [result.environment for result in finished]),
        verdicts=verdicts(comparison, shown),
        columns=columns(stored.datasets, cells),
        scores=score_rows(stored.datasets, cells, shown) if finished else (),
        several_backbones=several_backbones,
        several_fractions=several_fractions,
        class_tables=class_tables(
            stored.datasets, cells, backbones=several_backbones, fractions=several_fractions
        ),
        strategies=strategy_cards(stored.strategies, shown),
        excluded=tuple((excluded.name, excluded.reason) for excluded in stored.excluded),
        warnings=remarks(comparison),
        claims=claims(references, ran),
        published=baselines(references, ran),
        command=command(stored),
        version=__version__,
    )


def question(strategies: int, datasets: int) -> str:
    """Return what the page answers, in a sentence."""
    what = f"{strategies} ways to pre-train" if strategies > 1 else "One way to pre-train"
    where = f"{datasets} segmentation datasets" if datasets > 1 else "one segmentation dataset"
    return f"{what}, fine-tuned on {where}: what is better, by how much, and how sure is that?"


def remarks(comparison: Comparison | str) -> tuple[str, ...]:
    """Return a comparison's warnings, and what besides the strategy differs between its arms."""
    if isinstance(comparison, str):
        return ()
    unfair = (
        f"{entry.arm} and {entry.baseline} differ in {entry.field}: {'; '.join(entry.values)}"
        for entry in comparison.fairness
    )
    return (*comparison.warnings, *unfair)

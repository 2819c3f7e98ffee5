"""The tables of a comparison for those who ask for more, without a format. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import replace

from gpbench.compare.comparison import Comparison, Contrast, Row
from gpbench.compare.images import ImageScope
from gpbench.reports.sheets import Cell, Column, Sheet, findings, name, of_family, tested, verdict
from gpbench.reports.wording import NOTHING, points, probability, span
from gpbench.stats.components import Sd

Rows = Iterable[Iterable[Cell]]
EVERY_VALUE = "Every value"


def detail_sheets(comparison: Comparison) -> tuple[Sheet, ...]:
    """Return further claims, exact tests, spreads and the like; none is empty."""
    judged = (*tested(comparison), Column("verdict", numeric=False))
    backbones = of_family(comparison, comparison.family.backbones)
    found = (
        _sheet(
            "Against each baseline",
            ("strategy", "baseline"),
            judged,
            () if comparison.ablation else _against(comparison),
        ),
        _sheet("Against the margin", ("strategy",), _MARGIN, _margin(comparison)),
        _sheet(
            "With scores for the diverged runs",
            ("strategy", "reading"),
            judged,
            _filled(comparison),
        ),
        _sheet(
            "Runs that diverged, of those that ended",
            ("strategy",),
            _FAILURES,
            _failures(comparison),
        ),
        _sheet(
            "Datasets as they are: wins/ties/losses, exact p, Hodges-Lehmann gain",
            ("strategy",),
            _EXACT,
            _exact(comparison),
        ),
        _sheet(
            "All arms together, by ranks (Friedman)", ("labels",), _OMNIBUS, _omnibus(comparison)
        ),
        _sheet(
            "Where the variance comes from, in per cent",
            ("labels", "source"),
            _SOURCES,
            _sources(comparison),
        ),
        _sheet(f"By backbone{backbones}", ("strategy", "backbone"), judged, _backbones(comparison)),
        _sheet(
            "New images (of each dataset)", ("strategy", "dataset"), _IMAGES, _images(comparison)
        ),
        _sheet("Spread: standard deviations", ("arm", "dataset"), _SPREAD, _spread(comparison)),
        _sheet(
            EVERY_VALUE,
            ("arm", "dataset"),
            (Column("scores", numeric=False),),
            _values(comparison),
        ),
        _sheet(
            "By the dataset's own metric (not tested)",
            ("strategy", "dataset", "metric"),
            _OWN,
            _own(comparison),
        ),
    )
    return tuple(sheet for sheet in found if sheet.rows)


def _columns(*names: str) -> tuple[Column, ...]:
    return tuple(map(Column, names))


_EXACT = _columns("W/T/L", "flip p", "rank p", "H-L", "one left out")
_MARGIN = _columns("interval of TOST", "p within", "P below", "P within", "P above")
_FAILURES = _columns("diverged", "baseline", "Fisher's p")
_OMNIBUS = _columns("arms", "datasets", "chi2", "p", "F", "p of F", "exact p", "Kendall's W")
_SOURCES = _columns("sd", "of a score", "of a gain")
_IMAGES = _columns("gain", "interval", "raw p", "scenes", "se of scenes", "jackknife")
_SPREAD = _columns("pre-tr.", "interval", "fine-t.", "interval", "unit", "interval")
_OWN = _columns("mean", "baseline", "gain")


def _sheet(title: str, words: tuple[str, ...], columns: Iterable[Column], rows: Rows) -> Sheet:
    named = (Column(word, numeric=False) for word in words)
    return Sheet(title, (*named, *columns), tuple(tuple(row) for row in rows), detail=True)


def ingredients(comparison: Comparison) -> tuple[Sheet, ...]:
    """Return what each ingredient of a full method adds; nothing where that was not asked."""
    if comparison.ablation is None:
        return ()
    title = f"What each ingredient adds{of_family(comparison, comparison.family.headline)}"
    columns = (*tested(comparison), Column("verdict", numeric=False))
    return (
        replace(
            _sheet(title, ("strategy", "without it"), columns, _against(comparison)), detail=False
        ),
    )


def _against(comparison: Comparison) -> Rows:
    lacking = dict(comparison.ablation.ingredients) if comparison.ablation else {}
    for contrast in comparison.contrasts:
        for each in contrast.against:
            yield (
                Cell(name(comparison, contrast)),
                Cell(lacking.get(each.baseline, each.baseline)),
                *findings(each.finding),
                verdict(comparison, each.finding),
            )


def _filled(comparison: Comparison) -> Rows:
    for contrast in comparison.contrasts:
        found = contrast.sensitivity
        if found is None:
            continue
        for reading, finding in (("against it", found.worst), ("for it", found.best)):
            yield (
                Cell(name(comparison, contrast)),
                Cell(reading),
                *findings(finding),
                verdict(comparison, finding),
            )


def _margin(comparison: Comparison) -> Rows:
    for contrast in comparison.contrasts:
        found = contrast.finding.equivalence
        if found is None:
            continue
        chances = found.posterior
        told = (
            name(comparison, contrast),
            span(found.ci),
            probability(found.p_adjusted),
            f"{chances.worse:.3f}",
            f"{chances.within:.3f}",
            f"{chances.better:.3f}",
        )
        yield map(Cell, told)


def _failures(comparison: Comparison) -> Rows:
    for found in comparison.failures:
        theirs, ours = (f"{each.diverged} / {each.ended}" for each in found.outcomes)
        yield map(Cell, (found.arm, theirs, ours, probability(found.p)))


def _exact(comparison: Comparison) -> Rows:
    for contrast in comparison.contrasts:
        found = contrast.exact
        if found is None:
            continue
        told = (
            name(comparison, contrast),
            f"{found.wins}/{found.ties}/{found.losses}",
            probability(found.sign_flip_p),
            probability(found.signed_rank_p),
            points(found.hodges_lehmann),
            span(found.leave_one_out),
        )
        yield map(Cell, told)


def _omnibus(comparison: Comparison) -> Rows:
    for found in comparison.omnibus:
        test = found.test
        told = (
            f"{100 * found.label_fraction:g} %",
            str(len(found.arms)),
            str(len(found.datasets)),
            f"{test.chi2:.2f}",
            probability(test.p),
            NOTHING if test.f is None else f"{test.f:.2f}",
            probability(test.p_f),
            probability(test.permutation_p),
            f"{test.kendall_w:.2f}",
        )
        yield map(Cell, told)


def _sources(comparison: Comparison) -> Rows:
    for found in comparison.sources:
        if isinstance(found.found, str):
            continue
        for share in found.found.shares:
            told = (share.of_score, share.of_gain)
            yield (
                Cell(f"{100 * found.label_fraction:g} %"),
                Cell(share.source),
                Cell(f"{math.sqrt(share.variance):.2f}"),
                *(Cell(NOTHING if part is None else f"{100 * part:.1f}") for part in told),
            )


def _backbones(comparison: Comparison) -> Rows:
    for contrast in comparison.contrasts:
        for each in contrast.backbones:
            yield (
                Cell(name(comparison, contrast)),
                Cell(each.backbone),
                *findings(each.finding),
                verdict(comparison, each.finding),
            )


def _images(comparison: Comparison) -> Rows:
    for contrast, row in _all_rows(comparison):
        found = row.images
        if not isinstance(found, ImageScope):
            continue
        told = (
            name(comparison, contrast),
            row.dataset.name,
            points(found.difference),
            span(found.ci),
            probability(found.p),
            str(found.clusters),
            f"{found.se_cluster:.2f}",
            f"{found.jackknife_se:.2f}",
        )
        yield map(Cell, told)


def _spread(comparison: Comparison) -> Rows:
    seen = set()
    for contrast, row in _all_rows(comparison):
        for arm, spread in zip((contrast.candidate, contrast.baseline), row.spread, strict=True):
            told = (arm, row.dataset.name, *_sd(spread.pre), *_sd(spread.ft), *_sd(spread.unit))
            if told not in seen and (spread.ft or spread.unit):
                seen.add(told)
                yield map(Cell, told)


def _sd(sd: Sd | None) -> tuple[str, str]:
    if sd is None:
        return NOTHING, NOTHING
    interval = f"[{sd.lo:.2f}, {sd.hi:.2f}]" if sd.hi else "none above 0"
    return f"{sd.sd:.2f}", interval


def _values(comparison: Comparison) -> Rows:
    seen = set()
    for contrast, row in _all_rows(comparison):
        sides = (
            (contrast.candidate, row.candidate, row.candidate_pretrain_seeds),
            (contrast.baseline, row.baseline, row.baseline_pretrain_seeds),
        )
        for arm, values, seeds in sides:
            told = (arm, row.dataset.name, _by_unit(values, seeds))
            if told not in seen:
                seen.add(told)
                yield map(Cell, told)


def _by_unit(values: Iterable[float], seeds: Iterable[int | None]) -> str:
    """Return scores with `|` between pre-trainings."""
    told, before = "", None
    for value, seed in zip(values, seeds, strict=True):
        if told:
            told += " " if seed == before else " | "
        told += f"{value:.2f}"
        before = seed
    return told


def _own(comparison: Comparison) -> Rows:
    for contrast, row in _all_rows(comparison):
        own = row.headline
        if own is None:
            continue
        means = (f"{own.candidate:.2f}", f"{own.baseline:.2f}")
        gain = points(own.candidate - own.baseline)
        told = (name(comparison, contrast), row.dataset.name, own.metric, *means, gain)
        yield map(Cell, told)


def _all_rows(comparison: Comparison) -> Iterator[tuple[Contrast, Row]]:
    for contrast in comparison.contrasts:
        for row in contrast.rows:
            yield contrast, row

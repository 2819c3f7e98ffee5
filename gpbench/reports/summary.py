"""What a comparison says to a person, top to bottom, without a format. Pure.

The terminal and Markdown show the same words; only here is decided which.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from gpbench.compare.across import CONDITIONAL
from gpbench.compare.comparison import Comparison, Contrast, Finding
from gpbench.compare.family import CORRECTIONS
from gpbench.compare.judged import CLOSER, FEW_RUNS, UNDECIDED
from gpbench.compare.verdict import interval_name
from gpbench.compare.words import Scope
from gpbench.reports.detail_sheets import detail_sheets, ingredients
from gpbench.reports.sheets import Sheet, name, sheets
from gpbench.reports.wording import headline_words, points, pretrained, span

LEVELS = {
    "strategy": "Level strategy: the unit is one pre-training, its fine-tunings averaged; a run "
    "without a pre-training is a unit itself.",
    "checkpoint": "Level checkpoint: the unit is one fine-tuning. This speaks of these pre-trained "
    "models; another pre-training of the same strategy may differ.",
}
SCOPES: dict[Scope, str] = {
    "fixed-suite": "Scope fixed-suite: the average over exactly these datasets, equally weighted; "
    "not a claim about other datasets.",
    "seeds": "Scope seeds: what retraining would give on this test set; not a claim beyond it.",
    "datasets": "Scope datasets: what new datasets of this kind would give; the unit is a dataset.",
    "images": "Scope images: what new images of this dataset would give, drawn as scenes.",
}


@dataclass(frozen=True)
class Remarks:
    """Sentences under a heading."""

    title: str
    sentences: tuple[str, ...]
    detail: bool = False
    """Whether it can wait for those who ask for more."""


@dataclass(frozen=True)
class Summary:
    """A report, from top to bottom; sheets have rows, remarks have sentences."""

    title: str
    banners: tuple[str, ...]
    verdicts: tuple[str, ...]
    parts: tuple[Sheet | Remarks, ...]
    foot: str


def summary(comparison: Comparison, *, needed: bool = False) -> Summary:
    """Return the report of a comparison; with `needed` what more would help is no detail."""
    sentences = tuple(verdict_sentence(comparison, each) for each in comparison.contrasts)
    many = len(sentences) > MOST_SENTENCES
    parts: list[Sheet | Remarks] = [
        *ingredients(comparison),
        *sheets(comparison, averages_first=many),
        Remarks("What these verdicts rest on", tuple(_rest_on(comparison)) if many else ()),
        Remarks("Claims that hold on a condition", tuple(_conditions(comparison))),
        Remarks("Why datasets cannot be decided", tuple(_undecided(comparison))),
        Remarks("Warnings", comparison.warnings),
        Remarks("Besides the strategy, these differ", tuple(fairness(comparison))),
        Remarks("Verdicts and their reasons", sentences if many else (), detail=True),
        Remarks("What more would help", tuple(_needed(comparison)), detail=not needed),
        *detail_sheets(comparison),
        Remarks("About the shares of variance", tuple(_shares(comparison)), detail=True),
        Remarks("Claims about new images", tuple(_images(comparison)), detail=True),
        Remarks("How to read it", tuple(_reading(comparison)), detail=True),
        Remarks("Notes", comparison.notes, detail=True),
    ]
    margin = "" if comparison.margin is None else f" | margin {comparison.margin:g} pp"
    return Summary(
        title=f"{comparison.study}: {comparison.metric} in percent points, {_question(comparison)}",
        banners=comparison.banners,
        verdicts=() if many else sentences,
        parts=tuple(part for part in parts if isinstance(part, Sheet) or part.sentences),
        foot=f"data {comparison.data_hash[:12]} | alpha {comparison.alpha:g} | "
        f"{CORRECTIONS[comparison.correction]}{margin} | rng seed {comparison.rng_seed}",
    )


def _question(comparison: Comparison) -> str:
    if comparison.ablation is not None:
        return f"{comparison.ablation.full} against the best of its ablations"
    return f"against {comparison.baseline}"


def verdict_sentence(comparison: Comparison, contrast: Contrast) -> str:
    """Return a contrast's verdict with what it rests on, and its reason, in one sentence."""
    finding = contrast.finding
    words = headline_words(contrast, comparison.margin)
    told = f"{name(comparison, contrast)} against {contrast.baseline}: {words.upper()}"
    if finding.difference is not None:
        gain = f" {points(finding.difference)}"
        told += gain if finding.ci is None else f"{gain} {span(finding.ci)}"
        told += f" {_where(contrast)} (scope {contrast.scope}, level {finding.level})"
    return f"{told}: {finding.reason}{FRAGILE if contrast.fragile else ''}"


FRAGILE = "; fragile: with scores for the runs that diverged it could be otherwise"
MOST_SENTENCES = 4
"""Contrasts that are told in sentences on the first screen; more are a table."""


def _where(contrast: Contrast) -> str:
    where = f"on average over {len(contrast.rows)} datasets"
    if contrast.scope == "seeds":
        where = f"on {contrast.rows[0].dataset.name}"
    if contrast.pretrainings == (0, 0):
        return where
    return f"{where}, {pretrained(contrast)}"


def _rest_on(comparison: Comparison) -> Iterator[str]:
    """Yield what verdicts need beside them, once for all arms that need it."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for contrast in comparison.contrasts:
        if contrast.finding.remark:
            found[contrast.finding.remark].append(name(comparison, contrast))
        if contrast.fragile:
            found[FRAGILE.removeprefix("; ")].append(name(comparison, contrast))
    for remark, arms in found.items():
        yield f"{', '.join(arms)}: {remark}"


def _undecided(comparison: Comparison) -> Iterator[str]:
    """Yield why datasets cannot be decided, where the headline does not say it."""
    found: defaultdict[str, defaultdict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for contrast in comparison.contrasts:
        for row in contrast.rows:
            finding = row.finding
            if finding.verdict == "undecidable" and finding.reason != contrast.finding.reason:
                found[finding.reason][row.dataset.name].append(name(comparison, contrast))
    for reason, by_dataset in found.items():
        told = (f"{dataset} ({', '.join(arms)})" for dataset, arms in by_dataset.items())
        yield f"{', '.join(told)}: {reason}"


def _conditions(comparison: Comparison) -> Iterator[str]:
    """Yield on what claims beyond the data rest, once per reason."""
    found: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for contrast in comparison.contrasts:
        for each in contrast.scopes:
            for reason in _remarkable(each.finding, contrast.finding):
                found[each.scope, reason].append(name(comparison, contrast))
    for (scope, reason), arms in found.items():
        yield f"scope {scope} ({', '.join(arms)}): {reason}"


def _remarkable(claim: Finding, headline: Finding) -> tuple[str, ...]:
    """Return what a verdict beyond the data needs beside it and the headline does not say."""
    if claim.verdict == "undecidable":
        return (claim.reason,) if claim.reason != headline.reason else ()
    return tuple(
        each for each in (CONDITIONAL, CLOSER, FEW_RUNS, UNDECIDED) if each in claim.reason
    )


def _needed(comparison: Comparison) -> Iterator[str]:
    for contrast in comparison.contrasts:
        if contrast.needed is not None:
            yield f"{name(comparison, contrast)}: {contrast.needed.sentence}"


def _shares(comparison: Comparison) -> Iterator[str]:
    """Yield what the estimates of the shares cannot tell, or why there are none."""
    for each in comparison.sources:
        if isinstance(each.found, str):
            yield f"none: {each.found}"
            continue
        if each.found.negative:
            yield f"estimated below 0 and set to 0: {', '.join(each.found.negative)}"
        yield from each.found.unknown


def _images(comparison: Comparison) -> Iterator[str]:
    """Yield what holds for the intervals of scope `images`, or why there are none."""
    told: dict[str, list[str]] = {}
    for contrast in comparison.contrasts:
        for row in contrast.rows:
            found = (row.images,) if isinstance(row.images, str) else row.images.warnings
            for sentence in found:
                told.setdefault(sentence, []).append(row.dataset.name)
    for sentence, datasets in told.items():
        yield f"{', '.join(dict.fromkeys(datasets))}: {sentence}"


def _reading(comparison: Comparison) -> Iterator[str]:
    levels = {contrast.finding.level for contrast in comparison.contrasts}
    yield from (sentence for level, sentence in LEVELS.items() if level in levels)
    scopes = {contrast.scope for contrast in comparison.contrasts}
    scopes |= {each.scope for contrast in comparison.contrasts for each in contrast.scopes}
    scopes |= {
        "images" for c in comparison.contrasts for r in c.rows if not isinstance(r.images, str)
    }
    yield from (sentence for scope, sentence in SCOPES.items() if scope in scopes)
    backbones = sorted({b for c in comparison.contrasts for row in c.rows for b in row.backbones})
    if len(backbones) > 1:
        yield f"Averaged over the backbones {', '.join(backbones)} within each dataset."
    tested = any(contrast.finding.p is not None for contrast in comparison.contrasts)
    if (
        tested
        and comparison.correction != "none"
        and max(comparison.family.headline, comparison.family.rows) > 1
    ):
        yield (
            "A verdict goes by its adjusted p; a "
            f"{interval_name(comparison.alpha)} is for its row alone."
        )
    if comparison.correction == "bh":
        yield "Benjamini-Hochberg limits the share of false claims: for exploring, not for claims."


def fairness(comparison: Comparison) -> Iterator[str]:
    """Yield a sentence per field and value of a baseline: which arms have another value."""
    candidates = {contrast.candidate for contrast in comparison.contrasts}
    found: defaultdict[tuple[str, str, str], dict[str, list[str]]] = defaultdict(dict)
    for entry in comparison.fairness:
        theirs, ours = entry.values
        found[entry.field, entry.baseline, ours].setdefault(theirs, []).append(entry.arm)
    for (field, baseline, ours), others in found.items():
        told = [f"{value} ({', '.join(arms)})" for value, arms in others.items()]
        named = {arm for arms in others.values() for arm in arms}
        rest = candidates - named - {baseline}
        like = "; the others as it, within 10 %" if "seconds" in field else "; the others as it"
        yield f"{field}: {'; '.join([*told, f'{ours} ({baseline})'])}{like if rest else ''}"

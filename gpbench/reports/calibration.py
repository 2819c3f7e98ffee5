"""What a calibration says to a person, top to bottom, without a format. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from gpbench.compare.calibrate import Calibration, Relabelled
from gpbench.compare.family import CORRECTIONS
from gpbench.compare.tally import About, Claim, FamilyRate, Kind
from gpbench.reports.calibration_words import interval, percent, promised, reading, se
from gpbench.reports.sheets import Cell, Column, Sheet, Tone
from gpbench.reports.summary import Remarks, Summary
from gpbench.reports.wording import NOTHING

NAMES: dict[Kind, str] = {
    "headline": "average over the datasets",
    "new-datasets": "new datasets",
    "rows": "any dataset alone",
    "backbones": "any backbone alone",
}
TONES: dict[str, Tone] = {
    "as promised": "good",
    "fewer": "good",
    "more": "bad",
    "no promise": "open",
    "never": "faint",
}


def calibration_summary(calibration: Calibration) -> Summary:
    """Return the report; its verdicts belong to the simulated families, in their order."""
    families = calibration.simulated.families
    parts: list[Sheet | Remarks] = [
        _families(calibration),
        _relabelled(calibration),
        Remarks("What the numbers mean", tuple(_reading(calibration))),
        Remarks("Not relabelled", tuple(_unsplit(calibration))),
        _claims(calibration),
        _spreads(calibration),
    ]
    margin = "" if calibration.margin is None else f" | margin {calibration.margin:g} pp"
    data = "no data" if calibration.data_hash is None else f"data {calibration.data_hash[:12]}"
    return Summary(
        title=f"{calibration.study}: how often equal arms are called different, against "
        f"{calibration.baseline}",
        banners=(),
        verdicts=tuple(_sentence(calibration, family) for family in families),
        parts=tuple(part for part in parts if _filled(part)),
        foot=f"{data} | alpha {calibration.alpha:g} | {CORRECTIONS[calibration.correction]}{margin}"
        f" | {calibration.simulated.draws:,} draws | rng seed {calibration.rng_seed}",
    )


def tones(calibration: Calibration) -> tuple[Tone, ...]:
    """Return how the verdicts are to be shown."""
    families = calibration.simulated.families
    return tuple(TONES[reading(calibration, family).word] for family in families)


def _filled(part: Sheet | Remarks) -> bool:
    return bool(part.rows if isinstance(part, Sheet) else part.sentences)


def _name(calibration: Calibration, kind: Kind) -> str:
    if kind == "headline" and not _across(calibration):
        return "the dataset"
    return NAMES[kind]


def _across(calibration: Calibration) -> bool:
    """Return whether the headline is an average over several datasets."""
    return len({place.dataset for place in calibration.sds}) > 1


def _sentence(calibration: Calibration, family: FamilyRate) -> str:
    name, found = _name(calibration, family.kind), reading(calibration, family)
    told = f"{name[0].upper()}{name[1:]}: "
    if found.word != "never":
        share = f"{percent(family.false)} % +- {se(family.false)}"
        told += f"a false claim in {share} of simulated experiments, "
    return f"{told}{found.clause}"


def _families(calibration: Calibration) -> Sheet:
    columns = (
        Column("claims about", numeric=False),
        Column("tests"),
        Column("false, %"),
        Column("+-"),
        Column("95 % interval"),
        Column("promised"),
        Column("reading", numeric=False),
    )
    rows = []
    for family in calibration.simulated.families:
        alpha, found = promised(calibration, family), reading(calibration, family)
        rows.append(
            (
                Cell(_name(calibration, family.kind)),
                Cell(str(family.claims)),
                Cell(percent(family.false)),
                Cell(se(family.false)),
                Cell(interval(family.false)),
                Cell(NOTHING if alpha is None else f"{100 * alpha:g}"),
                Cell(found.word, TONES[found.word]),
            )
        )
    draws = calibration.simulated.draws
    return Sheet(f"Simulated: any false claim in {draws:,} experiments", columns, tuple(rows))


def _relabelled(calibration: Calibration) -> Sheet:
    kinds = [family.kind for family in calibration.simulated.families]
    columns = (
        Column("arm", numeric=False),
        Column("halves"),
        Column("splits"),
        *(Column(f"{_name(calibration, kind)}, %") for kind in kinds),
    )
    rows = tuple(
        (
            Cell(each.arm),
            Cell(" v ".join(map(str, each.halves))),
            Cell(f"all {each.splits:,}" if each.every_split else f"{each.counted.draws:,}"),
            *(_share(each, kind) for kind in kinds),
        )
        for each in calibration.relabelled
    )
    return Sheet("Relabelled: one half of an arm's own runs against the other", columns, rows)


def _share(relabelled: Relabelled, kind: Kind) -> Cell:
    for family in relabelled.counted.families:
        if family.kind == kind and family.undecided:
            return Cell(f"({percent(family.small)})", "faint")
        if family.kind == kind:
            return Cell(percent(family.false))
    return Cell(NOTHING)


def _claims(calibration: Calibration) -> Sheet:
    margin = (Column("equivalent, %"),) if calibration.margin is not None else ()
    columns = (
        Column("candidate", numeric=False),
        Column("claim about", numeric=False),
        Column("better, %"),
        Column("worse, %"),
        *margin,
        Column("false, %"),
        Column("95 % interval"),
    )
    fractions = {claim.about.label_fraction for claim in calibration.simulated.claims}
    rows = []
    for claim in calibration.simulated.claims:
        words = ("better", "worse", *(("equivalent",) if margin else ()))
        rows.append(
            (
                Cell(_candidate(claim.about, several=len(fractions) > 1)),
                Cell(_about(calibration, claim.about)),
                *(Cell(_of_verdict(claim, word)) for word in words),
                Cell(percent(claim.false)),
                Cell(interval(claim.false)),
            )
        )
    return Sheet("Simulated: each claim", columns, tuple(rows), detail=True)


def _candidate(about: About, *, several: bool) -> str:
    share = f" ({100 * about.label_fraction:g} % labels)" if several else ""
    return f"{about.candidate}{share}"


def _about(calibration: Calibration, about: About) -> str:
    return about.dataset or about.backbone or _name(calibration, about.kind)


def _of_verdict(claim: Claim, word: str) -> str:
    count = sum(number for name, number in claim.verdicts.items() if name == word)
    return f"{100 * count / claim.false.draws:.1f}"


def _spreads(calibration: Calibration) -> Sheet:
    names = ("arm", "dataset", "backbone", "labels", "pre-tr. sd", "fine-t. sd")
    columns = tuple(Column(name, numeric=at > 2) for at, name in enumerate(names))
    rows = tuple(
        (
            Cell(place.arm),
            Cell(place.dataset),
            Cell(place.backbone),
            Cell(f"{100 * place.label_fraction:g} %"),
            Cell(f"{own.pretraining:.2f}"),
            Cell(f"{own.finetuning:.2f}"),
        )
        for place, own in calibration.sds.items()
    )
    return Sheet("Simulated with, percent points", columns, rows, detail=True)


def _reading(calibration: Calibration) -> Iterator[str]:
    yield (
        "simulated: normal scores in this very design, all arms equal, each judged by `compare`; "
        "+- is the Monte-Carlo standard error"
    )
    if calibration.given:
        yield (
            "level checkpoint: a claim is about these pre-trained models, so the luck of a "
            "pre-training is not simulated; as a claim about strategies it would err more often"
        )
    elif calibration.once:
        yield (
            "pre-trainings were fine-tuned once, so nothing tells their spread from the "
            "fine-tunings': all of it is simulated as theirs, which datasets share"
        )
    if calibration.relabelled:
        yield from _about_splits(calibration)
    yield "claims about new images are not calibrated here: docs/statistics.md has their rates"


def _unsplit(calibration: Calibration) -> Iterator[str]:
    """Yield why arms were not split, those of the same reason together."""
    for reason in dict.fromkeys(why for _, why in calibration.unsplit):
        yield f"{', '.join(arm for arm, why in calibration.unsplit if why == reason)}: {reason}"


def _about_splits(calibration: Calibration) -> Iterator[str]:
    yield (
        "relabelled: the halves of an arm are equal whatever its scores look like; but all splits "
        "reuse the same runs, so a rate has no standard error: of few pre-trainings it can be far "
        "from the promise by chance"
    )
    withheld = [
        each for each in calibration.relabelled if any(f.undecided for f in each.counted.families)
    ]
    if withheld:
        arms = ", ".join(each.arm for each in withheld)
        yield (
            f"in brackets: `compare` gives no verdict on halves so small ({arms}); how often p is "
            "below alpha all the same"
        )

"""A calibration as the document `gpbench.calibrate/1`, described in docs/calibrate.md. Pure."""

from __future__ import annotations

from dataclasses import asdict
from importlib.metadata import version
from typing import get_args

from gpbench.compare.calibrate import Calibration, Relabelled
from gpbench.compare.tally import Claim, Counted, FamilyRate
from gpbench.compare.words import Verdict
from gpbench.core.plan import JsonObject
from gpbench.reports.calibration_words import ALPHA, promised, reading
from gpbench.stats.proportion import Rate

SCHEMA = "gpbench.calibrate/1"


def calibration_document(calibration: Calibration) -> JsonObject:
    """Return the document: plain JSON values without NaN; shares are in [0, 1]."""
    return {
        "schema": SCHEMA,
        "gpbench": version("gpbench"),
        "experiment": calibration.study,
        "metric": calibration.metric,
        "baseline": calibration.baseline,
        "alpha": calibration.alpha,
        "correction": calibration.correction,
        "level": calibration.level,
        "margin": calibration.margin,
        "data_hash": calibration.data_hash,
        "rng_seed": calibration.rng_seed,
        "units": calibration.units,
        "sharing": list(calibration.sharing),
        "simulated": {
            "draws": calibration.simulated.draws,
            "families": [_judged(calibration, family) for family in calibration.simulated.families],
            "claims": _claims(calibration.simulated),
            "finetuned_once": calibration.once,
            "spreads": [
                {
                    **_place(asdict(place)),
                    "sd_pretraining": own.pretraining,
                    "sd_finetuning": own.finetuning,
                }
                for place, own in calibration.sds.items()
            ],
        },
        "relabelled": [_relabelled(each) for each in calibration.relabelled],
        "not_relabelled": [{"strategy": arm, "reason": why} for arm, why in calibration.unsplit],
    }


def _judged(calibration: Calibration, family: FamilyRate) -> JsonObject:
    """Return a simulated family: its draws are independent, so its rate has an error."""
    found = reading(calibration, family)
    return {
        **_family(family),
        **_uncertain(family.false),
        "promised": promised(calibration, family),
        "reading": found.word,
        "reason": found.clause,
    }


def _family(family: FamilyRate) -> JsonObject:
    return {
        "claims_about": family.kind,
        "tests": family.claims,
        "false": family.false.count,
        "rate": family.false.share,
        "p_below_alpha": family.small.count,
        "undecidable": family.undecided or None,
    }


def _uncertain(rate: Rate) -> JsonObject:
    return {"se": rate.se, "interval": list(rate.interval(ALPHA))}


def _claims(counted: Counted) -> list[JsonObject]:
    return [_claim(claim) for claim in counted.claims]


def _claim(claim: Claim) -> JsonObject:
    return {
        "claims_about": claim.about.kind,
        "candidate": claim.about.candidate,
        "label_fraction": claim.about.label_fraction,
        "dataset": claim.about.dataset,
        "backbone": claim.about.backbone,
        "verdicts": {word: claim.verdicts.get(word, 0) for word in get_args(Verdict)},
        "false": claim.false.count,
        "rate": claim.false.share,
        **_uncertain(claim.false),
    }


def _relabelled(each: Relabelled) -> JsonObject:
    return {
        "strategy": each.arm,
        "unit": each.unit,
        "halves": list(each.halves),
        "splits": each.splits,
        "draws": each.counted.draws,
        "families": [_family(family) for family in each.counted.families],
    }


def _place(place: JsonObject) -> JsonObject:
    return {"strategy": place.pop("arm"), **place}

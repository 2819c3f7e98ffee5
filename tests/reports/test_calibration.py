"""What a calibration says, and its document, from rates made by hand."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from gpbench.compare.calibrate import Calibration, Relabelled, calibrate_study
from gpbench.compare.comparison import Request
from gpbench.compare.equal_arms import Place, Sds
from gpbench.compare.tally import About, Claim, Counted, FamilyRate, Kind
from gpbench.reports.calibration import calibration_summary, tones
from gpbench.reports.calibration_document import calibration_document
from gpbench.reports.calibration_words import reading
from gpbench.reports.sheets import Sheet
from gpbench.reports.terminal import plain_text, print_summary
from gpbench.stats.proportion import Rate
from tests.compare.made import pretrained, study_of

WHY = "1 seed per arm"


def family(
    kind: Kind = "headline", false: int = 50, *, claims: int = 1, undecided: str = ""
) -> FamilyRate:
    return FamilyRate(kind, claims, Rate(false, 1000), Rate(false + 1, 1000), undecided)


def made(*families: FamilyRate) -> Calibration:
    about = About("headline", "new", 1.0)
    claim = Claim(about, {"better": 20, "worse": 30, "inconclusive": 950}, Rate(50, 1000))
    return Calibration(
        study="made",
        metric="mIoU",
        baseline="imagenet",
        alpha=0.05,
        correction="holm",
        level=None,
        margin=None,
        data_hash="ab" * 32,
        rng_seed=7,
        sds={Place("new", "net", on, 1.0): Sds(1.0, 0.5) for on in ("town", "field")},
        given=False,
        once=False,
        units=8,
        sharing=(),
        simulated=Counted(1000, families or (family(),), (claim,)),
        relabelled=(),
        unsplit=(),
    )


def text(calibration: Calibration, *, detailed: bool = False) -> str:
    report = calibration_summary(calibration)
    shown = plain_text(
        lambda console: print_summary(report, tones(calibration), console, detailed=detailed)
    )
    return " ".join(shown.split())


@pytest.mark.parametrize(
    ("false", "word", "clause"),
    [
        (50, "as promised", "consistent with 5 %"),
        (40, "as promised", "consistent with 5 %"),
        (63, "as promised", "consistent with 5 %"),
        (80, "more", "more than 5 %: a p near alpha says less here than it should"),
        (20, "fewer", "fewer than 5 %: on the safe side"),
        (0, "fewer", "fewer than 5 %: on the safe side"),
    ],
)
def test_a_rate_is_read_by_its_interval(false: int, word: str, clause: str) -> None:
    found = reading(made(), family(false=false))
    assert (found.word, found.clause) == (word, clause)


def test_the_promise_is_the_level_asked_for() -> None:
    assert reading(replace(made(), alpha=0.2), family(false=50)).word == "fewer"
    assert reading(replace(made(), alpha=0.01), family(false=50)).word == "more"


def test_several_tests_that_nothing_corrects_for_were_promised_nothing() -> None:
    uncorrected = replace(made(), correction="none")
    assert reading(uncorrected, family(false=140, claims=3)).word == "no promise"
    assert reading(uncorrected, family(false=140, claims=1)).word == "more"
    assert calibration_document(replace(uncorrected, simulated=Counted(
        1000, (family(claims=3),), ()
    )))["simulated"]["families"][0]["promised"] is None  # fmt: skip


def test_a_design_that_never_decides_is_not_called_safe() -> None:
    found = reading(made(), family(false=0, undecided=WHY))
    assert (found.word, found.clause) == ("never", f"this design never decides it: {WHY}")


def test_why_false_claims_are_few_is_said() -> None:
    def told(calibration: Calibration, **about: object) -> str:
        return reading(calibration, family(false=10, **about)).clause  # type: ignore[arg-type]  # any field

    assert told(replace(made(), units=3)).endswith("since tests of 3 units a side are cautious")
    assert "a side" not in told(replace(made(), units=1, given=True))  # of fine-tunings
    assert told(made(), claims=4).endswith("Holm takes 4 tests of shared runs for unrelated ones")
    assert "have no gains that vary between datasets" in told(made(), kind="new-datasets")
    both = told(replace(made(), units=3, sharing=("twin",)), claims=2)
    assert "are cautious, pre-trainings of the baseline serve twin too" in both
    assert " and Holm takes 2 tests" in both


def test_every_family_is_a_sentence_and_a_row() -> None:
    shown = text(made(family(), family("rows", 80, claims=2)))
    assert (
        "- Average over the datasets: a false claim in 5.0 % +- 0.7 of simulated experiments, "
        "consistent with 5 %"
    ) in shown
    assert (
        "- Any dataset alone: a false claim in 8.0 % +- 0.9 of simulated experiments, mor" in shown
    )
    assert "any dataset alone 2 8.0 0.9 [6.5, 9.8] 5 more" in shown
    assert "data abababababab | alpha 0.05 | Holm | 1,000 draws | rng seed 7" in shown


def test_one_dataset_is_no_average() -> None:
    one = replace(made(), sds={Place("new", "net", "town", 1.0): Sds(1.0, 0.5)})
    assert "- The dataset: a false claim in 5.0 %" in text(one)


def test_details_wait_for_those_who_ask() -> None:
    assert "Simulated: each claim" not in text(made())
    shown = text(made(), detailed=True)
    assert "new average over the datasets 2.0 3.0 5.0 [3.8, 6.5]" in shown
    assert "new town net 100 % 1.00 0.50" in shown


def test_how_often_equal_arms_are_called_equivalent_is_shown_with_a_margin() -> None:
    found = made()
    (claim,) = found.simulated.claims
    verdicts = {**claim.verdicts, "inconclusive": 250, "equivalent": 700}
    counted = replace(found.simulated, claims=(replace(claim, verdicts=verdicts),))
    shown = text(replace(found, margin=2.0, simulated=counted), detailed=True)
    assert "better, % worse, % equivalent, % false, % 95 % interval" in shown
    assert "2.0 3.0 70.0 5.0 [3.8, 6.5]" in shown
    assert "| margin 2 pp |" in shown


def test_what_the_tests_would_say_is_told_from_what_was_said() -> None:
    (found,) = calibration_document(made(family(false=40)))["simulated"]["families"]
    assert (found["false"], found["rate"], found["p_below_alpha"]) == (40, 0.04, 41)


def relabelled(draws: int, *, undecided: str = "") -> Relabelled:
    rate = FamilyRate("headline", 1, Rate(1, draws), Rate(2, draws), undecided)
    return Relabelled("new", "pre-training", (4, 4), 35, Counted(draws, (rate,), ()))


def test_relabelled_rates_have_no_error_and_the_report_says_why() -> None:
    found = replace(made(), relabelled=(relabelled(35),))
    assert "new 4 v 4 all 35 2.9" in text(found)
    assert "all splits reuse the same runs, so a rate has no standard error" in text(found)
    document = calibration_document(found)["relabelled"][0]
    assert "se" not in document["families"][0]
    assert (document["splits"], document["draws"], document["unit"]) == (35, 35, "pre-training")


def test_splits_that_were_drawn_are_not_called_all() -> None:
    assert "new 4 v 4 20 5.0" in text(replace(made(), relabelled=(relabelled(20),)))


def test_withheld_verdicts_are_told_from_verdicts() -> None:
    shown = text(replace(made(), relabelled=(relabelled(35, undecided="few"),)))
    assert "new 4 v 4 all 35 (5.7)" in shown
    assert "`compare` gives no verdict on halves so small (new)" in shown


def test_arms_that_were_not_split_are_named_by_reason() -> None:
    found = replace(made(), unsplit=(("a", "few"), ("b", "none"), ("c", "few")))
    assert "Not relabelled - a, c: few - b: none" in text(found)


def test_the_document_is_plain_json_with_all_claims() -> None:
    runs = [pretrained(arm, on, [50, 51, 53]) for arm in ("imagenet", "new") for on in ("a", "b")]
    study = study_of([run for part in runs for run in part])
    found = calibrate_study(study, Request(), 8, lambda *_: None)
    document = json.loads(json.dumps(calibration_document(found), allow_nan=False))
    assert document["schema"] == "gpbench.calibrate/1"
    assert document["data_hash"] == study.data_hash
    assert [f["claims_about"] for f in document["simulated"]["families"]] == ["headline", "rows"]
    claims = document["simulated"]["claims"]
    assert [(c["candidate"], c["dataset"]) for c in claims] == [
        ("new", None),
        ("new", "a"),
        ("new", "b"),
    ]
    assert all(sum(claim["verdicts"].values()) == 8 for claim in claims)
    assert document["simulated"]["finetuned_once"] is True
    assert len(document["simulated"]["spreads"]) == 4
    assert [each["strategy"] for each in document["not_relabelled"]] == ["imagenet", "new"]


def test_names_are_shown_as_they_are() -> None:
    hostile = "[bold]new[/bold]"
    found = replace(made(), study=hostile, unsplit=((hostile, "few"),))
    assert text(found).count(hostile) == 2


def test_tables_have_as_many_cells_as_columns() -> None:
    for part in calibration_summary(replace(made(), relabelled=(relabelled(35),))).parts:
        if isinstance(part, Sheet):
            assert all(len(row) == len(part.columns) for row in part.rows)

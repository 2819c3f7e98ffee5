from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import version

import pytest

from gpbench.compare.compare import compare
from gpbench.compare.comparison import Ablation, Comparison, Family, Request, Unfairness
from gpbench.compare.images import NO_SCENES, ImageScope
from gpbench.compare.study import Study
from gpbench.compare.words import Correction
from gpbench.core.plan import Excluded
from gpbench.reports.methods import methods
from gpbench.reports.methods_statistics import FAMILIES
from tests.compare.made import pretrained, study_of, two_arms, untrained
from tests.reports.comparisons import NEW, made, made_study, undecided, with_images

Make = Callable[[], Comparison]


def text(comparison: Comparison) -> str:
    return "\n".join(methods(comparison))


def compared(study: Study, request: Request | None = None) -> Comparison:
    return compare(study, request or Request())


def shared() -> Comparison:
    """Return a comparison of two arms whose pre-trainings serve both datasets."""
    runs = [
        run
        for arm, gain in (("imagenet", 0), ("new", 1))
        for dataset in ("town", "field")
        for run in pretrained(arm, dataset, [50 + gain, 52, 54 + gain])
    ]
    return compare(study_of(runs), Request())


def equal() -> Comparison:
    return compared(two_arms([50, 51, 53], [50, 51, 53]))


def untested() -> Comparison:
    """Return one run of each arm on three datasets."""
    runs = [
        *(run for at in range(3) for run in untrained("imagenet", f"d{at}", [50 + at])),
        *(run for at in range(3) for run in untrained("new", f"d{at}", [52 + at + at**2 / 9])),
    ]
    return compared(study_of(runs))


def shared_by_three() -> Comparison:
    """Return pre-trainings that serve three datasets and differ more than the gains do."""
    runs = [
        run
        for at in range(3)
        for arm, gain in (("imagenet", 0), ("new", 1 + at / 50))
        for run in pretrained(arm, f"d{at}", [50 + gain, 53 + gain, 57 + gain])
    ]
    return compared(study_of(runs))


def stored() -> Comparison:
    """Return a comparison of runs whose stages the store has."""
    study = two_arms([5, 6, 7], [1, 2, 3])
    runs = (replace(r, key=f"{r.arm} {r.pretrain_seed}") for r in study.runs)
    return compared(replace(study, runs=tuple(runs)))


def one_dataset(request: Request | None = None) -> Comparison:
    return compared(two_arms([5, 6, 7], [1, 2, 3]), request)


def paired(datasets: tuple[str, ...] = ("town",)) -> Comparison:
    runs = [
        run
        for name in datasets
        for arm, scores in (("imagenet", [1, 2, 3.5]), ("new", [4, 5, 7]))
        for run in pretrained(arm, name, scores, fraction=0.1)
    ]
    return compared(study_of(runs))


def failed(status: str, arm: str = NEW) -> Comparison:
    """Return the made comparison with the last pre-training's runs of an arm without a score."""
    study = made_study()
    runs = [
        replace(run, value=None, headline=None, status=status)
        if run.arm == arm and run.pretrain_seed == 2
        else run
        for run in study.runs
    ]
    return compared(replace(study, runs=tuple(runs)))


def suite(datasets: int, pretrainings: int = 3) -> Comparison:
    """Return two candidates and a baseline whose pre-trainings serve all of some datasets."""
    scores = {"imagenet": 0.0, "a": 2.0, "b": 2.5}
    runs = [
        run
        for at in range(datasets)
        for arm, gain in scores.items()
        for run in pretrained(
            arm,
            f"d{at}",
            [[50 + gain + at * gain / 5 + p * p, 50.5 + gain] for p in range(pretrainings)],
        )
    ]
    return compared(study_of(runs))


def with_backbones() -> Comparison:
    runs = [
        run
        for backbone in ("large", "tiny")
        for arm, scores in (("imagenet", [1, 2, 4]), ("new", [5, 6, 9]))
        for run in pretrained(arm, "town", scores, backbone=backbone)
    ]
    return compared(study_of(runs))


def gaps() -> Comparison:
    """Return a candidate that has three datasets and one that has two of them."""
    has = {"imagenet": 3, "a": 3, "b": 2}
    runs = [
        run
        for arm, count in has.items()
        for at in range(count)
        for run in pretrained(arm, f"d{at}", [1, 2, 4 + len(arm)])
    ]
    return compared(study_of(runs))


def two_tests() -> Comparison:
    """Return one candidate with one fixed pre-training and one with two of them."""
    runs = [
        *pretrained("imagenet", "town", [[1, 2, 4]]),
        *pretrained("a", "town", [[5, 6, 8]]),
        *pretrained("b", "town", [[5, 6], [7, 9]]),
    ]
    return compared(study_of(runs), Request(level="checkpoint"))


def recorded(**facts: str) -> Comparison:
    study = two_arms([5, 6, 7], [1, 2, 3])
    return compared(replace(study, runs=tuple(replace(r, environment=facts) for r in study.runs)))


def one_pretraining() -> Comparison:
    return compared(two_arms([[5, 6, 7]], [[1, 2, 3]]))


def mixed_levels() -> Comparison:
    runs = [
        *pretrained("imagenet", "town", [[1, 2], [3, 4], [5, 6]]),
        *pretrained("one", "town", [[7, 8, 9]]),
        *pretrained("three", "town", [[7, 8], [9, 9], [8, 6]]),
    ]
    return compared(study_of(runs))


def maxed(datasets: int = 3) -> Comparison:
    runs = [
        run
        for at in range(datasets)
        for place, arm in enumerate(("imagenet", "other", "new"))
        for run in pretrained(arm, f"d{at}", [place * 3 + at, place * 3 + 1, place * 2 + at / 2])
    ]
    return compared(study_of(runs), Request(baselines=("imagenet", "other"), margin=1.0))


def ablated() -> Comparison:
    return replace(made(), ablation=Ablation(NEW, (("scratch", "without it"),)))


def no_common() -> Comparison:
    runs = pretrained("imagenet", "town", [1, 2, 3]) + pretrained("new", "field", [1, 2, 3])
    return compared(study_of(runs))


def same_starts() -> Comparison:
    """Return arms whose pre-trainings are fixed, several of them."""
    runs = two_arms([[5, 6], [7, 8]], [[1, 2], [3, 3]])
    return compared(runs, Request(level="checkpoint"))


def suite_of_three() -> Comparison:
    return suite(3)


def warned(*warnings: str) -> Comparison:
    """Return claims about new images with other warnings."""
    found = with_images()
    contrast = found.contrasts[0]
    row = contrast.rows[0]
    assert isinstance(row.images, ImageScope)
    row = replace(row, images=replace(row.images, warnings=warnings))
    return replace(found, contrasts=(replace(contrast, rows=(row,)),))


def of_two_tests(correction: Correction) -> Comparison:
    """Return claims about new images, as if there had been another contrast."""
    return replace(with_images(), correction=correction, family=Family(2, 2, 0))


SAID: list[tuple[str, Make, Make]] = [
    # a phrase, a comparison of which it is true, and one of which it is not
    ("This is a trial run", lambda: replace(made(), trial=True), made),
    (f"We compared {NEW} and scratch with imagenet in the experiment made.", made, maxed),
    ("the reported difference is that to the baseline with the highest", maxed, made),
    (f"{NEW} is the full method; its ablations", ablated, made),
    ("scratch (without it)", ablated, made),
    ("No candidate has finished results on a dataset of the baseline.", no_common, made),
    ("2 datasets, town (protocol p/1) and field (protocol q/2), with", made, suite_of_three),
    ("backbone tiny, fine-tuned on all of the training labels", made, paired),
    ("backbones large and tiny, averaged within each dataset", with_backbones, made),
    ("fine-tuned on 10 % of the training labels", paired, made),
    ("Incomplete results were allowed on town.", lambda: replace(made(), partial=("town",)), made),
    ("on the datasets on which both of its arms have results", gaps, made),
    ("intersection over union, computed from pixel counts", with_images, made),
    ("The score is mIoU in percent as given in the table", made, with_images),
    ("Each contrast: n = 3 v 3 pre-trainings on each dataset at least", suite_of_three, made),
    (f"{NEW} v imagenet: n = 3 v 3 pre-trainings on each", made, suite_of_three),
    ("scratch v imagenet: n = none v 3 pre-trainings", made, one_dataset),
    ("and 6 v 6 fine-tunings in all.", made, one_dataset),
    ("new v imagenet: n = 3 v 3 pre-trainings and 3 v 3 fine-tunings.", one_dataset, made),
    (
        "n = no pre-trainings and",
        lambda: compared(
            study_of(untrained("imagenet", "t", [1, 2, 3]) + untrained("x", "t", [4, 5, 7]))
        ),
        made,
    ),
    ("the unit is one pre-training, whose fine-tunings were averaged first", made, undecided),
    ("A pre-training that serves several datasets is one draw.", made, one_dataset),
    ("A run without a pre-training is a unit itself.", made, one_dataset),
    ("(level checkpoint): they are taken as fixed", one_pretraining, made),
    (
        "(level checkpoint): those of at least one arm are taken as fixed",
        same_starts,
        one_pretraining,
    ),
    ("(level checkpoint) (one): those of at least one arm", mixed_levels, same_starts),
    ("about strategies (level strategy) (three):", mixed_levels, made),
    ("the mean gain over exactly these 2 datasets, equally weighted", made, one_dataset),
    ("these 2 to 3 datasets", gaps, made),
    ("each group of datasets that share pre-trainings", made, one_dataset),
    (
        "It was tested two-sided by a paired t test over units",
        lambda: paired(("town", "field")),
        made,
    ),
    ("by Welch's t test over pre-trainings, each averaged over the datasets", shared, made),
    ("the arms were compared by Welch's t test, two-sided", made, paired),
    ("by a paired t test over units trained on the same drawn labels", paired, made),
    ("each fixed pre-trained model's fine-tunings", same_starts, made),
    ("Welch's t test (1 of 2) and a t test whose variance", two_tests, made),
    (
        "1 contrast on one dataset has no test: 1 seed per arm",
        lambda: compared(two_arms([52], [50])),
        made,
    ),
    ("has no test: both arms score exactly the same", equal, undecided),
    ("It could not be tested with these runs.", untested, made),
    (
        "With several backbones a unit is the mean over one pre-training of each",
        with_backbones,
        made,
    ),
    ("3 v 3 pre-trainings of each backbone", with_backbones, made),
    ("their variance was added in a second t test", shared_by_three, untested),
    ("Intervals are 95 % intervals of these t tests", made, undecided),
    ("Intervals are 90 % intervals", lambda: one_dataset(Request(alpha=0.1)), made),
    ("over 2 headline tests and 4 tests by dataset, each a family of its own", made, one_dataset),
    ("and 2 tests by backbone", with_backbones, made),
    ("p-values were not adjusted", lambda: made(Request(correction="none")), made),
    ("One difference was tested, so no p-value needed adjustment.", one_dataset, made),
    (FAMILIES["holm"], made, maxed),
    (FAMILIES["bh"], lambda: made(Request(correction="bh")), made),
    (FAMILIES["max-t"], maxed, made),
    (
        "choosing the best of them is corrected for",
        maxed,
        lambda: made(Request(correction="max-t")),
    ),
    ("where the adjusted p is below 0.05, and only with at least 3 units", made, one_dataset),
    ("where p is below 0.1,", lambda: one_dataset(Request(alpha=0.1)), made),
    ("A difference is called better", made, lambda: replace(made(), trial=True)),
    ("No margin of equivalence was set", made, maxed),
    ("(TOST), adjusted by Holm's procedure: alone", maxed, lambda: made(Request(margin=1))),
    (
        "(TOST), adjusted likewise: alone, it holds where the 90 %",
        lambda: made(Request(margin=1)),
        maxed,
    ),
    ("Equivalence within 0.5 percent points", lambda: one_dataset(Request(margin=0.5)), maxed),
    ("(TOST): alone", lambda: one_dataset(Request(margin=0.5)), maxed),
    ("(scope datasets) take the mean gain of each dataset as a unit", suite_of_three, made),
    ("They are a family of their own.", suite_of_three, maxed),
    ("by joint sign flips of datasets", maxed, suite_of_three),
    ("At level checkpoint they are conditional", lambda: suite(3, 1), suite_of_three),
    ("(scope images) on town (8 scenes, 10000 draws)", with_images, made),
    ("compares two checkpoints, not two strategies", with_images, warned),
    (
        "Verdicts on them are a family of their own, adjusted by Holm's procedure.",
        lambda: of_two_tests("max-t"),
        lambda: of_two_tests("holm"),
    ),
    (
        "Verdicts on them are a family of their own.",
        lambda: of_two_tests("holm"),
        with_images,
    ),
    ("each image counts as a scene of its own", lambda: warned(NO_SCENES), with_images),
    ("Bands of classes hold together at 95 %", with_images, made),
    (
        "Shares of variance come from expected mean squares over 2 datasets, 3 arms and 1 backbone",
        made,
        one_dataset,
    ),
    ("sign-flip and Wilcoxon signed-rank tests", made, one_dataset),
    ("and Friedman's test over all arms", suite_of_three, made),
    (f"2 of 18 fine-tunings ({NEW} 2 of 6) diverged", lambda: failed("diverged"), made),
    (f"({NEW} v imagenet: p = 0.45)", lambda: failed("diverged"), made),
    ("is called fragile where the sign or the verdict changes", lambda: failed("diverged"), made),
    (
        f"nothing about the arm (2 oom): 2 of 18 fine-tunings ({NEW} 2 of 6).",
        lambda: failed("oom"),
        made,
    ),
    ("(2 not run)", lambda: failed("missing"), lambda: failed("oom")),
    ("The table marks no run as diverged or missing.", made, stored),
    ("every one that was planned has a score", stored, made),
    ("no arm has a pre-training of its own, and the unit is one run", untested, made),
    (
        "Excluded: mae (no weights).",
        lambda: replace(made(), excluded=(Excluded("mae", "no weights"),)),
        made,
    ),
    (
        "differ from the baseline in lr and steps; the report of the comparison has",
        lambda: replace(
            made(),
            fairness=tuple(Unfairness("x", "imagenet", f, ("1", "2")) for f in ("lr", "steps")),
        ),
        made,
    ),
    (
        "Nothing else that is recorded of the runs differs",
        lambda: recorded(torch="2.9"),
        one_dataset,
    ),
    (
        "How and where the runs were trained is not recorded",
        one_dataset,
        lambda: recorded(torch="2.9"),
    ),
    ("ran with torch 2.9 and python 3.12.", lambda: recorded(torch="2.9", python="3.12"), made),
    ("timm", lambda: recorded(timm="1.0"), lambda: recorded(timm="absent")),
]


@pytest.mark.parametrize(("phrase", "true", "false"), SAID, ids=[phrase for phrase, *_ in SAID])
def test_says_what_is_true_and_only_there(phrase: str, true: Make, false: Make) -> None:
    assert phrase in text(true())
    assert phrase not in text(false())


def test_seed_hash_and_versions_are_named() -> None:
    comparison = made(Request(rng_seed=7))
    found = text(comparison)
    assert "random seed of all resampling is 7;" in found
    assert comparison.data_hash in found
    for package in ("gpbench", "numpy", "scipy"):
        assert f"{package} {version(package)}" in found


def test_runs_with_different_versions_name_both() -> None:
    study = two_arms([5, 6, 7], [1, 2, 3])
    runs = tuple(
        replace(run, environment={"torch": "2.9" if run.arm == "new" else "2.8"})
        for run in study.runs
    )
    assert "torch 2.8 or 2.9" in text(compared(replace(study, runs=runs)))


def test_a_version_that_some_runs_do_not_tell_is_not_named() -> None:
    study = two_arms([5, 6, 7], [1, 2, 3])
    first, *others = study.runs
    runs = (replace(first, environment={"torch": "2.9"}), *others)
    assert "ran with" not in text(compared(replace(study, runs=runs)))


def test_paragraphs_are_plain_lines() -> None:
    study = two_arms([5, 6, 7], [1, 2, 3])
    comparison = compared(replace(study, name="two\nlines\t|"))
    for paragraph in methods(comparison):
        assert paragraph
        assert "\n" not in paragraph
        assert "\t" not in paragraph
        assert "  " not in paragraph
        assert paragraph.isascii()
    assert "in the experiment two lines |." in text(comparison)

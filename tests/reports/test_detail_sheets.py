from __future__ import annotations

from gpbench.compare.compare import compare
from gpbench.compare.comparison import Ablation, Request
from gpbench.reports.detail_sheets import ingredients
from tests.compare.made import pretrained, study_of


def test_an_ablations_title_counts_the_contrasts_of_all_label_fractions() -> None:
    lacking = ("without x", "without y")
    runs = [
        run
        for fraction in (0.1, 1.0)
        for arm, level in (("full", 60.0), *((name, 50.0) for name in lacking))
        for run in pretrained(arm, "town", [level, level + 1, level + 2.5], fraction=fraction)
    ]
    asked = Ablation("full", tuple((arm, arm) for arm in lacking))
    request = Request(candidates=("full",), baselines=lacking, ablation=asked)
    comparison = compare(study_of(runs), request)
    (sheet,) = ingredients(comparison)
    assert sheet.title == "What each ingredient adds (p adjusted by max-T over 4)"
    assert len(sheet.rows) == comparison.family.headline == 4

from __future__ import annotations

from pathlib import Path

import pytest

from gpbench.core.problems import SUBSET_MEND, Problem, subset_mend
from gpbench.data.image_listing import list_images
from gpbench_datasets.isaid import PLUGIN as ISAID

MISSING = Problem("missing", "a.png is missing")


@pytest.mark.parametrize(
    ("problems", "allowed", "mend"),
    [
        ([MISSING, Problem("label", "b.png holds 9")], False, SUBSET_MEND),
        ([MISSING], True, ""),
        ([Problem("label", "b.png holds 9")], False, ""),
    ],
)
def test_a_part_is_offered_where_it_was_not_asked_for_and_would_help(
    problems: list[Problem], *, allowed: bool, mend: str
) -> None:
    assert subset_mend(problems, allow_partial=allowed) == mend


def test_a_part_is_not_offered_without_training_images(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ISAID, "problems", lambda _root: [MISSING])
    monkeypatch.setattr(ISAID, "images", lambda _root, _split: [])
    problems = list_images(ISAID, tmp_path).problems
    assert MISSING in problems
    assert subset_mend(problems, allow_partial=False) == ""

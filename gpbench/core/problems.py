"""What is wrong with the files of a dataset, one fact at a time. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import get_args

from gpbench.core.errors import DataError, ProblemKind

PROBLEM_KINDS: tuple[ProblemKind, ...] = get_args(ProblemKind)
MEANINGS: dict[ProblemKind, str] = {
    "missing": "every file that a list, a label or the card names is there",
    "count": "every split has as many images as the card says",
    "names": "names are known to the card, occur once, in one split, and are not too many",
    "unlabelled": "every image has a label",
    "unreadable": "every file can be decoded",
    "size": "images and labels have the declared size, and the same",
    "pixels": "images have the declared bands, one type of pixel, and no NaN",
    "label": "labels hold declared classes only",
}
"""What is checked under each kind, in words for `datasets check`."""

OF_SUBSETS: frozenset[ProblemKind] = frozenset({"missing", "count"})
"""What a part of a dataset cannot help having wrong: `--allow-partial` accepts these."""

EMPTY_TRAIN = "the train split is empty"
"""The one problem of these kinds that a part of a dataset may not have."""
SUBSET_MEND = "if a part of the dataset is meant: --allow-partial accepts what is missing of it"
SHOWN_PER_KIND = 20


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong, in one sentence that names the file, the value and the place."""

    kind: ProblemKind
    text: str


class DataProblemsError(DataError):
    """All that is wrong with the files of a dataset, of which no store was written."""

    def __init__(self, dataset: str, problems: Sequence[Problem], mend: str = "") -> None:
        self.dataset, self.problems = dataset, tuple(problems)
        head = f"{dataset}: {len(problems)} problem{'s' if len(problems) > 1 else ''}"
        lines = [f"  - {line}" for line in shortened(problems)]
        super().__init__("\n".join([head, *lines, *([mend] if mend else [])]))


def subset_mend(problems: Iterable[Problem], *, allow_partial: bool) -> str:
    """Return what to do where problems are of a kind that could be accepted, and was not."""
    problems = list(problems)
    if any(problem.text == EMPTY_TRAIN for problem in problems):
        return ""
    may_be_part = any(problem.kind in OF_SUBSETS for problem in problems)
    return SUBSET_MEND if may_be_part and not allow_partial else ""


def shortened(problems: Iterable[Problem], most: int = SHOWN_PER_KIND) -> list[str]:
    """Return the texts, kind by kind; of each kind `most` and how many more there are."""
    lines: list[str] = []
    by_kind: dict[ProblemKind, list[str]] = {kind: [] for kind in PROBLEM_KINDS}
    for problem in problems:
        by_kind[problem.kind].append(problem.text)
    for kind, texts in by_kind.items():
        lines += texts[:most]
        if len(texts) > most:
            lines.append(f"... and {len(texts) - most} more of this kind ({kind})")
    return lines

"""All images of a dataset in their fixed order, and what is wrong before one is opened."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from gpbench.api import Dataset, InspectedDataset
from gpbench.core.dataset import SPLITS, DatasetInfo, ImageRef, Split
from gpbench.core.errors import DataError, DatasetNotFoundError
from gpbench.core.problems import OF_SUBSETS, Problem
from gpbench.core.stage import digest
from gpbench.data.tile_index import SCHEMA

NEEDED: tuple[Split, ...] = ("train", "test")
NEEDED_OF_A_PART: tuple[Split, ...] = ("train",)
"""Without training images there are no statistics; a plan refuses to score nothing."""


@dataclass(frozen=True)
class Listed:
    """One image of a dataset; `position` counts from 0 over train, val and test."""

    position: int
    split: Split
    ref: ImageRef

    @property
    def where(self) -> str:
        """Return the image's name for messages, with its files."""
        files = f" ({', '.join(self.ref.files)})" if self.ref.files else ""
        return f"{self.split} image '{self.ref.name}'{files}"

    def origin(self, root: Path, info: DatasetInfo) -> str:
        """Return a digest of what the image is made from, without opening its files.

        It changes with facts of the dataset, and with names, sizes and times of the files.
        """
        files = [(file, *_size_and_time(root / file)) for file in self.ref.files]
        facts = (info.version, info.bands, info.classes)
        return digest([SCHEMA, facts, self.split, asdict(self.ref), files])


@dataclass(frozen=True)
class Listing:
    """The images of all splits, and all that is wrong with names, numbers and presence."""

    images: tuple[Listed, ...]
    problems: tuple[Problem, ...]


def list_images(dataset: Dataset, root: Path, *, allow_partial: bool = False) -> Listing:
    """Return what a dataset lists.

    Args:
        dataset: If it is an InspectedDataset, its own problems are among those returned.
        root: Of its files.
        allow_partial: Leave out problems that a part of a dataset cannot help having. An empty
            training split is one all the same.

    Raises:
        DatasetNotFoundError: If nothing usable lies at `root`.
    """
    own = _own_problems(dataset, root)
    problems = [each for each in own if not (allow_partial and each.kind in OF_SUBSETS)]
    needed = NEEDED_OF_A_PART if allow_partial else NEEDED
    refs: list[tuple[Split, ImageRef]] = []
    for split in SPLITS:
        try:
            found = dataset.images(root, split)
        except DatasetNotFoundError:
            raise
        except DataError as error:
            problems.append(Problem(error.kind, str(error)))
        else:
            refs += [(split, ref) for ref in found]
            if not found and split in needed:
                problems.append(Problem("count", f"the {split} split is empty"))
    problems += _names_twice(refs, [each.text for each in own if each.kind == "names"])
    images = [Listed(position, *each) for position, each in enumerate(refs)]
    return Listing(tuple(images), tuple(dict.fromkeys(problems)))


def _own_problems(dataset: Dataset, root: Path) -> Sequence[Problem]:
    if not isinstance(dataset, InspectedDataset):
        return ()
    try:
        return dataset.problems(root)
    except DatasetNotFoundError:
        raise
    except DataError as error:
        return (Problem(error.kind, str(error)),)


def _names_twice(refs: Sequence[tuple[Split, ImageRef]], said: Sequence[str]) -> Iterator[Problem]:
    for name, times in Counter(ref.name for _, ref in refs).items():
        if times > 1 and not any(f"'{name}'" in text for text in said):
            splits = " and ".join(split for split, ref in refs if ref.name == name)
            yield Problem("names", f"image '{name}' is listed {times} times: in {splits}")


def _size_and_time(file: Path) -> tuple[int, int]:
    try:
        found = file.stat()
    except OSError:
        return -1, -1  # who reads it says so
    return found.st_size, found.st_mtime_ns

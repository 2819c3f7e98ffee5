"""Which images a card's splits have, and whether their files are there. Opens list files only."""

from __future__ import annotations

import glob
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from gpbench.api import DataError, DatasetNotFoundError, ImageRef, Split
from gpbench.readers.card import NAME, SPLIT, Card, SplitRule

SPLITS: tuple[Split, ...] = ("train", "val", "test")
SHOWN = 5


def split_images(card: Card, dataset: str, root: Path, split: Split) -> list[ImageRef]:
    """Return the images of a split, in the order of its list file or sorted by name.

    Raises:
        DatasetNotFoundError: If a split's list is not at `root`, or no file matches.
        DataError: If a name is listed twice or in two splits, or a file is missing.
    """
    refs = {each: _refs(card, dataset, root, each) for each in SPLITS}
    owners: dict[str, Split] = {}
    for each, listed in refs.items():
        shared = [ref.name for ref in listed if ref.files[0] in owners]
        if shared:
            other = next(owners[ref.files[0]] for ref in listed if ref.files[0] in owners)
            raise DataError(
                f"{dataset}: {_some(shared)} in both '{other}' and '{each}'; "
                "splits must not share an image"
            )
        owners |= {ref.files[0]: each for ref in listed}
    _check_files(dataset, root, split, refs[split])
    return refs[split]


def _refs(card: Card, dataset: str, root: Path, split: Split) -> list[ImageRef]:
    rule: SplitRule | None = getattr(card.splits, split)
    if rule is None:
        return []
    folder = rule.folder or split
    written = [*(files.pattern for files in card.images), card.labels.pattern]
    patterns = [pattern.replace(SPLIT, folder) for pattern in written]
    names = _listed(root, rule.list, dataset) if rule.list else _found(root, patterns[0], rule)
    if not names:
        wanted = rule.list or patterns[0].replace(NAME, rule.glob or rule.regex or "*")
        raise _elsewhere(dataset, root, f"the split '{split}' has no image ({wanted})")
    return [
        ImageRef(
            name=name if patterns == written else f"{folder}/{name}",
            scene=_scene(card, dataset, name),
            files=tuple(pattern.replace(NAME, name) for pattern in patterns),
        )
        for name in names
    ]


def _listed(root: Path, file: str, dataset: str) -> list[str]:
    """Return the lines of a list file that are not blank."""
    try:
        text = (root / file).read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise _elsewhere(dataset, root, f"the list {file} is not there") from error
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{root / file} cannot be read as text: {error}") from error
    names = [line.strip() for line in text.splitlines() if line.strip()]
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise DataError(f"{root / file} lists {_some(twice)} more than once")
    return names


def _found(root: Path, pattern: str, rule: SplitRule) -> list[str]:
    """Return the sorted names whose first image file exists and that match the rule.

    A name may reach into sub-folders ("city/12") where the pattern's name begins a path component.
    """
    before, after = pattern.split(NAME)
    any_name = "**/*" if before.endswith("/") or not before else "*"
    wanted = glob.escape(before) + (rule.glob or any_name) + glob.escape(after)
    paths = glob.glob(wanted, root_dir=root, recursive=True)  # noqa: PTH207  keeps '../' as written
    names = (path[len(before) : len(path) - len(after)] for path in paths)
    return sorted(name for name in names if re.fullmatch(rule.regex or ".*", name))


def _scene(card: Card, dataset: str, name: str) -> str:
    if card.scene is None:
        return name
    match = re.search(card.scene, name)
    if match is None or not match[1]:
        raise DataError(
            f"{dataset}: the scene pattern {card.scene!r} finds nothing in the name '{name}'"
        )
    return match[1]


def _check_files(dataset: str, root: Path, split: Split, refs: Sequence[ImageRef]) -> None:
    for kind, part in (("image", slice(None, -1)), ("label", slice(-1, None))):
        paths = [root / path for ref in refs for path in ref.files[part]]
        missing = [str(path) for path in paths if not path.is_file()]
        if missing:
            raise DataError(
                f"{dataset}: {len(missing)} {kind} file(s) of the split '{split}' are missing: "
                f"{_some(missing)}"
            )


def _elsewhere(dataset: str, root: Path, what: str) -> DatasetNotFoundError:
    mend = f"name the folder of the data: --data-root {dataset}=DIR"
    return DatasetNotFoundError(dataset, root, f"{what}; {mend}")


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more

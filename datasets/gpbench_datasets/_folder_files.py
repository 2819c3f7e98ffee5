"""Which images a card's splits have, and what is wrong with them. Opens list files only."""

from __future__ import annotations

import errno
import glob
import re
import stat
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from pathlib import Path

from gpbench.api import DataError, DatasetNotFoundError, ImageRef, Problem, Split
from gpbench.readers.card import NAME, SPLIT, Card, SplitRule
from gpbench_datasets._published import Listing, wrong_count

SPLITS: tuple[Split, ...] = ("train", "val", "test")
Refs = Mapping[Split, Sequence[ImageRef]]
SHOWN_CHARACTERS = 60


def listing(card: Card, dataset: str, root: Path, splits: Sequence[Split] = SPLITS) -> Listing:
    """Return the images whose files are there, by list file or sorted by name, and what is wrong.

    Args:
        card: Says where files lie and which split has which.
        dataset: Its name, for messages.
        root: Of its files.
        splits: Those to look at; what is wrong is told of all together only.

    Raises:
        DatasetNotFoundError: If `root` is no folder, a split's list is not there, or nothing
            matches a split's rule.
        DataError: If a list is no text.
    """
    if not root.is_dir():
        raise DatasetNotFoundError(dataset, root)
    found = Listing()
    refs = {split: _refs(card, dataset, root, split, found.problems) for split in splits}
    absent = {
        ref: list(_absent(root, ref, split)) for split, listed in refs.items() for ref in listed
    }
    for split, listed in refs.items():
        found.images[split] = [ref for ref in listed if not absent[ref]]
    found.problems += [
        *(problem for ref in absent for problem in absent[ref]),
        *_shared(refs),
        *_scene_problems(card, refs),
        *_miscounts(card, found.images),
    ]
    return found


def _refs(
    card: Card, dataset: str, root: Path, split: Split, problems: list[Problem]
) -> list[ImageRef]:
    rule: SplitRule | None = getattr(card.splits, split)
    if rule is None:
        return []
    folder = rule.folder or split
    written = [*(files.pattern for files in card.images), card.labels.pattern]
    patterns = [pattern.replace(SPLIT, folder) for pattern in written]
    if rule.list:
        names = _listed(root, rule.list, dataset, problems)
    else:
        names = _found(root, patterns[0], rule)
    if not names:
        wanted = rule.list or patterns[0].replace(NAME, rule.glob or rule.regex or "*")
        raise _elsewhere(dataset, root, f"the split '{split}' has no image ({wanted})")
    prefix = "" if patterns == written else f"{folder}/"
    scenes = {image: scene for scene, images in (card.scenes or {}).items() for image in images}
    return [
        ImageRef(
            name=prefix + name,
            scene=_scene(card, name) if card.scenes is None else scenes.get(prefix + name, ""),
            files=tuple(pattern.replace(NAME, name) for pattern in patterns),
        )
        for name in names
    ]


def _listed(root: Path, file: str, dataset: str, problems: list[Problem]) -> list[str]:
    """Return the lines of a list file that are not blank, each once."""
    try:
        text = (root / file).read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise _elsewhere(dataset, root, f"the list {file} is not there") from error
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{root / file} cannot be read as text: {error}") from error
    times = Counter(line.strip() for line in text.splitlines() if line.strip())
    problems += [
        Problem("names", f"{root / file} lists '{name}' {count} times")
        for name, count in times.items()
        if count > 1
    ]
    return list(times)


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


def _scene(card: Card, name: str) -> str:
    """Return the scene of a name, or the empty string where the pattern finds none."""
    if card.scene is None:
        return name
    match = re.search(card.scene, name)
    return (match[1] or "") if match else ""


def _absent(root: Path, ref: ImageRef, split: Split) -> Iterator[Problem]:
    *images, label = (root / file for file in ref.files)
    try:
        missing = [file for file in images if not _is_file(file)]
        unlabelled = not missing and not _is_file(label)
    except OSError as error:
        name = ref.name[:SHOWN_CHARACTERS] + "..." * (len(ref.name) > SHOWN_CHARACTERS)
        text = f"image '{name}' of the {split} split cannot be looked for: {error.strerror}"
        if error.errno == errno.ENAMETOOLONG:
            yield Problem("names", f"{text}; a list holds one name a line")
        else:
            yield Problem("unreadable", text)
        return
    for file in missing:
        yield Problem("missing", f"{file} is not there: image '{ref.name}' of the {split} split")
    if unlabelled:
        text = f"image '{ref.name}' of the {split} split has no label: {label} is not there"
        yield Problem("unlabelled", text)


def _is_file(path: Path) -> bool:
    """Return whether a file is there; raises an OSError where that cannot be told."""
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return False


def _shared(refs: Refs) -> Iterator[Problem]:
    for (one, images), (other, others) in combinations(refs.items(), 2):
        files = {ref.files[0] for ref in images}
        for ref in others:
            if ref.files[0] in files:
                yield Problem("names", f"image '{ref.name}' is in both '{one}' and '{other}'")


def _scene_problems(card: Card, refs: Refs) -> Iterator[Problem]:
    names = {ref.name: ref.scene for listed in refs.values() for ref in listed}
    for name, scene in names.items():
        if not scene and card.scenes is None:
            text = f"the scene pattern {card.scene!r} finds nothing in the name '{name}'"
            yield Problem("names", text)
        elif not scene:
            yield Problem("names", f"image '{name}' is in none of the card's scenes")
    for scene, images in (card.scenes or {}).items():
        for image in images:
            if image not in names:
                text = f"the card's scene '{scene}' has the image '{image}', and no split has it"
                yield Problem("missing", text)


def _miscounts(card: Card, images: Refs) -> Iterator[Problem]:
    for split, refs in images.items():
        if split in card.counts:
            yield from wrong_count(split, len(refs), [card.counts[split]])


def _elsewhere(dataset: str, root: Path, what: str) -> DatasetNotFoundError:
    mend = f"name the folder of the data: --data-root {dataset}=DIR"
    return DatasetNotFoundError(dataset, root, f"{what}; {mend}")

"""The card of a folder dataset: YAML that says where images and labels lie, and what they mean."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    Strict,
    ValidationInfo,
    field_validator,
    model_validator,
)

from gpbench.core.dataset import IGNORE_INDEX, Metric, Split
from gpbench.core.errors import nearest
from gpbench.readers.label import colour_code
from gpbench.readers.yaml_file import read_yaml

NAME = "{name}"
SPLIT = "{split}"
LABEL_MEANINGS = ("values", "colours", "above")


def _relative(text: str) -> str:
    if PurePosixPath(text).is_absolute():
        raise ValueError(f"{text!r} is absolute; write it relative to the root ('../' is allowed)")
    return text


def _pattern(text: str) -> str:
    unknown = [word for word in re.findall(r"{[^}]*}", text) if word not in {NAME, SPLIT}]
    if text.count(NAME) != 1 or text.count(SPLIT) > 1 or unknown:
        raise ValueError(
            f"{text!r} must hold {NAME} once, may hold {SPLIT} once, and no other {{}}"
        )
    return text


def _expression(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"{text!r} is not a regular expression: {error}") from error
    return text


def _scene_expression(text: str) -> str:
    if re.compile(_expression(text)).groups != 1:
        raise ValueError(f"{text!r} must hold one group, the part of a name that is the scene")
    return text


def _one_or_several(value: Any) -> Any:
    return [value] if isinstance(value, dict) else value


def all_different(names: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names, or raise a ValueError where one occurs twice."""
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise ValueError(f"{', '.join(map(repr, twice))} occurs more than once")
    return names


Whole = Annotated[int, Strict()]
Positive = Annotated[int, Strict(), Field(ge=1)]
RelativePath = Annotated[str, AfterValidator(_relative)]
Pattern = Annotated[str, AfterValidator(_relative), AfterValidator(_pattern)]
Expression = Annotated[str, AfterValidator(_expression)]
SceneExpression = Annotated[str, AfterValidator(_scene_expression)]


class Part(BaseModel):
    """A mapping of a card: an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ImageFiles(Part):
    """One file per image: `channels` (counted from 0) are taken in that order; null: all."""

    pattern: Pattern
    channels: tuple[Annotated[int, Strict(), Field(ge=0)], ...] | None = None


class Labels(Part):
    """One label file per image and what its values mean; by default value i is class i."""

    pattern: Pattern
    values: dict[Whole, str] | None = None
    colours: dict[str, str] | None = None
    """#rrggbb -> class, for label pictures in class colours."""
    above: float | None = None
    """Of two classes: a value above this is the second, for masks with softened edges."""
    ignore: tuple[Whole | str, ...] = ()
    """Values (or colours) of pixels that are neither trained on nor scored."""

    @model_validator(mode="after")
    def _one_meaning(self) -> Self:
        given = [name for name in LABEL_MEANINGS if getattr(self, name) is not None]
        if len(given) > 1:
            raise ValueError(f"{' and '.join(given)} exclude each other")
        entries = [*(self.colours or ()), *self.ignore] if self.colours is not None else []
        for entry in entries:
            colour_code(str(entry))
        if self.colours is None and not all(isinstance(value, int) for value in self.ignore):
            raise ValueError(f"ignore = {list(self.ignore)} must be whole numbers")
        both = set(self.values or self.colours or ()) & set(self.ignore)
        if both:
            raise ValueError(f"{sorted(map(str, both))} is both a class and ignored")
        return self


class SplitRule(Part):
    """Which images a split has: a list file of names, or those whose name matches."""

    list: RelativePath | None = None
    """A text file below the root, one name a line."""
    glob: str | None = None
    regex: Expression | None = None
    """Must match the whole name."""
    folder: str | None = None
    """What {split} stands for in the patterns; null: the split's name."""

    @model_validator(mode="after")
    def _one_rule(self) -> Self:
        given = [key for key in ("list", "glob", "regex") if getattr(self, key) is not None]
        if len(given) != 1:
            raise ValueError(f"exactly one of list, glob, regex is needed, not {given or 'none'}")
        return self


class Splits(Part):
    """The rule of each split."""

    train: SplitRule
    val: SplitRule | None = None
    test: SplitRule


class CardProtocol(Part):
    """How the dataset is tiled and scored: the fields of gpbench's Protocol."""

    name: str = "card"
    version: Positive = 1
    metric: Metric = "mIoU"
    tile_px: Positive
    stride_px: Positive
    excluded: tuple[str, ...] = ()
    absent: Literal["drop", "zero"] = "drop"

    @field_validator("stride_px")
    @classmethod
    def _covers(cls, stride_px: int, info: ValidationInfo) -> int:
        if stride_px > info.data.get("tile_px", stride_px):
            raise ValueError(f"{stride_px} leaves gaps between tiles of {info.data['tile_px']} px")
        return stride_px


class Card(Part):
    """All that a folder dataset is. Later fields are checked against `bands` and `classes`."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")
    version: Positive = 1
    root: str = "."
    """Where the files lie, relative to the card's folder, unless --data-root says otherwise."""
    bands: Annotated[tuple[str, ...], Field(min_length=1), AfterValidator(all_different)]
    classes: Annotated[
        tuple[str, ...],
        Field(min_length=2, max_length=IGNORE_INDEX),
        AfterValidator(all_different),
    ]
    images: Annotated[tuple[ImageFiles, ...], BeforeValidator(_one_or_several), Field(min_length=1)]
    labels: Labels
    splits: Splits
    scene: SceneExpression | None = None
    """Finds the scene (place, flight) in a name by its one group."""
    scenes: dict[str, tuple[str, ...]] | None = None
    """Scene -> its images by name, where names do not tell; neither: each is its own scene."""
    counts: dict[Split, Positive] = {}
    """Images that a split should have: fewer are a problem unless a part will do, more always."""
    protocol: CardProtocol
    title: str = ""
    licence: str = "unknown"
    reference: str = ""
    gsd_m: float | None = Field(default=None, gt=0)
    colours: dict[str, str] = {}
    """Class -> #rrggbb, for pictures."""
    synthetic: bool = False
    images_may_be_shown: bool = False

    @field_validator("images")
    @classmethod
    def _fill_the_bands(
        cls, images: tuple[ImageFiles, ...], info: ValidationInfo
    ) -> tuple[ImageFiles, ...]:
        named = [files.channels for files in images]
        taken = sum(len(channels or ()) for channels in named)
        bands = len(info.data.get("bands", ()))
        if bands and None not in named and taken != bands:
            raise ValueError(f"{taken} channel(s) are taken for {bands} band(s)")
        return images

    @field_validator("labels")
    @classmethod
    def _name_every_class(cls, labels: Labels, info: ValidationInfo) -> Labels:
        classes = info.data.get("classes")
        table = labels.values if labels.values is not None else labels.colours
        if classes and table is not None:
            check_names(table.values(), classes, complete=True)
        if classes and table is None and labels.above is None:
            both = [value for value in labels.ignore if value in range(len(classes))]
            if both:
                raise ValueError(f"{both} is both a class and ignored: value i is class i")
        if classes and labels.above is not None and len(classes) != 2:
            raise ValueError(f"above splits into two classes, but there are {len(classes)}")
        return labels

    @field_validator("scenes")
    @classmethod
    def _one_scene_each(
        cls, scenes: dict[str, tuple[str, ...]] | None, info: ValidationInfo
    ) -> dict[str, tuple[str, ...]] | None:
        if scenes is None:
            return None
        if info.data.get("scene") is not None:
            raise ValueError("scene finds scenes already; give one of the two")
        empty = [repr(scene) for scene, names in scenes.items() if not scene or not names]
        if empty or not scenes:
            raise ValueError(f"{', '.join(empty) or 'a scene'} needs a name, and names of images")
        all_different(tuple(name for names in scenes.values() for name in names))
        return scenes

    @field_validator("protocol")
    @classmethod
    def _exclude_known_classes(cls, protocol: CardProtocol, info: ValidationInfo) -> CardProtocol:
        check_names(protocol.excluded, info.data.get("classes", protocol.excluded))
        return protocol

    @field_validator("colours")
    @classmethod
    def _colour_every_class(cls, colours: dict[str, str], info: ValidationInfo) -> dict[str, str]:
        if colours:
            check_names(colours, info.data.get("classes", tuple(colours)), complete=True)
        for colour in colours.values():
            colour_code(colour)
        return colours


def read_card(path: Path) -> Card:
    """Return the card in a YAML file.

    Raises:
        ConfigError: If it cannot be read or is wrong; shows all problems together.
    """
    return read_yaml(path, Card)


def check_names(names: Iterable[str], classes: Sequence[str], *, complete: bool = False) -> None:
    """Raise a ValueError where a name is no class, or with `complete` where a class is left out."""
    names = list(names)
    problems = [
        f"'{name}' is no class.{nearest(name, classes)}" for name in names if name not in classes
    ]
    if complete:
        problems += [f"class '{name}' is left out" for name in classes if name not in names]
    if problems:
        raise ValueError(" ".join(problems))

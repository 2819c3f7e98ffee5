"""The protocol card of a published dataset: YAML with its facts, their sources and certainty."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    Strict,
    ValidationInfo,
    field_validator,
)

from gpbench.core.dataset import IGNORE_INDEX, Band, DatasetInfo, Split
from gpbench.core.dataset import Protocol as EvaluationProtocol
from gpbench.readers.card import CardProtocol, Part, Positive, all_different, check_names
from gpbench.readers.label import colour_code
from gpbench.readers.yaml_file import read_yaml

Certainty = Literal["code", "readme", "page", "calc", "infer", "unverified", "ours"]
"""How a fact is known: read in released code or a README, on a web page; computed from published
numbers; inferred; commonly repeated but not checked; or a choice of gpbench."""


def _one_or_several(value: object) -> object:
    return [value] if isinstance(value, int) else value


Counts = Annotated[tuple[Positive, ...], BeforeValidator(_one_or_several), Field(min_length=1)]
Size = tuple[Positive, Positive]


class CardFact(Part):
    """One thing that is said about the dataset, and how it is known."""

    about: str
    says: str
    source: str
    certainty: Certainty


class ProtocolCard(Part):
    """All that is known of a published dataset without looking at its files."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    title: str
    version: Positive = 1
    bands: Annotated[tuple[str, ...], Field(min_length=1), AfterValidator(all_different)]
    classes: Annotated[dict[str, str], Field(min_length=2, max_length=IGNORE_INDEX)]
    """Class -> #rrggbb in pictures; class i is value i, in the order written."""
    ignored_colours: tuple[str, ...] = ()
    """Colours of label pictures that are neither trained on nor scored."""
    protocol: CardProtocol
    counts: dict[Split, Counts]
    """Split -> images; several numbers where sources differ."""
    patches: dict[Split, Positive] = Field(default_factory=dict)
    """Split -> patches that mmsegmentation's converter cuts, where that is known."""
    image_px: tuple[Size, ...] = ()
    """(height, width) that images may have; empty: any."""
    gsd_m: float | None = Field(default=None, gt=0)
    terms: str
    reference: str
    obtain: str
    """How to get the files and what to put where, for a person."""
    images_may_be_shown: Annotated[bool, Strict()] = False
    facts: Annotated[tuple[CardFact, ...], Field(min_length=1)]

    @field_validator("classes")
    @classmethod
    def _colours(cls, classes: dict[str, str]) -> dict[str, str]:
        codes = [colour_code(colour) for colour in classes.values()]
        if len(set(codes)) < len(codes):
            raise ValueError("two classes have one colour")
        return classes

    @field_validator("ignored_colours")
    @classmethod
    def _ignored(cls, colours: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        classes = {colour_code(colour) for colour in info.data.get("classes", {}).values()}
        both = [colour for colour in colours if colour_code(colour) in classes]
        if both:
            raise ValueError(f"{both} is both a class and ignored")
        return colours

    @field_validator("protocol")
    @classmethod
    def _excluded(cls, protocol: CardProtocol, info: ValidationInfo) -> CardProtocol:
        check_names(protocol.excluded, list(info.data.get("classes", protocol.excluded)))
        return protocol

    @property
    def palette(self) -> dict[int, int]:
        """Return 0xRRGGBB -> label value, of label pictures in class colours."""
        ignored = {colour_code(colour): IGNORE_INDEX for colour in self.ignored_colours}
        return ignored | {
            colour_code(colour): value for value, colour in enumerate(self.classes.values())
        }

    def info(self, bands: tuple[str, ...] | None = None) -> DatasetInfo:
        """Return the facts as the rest of gpbench knows them; with other bands where chosen."""
        codes = [colour_code(colour) for colour in self.classes.values()]
        return DatasetInfo(
            title=self.title,
            version=self.version,
            bands=tuple(Band(name) for name in bands or self.bands),
            classes=tuple(self.classes),
            gsd_m=self.gsd_m,
            licence=self.terms,
            reference=self.reference,
            colours=tuple((code >> 16, code >> 8 & 255, code & 255) for code in codes),
            images_may_be_shown=self.images_may_be_shown,
        )

    def evaluation(self) -> EvaluationProtocol:
        """Return the default protocol."""
        return EvaluationProtocol(**self.protocol.model_dump())


def read_protocol_card(path: Path) -> ProtocolCard:
    """Return the card in a YAML file.

    Raises:
        ConfigError: If it cannot be read or is wrong; shows all problems together.
    """
    return read_yaml(path, ProtocolCard)

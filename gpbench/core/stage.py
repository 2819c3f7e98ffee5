"""Stages: what is to be done (specs), what came of it (outcomes), and their identity (keys). Pure.

A spec holds all that can change a number and nothing else, so its key names the result. Where files
lie, on what device and with how many workers a stage runs is in `StageRequest`, which never enters
a key.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any, Literal

from gpbench.core.dataset import Band, DatasetInfo, Protocol
from gpbench.core.recipe import (
    Execution,
    FinetuneRecipe,
    Inflate,
    Optimisation,
    Precision,
    PretrainRecipe,
)

ENGINE_VERSION = 2
"""Raised whenever a change of gpbench changes numbers: old and new results are never mixed."""

BACKBONE_FILE = "backbone.safetensors"
"""What a pre-training leaves in its folder for its children."""

PLAIN = "plain"
"""The variant without test-time augmentation, by which every fine-tuning is scored."""

Kind = Literal["pretrain", "finetune"]
Status = Literal["ok", "diverged", "oom", "timeout", "preempted", "invalid"]
CONCLUSIVE: frozenset[Status] = frozenset({"ok", "diverged"})
"""A stage that ended so left nothing to continue from."""
State = Literal["pending", "running", "done", "failed", "blocked"]
Stem = Literal["rgb", "target"]
"""`rgb`: the parent's stem has kernels named red, green, blue.

`target`: one per band of the dataset, in its order.
"""


def canonical_json(value: object) -> str:
    """Return the one JSON text of a value.

    Keys are sorted, without spaces; dataclasses are objects; NaN is refused.
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False, default=asdict)


def utc_now() -> str:
    """Return the present time as ISO 8601 in UTC, to the second."""
    return dt.datetime.now(dt.UTC).isoformat(timespec="seconds")


def digest(value: object) -> str:
    """Return the sha256 of the canonical JSON of a value, 64 hexadecimal digits."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


@dataclass(frozen=True)
class PluginSpec:
    """A plugin by name, its version, and all its parameters resolved to JSON values."""

    name: str
    version: int
    params: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class SourceSpec:
    """The pre-training images that serve one role, and the fingerprint of what lies there."""

    role: str
    source: PluginSpec
    fingerprint: str


@dataclass(frozen=True)
class DatasetSpec:
    """A downstream dataset: plugin, facts, data, protocol.

    The plugin's `params` hold a folder dataset's card, not its path.
    """

    plugin: PluginSpec
    info: DatasetInfo
    protocol: Protocol
    fingerprint: str

    def identity(self) -> dict[str, Any]:
        """Return what of the dataset can change trained weights.

        Evaluation fields of the protocol cannot.
        """
        return {
            "plugin": asdict(self.plugin),
            "fingerprint": self.fingerprint,
            "protocol": {
                name: getattr(self.protocol, name)
                for name in ("name", "version", "tile_px", "stride_px", "excluded")
            },
        }


@dataclass(frozen=True)
class Numerics:
    """What of the machine's use is part of the numbers."""

    cpu_threads: int
    precision: Precision
    channels_last: bool


@dataclass(frozen=True)
class PretrainSpec:
    """One phase of a strategy on one backbone, from one seed."""

    strategy: PluginSpec
    phase: str
    position: int
    backbone: str
    in_chans: int
    sources: tuple[SourceSpec, ...]
    recipe: PretrainRecipe
    numerics: Numerics
    pretrain_seed: int
    parent: str | None = None
    parent_stem: Stem | None = None
    inflate: Inflate | None = None
    """How the parent's stem is brought to `in_chans`; null where the counts are equal."""
    dataset: DatasetSpec | None = None
    """Only for a phase that reads `target-train` or whose parent's stem is inflated by band."""
    engine_version: int = ENGINE_VERSION
    kind: Kind = "pretrain"

    @cached_property
    def key(self) -> str:
        """Return the sha256 that names this stage."""
        content = asdict(self)
        content["dataset"] = self.dataset.identity() if self.dataset else None
        return digest(content)


@dataclass(frozen=True)
class FinetuneSpec:
    """Fine-tuning and scoring of one pre-trained backbone, or none, on a dataset: a replicate."""

    backbone: str
    in_chans: int
    dataset: DatasetSpec
    recipe: FinetuneRecipe
    numerics: Numerics
    replicate: int
    """Fixes head initialisation, data order and label subset.

    Equal replicates of all arms share them.
    """
    label_fraction: float = 1.0
    parent: str | None = None
    """Key of the last pre-training phase; null: random initialisation."""
    parent_stem: Stem | None = None
    inflate: Inflate | None = None
    engine_version: int = ENGINE_VERSION
    kind: Kind = "finetune"

    @cached_property
    def key(self) -> str:
        """Return the sha256 that names this stage."""
        content = asdict(self)
        content["dataset"] = self.dataset.identity()
        return digest(content)


StageSpec = PretrainSpec | FinetuneSpec


@dataclass(frozen=True)
class StageRequest:
    """A stage as it is sent to a worker: the spec and, outside the key, where things lie.

    Plain JSON both ways.
    """

    spec: StageSpec
    folder: str
    """The stage's own folder."""
    parent_weights: str | None
    """The parent's backbone.safetensors."""
    roots: Mapping[str, str]
    """Role -> folder of the source's raw files; procedural sources have none."""
    data_folder: str
    """Where prepared tile stores lie."""
    execution: Execution
    keep_weights: bool = True
    storage: str | None = None
    """Path or fsspec URL where all nodes find the stages' files.

    None: they share the working directory.
    """
    selector: str | None = None
    """What the spec's dataset is called, for a node that prepares it itself."""
    data_roots: Mapping[str, str] = field(default_factory=dict)
    """Dataset -> folder of its raw files, to prepare it from."""
    allow_partial: bool = False
    """A part of the dataset will do."""

    def to_json(self) -> str:
        return canonical_json(self)

    @classmethod
    def from_json(cls, text: str) -> StageRequest:
        raw = json.loads(text)
        raw["spec"] = spec_from_dict(raw["spec"])
        raw["execution"] = Execution(**raw["execution"])
        return cls(**raw)


@dataclass(frozen=True)
class HistoryRow:
    """One logged training step; `score` only where a validation split was scored."""

    step: int
    loss: float
    lr: float
    score: float | None = None


@dataclass(frozen=True)
class Artefact:
    """A file that a stage left in its folder."""

    name: str
    path: str
    """Relative to the stage's folder."""
    sha256: str
    size_bytes: int


@dataclass(frozen=True)
class ScoredVariant:
    """Where the counts of one way of predicting lie.

    The .npz holds `images` (N,) str and `counts` (N, C, C) int64; rows are true classes, columns
    predicted ones; N counts source images.
    """

    variant: str
    evaluation: str
    """Digest of the protocol's evaluation fields."""
    path: str


@dataclass(frozen=True)
class ImageFacts:
    """What the store keeps of a scored image."""

    name: str
    scene: str
    tags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Outcome:
    """How a stage ended: outcome.json in its folder, written by the worker.

    The driver commits it.
    """

    key: str
    status: Status
    started_at: str
    """ISO 8601, UTC."""
    duration_s: float
    error: str | None = None
    """One sentence; the traceback is in log.txt of the stage's folder."""
    diverged_at: int | None = None
    history: tuple[HistoryRow, ...] = ()
    artefacts: tuple[Artefact, ...] = ()
    scores: tuple[ScoredVariant, ...] = ()
    images: tuple[ImageFacts, ...] = ()
    """The scored images, in the order of the counts."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """device, cpu, platform, python and library versions, worker pid."""

    def text(self) -> str:
        """Return the content of outcome.json."""
        return self.to_json() + "\n"

    def to_json(self) -> str:
        return canonical_json(self)

    @classmethod
    def from_json(cls, text: str) -> Outcome:
        raw = json.loads(text)
        raw["history"] = tuple(HistoryRow(**row) for row in raw["history"])
        raw["artefacts"] = tuple(Artefact(**row) for row in raw["artefacts"])
        raw["scores"] = tuple(ScoredVariant(**row) for row in raw["scores"])
        raw["images"] = tuple(
            ImageFacts(row["name"], row["scene"], tuple(row["tags"])) for row in raw["images"]
        )
        return cls(**raw)


def spec_from_dict(raw: Mapping[str, Any]) -> StageSpec:
    """Return the spec whose JSON object this is (the inverse of `canonical_json`)."""
    raw = dict(raw)
    raw["numerics"] = Numerics(**raw["numerics"])
    raw["dataset"] = dataset_from_dict(raw["dataset"]) if raw["dataset"] else None
    recipe = dict(raw["recipe"])
    recipe["optim"] = Optimisation(**recipe["optim"])
    recipe["scale"] = tuple(recipe["scale"])
    if raw["kind"] == "finetune":
        return FinetuneSpec(**{**raw, "recipe": FinetuneRecipe(**recipe)})
    raw["strategy"] = PluginSpec(**raw["strategy"])
    raw["sources"] = tuple(
        SourceSpec(row["role"], PluginSpec(**row["source"]), row["fingerprint"])
        for row in raw["sources"]
    )
    return PretrainSpec(**{**raw, "recipe": PretrainRecipe(**recipe)})


def dataset_from_dict(raw: Mapping[str, Any]) -> DatasetSpec:
    """Return the dataset spec whose JSON object this is."""
    info, protocol = dict(raw["info"]), dict(raw["protocol"])
    info["bands"] = tuple(Band(**band) for band in info["bands"])
    info["classes"] = tuple(info["classes"])
    info["colours"] = tuple((int(r), int(g), int(b)) for r, g, b in info["colours"])
    protocol["excluded"] = tuple(protocol["excluded"])
    return DatasetSpec(
        PluginSpec(**raw["plugin"]), DatasetInfo(**info), Protocol(**protocol), raw["fingerprint"]
    )

"""What a plugin sees of gpbench: Protocols it meets, values it is handed, errors it may raise.

torch is imported for type checking only: listing plugins or reading results never loads it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from gpbench.core.dataset import IGNORE_INDEX, Band, DatasetInfo, ImageRef, Metric, Split
from gpbench.core.dataset import Protocol as EvaluationProtocol
from gpbench.core.errors import (
    ConfigError,
    ContractError,
    DataError,
    DatasetNotFoundError,
    InvalidValueError,
    LabelError,
    ProblemKind,
)
from gpbench.core.problems import DataProblemsError, Problem
from gpbench.core.ranges import NOT_NEGATIVE, POSITIVE, PROBABILITY, check_ranges
from gpbench.core.recipe import Inflate, PretrainRecipe
from gpbench.core.seeds import derive_seed

if TYPE_CHECKING:
    from torch import Tensor, nn

__all__ = [
    "IGNORE_INDEX", "NOT_NEGATIVE", "POSITIVE", "PROBABILITY", "AfterStep", "Band", "Batch",
    "ConfigError", "ContractError", "DataError", "DataProblemsError", "Dataset", "DatasetInfo",
    "DatasetNotFoundError", "Draws", "EvaluationProtocol", "Fact", "HasEma", "HasFacts",
    "HasLabelColours", "Image", "ImageRef", "Inflate", "InspectedDataset", "InvalidValueError",
    "Label", "LabelError", "Metric", "ParametrisedDataset", "Phase", "PhaseContext",
    "PretrainRecipe", "PretrainTask", "Problem", "ProblemKind", "Role", "RoleBatch", "Source",
    "SourceImage", "SourceInfo", "SourceRef", "Split", "Strategy", "check_ranges", "derive_seed",
    "is_splittable",
]  # fmt: skip

Image = NDArray[Any]
"""(H, W, C) in the file's own dtype: uint8, uint16 or float32."""
Label = NDArray[np.uint8]
"""(H, W); class i is value i, IGNORE_INDEX is ignored."""
SourceImage = NDArray[np.uint8]
"""(H, W, 3), red green blue."""
Role = Literal["labelled", "unlabelled", "scenes", "target-train"]


# --- downstream datasets ---


class Dataset(Protocol):
    """A downstream segmentation dataset: facts, then which images there are and how one is read.

    It does not download, augment, normalise or plot. `root` is the folder of the raw files;
    procedural datasets ignore it.
    """

    @property
    def info(self) -> DatasetInfo: ...

    @property
    def protocol(self) -> EvaluationProtocol: ...

    def images(self, root: Path, split: Split) -> Sequence[ImageRef]:
        """Return the images of a split in a fixed order; empty where the dataset has no such split.

        Raises:
            DatasetNotFoundError: If nothing usable lies at `root`.
            DataError: If what lies there is not as declared.
        """
        ...

    def read(self, root: Path, ref: ImageRef) -> tuple[Image, Label | None]:
        """Return one image (H, W, C) in raw dtype and its label (H, W) uint8.

        The label is None where labels are withheld.
        """
        ...


@runtime_checkable
class ParametrisedDataset(Protocol):
    """A plugin that makes a dataset from parameters, such as `folder[card=FILE]`."""

    params: ClassVar[type]
    """Frozen dataclass: the schema of the selector's parameters."""

    def configured(self, params: Any) -> tuple[str, Dataset, Mapping[str, Any]]:
        """Return the dataset's name everywhere else, the dataset, and what of it enters a key.

        The last is a mapping of JSON values.
        """
        ...


@runtime_checkable
class InspectedDataset(Protocol):
    """A dataset that says all that is wrong with its folder instead of raising at the first.

    Its `images` returns those that are there, and whoever uses them asks for `problems` first.
    """

    def layout(self, root: Path) -> str:
        """Return in a few words how the files at `root` are laid out.

        Raises:
            DatasetNotFoundError: If nothing usable lies at `root`.
        """
        ...

    def problems(self, root: Path) -> Sequence[Problem]:
        """Return what is wrong with names, numbers and presence of files; no image is opened.

        Raises:
            DatasetNotFoundError: If nothing usable lies at `root`.
        """
        ...


@dataclass(frozen=True)
class Fact:
    """One thing that is said about a dataset, who says it, and how sure we are."""

    about: str
    says: str
    source: str
    certainty: str


@runtime_checkable
class HasFacts(Protocol):
    """A dataset that `datasets show` can document."""

    @property
    def facts(self) -> Sequence[Fact]: ...

    @property
    def obtain(self) -> str:
        """Return how to get the files, and what to put where, for a person."""
        ...


@runtime_checkable
class HasLabelColours(Protocol):
    """A dataset that says what label pictures hold besides the colours of its classes."""

    @property
    def label_colours(self) -> Mapping[int, int]:
        """Return 0xRRGGBB -> class index or IGNORE_INDEX, of classes and ignored pixels."""
        ...


# --- pre-training sources ---


@dataclass(frozen=True)
class SourceInfo:
    """Facts of a source; `roles` are those it can serve."""

    title: str
    version: int
    roles: tuple[Role, ...]
    licence: str = "unknown"
    reference: str = ""
    synthetic: bool = False


@dataclass(frozen=True, slots=True)
class SourceRef:
    """One pre-training image; `label` is a class index for labelled roles.

    `name`, `label` and `size_bytes` enter the fingerprint, where the image lies does not.
    """

    name: str
    label: int | None = None
    size_bytes: int = 0
    file: str = ""
    """The path below the root that holds it; empty: `name`."""
    offset: int | None = None
    """Where its `size_bytes` bytes begin in an archive; None: it is the whole file."""


class Source(Protocol):
    """Images to pre-train on: natural, remotely sensed, or made by a program."""

    @property
    def info(self) -> SourceInfo: ...

    def images(self, root: Path, role: Role) -> Sequence[SourceRef]:
        """Return all training images for a role in a fixed order; labels count from 0 without gaps.

        Raises:
            DatasetNotFoundError: If nothing usable lies at `root`.
            DataError: If what lies there is not as declared.
        """
        ...

    def read(self, root: Path, ref: SourceRef, least_px: int | None = None) -> SourceImage:
        """Return one image (H, W, 3) uint8; grey images are repeated to three channels.

        With `least_px` it may come smaller, in proportion, if both sides keep that many pixels:
        JPEG decodes faster so.
        """
        ...


# --- pre-training strategies ---


class Draws(Protocol):
    """Random numbers of one step, each a hash of (phase seed, step, sample, name).

    Cutting a batch changes none.
    """

    device: Any

    def uniform(self, name: str, n: int = 1) -> Tensor:
        """Return (B, n) float32 in [0, 1)."""
        ...

    def normal(self, name: str, n: int = 1) -> Tensor:
        """Return (B, n) float32 standard normals (inverse CDF of a uniform draw)."""
        ...

    def permutation(self, name: str, n: int) -> Tensor:
        """Return (B, n) int64, each row a uniform permutation of 0..n-1."""
        ...

    def of_step(self) -> Draws:
        """Return draws with B = 1 that all samples of the step share, however the batch is cut."""
        ...


@dataclass(frozen=True)
class RoleBatch:
    """Images of one role on the device."""

    images: Tensor
    """(B, C, H, W) float32 in [0, 1], not normalised.

    C counts the dataset's bands for target-train and is 3 for every other role.
    """
    labels: Tensor | None  # (B,) int64
    mean: Tensor  # (C,) of the source, same scale as images
    std: Tensor  # (C,)


@dataclass(frozen=True)
class Batch:
    """One step's images.

    `batch[role]` for several roles; `.images`, `.labels` where the phase reads one.
    """

    roles: Mapping[str, RoleBatch]

    def __getitem__(self, role: str) -> RoleBatch:
        return self.roles[role]

    @property
    def only(self) -> RoleBatch:
        """Return the images of the single role; ValueError if there are several."""
        (single,) = self.roles.values()
        return single

    @property
    def images(self) -> Tensor:
        return self.only.images

    @property
    def labels(self) -> Tensor:
        labels = self.only.labels
        if labels is None:
            raise ContractError("a phase", "it reads labels of a role that has none")
        return labels


class PhaseContext(Protocol):
    """What the engine knows when it builds a phase's task."""

    @property
    def backbone(self) -> str: ...

    @property
    def in_chans(self) -> int:
        """Channels of the network to be pre-trained."""
        ...

    @property
    def num_classes(self) -> int:
        """Classes of the labelled role; 0 where no role is labelled."""
        ...

    @property
    def recipe(self) -> PretrainRecipe: ...

    def classifier(self) -> nn.Module:
        """Return the full timm model with `in_chans` channels and `num_classes` outputs, seeded."""
        ...


class PretrainTask(Protocol):
    """A pre-training objective: an nn.Module that also has these.

    The engine owns loop, order, budget and device; a task turns a batch into views and views into
    a loss.
    """

    net: nn.Module
    """The full timm model: what crosses the phase border, under timm's parameter names."""

    def views(self, batch: Batch, draws: Draws) -> Any:
        """Return what `loss` needs, on the device; all randomness comes from `draws`."""
        ...

    def loss(self, views: Any) -> dict[str, Tensor]:
        """Return named scalars: means over the samples of the batch.

        `loss` is minimised, the others are ignored.
        """
        ...

    def parameters(
        self,
        recurse: bool = True,  # noqa: FBT001, FBT002  nn.Module's
    ) -> Iterator[nn.Parameter]: ...

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> Any: ...

    def to(self, device: Any) -> Any: ...

    def train(self, mode: bool = True) -> Any: ...  # noqa: FBT001, FBT002  nn.Module's


@runtime_checkable
class AfterStep(Protocol):
    """A task that acts after each optimiser step (EMA teachers, queues)."""

    def after_step(self, step: int) -> None: ...


@runtime_checkable
class HasEma(Protocol):
    """A task whose averaged copy crosses the phase border in place of `net`."""

    ema: nn.Module


def is_splittable(task: object) -> bool:
    """Return whether a task declares `splittable = True`: its loss is a mean over the samples.

    The gradient of a batch is then the weighted mean of its parts' gradients.
    """
    return getattr(task, "splittable", False) is True


@dataclass(frozen=True)
class Phase:
    """One pre-training loop: a task on one role of source, or on several at once.

    `share` is this phase's part of the strategy's budget; the shares of a strategy's phases are
    normalised.
    """

    name: str
    source: Role | tuple[Role, ...]
    task: Callable[[PhaseContext], PretrainTask]
    share: float = 1.0

    @property
    def roles(self) -> tuple[Role, ...]:
        return (self.source,) if isinstance(self.source, str) else self.source


class Strategy(Protocol):
    """A way to pre-train a backbone: a chain of phases."""

    @property
    def title(self) -> str: ...

    @property
    def version(self) -> int:
        """Raised when the same parameters give other weights."""
        ...

    @property
    def params(self) -> type:
        """Frozen dataclass with a default for every optional parameter.

        The field `inflate`, if any, is a transfer parameter: it belongs to the fine-tuning and not
        to the pre-training.
        """
        ...

    @property
    def channels(self) -> Literal["rgb", "target"]:
        """Whether the network is pre-trained on 3 channels or on as many as the dataset has."""
        ...

    @property
    def assumed(self) -> tuple[str, ...]:
        """Parameters that the paper leaves open: our reading."""
        ...

    def phases(self, params: Any) -> list[Phase]:
        """Return the phases, first to last; empty: no pre-training."""
        ...

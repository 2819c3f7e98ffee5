"""How arms were trained: what a fair comparison asks besides the scores. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace

from gpbench.core.recipe import FinetuneRecipe, PretrainRecipe, steps_of
from gpbench.core.stage import FinetuneSpec, PretrainSpec

BUDGET = frozenset({"steps", "epochs"})
"""Fields of a recipe that are told as steps and images, summed over the phases."""


@dataclass(frozen=True)
class Pretraining:
    """What one pre-training stage cost, and where it ran."""

    device: str
    """`cpu`, or the GPU's name."""
    cpu: str
    seconds: float
    """Times the processes that shared it."""
    ran: tuple[float, float] | None = None
    """When its last attempt began and ended, seconds since 1970, where known."""


@dataclass(frozen=True)
class Training:
    """How one arm was trained for one dataset, told by its fine-tunings that are done."""

    arm: str
    backbone: str
    dataset: str
    label_fraction: float
    settings: Mapping[str, str]
    """What was set for it, by its name in reports."""
    pretrainings: frozenset[str]
    """Stage keys of all pre-training phases that the fine-tunings follow."""
    seconds: Mapping[str, float]
    """Device -> seconds of the fine-tunings."""
    losses: tuple[tuple[float, float], ...]
    """Mean training loss of the tenth of steps before the last and of the last, per fine-tuning."""


@dataclass(frozen=True)
class Trainings:
    """What is known of the training of a study's arms; empty for a table."""

    cells: tuple[Training, ...] = ()
    pretrainings: Mapping[str, Pretraining] = field(default_factory=dict)
    """By stage key."""

    def on(self, datasets: Collection[str]) -> Trainings:
        """Return those for some datasets."""
        return replace(self, cells=tuple(t for t in self.cells if t.dataset in datasets))


def settings(finetune: FinetuneSpec, phases: Sequence[PretrainSpec]) -> dict[str, str]:
    """Return budget, start and recipes as reports show them; recipes without the budget.

    Where the phases of a pre-training differ, their values stand in order.
    """
    found = {
        "initial weights": _start(finetune),
        "pre-training steps": str(sum(steps_of(phase.recipe) for phase in phases)),
        "pre-training images seen": str(sum(_images(phase.recipe) for phase in phases)),
        "fine-tuning steps": str(steps_of(finetune.recipe)),
        "fine-tuning images seen": str(_images(finetune.recipe)),
    }
    if phases:
        found["pre-training images"] = _in_order([_sources(phase) for phase in phases])
    recipes = [_fields(phase) for phase in phases]
    for name in recipes[0] if recipes else ():
        found[f"pre-training {name}"] = _in_order([fields[name] for fields in recipes])
    found |= {f"fine-tuning {name}": value for name, value in _fields(finetune).items()}
    return found


def _images(recipe: PretrainRecipe | FinetuneRecipe) -> int:
    return steps_of(recipe) * recipe.batch


def _start(spec: FinetuneSpec) -> str:
    if spec.parent is None:
        return "random"
    return f"pre-trained, stem inflated by {spec.inflate}" if spec.inflate else "pre-trained"


def _sources(spec: PretrainSpec) -> str:
    """Return what a phase reads; equal names with other images differ in the fingerprint."""
    named = [f"{s.source.name} ({s.role}, {s.fingerprint[:8]})" for s in spec.sources]
    if not named and spec.dataset:
        named = [f"{spec.dataset.plugin.name} (target-train, {spec.dataset.fingerprint[:8]})"]
    return " and ".join(named)


def _fields(spec: FinetuneSpec | PretrainSpec) -> dict[str, str]:
    recipe = {name: value for name, value in asdict(spec.recipe).items() if name not in BUDGET}
    optim = {f"optim.{name}": value for name, value in recipe.pop("optim").items()}
    return {name: _text(value) for name, value in (recipe | optim | asdict(spec.numerics)).items()}


def _text(value: object) -> str:
    if isinstance(value, tuple):
        return " to ".join(_text(end) for end in value)
    return f"{value:.12g}" if isinstance(value, float) else "none" if value is None else str(value)


def _in_order(values: Sequence[str]) -> str:
    return values[0] if len(set(values)) == 1 else ", then ".join(values)

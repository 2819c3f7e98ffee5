"""What was run, on what, and what must be said before any number. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from gpbench.core.plan import DatasetFacts
from gpbench.core.recipe import FinetuneRecipe, Optimisation, PretrainRecipe, Recipe
from gpbench.core.stage import SourceSpec
from gpbench.store import StoredExperiment
from gpbench_leaderboard.page import Banner, Fact

PACKAGES = ("gpbench", "torch", "timm", "onedl-mmsegmentation", "numpy", "python")
"""What of an environment is shown beside device and cpu; host names are not on the list."""


def banners(stored: StoredExperiment) -> tuple[Banner, ...]:
    """Return the remarks that stand above everything else."""
    found = [*_synthetic(stored.datasets)]
    if stored.trial:
        found.append(
            Banner(
                "trial",
                "Trial run.",
                "Only a few fine-tunings of the experiment were run: nothing here is ranked.",
            )
        )
    if stored.partial:
        found.append(
            Banner(
                "partial",
                "Incomplete data.",
                f"These datasets lack files and were run even so: {', '.join(stored.partial)}.",
            )
        )
    return tuple(found)


def run_facts(
    stored: StoredExperiment,
    sources: Iterable[SourceSpec],
    environments: Sequence[Mapping[str, str]],
) -> tuple[Fact, ...]:
    """Return the lines of "what was run"; `environments` are those of finished fine-tunings."""
    experiment = stored.experiment
    recipe = experiment.recipe
    facts = [
        Fact("Experiment", (stored.name,)),
        Fact("First planned", (date(stored.created_at),)),
        Fact("Backbones" if len(experiment.backbones) > 1 else "Backbone", experiment.backbones),
        Fact("Pre-training images", tuple(f"{s.source.name} ({s.role})" for s in sources)),
        Fact("Seeds", (_seeds(experiment.pretrain_seeds, experiment.seeds),)),
        Fact("Labels used", tuple(f"{f * 100:g} %" for f in experiment.label_fractions)),
        Fact("Recipe", (f"{recipe.name}: {_numerics(recipe)}",)),
        Fact("Each pre-training phase", pretrain_lines(recipe.pretrain)),
        Fact("Each fine-tuning", finetune_lines(recipe.finetune)),
        Fact("Computed on", machines(environments)),
        Fact("Versions", versions(environments)),
    ]
    return tuple(fact for fact in facts if fact.values)


def pretrain_lines(recipe: PretrainRecipe) -> tuple[str, ...]:
    """Return a pre-training recipe as short lines."""
    return (
        f"{_budget(recipe.steps, recipe.epochs)} of {recipe.batch} images at {recipe.crop_px} px",
        _optimisation(recipe.optim),
    )


def finetune_lines(recipe: FinetuneRecipe) -> tuple[str, ...]:
    """Return a fine-tuning recipe as short lines."""
    side = "the protocol's tile" if recipe.crop_px is None else f"{recipe.crop_px} px"
    return (
        f"{_budget(recipe.steps, recipe.epochs)} of {recipe.batch} crops of {side}",
        f"{recipe.head} with {recipe.head_channels} channels",
        _optimisation(recipe.optim),
    )


def machines(environments: Iterable[Mapping[str, str]]) -> tuple[str, ...]:
    """Return the distinct devices; for a CPU its model."""
    found = []
    for facts in environments:
        device = facts.get("device", "")
        model = facts.get("cpu", "")
        found.append(f"CPU: {model}" if device == "cpu" and model else device)
    return tuple(name for name in dict.fromkeys(found) if name)


def versions(environments: Iterable[Mapping[str, str]]) -> tuple[str, ...]:
    """Return one line per package with every version that finished runs had."""
    seen: dict[str, dict[str, None]] = {}
    for facts in environments:
        for package in PACKAGES:
            if package in facts:
                seen.setdefault(package, {})[facts[package]] = None
    return tuple(f"{package} {', '.join(seen[package])}" for package in PACKAGES if package in seen)


def date(timestamp: str) -> str:
    """Return the day of an ISO 8601 time: 21 November 2026."""
    day = datetime.fromisoformat(timestamp)
    return f"{day.day} {day:%B %Y}"


def _synthetic(datasets: Sequence[DatasetFacts]) -> Iterable[Banner]:
    made = [facts.name for facts in datasets if facts.spec.info.synthetic]
    if made and len(made) == len(datasets):
        yield Banner(
            "synthetic",
            "Synthetic data.",
            "Every dataset here was drawn by a program: the numbers show that the tool works, and "
            "say nothing about real images.",
        )
    elif made:
        yield Banner(
            "synthetic",
            "Partly synthetic data.",
            f"Drawn by a program, and no evidence about real images: {', '.join(made)}.",
        )


def _seeds(pretrain: Sequence[int], finetune: Sequence[int]) -> str:
    each = _count(len(finetune), "fine-tuning")
    return f"{_count(len(pretrain), 'pre-training')}, {each} of each"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _numerics(recipe: Recipe) -> str:
    return f"{recipe.precision}, {_count(recipe.cpu_threads, 'CPU thread')}"


def _budget(steps: int | None, epochs: float | None) -> str:
    return f"{steps} steps" if steps is not None else f"{epochs:g} epochs"


def _optimisation(optim: Optimisation) -> str:
    parts = [f"{optim.optimizer}, learning rate {optim.lr:g}, weight decay {optim.weight_decay:g}"]
    parts.append(optim.schedule)
    if optim.warmup_steps:
        parts.append(f"{optim.warmup_steps} warm-up steps")
    return ", ".join(parts)

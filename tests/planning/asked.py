"""Experiments for planning tests, as short as they can be asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gpbench.config import load_experiment, load_recipe
from gpbench.core.plan import BackboneCatalog, BackboneFacts, Plan, PlanItem
from gpbench.core.recipe import FinetuneRecipe, PretrainRecipe, steps_of
from gpbench.core.stage import FinetuneSpec, PretrainSpec
from gpbench.planning import build_plan

DEMO = load_recipe("demo")
BACKBONES = ("test_convnext3", "test_vit")
CATALOG = BackboneCatalog(
    frozenset(BACKBONES),
    {
        "test_convnext3": BackboneFacts("test_convnext3", "hierarchical", 1000),
        "test_vit": BackboneFacts("test_vit", "isotropic", 2000),
    },
)


def plan(file: Path | None = None, *, require_data: bool = True, **flags: Any) -> Plan:
    """Return the plan of flags; one seed, the demo recipe and world unless they say otherwise."""
    plain: dict[str, Any] = {}
    if file is None:
        plain = {
            "strategies": ["imagenet"], "datasets": ["demo-isaid"], "recipe": "demo",
            "backbones": ["test_convnext3"], "pretrain_seeds": "1",
        }  # fmt: skip
    tiles = flags.pop("training_tiles", {})
    environ = flags.pop("environ", {})
    experiment = load_experiment(file, {**plain, **flags}, environ, CATALOG.names)
    return build_plan(
        experiment,
        CATALOG,
        require_data=require_data,
        require_counted=require_data,
        training_tiles=tiles,
    )


def shown(recipe: PretrainRecipe | FinetuneRecipe) -> int:
    """Return how many images one training by a recipe shows."""
    return steps_of(recipe) * recipe.batch


def pretrainings(found: Plan) -> list[PretrainSpec]:
    """Return the distinct pre-trainings that have a key."""
    specs = [item.spec for item in found.stages().values()]
    return [spec for spec in specs if isinstance(spec, PretrainSpec)]


def finetunings(found: Plan) -> list[FinetuneSpec]:
    """Return the distinct fine-tunings that have a key."""
    specs = [item.spec for item in found.stages().values()]
    return [spec for spec in specs if isinstance(spec, FinetuneSpec)]


def transfers(found: Plan) -> list[tuple[PlanItem, FinetuneSpec]]:
    """Return the fine-tuning items that have a key, with their specs."""
    return [(item, item.spec) for item in found.items if isinstance(item.spec, FinetuneSpec)]


def items(found: Plan, kind: str) -> list[PlanItem]:
    """Return the items of a kind."""
    return [item for item in found.items if item.kind == kind]

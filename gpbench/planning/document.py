"""Plan -> the JSON document `gpbench.plan/1`."""

from __future__ import annotations

from collections.abc import Mapping

from gpbench.core.plan import JsonObject, Plan, PlanItem
from gpbench.core.stage import Kind, State
from gpbench.planning.estimate import images_shown, weights_bytes

UNPREPARED = "unprepared"


def plan_document(
    plan: Plan,
    states: Mapping[str, State],
    *,
    seconds_per_image: Mapping[Kind, float] | None = None,
    keep_weights: bool = True,
) -> JsonObject:
    """Return a plan as `gpbench.plan/1`.

    Args:
        plan: What is to be run.
        states: Key -> state in the store; a key that is not there is pending.
        seconds_per_image: Measured times, for the estimate in hours; None: not measured yet.
        keep_weights: Whether fine-tuned weights are kept, for the estimate in bytes.
    """
    distinct = {item.identity: item for item in plan.items}
    todo = [item for item in distinct.values() if _state(item, states) != "done"]
    return {
        "schema": "gpbench.plan/1",
        "experiment": plan.experiment.name,
        "trial": plan.trial,
        "cells": plan.cells,
        "stages": {
            "total": len(distinct),
            "pretrain": sum(item.kind == "pretrain" for item in distinct.values()),
            "finetune": sum(item.kind == "finetune" for item in distinct.values()),
            "done": len(distinct) - len(todo),
            "todo": len(todo),
        },
        "estimate": _estimate(plan, todo, seconds_per_image, keep_weights=keep_weights),
        "design": _design(plan),
        "excluded": [{"name": each.name, "reason": each.reason} for each in plan.excluded],
        "missing": [{"name": each.name, "reason": each.reason} for each in plan.missing],
        "partial": list(plan.partial),
        "items": [_item(item, plan, states) for item in plan.items],
    }


def _state(item: PlanItem, states: Mapping[str, State]) -> str:
    return UNPREPARED if item.key is None else states.get(item.key, "pending")


def _estimate(
    plan: Plan,
    todo: list[PlanItem],
    seconds_per_image: Mapping[Kind, float] | None,
    *,
    keep_weights: bool,
) -> JsonObject:
    """Return the cost of what is still to be done; stages without data cannot be counted."""
    specs = [item.spec for item in todo if item.spec is not None]
    hours = None
    if seconds_per_image is not None:
        hours = sum(seconds_per_image[spec.kind] * images_shown(spec) for spec in specs) / 3600
    facts = {each.name: each for each in plan.backbones}
    return {
        "images": sum(map(images_shown, specs)),
        "gpu_hours": hours,
        "bytes": weights_bytes(specs, facts, keep_finetuned=keep_weights),
    }


def _design(plan: Plan) -> JsonObject:
    """Return which level of claim the design reaches.

    With one pre-training of each arm it is about two checkpoints, not about two strategies.
    """
    experiment = plan.experiment
    pretrainings, finetunings = len(experiment.pretrain_seeds), len(experiment.seeds)
    any_pretrains = any(facts.pretrains for facts in plan.strategies)
    units = pretrainings if any_pretrains else pretrainings * finetunings
    return {
        "level": "strategy" if units >= 2 else "checkpoint",
        "pretrainings": pretrainings,
        "finetunings": finetunings,
        "p_floor": None,
        "detectable_difference": None,
    }


def _item(item: PlanItem, plan: Plan, states: Mapping[str, State]) -> JsonObject:
    needs = [plan.items[index].key for index in item.needs]
    return {
        "key": item.key,
        "kind": item.kind,
        "phase": item.phase,
        "arm": item.arm,
        "backbone": item.backbone,
        "in_chans": item.in_chans,
        "dataset": item.dataset,
        "label_fraction": item.label_fraction,
        "pretrain_seed": item.pretrain_seed,
        "finetune_seed": item.finetune_seed,
        "needs": [key for key in needs if key is not None],
        "state": _state(item, states),
    }

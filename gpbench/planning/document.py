"""Plan -> the JSON document `gpbench.plan/1`."""

from __future__ import annotations

from collections.abc import Mapping

from gpbench.core.plan import JsonObject, Plan, PlanItem
from gpbench.core.stage import State
from gpbench.planning.design import Knowledge, design
from gpbench.planning.durations import Pace
from gpbench.planning.estimate import images_shown, weights_bytes

UNPREPARED = "unprepared"


def plan_document(
    plan: Plan,
    states: Mapping[str, State],
    *,
    pace: Pace | None = None,
    known: Knowledge | None = None,
    keep_weights: bool = True,
) -> JsonObject:
    """Return a plan as `gpbench.plan/1`.

    Args:
        plan: What is to be run.
        states: Key -> state in the store; a key that is not there is pending.
        pace: How long stages took, for the estimate in hours; None: nothing was run yet.
        known: How much scores vary, for the design check; None: nothing is known.
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
        "estimate": _estimate(plan, todo, pace or Pace(), keep_weights=keep_weights),
        "design": design(plan, known or Knowledge()),
        "excluded": [{"name": each.name, "reason": each.reason} for each in plan.excluded],
        "missing": [{"name": each.name, "reason": each.reason} for each in plan.missing],
        "partial": list(plan.partial),
        "items": [_item(item, plan, states) for item in plan.items],
    }


def _state(item: PlanItem, states: Mapping[str, State]) -> str:
    return UNPREPARED if item.key is None else states.get(item.key, "pending")


def _estimate(plan: Plan, todo: list[PlanItem], pace: Pace, *, keep_weights: bool) -> JsonObject:
    """Return the cost of what is still to be done; what is not known is null, with the reason."""
    specs = [item.spec for item in todo if item.spec is not None]
    uncounted = _uncounted(plan, len(todo) - len(specs))
    if uncounted is not None:
        images, hours, size = None, None, None
    else:
        seconds = [pace.seconds(spec) for spec in specs]
        measured = [each for each in seconds if each is not None]
        images = sum(map(images_shown, specs))
        hours = sum(measured) / 3600 if len(measured) == len(seconds) else None
        facts = {each.name: each for each in plan.backbones}
        size = weights_bytes(specs, facts, keep_finetuned=keep_weights)
    unmeasured = "no stages of its kind were run here yet"
    unsized = "the size of a backbone is not known"
    return {
        "images": images,
        "gpu_hours": hours,
        "bytes": size,
        "images_reason": uncounted,
        "gpu_hours_reason": (uncounted or unmeasured) if hours is None else None,
        "bytes_reason": (uncounted or unsized) if size is None else None,
    }


def _uncounted(plan: Plan, unprepared: int) -> str | None:
    """Return why the work of some stages that are to be done cannot be counted; None: it can."""
    if not unprepared:
        return None
    if plan.missing:
        return f"the data are missing: {', '.join(each.name for each in plan.missing)}"
    return "a budget in epochs is counted once the data are prepared"


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

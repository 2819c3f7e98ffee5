"""A trial of a plan: few of its fine-tunings, spread over the arms, and what they need. Pure."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Sequence

from gpbench.core.plan import PlanItem


def spread(items: Sequence[PlanItem], limit: int) -> list[PlanItem]:
    """Return at most `limit` fine-tunings with the items they need, numbered anew.

    The arms take turns; each goes through its datasets before it takes a second replicate, backbone
    or label fraction of one. All arms begin with the same dataset.
    """
    chosen = {item.index for item in itertools.islice(_turns(items), limit)}
    for item in reversed(items):  # children come after their parents
        if item.index in chosen:
            chosen.update(item.needs)
    kept = [item for item in items if item.index in chosen]
    index = {item.index: new for new, item in enumerate(kept)}
    return [
        dataclasses.replace(
            item, index=index[item.index], needs=tuple(index[need] for need in item.needs)
        )
        for item in kept
    ]


def _turns(items: Sequence[PlanItem]) -> Iterator[PlanItem]:
    """Return the fine-tunings in the order in which a trial takes them."""
    queues: dict[str, dict[str | None, list[PlanItem]]] = {}
    for item in items:
        if item.kind == "finetune":
            queues.setdefault(item.arm, {}).setdefault(item.dataset, []).append(item)
    by_arm = [_interleaved(list(datasets.values())) for datasets in queues.values()]
    return iter(_interleaved(by_arm))


def _interleaved(queues: Sequence[Sequence[PlanItem]]) -> list[PlanItem]:
    """Return the first of every queue, then the second of every queue, and so on."""
    rounds = itertools.zip_longest(*queues)
    return [item for one in rounds for item in one if item is not None]

"""A plan for the terminal: what it can show, what it costs, what is missing, then its stages."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

from gpbench.cli.output import number, print_table, stdout
from gpbench.execution.view import time_words

if TYPE_CHECKING:
    from collections.abc import Iterable


def print_plan(document: dict[str, Any], *, detailed: bool) -> None:
    """Print a plan, about a screen of it.

    Args:
        document: It, as `gpbench.plan/1`.
        detailed: Whether to print the stages by backbone, dataset and state, and reasons in full.
    """
    console, stages = stdout(), document["stages"]
    console.print(
        f"plan of {document['experiment']}: {number(document['cells'], 'cell')}, "
        f"{number(stages['total'], 'stage')} ({number(stages['pretrain'], 'pre-training')}, "
        f"{number(stages['finetune'], 'fine-tuning')}); {stages['done']:,} done, "
        f"{stages['todo']:,} to do",
        style="bold",
        markup=False,
    )
    if document["trial"]:
        console.print("TRIAL: a part of the experiment; its results are never ranked.")
    for line in [
        *_design_lines(document["design"]),
        *_cost_lines(document["estimate"]),
        *_left_out(document, detailed=detailed),
    ]:
        console.print(line, markup=False)
    console.print()
    if detailed:
        _print_stages(document["items"])
    else:
        _print_arms(document["items"])
        console.print("-v shows backbones, datasets and states.", style="dim")


def _design_lines(design: dict[str, Any]) -> list[str]:
    known = "--sd" if design["sd"] is not None else "the upper 80 % limit of the stored spread"
    shown = design["detectable_difference"]
    level = (
        f"Level: {design['level']} ({number(design['pretrainings'], 'pre-training')} x "
        f"{number(design['finetunings'], 'fine-tuning')} per arm and dataset); "
        f"{design['level_reason'] or 'enough for verdicts'}."
    )
    if shown is None:
        gain = f"Detectable difference: unknown; {design['detectable_difference_reason']}."
    else:
        over = len(design["detectable_by_dataset"])
        where = f"on average over {over} datasets, " if over > 1 else ""
        corrected = f" / {design['contrasts']} contrasts" if design["contrasts"] > 1 else ""
        gain = (
            f"Detectable difference: {shown:.2f} pp with 80 % power, {where}alpha "
            f"{design['alpha']:g}{corrected}, by {known}."
        )
    limit = design["p_floor_reason"]
    return [level, gain, *([f"Exact tests over datasets: {limit}."] if limit else [])]


def _cost_lines(estimate: dict[str, Any]) -> list[str]:
    """Return what is known of the cost in a line, and a line per reason why the rest is not."""
    images, size, hours = estimate["images"], estimate["bytes"], estimate["gpu_hours"]
    known, unknown = [], defaultdict(list)
    for what, value, said, why in (
        ("images to train on", images, f"{images or 0:,}", estimate["images_reason"]),
        ("kept weights", size, f"{(size or 0) / 1e6:,.1f} MB", estimate["bytes_reason"]),
        ("time", hours, time_words(3600 * (hours or 0)), estimate["gpu_hours_reason"]),
    ):
        if value is None:
            unknown[why].append(what)
        else:
            known.append(f"{what}: {said}")
    lines = [f"Cost: {'; '.join(known)}."] if known else []
    return lines + [f"Unknown: {', '.join(what)}; {why}." for why, what in unknown.items()]


def _left_out(document: dict[str, Any], *, detailed: bool) -> Iterable[str]:
    for word, more in (("missing", "how to get them"), ("excluded", "why")):
        found = document[word]
        if detailed:
            yield from (f"{word} {each['name']}: {each['reason']}" for each in found)
        elif found:
            yield f"{word}: {', '.join(each['name'] for each in found)}; -v says {more}."
    if document["partial"]:
        yield f"A part only: {', '.join(document['partial'])}."


def _print_arms(items: Iterable[dict[str, Any]]) -> None:
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for item in items:
        counts[item["arm"]].update([item["kind"], "done" if item["state"] == "done" else "to do"])
    names = ("pretrain", "finetune", "done", "to do")
    print_table(
        ("arm", "pre-trainings", "fine-tunings", "done", "to do"),
        [(arm, *(f"{own[name]:,}" for name in names)) for arm, own in counts.items()],
        title="stages that each arm needs (shared ones run once)",
    )


def _print_stages(items: Iterable[dict[str, Any]]) -> None:
    counts: defaultdict[str, Counter[tuple[str, ...]]] = defaultdict(Counter)
    for item in items:
        stage = f"{item['kind']} {item['phase'] or ''}".strip()
        data = item["dataset"] or f"{item['in_chans']} channels"
        counts[item["backbone"]][item["arm"], stage, data, item["state"]] += 1
    for backbone, own in counts.items():
        print_table(
            ("arm", "stage", "data", "state", "count"),
            [(*row, f"{count:,}") for row, count in own.items()],
            title=backbone,
        )

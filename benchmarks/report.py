"""pytest-benchmark's document -> the Markdown page that `make bench` writes. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any

PARTS = "parts"
"""Field of `extra_info`: a round did so many things, and the page shows the time of one."""

HEAD = """# Benchmarks

Written by `make bench`, on one machine and in one sitting: compare within a table, not across \
machines. Time is the median of the rounds, "range" the fastest and the slowest of them; \
"relative" is to the fastest of a table.

"""


def page(document: Mapping[str, Any], versions: Mapping[str, str]) -> str:
    """Return the page: machine, versions, date, then a table for each group of benchmarks."""
    machine = document["machine_info"]
    cpu = machine["cpu"]
    processor = cpu.get("brand_raw", machine["machine"])
    known = {"Python": machine["python_version"], **versions}
    facts = [
        f"Machine: {processor}, {cpu['count']} cores, {machine['system']}",
        f"Versions: {', '.join(f'{name} {version}' for name, version in known.items())}",
        f"Date: {document['datetime'][:10]}",
    ]
    ordered = sorted(document["benchmarks"], key=itemgetter("group"))
    tables = [
        f"## {group}\n\n{_table(list(rows))}"
        for group, rows in groupby(ordered, key=itemgetter("group"))
    ]
    return HEAD + "\n".join(f"- {fact}" for fact in facts) + "\n\n" + "\n".join(tables)


def _table(rows: Sequence[Mapping[str, Any]]) -> str:
    parts = [row.get("extra_info", {}).get(PARTS, 1) for row in rows]
    medians = [row["stats"]["median"] / n for row, n in zip(rows, parts, strict=True)]
    lines = ["| what | median | range | rounds | relative |", "|---|--:|--:|--:|--:|"]
    lines += [
        f"| {row['name'].removeprefix('bench_').replace('_', ' ')} | {_time(median)} "
        f"| {_time(row['stats']['min'] / n)} to {_time(row['stats']['max'] / n)} "
        f"| {row['stats']['rounds']} | {median / min(medians):.2f} |"
        for row, n, median in sorted(zip(rows, parts, medians, strict=True), key=itemgetter(2))
    ]
    noted = [
        f"{name}: {value:.4f}"
        for row in rows
        for name, value in row.get("extra_info", {}).items()
        if name != PARTS
    ]
    return "\n".join([*lines, *(["", *noted] if noted else [])]) + "\n"


def _time(seconds: float) -> str:
    """Return three significant digits with the unit that suits."""
    unit, factor = next(
        ((unit, factor) for unit, factor in (("s", 1.0), ("ms", 1e3)) if seconds * factor >= 1),
        ("us", 1e6),
    )
    return f"{f'{seconds * factor:#.3g}'.rstrip('.')} {unit}"

"""How often gpbench errs: simulated, and written into docs/statistics.md (`make error-rates`)."""

from __future__ import annotations

import itertools
import platform
import sys
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

from benchmarks.made_experiments import (
    APART,
    GENERALISED,
    IMAGENET,
    ONE_DATASET,
    Design,
    Groups,
    best,
    equivalence,
    family,
    nested,
    new_datasets,
    rates,
    spreads,
)
from benchmarks.made_scenes import SceneSet, new_images
from gpbench.stats.proportion import Rate

PAGE = Path(__file__).parents[1] / "docs" / "statistics.md"
BEGIN, END = "<!-- error rates: begin -->", "<!-- error rates: end -->"
DRAWS, SEED = 2_000, 1
SPREADS = (0.0, 0.5, 1.0)
"""Standard deviations of a pre-training; a fine-tuning's is 1."""
SUITE = (GENERALISED, IMAGENET)

Row = Sequence[str | Rate]


def main() -> None:
    """Simulate everything and rewrite the page's tables, one as soon as it is there to stderr."""
    lines = []
    for line in tables(DRAWS, SEED):
        sys.stderr.write(f"{line}\n")
        lines.append(line)
    PAGE.write_text(rewritten(PAGE.read_text(), "\n".join([*_facts(), "", *lines])))


def rewritten(page: str, text: str) -> str:
    """Return the page with the text between its two marker comments."""
    before, rest = page.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}\n{text}\n{END}{after}"


def tables(draws: int, seed: int) -> Iterator[str]:
    """Yield the lines of all tables, in Markdown."""
    yield from _one_dataset(draws, seed)
    yield from _suite(draws, seed)
    yield from _checkpoints(draws, seed)
    yield from _new_datasets(draws, seed)
    yield from _new_images(draws, seed)
    yield from _spreads(draws, seed)
    yield from _families(draws, seed)
    yield from _best(draws, seed)
    yield from _equivalence(draws, seed)


def _facts() -> Iterator[str]:
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in ("numpy", "scipy"))
    yield (
        f"Simulated on {datetime.now(UTC):%Y-%m-%d} with gpbench {metadata.version('gpbench')}, "
        f"Python {platform.python_version()}, {versions}; seed {SEED}, {DRAWS:,} draws per cell. "
        "In per cent; after +- stands the Monte-Carlo standard error."
    )


def _one_dataset(draws: int, seed: int) -> Iterator[str]:
    def rows() -> Iterator[Row]:
        for p, k in itertools.product((3, 5), (1, 3, 5)):
            found = [rates(draws, seed, nested(Design(p, k, sd))) for sd in SPREADS]
            yield f"{p} x {k}", *(r[0] for r in found), *(r[1] for r in found)

    yield from _table(
        "One dataset: strategies that are equal and are called different",
        ("pre-trainings x fine-tunings", *_by_sd("gpbench"), *_by_sd("pooled")),
        rows(),
    )


def _suite(draws: int, seed: int) -> Iterator[str]:
    def rows() -> Iterator[Row]:
        for p, k in itertools.product((3, 5), (1, 3, 5)):
            found = [rates(draws, seed, nested(Design(p, k, sd, SUITE))) for sd in SPREADS]
            yield (
                f"{p} x {k}",
                *(r[0] for r in found),
                *(r[2] for r in found),
                *(r[1] for r in found),
            )

    yield from _table(
        "Four datasets, scope fixed-suite: the baseline's pre-trainings serve all four, the "
        "candidate's one, two and one",
        (
            "pre-trainings x fine-tunings",
            *_by_sd("gpbench"),
            *_by_sd("each dataset a draw"),
            *_by_sd("pooled"),
        ),
        rows(),
    )


def _checkpoints(draws: int, seed: int) -> Iterator[str]:
    def rows() -> Iterator[Row]:
        for groups, k in itertools.product(((ONE_DATASET,) * 2, SUITE), (3, 5)):
            found = [rates(draws, seed, nested(Design(1, k, sd, groups)))[0] for sd in SPREADS]
            yield _datasets(groups), f"1 x {k}", *found

    yield from _table(
        "One pre-training per arm, level checkpoint (1 x 1: no test is made)",
        (
            "datasets",
            "pre-trainings x fine-tunings",
            "as a claim about these models",
            "as one about strategies, sd 0.5",
            "sd 1",
        ),
        rows(),
    )


def _new_datasets(draws: int, seed: int) -> Iterator[str]:
    shared = {"none": (APART, APART), "as above": SUITE, "all four": (IMAGENET, IMAGENET)}

    def rows() -> Iterator[Row]:
        for (name, groups), gain, sd in itertools.product(shared.items(), (0, 1), SPREADS):
            design = Design(3, 3, sd, groups, sd_gain=gain)
            yield name, f"{gain}", f"{sd:g}", *rates(draws, seed, new_datasets(design))

    yield from _table(
        "Claims about new datasets from four, 3 x 3 runs of each arm on each",
        (
            "datasets that share pre-trainings",
            "sd of the gain between datasets",
            "sd of pre-training",
            "scope datasets",
            "gains alone",
            "scope fixed-suite instead",
            "(dataset, seed) pairs pooled",
        ),
        rows(),
    )


def _new_images(draws: int, seed: int) -> Iterator[str]:
    designs = (
        SceneSet(scenes=5, tiles=10, runs=3, sd_run=0.01, sd_arm=0.03),
        SceneSet(scenes=12, tiles=10, runs=3, sd_run=0.01, sd_arm=0.03),
        SceneSet(scenes=30, tiles=4, runs=3, sd_run=0.01, sd_arm=0.03),
        SceneSet(scenes=12, tiles=10, runs=3, sd_run=0.0, sd_arm=0.03),
        SceneSet(scenes=12, tiles=10, runs=1, sd_run=0.0, sd_arm=0.03),
        SceneSet(scenes=12, tiles=10, runs=1, sd_run=0.02, sd_arm=0.03),
    )

    def rows() -> Iterator[Row]:
        for d in designs:
            by_scene, by_tile, runs = new_images(d, draws, seed)
            told = "-" if d.runs == 1 else runs
            size = f"{d.scenes} x {d.tiles}"
            yield size, f"{d.runs}", f"{100 * d.sd_run:g}", by_scene, by_tile, told

    yield from _table(
        "Claims about new images of a dataset; right pixels vary between scenes by 3 % for one arm "
        "against the other",
        (
            "scenes x tiles",
            "runs per arm",
            "sd of a run, % of pixels",
            "scope images",
            "tiles as independent",
            "scope seeds instead",
        ),
        rows(),
    )


def _spreads(draws: int, seed: int) -> Iterator[str]:
    def rows() -> Iterator[Row]:
        for p, k in itertools.product((3, 5), (3, 5)):
            found = [rates(draws, seed, spreads(Design(p, k, sd))) for sd in SPREADS]
            yield f"{p} x {k}", *(r[0] for r in found), found[-1][1]

    yield from _table(
        "Coverage of the 95 % intervals of standard deviations",
        ("pre-trainings x fine-tunings", *_by_sd("of pre-training"), "of fine-tuning"),
        rows(),
    )


def _families(draws: int, seed: int) -> Iterator[str]:
    def rows() -> Iterator[Row]:
        for groups, p in itertools.product(((ONE_DATASET,) * 2, SUITE), (3, 5)):
            design = Design(p, 3, 0.5, groups)
            any_of = rates(draws, seed, family(design, 3, ("none", "holm", "max-t")))
            yield _datasets(groups), f"{p} x 3", *any_of

    yield from _table(
        "Three candidates and a baseline, any of the three called different; sd of pre-training "
        "0.5",
        (
            "datasets",
            "pre-trainings x fine-tunings",
            "no correction",
            "Holm",
            "max-T",
        ),
        rows(),
    )


def _best(draws: int, seed: int) -> Iterator[str]:
    def rows() -> Iterator[Row]:
        for baselines, p in ((3, 3), (3, 5), (6, 5)):
            found = rates(draws, seed, best(Design(p, 3, 0.5), baselines))
            yield f"{baselines}", f"{p} x 3", *found

    yield from _table(
        "A candidate against the best of several equal baselines, one dataset, sd of pre-training "
        "0.5",
        (
            "baselines",
            "pre-trainings x fine-tunings",
            "max-T: worse",
            "better",
            "no correction: worse",
            "better",
        ),
        rows(),
    )


def _equivalence(draws: int, seed: int) -> Iterator[str]:
    def rows() -> Iterator[Row]:
        for p in (3, 5, 10):
            found = (rates(draws, seed, equivalence(Design(p, 3, 0.5), m))[0] for m in (1, 3))
            yield f"{p} x 3", *found

    yield from _table(
        "A candidate that is better by just the margin and is called equivalent, sd of "
        "pre-training 0.5",
        ("pre-trainings x fine-tunings", "margin 1", "margin 3"),
        rows(),
    )


def _by_sd(name: str) -> tuple[str, ...]:
    first, *others = (f"{sd:g}" for sd in SPREADS)
    return f"{name}, sd {first}", *(f"sd {sd}" for sd in others)


def _datasets(groups: tuple[Groups, Groups]) -> str:
    return str(sum(map(len, groups[0])))


def _table(title: str, header: Sequence[str], rows: Iterable[Row]) -> Iterator[str]:
    yield f"**{title}**"
    yield ""
    yield _line(header)
    yield "|" + "---|" * len(header)
    for row in rows:
        yield _line([cell if isinstance(cell, str) else _percent(cell) for cell in row])
    yield ""


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _percent(rate: Rate) -> str:
    return f"{100 * rate.share:.1f} +- {100 * rate.se:.1f}"


if __name__ == "__main__":
    main()

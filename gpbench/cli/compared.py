"""What is compared, and where its report goes: shared by the commands that judge results."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from gpbench.cli.begun import check_begun, experiment_name
from gpbench.core.errors import ComparisonError, ConfigError
from gpbench.core.whole_file import write_whole

if TYPE_CHECKING:
    from gpbench.cli.session import Place
    from gpbench.compare.images import SceneCounts
    from gpbench.compare.study import Study


class Compared(NamedTuple):
    """A study that has a score; of a table no counts of scenes are known."""

    study: Study
    counts: SceneCounts | None


@contextmanager
def compared_study(
    place: Place,
    experiment: str | None,
    table: Path | None,
    metric: str | None,
    protocol: str | None,
) -> Iterator[Compared]:
    """Give the study that flags name; its counts can be read until the end.

    Raises:
        ConfigError: If both a table and an experiment are named.
        StoreError: If nothing was run.
        ComparisonError: If there is no score.
    """
    if table is not None:
        if experiment is not None:
            raise ConfigError(
                "--table and --experiment exclude each other: a table is no experiment"
            )
        from gpbench.compare.table import table_study

        study = table_study(table, metric, protocol)
        _check_scored(study)
        yield Compared(study, None)
        return
    from gpbench.compare.stored import scene_counts, stored_study
    from gpbench.store import Store

    check_begun(place)
    with Store.open(place.db, read_only=True) as store:
        name = experiment_name(store, place, experiment)
        study = stored_study(store, name, metric, protocol)
        _check_scored(study)
        yield Compared(study, scene_counts(store, store.experiment(name)))


def write_report(text: str, output: Path) -> None:
    """Write a report; nobody sees a part of it.

    Raises:
        ConfigError: If it cannot be written.
    """
    try:
        write_whole(output, text.encode())
    except OSError as error:
        raise ConfigError(f"--output {output} cannot be written: {error.strerror}") from error


def _check_scored(study: Study) -> None:
    """Raise ComparisonError if there is no score: nothing is finished, or everything diverged."""
    from gpbench.compare.study import UNRUN

    if any(run.value is not None for run in study.runs):
        return
    counts = Counter(run.status for run in study.runs)
    unrun = counts.pop(UNRUN, 0)
    told = [f"{number} {status}" for status, number in sorted(counts.items())]
    if unrun:
        told.append(f"{unrun} not run yet: `gpbench status` shows how far it is")
    why = ", ".join(told) or "it has no fine-tunings"
    raise ComparisonError(f"'{study.name}' has no score to compare: {why}")

"""When a run will be over, by what its stages took so far. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Hashable, Iterable
from dataclasses import dataclass, field

from gpbench.core.stage import StageSpec
from gpbench.planning.durations import Pace, shape


@dataclass
class TimeLeft:
    """The stages that have not ended, and how fast stages are."""

    pace: Pace
    _todo: Counter[Hashable] = field(default_factory=Counter)
    _like: dict[Hashable, StageSpec] = field(default_factory=dict)

    def add(self, specs: Iterable[StageSpec]) -> None:
        """Take in stages that are to be run."""
        for spec in specs:
            self._like.setdefault(shape(spec), spec)
            self._todo[shape(spec)] += 1

    def drop(self, spec: StageSpec) -> None:
        """Leave out a stage that is over."""
        self._todo[shape(spec)] -= 1

    def seconds(self, running: Collection[tuple[StageSpec, float]]) -> float | None:
        """Return about how many seconds are left if as many stages as now run at once.

        None: there are stages of a kind of which none was done yet.

        Args:
            running: The stages that run, and for how many seconds they have.
        """
        work = 0.0
        for like, number in list(self._todo.items()):  # a view's own thread asks
            if number:
                each = self.pace.seconds(self._like[like])
                if each is None:
                    return None
                work += number * each
        for spec, elapsed in running:
            work -= min(elapsed, self.pace.seconds(spec) or 0.0)
        return work / max(1, len(running))

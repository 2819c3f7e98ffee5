"""Which stage is next: parents before children, the longest way to the end first. Pure."""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence

from gpbench.core.stage import Kind


class StageQueue:
    """The stages of a run that have not ended, and which of them can start.

    Each operation costs O(log n) per stage that it moves: 100,000 stages are as quick as 1,000.
    """

    def __init__(
        self,
        needs: Mapping[str, Sequence[str]],
        kinds: Mapping[str, Kind],
        seconds: Mapping[str, float],
    ) -> None:
        """Take the stages in.

        Args:
            needs: Stage -> the stages that must be done before it; parents come before children.
            kinds: Stage -> its kind.
            seconds: Stage -> how long it is expected to run.
        """
        self._kinds = kinds
        self._missing = {key: len(parents) for key, parents in needs.items()}
        self._children: dict[str, list[str]] = defaultdict(list)
        for key, parents in needs.items():
            for parent in parents:
                self._children[parent].append(key)
        self._rank = {
            key: (-rest, position)
            for position, (key, rest) in enumerate(self._rest(needs, seconds).items())
        }
        self._ready: dict[Kind, list[tuple[float, int, str]]] = {"pretrain": [], "finetune": []}
        for key, missing in self._missing.items():
            if missing == 0:
                self.put_back(key)

    def _rest(
        self, needs: Mapping[str, Sequence[str]], seconds: Mapping[str, float]
    ) -> dict[str, float]:
        """Return stage -> seconds from its start to the end of its longest descent."""
        rest: dict[str, float] = {}
        for key in reversed(list(needs)):
            below = max((rest[child] for child in self._children[key]), default=0.0)
            rest[key] = seconds[key] + below
        return {key: rest[key] for key in needs}

    def __len__(self) -> int:
        """Return how many stages can start now."""
        return sum(map(len, self._ready.values()))

    def pop(self, kinds: Collection[Kind]) -> str | None:
        """Take out the stage that is to start next, of one of these kinds; None: none can."""
        heaps = [self._ready[kind] for kind in kinds if self._ready[kind]]
        if not heaps:
            return None
        return heapq.heappop(min(heaps, key=lambda heap: heap[0]))[-1]

    def put_back(self, key: str) -> None:
        """Let a stage that was taken out be taken out again."""
        heapq.heappush(self._ready[self._kinds[key]], (*self._rank[key], key))

    def done(self, key: str) -> None:
        """Let the children of a stage start whose other parents are done too."""
        for child in self._children[key]:
            self._missing[child] -= 1
            if self._missing[child] == 0:
                self.put_back(child)

    def descendants(self, key: str) -> Iterator[str]:
        """Yield all stages below a stage, each once, parents first: they can no longer start."""
        seen = {key}
        front = [key]
        for parent in front:
            for child in self._children[parent]:
                if child not in seen:
                    seen.add(child)
                    front.append(child)
                    yield child

    def children(self, key: str) -> Sequence[str]:
        """Return the stages that need this one."""
        return self._children[key]

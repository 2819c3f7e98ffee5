"""The order in which stages start."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gpbench.core.stage import Kind
from gpbench.execution.executor import KINDS
from gpbench.execution.queue import StageQueue


@st.composite
def graphs(draw: st.DrawFn) -> tuple[dict[str, list[str]], dict[str, Kind], dict[str, float]]:
    """Stages, each of which may need some of those before it."""
    n = draw(st.integers(1, 12))
    names = [f"s{i}" for i in range(n)]
    needs = {
        name: draw(st.lists(st.sampled_from(names[:i]), unique=True, max_size=2)) if i else []
        for i, name in enumerate(names)
    }
    kinds: dict[str, Kind] = {
        name: draw(st.sampled_from(["pretrain", "finetune"])) for name in names
    }
    return needs, kinds, {name: draw(st.floats(0, 100)) for name in names}


def rest(key: str, needs: dict[str, list[str]], seconds: dict[str, float]) -> float:
    """How long it takes from a stage's start to the end of all below it: by definition."""
    below = [child for child, parents in needs.items() if key in parents]
    return seconds[key] + max((rest(child, needs, seconds) for child in below), default=0.0)


@given(graphs())
def test_every_stage_comes_once_after_its_parents_and_the_longest_way_first(
    graph: tuple[dict[str, list[str]], dict[str, Kind], dict[str, float]],
) -> None:
    needs, kinds, seconds = graph
    queue = StageQueue(needs, kinds, seconds)
    done: list[str] = []
    while (key := queue.pop(KINDS)) is not None:
        startable = [k for k in needs if k not in done and set(needs[k]) <= set(done)]
        assert key in startable
        assert rest(key, needs, seconds) >= max(rest(k, needs, seconds) for k in startable) - 1e-6
        done.append(key)
        queue.done(key)
    assert sorted(done) == sorted(needs)


@given(graphs(), st.data())
def test_a_failed_stage_has_exactly_its_descendants_below_it(
    graph: tuple[dict[str, list[str]], dict[str, Kind], dict[str, float]], data: st.DataObject
) -> None:
    needs, kinds, seconds = graph
    key = data.draw(st.sampled_from(sorted(needs)))
    below = list(StageQueue(needs, kinds, seconds).descendants(key))
    found = {key}
    for name, parents in needs.items():  # parents come first
        if found.intersection(parents):
            found.add(name)
    assert sorted(below) == sorted(found - {key})


def test_only_stages_of_the_kinds_asked_for_come() -> None:
    queue = StageQueue(
        {"a": [], "b": [], "c": ["a"]},
        {"a": "pretrain", "b": "finetune", "c": "finetune"},
        {"a": 9.0, "b": 1.0, "c": 1.0},
    )
    assert queue.pop({"finetune"}) == "b"
    assert queue.pop({"finetune"}) is None
    assert len(queue) == 1
    assert queue.pop({"finetune", "pretrain"}) == "a"
    assert queue.pop({"finetune", "pretrain"}) is None
    queue.done("a")
    assert queue.pop({"pretrain"}) is None
    assert queue.pop({"finetune"}) == "c"


def test_a_stage_that_is_put_back_comes_again_in_its_place() -> None:
    queue = StageQueue({"a": [], "b": []}, {"a": "finetune", "b": "finetune"}, {"a": 2.0, "b": 1.0})
    first = queue.pop(KINDS)
    assert first == "a"
    queue.put_back(first)
    assert [queue.pop(KINDS), queue.pop(KINDS), queue.pop(KINDS)] == ["a", "b", None]


def test_equally_long_stages_come_in_the_plan_s_order() -> None:
    names = [f"s{i}" for i in range(20)]
    queue = StageQueue(
        {name: [] for name in names}, dict.fromkeys(names, "finetune"), dict.fromkeys(names, 1.0)
    )
    assert [queue.pop(KINDS) for _ in names] == names

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.console import Console, RenderableType

from gpbench.core.stage import State
from gpbench.engine.monitor import Beat
from gpbench.execution.view import beat_words, run_view, stage_label, time_words
from tests.store.plans import make_plan

PRETRAINING, _, FINETUNING, SCRATCH = make_plan(seeds=(1,)).items
COUNTS: dict[State, int] = {"pending": 5, "running": 2, "done": 2, "failed": 1, "blocked": 0}


def rendered(shown: RenderableType, width: int = 120) -> list[str]:
    """Return the lines of a terminal of that width."""
    console = Console(file=io.StringIO(), width=width, color_system=None)
    with console.capture() as capture:
        console.print(shown)
    return [line.rstrip() for line in capture.get().splitlines()]


def test_stage_is_named_by_what_tells_it_from_others() -> None:
    assert stage_label(PRETRAINING) == "pretrain made-up[depth=2] test_convnext3 3 channels (pre 1)"
    few = replace(FINETUNING, label_fraction=0.1)
    words = "finetune made-up[depth=2] test_convnext3 town at 0.1 (pre 1, fine 0)"
    assert stage_label(few) == words


@pytest.mark.parametrize(
    ("beat", "words"),
    [
        (None, "starting"),
        (Beat("score", 3, 12), "score 3/12"),
        (
            Beat("train", 1200, 40000, 0.53214, 853.4, 1_830_000_000),
            "train 1,200/40,000  loss 0.532  853 images/s  1.8 GB",
        ),
    ],
)
def test_beat_says_what_is_known(beat: Beat | None, words: str) -> None:
    assert beat_words(beat) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.4, "0 s"),
        (99.4, "99 s"),
        (100, "2 min"),
        (99 * 60, "99 min"),
        (100 * 60, "1 h 40 min"),
        (3600 * 47.9, "2 d 0 h"),
        (3600 * 51, "2 d 3 h"),
    ],
)
def test_time_is_said_in_two_units(seconds: float, words: str) -> None:
    assert time_words(seconds) == words


def test_view_shows_bar_counts_and_a_line_per_running_stage() -> None:
    running = [(FINETUNING, Beat("train", 1, 2)), (SCRATCH, None)]
    bar, counts, first, second = rendered(run_view(COUNTS, 720.0, running))
    assert bar.endswith("3/10 stages, about 12 min left")
    assert counts == "2 done  2 running  5 to do  1 failed  0 blocked"
    assert first.startswith(stage_label(FINETUNING))  # brackets are no markup
    assert first.endswith("train 1/2")
    assert second.startswith(stage_label(SCRATCH))
    assert second.endswith("starting")


def test_bar_is_filled_by_what_is_over() -> None:
    (bar, *_) = rendered(run_view({**COUNTS, "pending": 0, "running": 0}, 0.0, []))
    assert bar.endswith("━ 3/3 stages")  # nothing is left, not "about 0 s"
    (bar, *_) = rendered(run_view(dict.fromkeys(COUNTS, 0), None, []))
    assert bar.endswith("0/0 stages")


def test_narrow_terminal_cuts_neither_names_nor_how_far_stages_are() -> None:
    beat = Beat("train", 1200, 40000, 0.5, 853.0, 10**9)
    running = [(FINETUNING, beat), (replace(FINETUNING, dataset="a-port-of-the-south"), None)]
    lines = rendered(run_view(COUNTS, None, running), width=60)[2:]
    assert max(map(len, lines)) <= 60
    assert lines == [
        "finetune made-up[depth=2] test_convnext3 town (pre 1, fine",
        "0)",
        f"  {beat_words(beat)}",
        "finetune made-up[depth=2] test_convnext3 a-port-of-the-south",
        "(pre 1, fine 0)",
        "  starting",
    ]

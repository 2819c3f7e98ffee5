"""What `gpbench plan` shows of a plan on a terminal's screen."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Command

ASKED = (
    *("plan", "-s", "scratch,imagenet,generalised", "-b", "test_convnext3", "--recipe", "demo"),
    *("-d", "demo-isaid,demo-mfnet,demo-pst900,demo-potsdam"),
)
NAMES = ("test_convnext3", "demo-isaid", "demo-potsdam", "generalised", "pending")


@pytest.fixture
def narrow(gpbench: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Run a command that prints 80 columns, in a working directory where nothing was run."""
    monkeypatch.setenv("COLUMNS", "80")
    return lambda *arguments: gpbench(*arguments, "--workdir", tmp_path / "work")


def test_plan_fits_a_screen_and_says_first_what_it_can_show(narrow: Command) -> None:
    said = narrow(*ASKED)
    lines = said.out.splitlines()
    assert (said.code, said.err) == (0, "")
    assert len(lines) <= 40
    assert max(map(len, lines)) <= 80
    text = " ".join(said.out.split())
    assert "12 cells, 48 stages (12 pre-trainings, 36 fine-tunings); 0 done, 48 to do" in text
    assert "Level: strategy (3 pre-trainings x 1 fine-tuning per arm and dataset); enough" in text
    order = [text.index(word) for word in ("48 stages", "Level:", "Cost:", "Unknown: time;")]
    assert order == sorted(order)
    assert order[-1] < text.index("generalised 9 12 0 21")


def test_details_are_the_stages_by_backbone_dataset_and_state(narrow: Command) -> None:
    said = narrow(*ASKED, "-v")
    rows = [line.split() for line in said.out.splitlines()]
    assert ["generalised", "pretrain", "csp", "5", "channels", "pending", "3"] in rows
    assert ["scratch", "finetune", "demo-potsdam", "pending", "3"] in rows
    words = said.out.split()
    assert all(name in words for name in NAMES)  # none is broken


def test_one_is_not_many(narrow: Command) -> None:
    one = ("-s", "scratch", "-d", "demo-isaid", "--pretrain-seeds", "1")
    text = " ".join(narrow("plan", "-b", "test_convnext3", "--recipe", "demo", *one).out.split())
    assert "1 cell, 1 stage (0 pre-trainings, 1 fine-tuning); 0 done, 1 to do" in text
    assert "(1 pre-training x 1 fine-tuning per arm and dataset)" in text


def test_trial_says_so_before_its_design(narrow: Command) -> None:
    out = narrow(*ASKED, "--limit", "2").out
    assert 0 < out.index("TRIAL") < out.index("Level:")


def test_what_was_left_out_is_named_and_explained_in_the_details(narrow: Command) -> None:
    asked = ("plan", "-s", "scratch", "-d", "demo-isaid,mfn*", "-b", "test_convnext3")
    assert "excluded: mfnet; -v says why.\n" in narrow(*asked).out
    assert "excluded mfnet: no folder is known for 'mfnet'" in narrow(*asked, "-v").out

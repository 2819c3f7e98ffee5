from __future__ import annotations

import pytest

from gpbench.cli.output import PIPE_WIDTH, column_widths, print_table

ROWS = [
    ("pretrain", "generalised[inflate=mean]", "test_convnext3 on images of 3 channels"),
    ("finetune", "imagenet", "test_convnext3 on demo-potsdam at 10 % of the labels, and so on"),
]


def printed(capsys: pytest.CaptureFixture[str]) -> list[str]:
    print_table(("kind", "arm", "what"), ROWS, title="a plan")
    return capsys.readouterr().out.splitlines()


def test_piped_table_has_the_width_of_columns(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "56")
    lines = printed(capsys)
    assert max(map(len, lines)) <= 56
    assert "pretrain" in " ".join(lines)
    monkeypatch.delenv("COLUMNS")
    wide = printed(capsys)
    monkeypatch.setenv("COLUMNS", "0")
    assert printed(capsys) == wide
    assert 56 < max(map(len, wide)) <= PIPE_WIDTH
    assert len(wide) < len(lines)


def test_piped_lines_end_where_their_text_ends(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "56")
    lines = printed(capsys)
    assert lines == [line.rstrip() for line in lines]
    assert lines[0] == "a plan"
    assert all(word in " ".join(lines).split() for row in ROWS for word in " ".join(row).split())


@pytest.mark.parametrize(
    ("room", "widths"),
    [
        (40, [4, 10, 14]),  # there is room for all
        (20, [4, 8, 8]),  # the widest columns fold, between words
        (15, [4, 6, 5]),  # as narrow as the longest words allow
        (12, [4, 4, 4]),  # words are broken
        (2, [1, 1, 1]),
    ],
)
def test_columns_take_the_room_there_is(room: int, widths: list[int]) -> None:
    assert column_widths([["kind", "what", ""], ["", "orange one", "a\nfor ever yours"]], room) == (
        widths
    )

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpbench_leaderboard.privacy import PLACEHOLDER, scrubbed, without_paths

NAME = st.text(string.ascii_letters + string.digits + "._-", min_size=1).filter(str.isalnum)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("no data at /home/ann/data; put it there", "no data at (path); put it there"),
        ("--data-root isaid=/mnt/disk/isaid", "--data-root isaid=(path)"),
        ("folder[card=/home/ann/card.yaml]", "folder[card=(path)]"),
        ("'/home/ann lee/my data' is missing", "(path) is missing"),
        ("sqlite:////home/ann/gpbench.sqlite", "sqlite:(path)"),
        ("file:///home/ann/x", "(path)"),
        ("~/data and ~ann/data", "(path) and (path)"),
        (r"C:\Users\ann\data or D:/data", "(path) or (path)"),
        (r"\\server\share\data", "(path)"),
        ("/root", "(path)"),
    ],
)  # fmt: skip
def test_paths_are_taken_out(text: str, shown: str) -> None:
    assert without_paths(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "https://github.com/floatingstarZ/GeRSP",
        "RGB/IR, mean/std, 3 images/s, everyday/2",
        "configs/demo.yaml",
        "3 / 4",
        "</td><script>",
        "CC-BY-4.0 (https://creativecommons.org/licenses/by/4.0)",
        "ratio 1:2",
    ],
)
def test_everything_else_stays(text: str) -> None:
    assert without_paths(text) == text


@given(st.lists(NAME, min_size=1), st.sampled_from(["at {}", "x={}", "({})", "'{}'", "a:{}, b"]))
def test_no_part_of_a_path_is_left(parts: list[str], sentence: str) -> None:
    path = "/" + "/".join(parts)
    left = without_paths(sentence.format(path))
    assert path not in left
    assert PLACEHOLDER in left


@given(st.text())
def test_what_is_scrubbed_once_is_clean(text: str) -> None:
    assert without_paths(without_paths(text)) == without_paths(text)


def test_documents_are_scrubbed_to_their_leaves_and_keys() -> None:
    document = {"/home/ann": [1, None, ("at /home/ann/x", {"a": "/srv"})], "n": 2.5}
    assert scrubbed(document) == {"(path)": [1, None, ["at (path)", {"a": "(path)"}]], "n": 2.5}

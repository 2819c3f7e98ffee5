from __future__ import annotations

import pytest

from gpbench.reports.figures.style import THEME, fit, fit_all, text_width
from gpbench.reports.phrases import clean


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("two\nlines\tand  spaces", "two lines and spaces"),
        ("null\0 bell\x07", "null\ufffd bell\ufffd"),
        ("turned\u202eround", "turned\ufffdround"),
        ("half \ud800", "half \ufffd"),
        ("not a character \uffff", "not a character \ufffd"),
        ("\u05d0\u05d1 \u6c34 <b> $x_1$ \\n & \"'", "\u05d0\u05d1 \u6c34 <b> $x_1$ \\n & \"'"),
    ],
)
def test_text_is_cleaned_of_what_cannot_be_shown(text: str, shown: str) -> None:
    assert clean(text) == shown


def test_short_text_is_kept_and_long_text_keeps_both_ends() -> None:
    assert fit("short", 2.0) == "short"
    text = "begin-" + "x" * 200 + "-end"
    shown = fit(text, 1.0)
    assert text_width(shown) <= 1.0
    assert text_width(shown + "x") > 0.95
    assert shown.startswith("begin-x")
    assert shown.endswith("x-end")
    assert "\u2026" in shown


def test_names_that_differ_in_their_middle_stay_different() -> None:
    names = [f"{'x' * 100} {i} {'y' * 100}" for i in range(3)]
    shown = fit_all([*names, "other"], 1.0)
    assert shown["other"] == "other"
    assert [str(i) in shown[name] for i, name in enumerate(names)] == [True] * 3
    assert len(set(shown.values())) == 4
    assert max(map(text_width, shown.values())) <= 1.0


def test_colours_of_one_scheme_are_one_variable_each() -> None:
    lights = [light for light, _ in THEME.values()]
    assert len(set(lights)) == len(lights)


def _luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    high, low = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", [0, 1])
def test_texts_and_marks_stand_out_in_both_schemes(scheme: int) -> None:
    colour = {name.removeprefix("--figure-"): both[scheme] for name, both in THEME.items()}
    for text in ("ink", "soft"):  # WCAG 2.2, 1.4.3
        assert contrast(colour[text], colour["ground"]) >= 4.5
    for mark in ("candidate", "baseline"):  # 1.4.11
        assert contrast(colour[mark], colour["ground"]) >= 3
    for bar in ("gain", "loss"):  # a band lies upon it
        assert contrast(colour["ink"], colour[bar]) >= 3
        assert contrast(colour["ground"], colour[bar]) >= 2
    for i in range(1, 8):
        assert contrast(colour["on-fill"], colour[f"fill-{i}"]) >= 4.5

from __future__ import annotations

import os
import re
import shutil
import subprocess
import unicodedata
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from gpbench.compare.compare import compare
from gpbench.compare.comparison import Comparison, Request, Sensitivity
from gpbench.reports.latex import PREAMBLE, comparison_latex
from gpbench.reports.latex_text import escaped
from tests.compare.made import pretrained, study_of
from tests.reports.comparisons import NEW, made, undecided

needs_pdflatex = pytest.mark.skipif(
    shutil.which("pdflatex") is None and "CI" not in os.environ,
    reason="pdflatex is not installed; where CI is set, this fails",
)
HOSTILE = (
    r"a_b%c$d&e#f{g}h~i^j<k>l|m\input{/etc/passwd}",
    "\\end{document}\n\n% {} }{ ^^41",
    "*star",
    "[option]",
    "--- '' `` ,, !` ?` << >> \"",
    "=1+1\x00\x07\u202e\u2028\ufeff",
    "\u4e2d\u6587 \U0001f680 \u0627\u0644 e\u0301 x\u0338 \ufb01 \u00b2 \u212b",
    "x" * 300,
)


def compile_(folder: Path, document: str, *, runs: int = 1) -> str:
    """Return what pdflatex logs of a document that it compiles."""
    (folder / "d.tex").write_text(document, encoding="utf-8")
    command = [
        "pdflatex",
        "-no-shell-escape",
        "-interaction=nonstopmode",
        "-halt-on-error",
        "d.tex",
    ]
    for _ in range(runs):
        done = subprocess.run(command, cwd=folder, capture_output=True, check=False)
        assert done.returncode == 0, done.stdout.decode("utf-8", "replace")[-2000:]
    return (folder / "d.log").read_text(encoding="utf-8", errors="replace")


def of_names(*names: str) -> Comparison:
    """Return a comparison of arms and datasets of these names."""
    runs = [
        run
        for at, arm in enumerate(("imagenet", *names))
        for dataset in names
        for run in pretrained(arm, dataset, [50 + at, 51 + at, 53 + at])
    ]
    return compare(study_of(runs), Request())


def part(document: str, name: str) -> str:
    """Return what stands between the marks of a part."""
    pattern = rf"^% ---- begin {name}.*\n((?s:.*))^% ---- end {name}$"
    (found,) = re.findall(pattern, document, flags=re.MULTILINE)
    return str(found)


def table_rows(document: str) -> list[list[str]]:
    """Return the cells of the table's rows of numbers."""
    return [
        [cell.strip() for cell in line.removesuffix(r" \\").split(" & ")]
        for line in part(document, "table").splitlines()
        if line.startswith(r"\quad")
    ]


def text(*paragraphs: str) -> str:
    """Return a document with each paragraph where LaTeX is touchy: a row, an item, a caption."""
    cells = "\n".join(rf"{each} & {each} \\" for each in paragraphs)
    items = "\n".join(rf"\item {each}" for each in paragraphs)
    return (
        f"{PREAMBLE}\n\\begin{{longtable}}{{ll}}\n{cells}\n\\end{{longtable}}\n"
        f"\\begin{{itemize}}\n{items}\n\\end{{itemize}}\n\\end{{document}}\n"
    )


@needs_pdflatex
@pytest.mark.parametrize("comparison", [made(Request(margin=1)), undecided()])
def test_the_document_compiles_without_a_line_that_sticks_out(
    tmp_path: Path, comparison: Comparison
) -> None:
    log = compile_(tmp_path, comparison_latex(comparison), runs=4)
    assert "Overfull" not in log
    assert "Missing character" not in log
    assert not re.search(r"Warning", log)


@needs_pdflatex
def test_hostile_names_compile_and_run_over_no_page(tmp_path: Path) -> None:
    comparison = replace(
        of_names(*HOSTILE), study=HOSTILE[0], banners=HOSTILE, warnings=HOSTILE, metric="m%_\\"
    )
    log = compile_(tmp_path, comparison_latex(comparison), runs=4)
    assert "(/etc/passwd" not in log
    sticking_out = [float(width) for width in re.findall(r"Overfull \\hbox \(([\d.]+)pt", log)]
    assert max(sticking_out, default=0) < 3  # points
    pages = re.search(r"Output written on d.pdf \((\d+) pages", log)
    assert pages is not None
    assert int(pages[1]) > 2


@needs_pdflatex
def test_parts_compile_in_another_document(tmp_path: Path) -> None:
    document = comparison_latex(of_names(*HOSTILE[:5]))
    packages = re.findall(r"begin table: needs (.*)$", document, flags=re.MULTILINE)[0]
    parts = "".join(part(document, name) for name in ("table", "verdicts", "methods"))
    compile_(
        tmp_path,
        f"\\documentclass[twoside]{{report}}\n\\usepackage{{{packages.replace(' ', '')}}}\n"
        f"\\begin{{document}}\n{parts}\\end{{document}}\n",
    )


@needs_pdflatex
def test_every_character_compiles(tmp_path: Path) -> None:
    points = [*range(0x3000), *range(0x3000, 0xD800, 97), *range(0xE000, 0x110000, 4001)]
    shown = [escaped(f"a{chr(point)}b") for point in points]
    lines = [" ".join(shown[at : at + 64]) for at in range(0, len(shown), 64)]
    assert "Missing character" not in compile_(tmp_path, text(*lines))


@needs_pdflatex
@settings(
    max_examples=3,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # pdflatex is slow, its log says where
    suppress_health_check=list(HealthCheck),
)
@given(st.lists(st.text(min_size=1, max_size=40), min_size=60, max_size=60))
def test_any_text_compiles(tmp_path_factory: pytest.TempPathFactory, texts: list[str]) -> None:
    compile_(tmp_path_factory.mktemp("latex"), text(*map(escaped, texts)))


@pytest.mark.parametrize(
    ("plain", "shown"),
    [
        ("a_b", r"a\_\allowbreak{}b"),
        ("100 %", r"100 \%"),
        ("\\x", r"\textbackslash{}x"),
        ("a\n\t b", "a b"),
        ("--", "-{}-"),
        ("* x", "{*} x"),
        ("``?`", r"\textasciigrave{}\textasciigrave{}?\textasciigrave{}"),
        ("pre-training, 3 v 3", "pre-training, 3 v 3"),
        ("[-0.40, +2.86]", "{[}-0.40, +2.86{]}"),
        ("\u4e2d", r"\texttt{U+4E2D}\allowbreak{}"),
        ("\u202e", r"\texttt{U+202E}\allowbreak{}"),
        ("\x07", r"\texttt{U+0007}\allowbreak{}"),
        ("e\u0301\u00df\u0142", "\u00e9\u00df\u0142"),
        ("\ufb01\uff05", r"fi\%"),
        ("01234" * 6, r"\allowbreak{}".join(["01234"] * 6)),
    ],
)
def test_text_is_shown_as_it_is(plain: str, shown: str) -> None:
    assert escaped(plain) == shown


@given(st.text())
def test_text_becomes_one_line_of_characters_that_pdflatex_knows(plain: str) -> None:
    shown = escaped(plain)
    assert "\n" not in shown
    assert shown.isprintable()
    assert not any(unicodedata.combining(each) for each in shown)
    assert not re.search(r"(?<!\\)[%$&#~^]", shown)


def test_rows_are_the_average_and_each_dataset_with_fixed_decimals() -> None:
    rows = table_rows(comparison_latex(made()))
    assert [row[0].removeprefix("\\quad ") for row in rows] == ["average of 2", "town", "field"] * 2
    assert rows[0] == [
        r"\quad average of 2",
        "45.33",
        "41.33",
        "$+4.00$",
        "[$+0.95$",
        "$+7.05$]",
        "0.024",
        "0.024",
        r"\textbf{better}",
    ]
    assert rows[3][6] == "$<$0.001"
    for row in rows:
        assert all(re.fullmatch(r"\d+\.\d\d", cell) for cell in row[1:3])
        assert all(re.fullmatch(r"\[?\$[+-]\d+\.\d\d\$\]?", cell) for cell in row[3:6])
        assert all(re.fullmatch(r"\$<\$0\.001|\d\.\d{3}", cell) for cell in row[6:8])


def test_bold_is_what_is_better_or_worse_and_nothing_else() -> None:
    document = comparison_latex(made())
    words = [row[-1] for row in table_rows(document)]
    assert words == [
        *(r"\textbf{better}", r"\textbf{better}", "inconclusive"),
        *[r"\textbf{worse}"] * 3,
    ]
    assert document.count(r"\textbf") == 5
    assert r"\textbf" not in comparison_latex(undecided())


def test_what_was_not_computed_is_a_dash() -> None:
    (row,) = table_rows(comparison_latex(undecided()))
    numbers = ["55.00", "50.00", "$+5.00$", r"\multicolumn{2}{c}{--}", "--", "--"]
    assert row == [r"\quad town", *numbers, "cannot be decided"]


def test_the_caption_says_what_the_numbers_are() -> None:
    (caption,) = re.findall(r"\\caption\{(.*)\} \\\\", comparison_latex(made()))
    for told in (
        "mIoU in percent; the gain is the difference from imagenet in percent points",
        r"each 95 \% interval is of this difference, not of a mean",
        "Adjusted p: Holm, averages over a family of 2, datasets over one of 4",
        "3 v 3 pre-trainings per dataset, 6 v 6 fine-tunings in all",
        "Level strategy: the unit is one pre-training",
    ):
        assert told in caption
    (raw,) = re.findall(
        r"\\caption\{(.*)\} \\\\", comparison_latex(made(Request(correction="none")))
    )
    assert "p is not adjusted; verdicts go by it at alpha 0.05" in raw


def test_banners_and_the_best_baselines_are_told() -> None:
    comparison = made(Request(candidates=(NEW,), baselines=("imagenet", "scratch")))
    document = comparison_latex(replace(comparison, banners=("TRIAL RUN",)))
    assert r"\caption{TRIAL RUN. made: mIoU" in document
    assert r"{[}\allowbreak{}inflate=\allowbreak{}mean{]} v imagenet}" in document


def test_a_candidate_without_a_common_dataset_has_a_row() -> None:
    runs = pretrained("imagenet", "town", [50, 51, 52]) + pretrained("new", "field", [50, 51, 52])
    (row,) = table_rows(comparison_latex(compare(study_of(runs), Request())))
    assert row[0] == r"\quad no common dataset"
    assert set(row[1:7]) == {"--", r"\multicolumn{2}{c}{--}"}


def test_a_fragile_average_says_so() -> None:
    comparison = made()
    first, *others = comparison.contrasts
    doubt = Sensitivity((1, 0), first.finding, first.finding, fragile=True)
    changed = replace(comparison, contrasts=(replace(first, sensitivity=doubt), *others))
    assert table_rows(comparison_latex(changed))[0][-1] == r"\textbf{better, fragile}"


def test_the_same_comparison_gives_the_same_bytes() -> None:
    assert comparison_latex(made()) == comparison_latex(made())

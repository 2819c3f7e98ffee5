r"""A comparison as a LaTeX document, whose parts can be cut out and pasted into a paper.

It needs nothing but booktabs, longtable and array. The same comparison gives the same text.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from statistics import fmean

from gpbench.compare.comparison import Comparison, Contrast, Finding
from gpbench.compare.family import CORRECTIONS
from gpbench.compare.verdict import interval_name
from gpbench.reports.detail_sheets import EVERY_VALUE, detail_sheets, ingredients
from gpbench.reports.latex_text import escaped
from gpbench.reports.methods import methods
from gpbench.reports.sheets import BEYOND, Sheet, name, sheets
from gpbench.reports.summary import LEVELS, fairness, verdict_sentence
from gpbench.reports.wording import verdict_words, versus

NOTHING = "--"
PREAMBLE = r"""\documentclass{article}
\usepackage[T1]{fontenc}
\usepackage[utf8]{inputenc}
\usepackage[margin=22mm]{geometry}
\usepackage{array,booktabs,longtable}
\IfFileExists{lmodern.sty}{\usepackage{lmodern}}{} % vector fonts, where they are installed
\setlength{\emergencystretch}{3em}
\begin{document}"""
COLUMNS = (
    r"@{}>{\raggedright\arraybackslash}p{0.26\linewidth}"
    r"rrrr@{, }rrr>{\raggedright\arraybackslash}p{0.15\linewidth}@{}"
)
"""Dataset, mean, baseline, gain, both ends of the interval, p, adjusted p, verdict."""
WIDTH = 9


def comparison_latex(comparison: Comparison) -> str:
    """Return a document that pdflatex compiles by itself: table, verdicts, methods, details."""
    return "\n".join(
        [
            "% Compiles by itself; each part between its two marks can be pasted elsewhere.",
            PREAMBLE,
            *_part("table: needs array, booktabs, longtable", _table(comparison)),
            *_part("verdicts", _verdicts(comparison)),
            *_part("methods", _methods(comparison)),
            *_part("details: needs array, booktabs, longtable", _details(comparison)),
            r"\end{document}",
            "",
        ]
    )


def _part(title: str, lines: Iterable[str]) -> Iterator[str]:
    word = title.partition(":")[0]
    yield from ("", f"% ---- begin {title}", *lines, f"% ---- end {word}")


def _table(comparison: Comparison) -> Iterator[str]:
    head = (
        *("strategy, dataset", "mean", "baseline", "gain"),
        rf"\multicolumn{{2}}{{c}}{{{escaped(interval_name(comparison.alpha))}}}",
        *("$p$", "adj. $p$", "verdict"),
    )
    top = rf"\toprule {' & '.join(head)} \\ \midrule"
    yield r"\begingroup\footnotesize\setlength{\tabcolsep}{4pt}\setlength{\LTcapwidth}{\linewidth}"
    yield rf"\begin{{longtable}}{{{COLUMNS}}}"
    yield rf"\caption{{{' '.join(map(escaped, _caption(comparison)))}}} \\"
    yield rf"{top} \endfirsthead"
    yield rf"\multicolumn{{{WIDTH}}}{{@{{}}l}}{{continued}} \\ {top} \endhead"
    yield rf"\midrule \multicolumn{{{WIDTH}}}{{r@{{}}}}{{continued on the next page}} \\ \endfoot"
    yield r"\bottomrule \endlastfoot"
    for at, contrast in enumerate(comparison.contrasts):
        if at:
            yield r"\addlinespace"
        yield from _rows(comparison, contrast)
    yield r"\end{longtable}"
    yield r"\endgroup"


def _caption(comparison: Comparison) -> Iterator[str]:
    """Yield what the numbers are: metric, unit, n, level and correction."""
    yield from (f"{banner}." for banner in comparison.banners)
    yield (
        f"{comparison.study}: {comparison.metric} in percent; the gain is the difference from "
        f"{comparison.baseline} in percent points, each {interval_name(comparison.alpha)} is of "
        "this difference, not of a mean, and for its row alone."
    )
    if comparison.correction != "none":
        family = comparison.family
        yield (
            f"Adjusted p: {CORRECTIONS[comparison.correction]}, averages over a family of "
            f"{family.headline}, datasets over one of {family.rows}; verdicts go by it, at alpha "
            f"{comparison.alpha:g}."
        )
    else:
        yield f"p is not adjusted; verdicts go by it at alpha {comparison.alpha:g}."
    sizes: defaultdict[str, list[str]] = defaultdict(list)
    for contrast in comparison.contrasts:
        if contrast.rows:
            sizes[_size(contrast)].append(name(comparison, contrast))
    told = "; ".join(
        size if len(sizes) == 1 else f"{size} ({', '.join(arms)})" for size, arms in sizes.items()
    )
    if told:
        yield f"n, strategy v baseline: {told}."
    levels = {contrast.finding.level for contrast in comparison.contrasts if contrast.rows}
    yield from (sentence for level, sentence in LEVELS.items() if level in levels)


def _size(contrast: Contrast) -> str:
    tuned = f"{versus(contrast.finetunings)} fine-tunings"
    if contrast.pretrainings == (0, 0):
        return tuned
    least = " per dataset" if len(contrast.rows) > 1 else ""
    return f"{versus(contrast.pretrainings)} pre-trainings{least}, {tuned} in all"


def _rows(comparison: Comparison, contrast: Contrast) -> Iterator[str]:
    """Yield the lines of one contrast: its strategy, the average of several datasets, each."""
    label = name(comparison, contrast)
    if len(comparison.baselines) > 1:
        label = f"{label} v {contrast.baseline}"
    spanning = rf"\multicolumn{{{WIDTH}}}{{@{{}}p{{\linewidth}}@{{}}}}"
    yield rf"{spanning}{{\raggedright {escaped(label)}}} \\*"  # no page ends here
    rows, finding = contrast.rows, contrast.finding
    if not rows:
        yield _row(comparison, "no common dataset", (None, None), finding)
    if len(rows) > 1:
        means = fmean(row.candidate_mean for row in rows), fmean(row.baseline_mean for row in rows)
        told = f"average of {len(rows)}"
        yield _row(comparison, told, means, finding, ", fragile" if contrast.fragile else "")
    for row in rows:
        means = row.candidate_mean, row.baseline_mean
        yield _row(comparison, row.dataset.name, means, row.finding)


def _row(
    comparison: Comparison,
    dataset: str,
    means: tuple[float | None, float | None],
    finding: Finding,
    remark: str = "",
) -> str:
    ci = rf"\multicolumn{{2}}{{c}}{{{NOTHING}}}"
    if finding.ci is not None:
        ci = f"[{_signed(finding.ci[0])} & {_signed(finding.ci[1])}]"
    words = escaped(verdict_words(finding, comparison.margin) + remark)
    if finding.verdict in ("better", "worse"):
        words = rf"\textbf{{{words}}}"
    cells = (
        rf"\quad {escaped(dataset)}",
        *(NOTHING if mean is None else f"{mean:.2f}" for mean in means),
        _signed(finding.difference),
        ci,
        *(_probability(finding.p), _probability(finding.p_adjusted)),
        words,
    )
    return rf"{' & '.join(cells)} \\"


def _signed(value: float | None) -> str:
    return NOTHING if value is None else f"${value:+.2f}$"


def _probability(p: float | None) -> str:
    """Return three decimals: points stand below each other, unlike with significant digits."""
    if p is None:
        return NOTHING
    return "$<$0.001" if p < 0.001 else f"{p:.3f}"


def _verdicts(comparison: Comparison) -> Iterator[str]:
    yield r"\section*{Verdicts}"
    yield from _items(verdict_sentence(comparison, each) for each in comparison.contrasts)
    if comparison.warnings:
        yield r"\section*{Warnings}"
        yield from _items(comparison.warnings)


def _items(sentences: Iterable[str]) -> Iterator[str]:
    yield r"\begin{itemize}"
    yield from (rf"\item {escaped(sentence)}" for sentence in sentences)
    yield r"\end{itemize}"


def _details(comparison: Comparison) -> Iterator[str]:
    """Yield the results that the methods text speaks of besides, and what else differs."""
    shown = (
        *ingredients(comparison),
        *(s for s in sheets(comparison, averages_first=False) if s.title == BEYOND),
        *(s for s in detail_sheets(comparison) if s.title != EVERY_VALUE),
    )
    for sheet in shown:
        yield from _sheet(sheet)
    differing = list(fairness(comparison))
    if differing:
        yield r"\section*{Besides the strategy, these differ}"
        yield from _items(differing)


def _sheet(sheet: Sheet) -> Iterator[str]:
    words = sum(not column.numeric for column in sheet.columns)
    width = f"{0.36 / words:.2f}"
    columns = "".join(
        "r" if column.numeric else rf">{{\raggedright\arraybackslash}}p{{{width}\linewidth}}"
        for column in sheet.columns
    )
    yield rf"\section*{{{escaped(sheet.title)}}}"
    yield r"\begingroup\scriptsize\setlength{\tabcolsep}{3pt}"
    yield rf"\begin{{longtable}}{{@{{}}{columns}@{{}}}} \toprule"
    yield rf"{_cells(column.name for column in sheet.columns)} \midrule \endhead"
    yield r"\bottomrule \endlastfoot"
    yield from (_cells(cell.text for cell in row) for row in sheet.rows)
    yield r"\end{longtable}"
    yield r"\endgroup"


def _cells(texts: Iterable[str]) -> str:
    return rf"{' & '.join(map(escaped, texts))} \\"


def _methods(comparison: Comparison) -> Iterator[str]:
    yield r"\section*{Methods}"
    for paragraph in methods(comparison):
        yield from (escaped(paragraph), "")

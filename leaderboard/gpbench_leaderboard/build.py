"""A stored experiment -> a folder with its site: index.html, site.css, results.csv, results.json.

Reads the store and nothing else; loads no plugin. The same store gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

from gpbench.compare.compare import compare
from gpbench.compare.comparison import Comparison, Request
from gpbench.compare.stored import study_of
from gpbench.compare.study import Study
from gpbench.core.errors import ComparisonError, ConfigError
from gpbench.core.stage import PretrainSpec, SourceSpec
from gpbench.store import Result, Store, StoredExperiment
from gpbench_leaderboard.assemble import assemble
from gpbench_leaderboard.downloads import results_csv, results_json
from gpbench_leaderboard.references import read_references
from gpbench_leaderboard.render import render
from gpbench_leaderboard.swap import swapped_in

INDEX, STYLE, TABLE, DOCUMENT = "index.html", "site.css", "results.csv", "results.json"
FILES = (INDEX, STYLE, TABLE, DOCUMENT)


def build_site(
    store: Store, experiment_name: str, output: Path, *, include_images: bool = False
) -> Path:
    """Return the path of the index.html of a new site of one experiment.

    The site appears at `output` whole or not at all, and replaces an older site there.

    Raises:
        UnknownNameError: If the store has no such experiment.
        InvalidValueError: If `output` holds anything but a site.
        ConfigError: If it cannot be written, or pictures are asked for.
    """
    if include_images:
        raise ConfigError("--include-images is not there yet: the site shows no pictures")
    stored, results = store.experiment(experiment_name), store.results(experiment_name)
    contents = site_files(stored, results, sources_read(store, results))
    with swapped_in(output, FILES) as folder:
        for name, text in contents.items():
            (folder / name).write_text(text, encoding="utf-8", newline="\n")
    return output / INDEX


def sources_read(store: Store, results: Sequence[Result]) -> tuple[SourceSpec, ...]:
    """Return the pre-training images behind the results, phases before the last ones too."""
    found: dict[tuple[str, str], SourceSpec] = {}
    keys = {result.pretrain_key for result in results if result.pretrain_key}
    while keys:
        specs = [s for s in store.specs(keys).values() if isinstance(s, PretrainSpec)]
        found |= {(s.source.name, s.role): s for spec in specs for s in spec.sources}
        keys = {spec.parent for spec in specs if spec.parent}
    return tuple(found[key] for key in sorted(found))


def site_files(
    stored: StoredExperiment, results: Sequence[Result], sources: Sequence[SourceSpec]
) -> dict[str, str]:
    """Return the files of a site by name; `sources` are what was read for pre-training."""
    study = study_of(stored, results)
    compared = comparison_of(study)
    comparison = None if isinstance(compared, str) else compared
    references = read_references()
    styles = (
        files("gpbench.reports") / "templates" / "base.css",
        files("gpbench_leaderboard") / "assets" / STYLE,
    )
    return {
        INDEX: render(assemble(stored, results, sources, compared, references)),
        STYLE: "\n".join(style.read_text(encoding="utf-8") for style in styles),
        TABLE: results_csv(study),
        DOCUMENT: results_json(stored, results, comparison, references),
    }


def comparison_of(study: Study) -> Comparison | str:
    """Return the comparison of all arms with the usual baseline, or why there is none."""
    try:
        return compare(study, Request())
    except ComparisonError as error:
        return f"No comparison: {error}."

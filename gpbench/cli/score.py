"""`gpbench score`: scores label maps that any tool predicted, under a dataset's protocol."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gpbench.cli import options
from gpbench.cli.output import print_json, print_table, stderr
from gpbench.cli.progress import counting

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gpbench.api import Dataset
    from gpbench.core.dataset import Protocol
    from gpbench.core.plan import JsonObject
    from gpbench.planning import ResolvedDataset
    from gpbench.readers.label_maps import Counted, Pair

app = typer.Typer()

MEND = "nothing was scored: a prediction holds one class for every pixel of its label"


@app.command()
def score(
    predictions: Annotated[
        Path, typer.Argument(metavar="PREDICTIONS_DIR", help="Predicted label maps.")
    ],
    labels: Annotated[
        Path,
        typer.Argument(
            metavar="LABELS_DIR", help="Labels at the same paths; png, tif and bmp may differ."
        ),
    ],
    dataset: Annotated[
        str, typer.Option(help="Whose classes and protocol: a selector, as of `run`.")
    ],
    protocol: Annotated[
        str | None,
        typer.Option(
            help="Refuse to score by any other protocol than NAME or NAME/VERSION.",
            show_default=False,
        ),
    ] = None,
    label_suffix: Annotated[
        str,
        typer.Option(
            help="Ends the names of label files only, as _instance_color_RGB does.",
            show_default=False,
        ),
    ] = "",
    reduce_zero_label: Annotated[
        bool,
        typer.Option(
            "--reduce-zero-label", help="In labels 0 is ignored, and class i is value i + 1."
        ),
    ] = False,
    one_based_predictions: Annotated[
        bool,
        typer.Option(
            "--one-based-predictions",
            help="In predictions class i is value i + 1: mmsegmentation saves them so where it "
            "reduces zero labels.",
        ),
    ] = False,
    format_: options.Format = options.DataFormat.table,
    verbose: options.Verbose = 0,
    debug: options.Debug = False,
    no_color: options.NoColor = False,
) -> None:
    """Score predicted label maps by a dataset's protocol; needs none of the dataset's files."""
    from gpbench.core.problems import DataProblemsError
    from gpbench.planning import resolve_dataset
    from gpbench.readers.label_maps import paired
    from gpbench.reports.score_document import score_document

    resolved = resolve_dataset(dataset, {})
    info, by = resolved.dataset.info, resolved.dataset.protocol
    _check_protocol(protocol, by)
    pairs, problems = paired(predictions, labels, label_suffix)
    counted = _counted(
        pairs, resolved, reduce_zero=reduce_zero_label, one_based=one_based_predictions
    )
    problems += counted.problems
    if problems:
        raise DataProblemsError(f"{predictions} against {labels}", problems, MEND)
    document = score_document(
        resolved.name, info, by, counted.counts, images=len(pairs), n_px=counted.n_px
    )
    if format_ is options.DataFormat.json:
        print_json(document)
    else:
        _print_tables(document)
    for remark in _remarks(document, reduce_zero=reduce_zero_label):
        stderr().print(remark, markup=False, highlight=False, soft_wrap=True)


def _check_protocol(asked: str | None, protocol: Protocol) -> None:
    """Raise UnknownNameError if another protocol is asked for than the dataset's."""
    from gpbench.core.errors import UnknownNameError

    full = f"{protocol.name}/{protocol.version}"
    if asked not in {None, protocol.name, full}:
        raise UnknownNameError("protocol of this dataset", str(asked), [full])


def _counted(
    pairs: Sequence[Pair], resolved: ResolvedDataset, *, reduce_zero: bool, one_based: bool
) -> Counted:
    from gpbench.readers.label_maps import count_pairs, meaning_of_labels, meaning_of_predictions

    info, colours = resolved.dataset.info, _colours(resolved.dataset)
    n_classes = len(info.classes)
    with counting("scoring") as progress:
        return count_pairs(
            pairs,
            meaning_of_labels(n_classes, colours, reduce_zero=reduce_zero),
            meaning_of_predictions(n_classes, colours, one_based=one_based),
            info.classes,
            resolved.dataset.protocol.excluded,
            progress,
        )


def _colours(dataset: Dataset) -> Mapping[int, int]:
    """Return what the dataset says of colours in label pictures; else those of its classes."""
    from gpbench.api import HasLabelColours

    if isinstance(dataset, HasLabelColours):
        return dataset.label_colours
    return {
        red << 16 | green << 8 | blue: i
        for i, (red, green, blue) in enumerate(dataset.info.colours)
    }


def _print_tables(document: JsonObject) -> None:
    pixels = document["pixels"]
    facts = [
        ("dataset", document["dataset"]),
        ("protocol", document["protocol"]),
        ("images", f"{document['images']:,}"),
        ("pixels scored", f"{pixels['scored']:,} ({pixels['left_out']:,} left out)"),
        (document["metric"], _points(document["value"])),
        ("of the commonest class alone", _points(document["majority"])),
        ("accuracy", _points(document["accuracy"])),
    ]
    print_table(("fact", "value"), facts)
    rows = [
        (name, *(_points(value) for value in values.values()))
        for name, values in document["per_class"].items()
    ]
    print_table(("class", "IoU", "F1", "precision", "recall"), rows, "percent")


def _remarks(document: JsonObject, *, reduce_zero: bool) -> list[str]:
    """Return what may be a mistake: classes on one side only, and labels counted from 1."""
    names = {key: ", ".join(document[key]) for key in ("absent", "never_predicted")}
    remarks = {
        "absent": f"the labels hold no pixel of: {names['absent']}",
        "never_predicted": f"never predicted: {names['never_predicted']}",
    }
    found = [remarks[key] for key, listed in names.items() if listed]
    first = next(iter(document["per_class"]))
    if first in document["absent"] and not reduce_zero:
        found.append(
            f"the labels hold no pixel of class 0 '{first}': if they are counted from 1, and 0 "
            "means ignored, --reduce-zero-label"
        )
    return found


def _points(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"

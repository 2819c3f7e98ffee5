"""The flags that say what is compared and how it is judged, shared by `compare` and `calibrate`."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import Annotated

import typer

from gpbench.cli.choices import listed, word

ONE_THREAD = ("OPENBLAS_NUM_THREADS", "1")
"""The resampling's matrix products are small: on a busy machine a second thread is waited for, and
makes them five times slower."""


class LevelName(enum.StrEnum):
    strategy = "strategy"
    checkpoint = "checkpoint"


class CorrectionName(enum.StrEnum):
    holm = "holm"
    max_t = "max-t"
    bh = "bh"
    none = "none"


Arms = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[ARM]...",
        help="Candidates; commas and globs work. Default: every arm but the baseline.",
        show_default=False,
    ),
]
Baseline = Annotated[
    str | None,
    typer.Option(
        help="The arm to compare with. best:ARM,ARM (globs work): the best of several, its "
        "choice corrected for. Default: imagenet.",
        show_default=False,
    ),
]
MetricName = Annotated[
    str | None,
    typer.Option(
        help="mIoU or mF1, for all datasets; of a table, the rows of this metric. Default: mIoU.",
        show_default=False,
    ),
]
Protocol = Annotated[
    str | None,
    typer.Option(help="Only datasets scored by this protocol. Default: all.", show_default=False),
]
Level = Annotated[
    LevelName | None,
    typer.Option(
        parser=word(LevelName),
        metavar=listed(LevelName),
        help="Whether the claim is about strategies or about these pre-trained models. "
        "Default: strategies, where the design reaches that level.",
        show_default=False,
    ),
]
Correction = Annotated[
    CorrectionName | None,
    typer.Option(
        parser=word(CorrectionName),
        metavar=listed(CorrectionName),
        help="How p-values are adjusted for several tests. Default: holm; max-t for best:.",
        show_default=False,
    ),
]
Table = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE.csv",
        help="Compare this table instead: strategy, backbone, dataset, seed, value; optional "
        "pretrain_seed, pretrain_key, label_fraction, metric, protocol, status. Tables of "
        "GEO-Bench-2 and evaluma are read as they are.",
        show_default=False,
    ),
]
Output = Annotated[
    Path | None,
    typer.Option(help="Write the report here, not to stdout.", show_default=False),
]

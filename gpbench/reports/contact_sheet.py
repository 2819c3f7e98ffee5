"""Writes a contact sheet of a dataset: one picture, and one page.

They are local files for whoever has the data: they show images whatever the terms of these are.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterable
from pathlib import Path

from gpbench.core.errors import DataError
from gpbench.core.whole_file import write_whole
from gpbench.reports.contact_content import (
    PixelCounts,
    Sample,
    Subject,
    contact_sheet,
    images_text,
)
from gpbench.reports.contact_figure import sheet_figure
from gpbench.reports.contact_page import page

__all__ = ["PixelCounts", "Sample", "Subject", "images_text", "write_contact_sheet"]

PNG_NAME, PAGE_NAME = "contact-sheet.png", "index.html"
DPI = 150


def write_contact_sheet(
    output: Path,
    subject: Subject,
    samples: Iterable[Sample],
    split_counts: PixelCounts | None = None,
) -> Path:
    """Write `contact-sheet.png` and `index.html` into a folder, and return the latter's path.

    Args:
        output: Made where needed; each file is replaced whole.
        subject: Of what.
        samples: Read one after another; only their pictures are kept.
        split_counts: Pixels of the whole split; None: those of the samples are counted.

    Raises:
        DataError: If the files cannot be written, or an image has not the declared bands.
    """
    sheet = contact_sheet(subject, samples, split_counts)
    png = io.BytesIO()
    with warnings.catch_warnings():
        # matplotlib's font lacks many scripts; the page shows such names
        warnings.filterwarnings("ignore", "Glyph", UserWarning)
        sheet_figure(sheet).savefig(png, format="png", dpi=DPI)
    try:
        output.mkdir(parents=True, exist_ok=True)
        write_whole(output / PNG_NAME, png.getvalue())
        write_whole(output / PAGE_NAME, page(sheet).encode())
    except OSError as error:
        raise DataError(
            f"cannot write into {output}: {error.strerror}; name another folder"
        ) from error
    return output / PAGE_NAME

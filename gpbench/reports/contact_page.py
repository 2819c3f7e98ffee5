"""A contact sheet as one HTML document that needs no other file and runs no script."""

from __future__ import annotations

import base64
import io

from jinja2 import Environment, PackageLoader, StrictUndefined
from PIL import Image

from gpbench.reports.contact_content import ContactSheet
from gpbench.reports.pictures import Pixels, hatching

JPEG_QUALITY = 88
HATCH_PX = 20
"""Side of the tile that is repeated to show what ignored pixels look like."""


def page(sheet: ContactSheet) -> str:
    """Return the document; every text in it is escaped."""
    environment = Environment(
        loader=PackageLoader("gpbench.reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(jpeg=_jpeg)
    template = environment.get_template("contact_sheet.html.j2")
    return template.render(sheet=sheet, hatch=_png(hatching(HATCH_PX, HATCH_PX)))


def _jpeg(pixels: Pixels) -> str:
    return _data_uri(pixels, "JPEG", quality=JPEG_QUALITY, subsampling=0)


def _png(pixels: Pixels) -> str:
    return _data_uri(pixels, "PNG")


def _data_uri(pixels: Pixels, format_: str, **options: int) -> str:
    encoded = io.BytesIO()
    Image.fromarray(pixels).save(encoded, format_, **options)
    return f"data:image/{format_.lower()};base64,{base64.b64encode(encoded.getvalue()).decode()}"

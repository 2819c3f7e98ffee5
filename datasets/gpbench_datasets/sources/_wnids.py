"""How ImageNet names its classes and images."""

from __future__ import annotations

import re
from collections.abc import Sequence

from gpbench.api import DataError

WNID = re.compile(r"n\d{8}")
CLASSES = 1000
IMAGE_NAME = re.compile(rf"(?P<stem>(?P<wnid>{WNID.pattern})_\d+)(_{WNID.pattern})?\.\w+")
"""`n01440764_10026.JPEG`; Hugging Face's archives append the class: `.._10026_n01440764.JPEG`."""


def image_name(wnid: str, file_name: str) -> str:
    """Return `n01440764/n01440764_10026.JPEG`, the path that ImageNet itself gives an image.

    It is the same wherever the image lies, so that a key does not depend on the layout.
    """
    match = IMAGE_NAME.fullmatch(file_name)
    return f"{wnid}/{match['stem']}.JPEG" if match else f"{wnid}/{file_name}"


def wnid_in(path: str) -> str | None:
    """Return the class of an image by the nearest folder that is one, or else by its file name."""
    *folders, base = path.split("/")
    for folder in reversed(folders):
        if WNID.fullmatch(folder):
            return folder
    match = IMAGE_NAME.fullmatch(base)
    return match["wnid"] if match else None


def refuse_many_classes(classes: Sequence[object], where: object) -> None:
    """Raise DataError if there are more classes than ImageNet-1k has."""
    if len(classes) > CLASSES:
        raise DataError(
            f"{where} holds {len(classes):,} classes, and ImageNet-1k has {CLASSES:,}: is it "
            "ImageNet-21k? Use the source folder[root=DIR]"
        )

"""Figures as SVG and PNG: the same figure gives the same bytes."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from xml.etree import ElementTree as ET

from gpbench.reports.figures.figure import Figure
from gpbench.reports.figures.style import FONT, GROUND, THEME, styled
from gpbench.reports.phrases import clean

DPI = 200
_SVG, _XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
_FAMILIES = f"'{FONT}', Verdana, sans-serif"
"""Verdana is as wide, and what else there may be is narrower."""
_COLOUR = re.compile(r"#[0-9a-f]{6}\b")
_USED = re.compile(r"url\(#(.+?)\)")
_VARIABLES = {light: f"var({variable})" for variable, (light, _) in THEME.items()}


def svg(figure: Figure, *, themed: bool = False) -> str:
    """Return an `<svg>` element, its text as text, without a prologue.

    Only what it refers to itself has an id, which begins with the figure's name, and no style of it
    reaches beyond it: several can stand in one page.

    Args:
        figure: What to draw.
        themed: Colours are the CSS variables of `THEME`, which the page must define.
    """
    root = ET.fromstring(_drawn(figure))  # noqa: S314  what matplotlib has just written
    for child in [child for child in root if _local(child.tag) == "metadata"]:
        root.remove(child)
    for parent, child in [(p, c) for p in root.iter() for c in p if _local(c.tag) == "style"]:
        parent.remove(child)  # it would hold for the whole page
    used = set(_used(root))
    for element in root.iter():
        if element.get("id") not in used:
            element.attrib.pop("id", None)
        _mend(element, figure.name, themed=themed)
    root.attrib |= {
        "xmlns": _SVG,
        "xmlns:xlink": _XLINK,
        "role": "img",
        "aria-label": clean(figure.alt),
        "style": "stroke-linejoin: round; stroke-linecap: butt",
    }
    described = ET.Element("desc")
    described.text = clean(figure.caption)
    root.insert(0, described)
    return ET.tostring(root, encoding="unicode") + "\n"


def png(figure: Figure) -> bytes:
    """Return the figure on white, 200 pixels to an inch."""
    content = io.BytesIO()
    with styled():
        figure.draw().savefig(
            content, format="png", dpi=DPI, facecolor=GROUND, metadata={"Software": None}
        )
    return content.getvalue()


def _drawn(figure: Figure) -> bytes:
    content = io.BytesIO()
    with styled():
        figure.draw().savefig(content, format="svg", metadata={"Date": None})
    return content.getvalue()


def _used(root: ET.Element) -> Iterator[str]:
    """Yield the ids that some element refers to."""
    for element in root.iter():
        for key, value in element.attrib.items():
            if _local(key) == "href":
                yield value.removeprefix("#")
            yield from _USED.findall(value)


def _mend(element: ET.Element, name: str, *, themed: bool) -> None:
    """Give an element names without a namespace, ids of its own, and colours."""
    element.tag = _local(element.tag)
    found = dict(element.attrib)
    element.attrib.clear()
    for key, value in found.items():
        element.attrib[_key(key)] = _own(key, value, name)
    if themed:
        looks = (element.attrib.pop(key, None) for key in ("fill", "stroke"))
        element.set("style", "; ".join(_declared(element.attrib.pop("style", ""), *looks)))
        if not element.get("style"):
            del element.attrib["style"]


def _declared(style: str, fill: str | None, stroke: str | None) -> Iterator[str]:
    """Yield declarations with variables; of attributes too, where CSS does not promise them."""
    told = (style, f"fill: {fill}" if fill else "", f"stroke: {stroke}" if stroke else "")
    for each in filter(None, told):
        yield _COLOUR.sub(lambda found: _VARIABLES.get(found[0], found[0]), each)


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]


def _key(key: str) -> str:
    return f"xlink:{_local(key)}" if key.startswith(f"{{{_XLINK}}}") else _local(key)


def _own(key: str, value: str, name: str) -> str:
    if key == "id":
        return f"{name}-{value}"
    if _local(key) == "href":
        return value.replace("#", f"#{name}-", 1)
    value = value.replace("url(#", f"url(#{name}-")
    return value.replace(f"'{FONT}'", _FAMILIES)

"""HTML as a tree, strictly: what is opened is closed in order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = {"meta", "link", "br", "hr", "img", "input"}
"""HTML's elements without an end; those of SVG may be closed at once."""


@dataclass
class Element:
    """An element with its children; text is a child too."""

    name: str
    attributes: dict[str, str] = field(default_factory=dict)
    children: list[Element | str] = field(default_factory=list)

    def __iter__(self) -> Iterator[Element]:
        """Yield all elements below, in the order of the document."""
        for child in self.children:
            if isinstance(child, Element):
                yield child
                yield from child

    @property
    def text(self) -> str:
        """Return all text below, white space collapsed."""
        return " ".join(" ".join(self._texts()).split())

    def all(self, name: str, css: str = "") -> list[Element]:
        """Return the elements below of a name, and class."""
        return [
            each
            for each in self
            if each.name == name and (not css or css in each.attributes.get("class", "").split())
        ]

    def one(self, name: str, css: str = "", **attributes: str) -> Element:
        """Return the only such element."""
        (found,) = (
            each
            for each in self.all(name, css)
            if all(each.attributes.get(key) == value for key, value in attributes.items())
        )
        return found

    def _texts(self) -> Iterator[str]:
        for child in self.children:
            if isinstance(child, Element):
                yield from child._texts()
            else:
                yield child


class _Builder(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open = [Element("document")]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = self._add(tag, attrs)
        if tag not in VOID:
            self.open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert any(e.name == "svg" for e in self.open), f"<{tag}/> is closed at once"
        self._add(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        closed = self.open.pop()
        assert closed.name == tag, f"</{tag}> closes <{closed.name}>"

    def handle_data(self, data: str) -> None:
        self.open[-1].children.append(data)

    def _add(self, tag: str, attrs: list[tuple[str, str | None]]) -> Element:
        names = [name for name, _ in attrs]
        assert len(set(names)) == len(names), f"<{tag}> has an attribute twice: {names}"
        element = Element(tag, {name: value or "" for name, value in attrs})
        self.open[-1].children.append(element)
        return element


def parsed(html: str) -> Element:
    """Return the document; AssertionError where tags do not match."""
    builder = _Builder()
    builder.feed(html)
    builder.close()
    (document,) = builder.open
    return document

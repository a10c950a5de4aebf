"""Reading what reports draw and write: elements of a chart, tables and references of a page."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser

SVG = "{http://www.w3.org/2000/svg}"
#: Elements of HTML that have no end.
VOID = {"meta", "br", "hr", "img", "link", "input", "col", "wbr"}


def chart(text: str) -> ET.Element:
    """The root of a chart; not well-formed text raises."""
    return ET.fromstring(str(text))


def classed(root: ET.Element, name: str, kind: str) -> list[ET.Element]:
    """Elements called `name` that have the class `kind`."""
    return [e for e in root.iter(SVG + name) if kind in (e.get("class") or "").split()]


def number(element: ET.Element, name: str) -> float:
    return float(element.get(name))


def places(element: ET.Element) -> list[tuple[float, float]]:
    """The points of a path."""
    pairs = re.findall(r"(-?[\d.]+) (-?[\d.]+)", element.get("d"))
    return [(float(a), float(b)) for a, b in pairs]


def words(root: ET.Element) -> list[str]:
    return ["".join(e.itertext()) for e in root.iter(SVG + "text")]


class Page(HTMLParser):
    """A page: its text, the elements that were not closed, and everything that it points to."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.wrong: list[str] = []
        self.references: list[str] = []
        self.ids: list[str] = []
        self.names: set[str] = set()
        self.texts: list[str] = []
        self.styled: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        if tag not in VOID:
            self.open.append(tag)
        for name, value in attrs:
            if name in {"src", "href", "srcset", "action", "data", "poster"}:
                self.references.append(value or "")
            if name == "id":
                self.ids.append(value or "")
            if name == "style" or name.startswith("on"):
                self.styled.append(f"{tag} {name}")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.wrong.append(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] not in {"style", "script"}:
            self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())


def outward(text: str) -> list[str]:
    """Whatever would make a browser ask somebody for something."""
    page = Page(text)
    found = [one for one in page.references if not one.startswith(("#", "data:"))]
    found += re.findall(r"url\((?!['\"]?data:)[^)]*\)|@import[^;]*", text)
    found += sorted(page.names & {"script", "iframe", "object", "embed", "link", "img", "base", "form"})
    return found

"""A page taken apart: its elements, without a browser."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import unquote

_VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}


@dataclass
class Element:
    tag: str
    attributes: dict[str, str]
    within: tuple[Element, ...] = field(default=(), repr=False)
    text: str = ""

    def inside(self, tag: str, **attributes: str) -> bool:
        return any(
            one.tag == tag and all(one.attributes.get(k.rstrip("_")) == v for k, v in attributes.items())
            for one in self.within
        )

    def get(self, name: str) -> str:
        return self.attributes.get(name, "")


class Page(HTMLParser):
    """Elements in their order; `text` is what a reader sees of each, its children's included."""

    def __init__(self, text: str):
        super().__init__(convert_charrefs=True)
        self.elements: list[Element] = []
        self.twice: list[str] = []
        self.comments: list[str] = []
        self._open: list[Element] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        self.twice += [f"{tag} {name}" for name in set(names) if names.count(name) > 1]
        made = Element(tag, {name: value or "" for name, value in attrs}, tuple(self._open))
        self.elements.append(made)
        if tag not in _VOID:
            self._open.append(made)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in _VOID:
            self._open.pop()

    def handle_endtag(self, tag: str) -> None:
        for n in range(len(self._open) - 1, -1, -1):
            if self._open[n].tag == tag:
                del self._open[n:]
                return

    def handle_data(self, data: str) -> None:
        for one in self._open:
            one.text += data

    def handle_comment(self, data: str) -> None:
        self.comments.append(data)

    def all(self, tag: str) -> list[Element]:
        return [one for one in self.elements if one.tag == tag]


def accounts(text: str) -> list[str]:
    """The ids of the accounts of the list of a book, in their order."""
    return [
        unquote(one.get("href").removeprefix("/accounts/"))
        for one in Page(text).all("a")
        if one.inside("tbody") and one.inside("th") and one.get("href").startswith("/accounts/")
    ]


def next_page(text: str) -> str | None:
    """The address of the next page of a list."""
    return next((one.get("href") for one in Page(text).all("a") if one.get("rel") == "next"), None)

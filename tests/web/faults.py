"""What is wrong with a page, whatever it shows: by its elements, without a browser."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from tests.web.pages import Page

#: Addresses within this site; `//` and `/\` lead out of it.
_OURS = re.compile(r"(/(?![/\\])|\?|#|$)[^\s]*")
_ADDRESSES = (
    "href",
    "src",
    "action",
    "formaction",
    "hx-get",
    "hx-post",
    "hx-put",
    "hx-delete",
    "hx-push-url",
    "data",
    "poster",
)
_NEVER = ("style", "iframe", "frame", "object", "embed", "base", "applet", "portal", "template", "math")
_TEXTS = ("value", "data-label", "aria-label", "title", "content", "placeholder")
_LABELS = ("aria-label", "aria-labelledby", "title")


def faults(text: str, *, signed_in: bool = True) -> list[str]:
    """Every fault of a page of ours in words; none for a page as it should be."""
    page = Page(text)
    return [
        *(f"attribute twice: {twice}" for twice in page.twice),
        *_code(page),
        *_addresses(page),
        *_forms(page, signed_in),
        *_names(page),
        *_frame(page),
    ]


def _code(page: Page) -> Iterator[str]:
    for one in page.elements:
        if one.tag in _NEVER:
            yield f"<{one.tag}>"
        if one.tag == "script" and (one.text.strip() or not one.get("src").startswith("/static/")):
            yield f"inline or foreign script: {one.attributes} {one.text[:60]}"
        if one.tag == "meta" and "http-equiv" in one.attributes:
            yield f"meta http-equiv: {one.attributes}"
        if one.tag == "link" and not one.get("href").startswith("/static/"):
            yield f"foreign link: {one.attributes}"
        for name, value in one.attributes.items():
            if name == "style" or name.startswith(("on", "hx-on")):
                yield f"inline {name} of <{one.tag}>: {value[:60]}"
            code = value.strip().casefold().startswith(("javascript:", "vbscript:"))
            if name == "srcdoc" or (code and name not in _TEXTS):
                yield f"{name} of <{one.tag}> is code: {value[:60]}"


def _addresses(page: Page) -> Iterator[str]:
    for one in page.elements:
        for name in _ADDRESSES:
            value = one.attributes.get(name)
            if value is None or (name == "hx-push-url" and value in ("true", "false")):
                continue
            if one.tag == "a" and re.match(r"(mailto:|tel:)", value):
                continue
            if one.tag == "a" and value.startswith("https://") and "noopener" in one.get("rel"):
                continue  # such as the account in the company's CRM
            if not _OURS.fullmatch(value):
                yield f"{name} of <{one.tag}> leads elsewhere: {value[:80]!r}"


def _forms(page: Page, signed_in: bool) -> Iterator[str]:
    for form in page.all("form"):
        method = form.get("method").casefold()
        if method not in ("get", "post"):
            yield f"a form without a method: {form.attributes}"
        tokens = [
            one.get("value")
            for one in page.all("input")
            if one.get("name") == "csrf" and any(outer is form for outer in one.within)
        ]
        if method == "post" and signed_in and (len(tokens) != 1 or not tokens[0]):
            yield f"a form to {form.get('action')} with {len(tokens)} tokens"
        if method == "get" and tokens:
            yield f"a form to {form.get('action')} puts its token into the address"
    labelled = {one.get("for") for one in page.all("label") if one.text.strip()}
    for one in page.elements:
        if one.tag not in ("input", "select", "textarea") or one.get("type") in ("hidden", "submit"):
            continue
        label = next((outer for outer in one.within if outer.tag == "label"), None)
        if not (
            one.get("id") in labelled
            or (label is not None and label.text.strip())
            or any(one.get(name).strip() for name in _LABELS)
        ):
            yield f"<{one.tag} name={one.get('name')}> has no label"
        if one.get("name") and not any(outer.tag == "form" for outer in one.within) and not one.get("form"):
            yield f"<{one.tag} name={one.get('name')}> is in no form"


def _names(page: Page) -> Iterator[str]:
    ids = Counter(one.get("id") for one in page.elements if "id" in one.attributes)
    yield from (f"id {name!r} stands {n} times" for name, n in ids.items() if n > 1 or not name)
    for one in page.elements:
        for name in (
            "for",
            "aria-labelledby",
            "aria-describedby",
            "aria-controls",
            "list",
            "form",
            "headers",
        ):
            for wanted in one.get(name).split():
                if wanted not in ids:
                    yield f"{name} of <{one.tag}> names no element: {wanted!r}"
        target = one.get("hx-target")
        if target.startswith("#") and target[1:] not in ids:
            yield f"hx-target names no element: {target!r}"
        if one.tag in ("a", "button", "summary") and not (
            one.text.strip() or any(one.get(name).strip() for name in _LABELS)
        ):
            yield f"<{one.tag}> says nothing: {one.attributes}"
        if one.tag == "img" and "alt" not in one.attributes:
            yield f"<img> without alt: {one.attributes}"
        named = one.get("role") == "img" and any(one.get(name).strip() for name in _LABELS)
        if one.tag == "svg" and one.get("aria-hidden") != "true" and not named:
            yield f"<svg> says nothing: {one.attributes}"
        if one.tag == "th" and one.get("scope") not in ("col", "row", "colgroup", "rowgroup"):
            yield f"<th> of nothing: {one.text[:40]!r}"


def _frame(page: Page) -> Iterator[str]:
    html = page.all("html")
    if len(html) != 1 or not html[0].get("lang"):
        yield "the page has no language"
    titles = [one for one in page.all("title") if not one.inside("svg")]
    if len(titles) != 1 or not titles[0].text.removesuffix(" · Retinue").strip():
        yield "the page has no title"
    headings = [one for one in page.elements if re.fullmatch("h[1-6]", one.tag)]
    if [one.tag for one in headings].count("h1") != 1:
        yield f"the page has {[one.tag for one in headings].count('h1')} first headings"
    level = 0
    for one in headings:
        if int(one.tag[1]) > level + 1:
            yield f"heading {one.text.strip()[:40]!r} skips a level"
        level = int(one.tag[1])
        if not one.text.strip():
            yield f"<{one.tag}> is empty"
    mains = page.all("main")
    if len(mains) != 1 or mains[0].get("id") != "main":
        yield "the page has no main part"
    if not any(one.tag == "a" and one.get("href") == "#main" for one in page.elements):
        yield "no link skips to the main part"

"""The documentation says what the code does."""

from __future__ import annotations

from pathlib import Path

import pytest

from docs import console, fragments, generate, links, pages
from retinue.glossary import TERMS

PAGES = pages.every_page()
TUTORIAL = sorted((pages.ROOT / "docs" / "tutorial").glob("*.md"))
GENERATED = generate.generated()
BLOCKS = [block for page in PAGES for block in pages.blocks(page)]


@pytest.mark.parametrize("page", GENERATED, ids=lambda page: page.name)
def test_a_generated_page_is_what_the_code_says(page: Path):
    assert page.read_text(encoding="utf-8") == GENERATED[page], "run ./scripts/docs"


def test_every_link_leads_somewhere():
    assert links.broken(PAGES) == []


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.place)
def test_yaml_of_a_project_is_accepted(block: pages.Block):
    assert fragments.wrong(block) is None


@pytest.mark.parametrize(
    "page", sorted((pages.ROOT / "docs" / "tutorial").glob("*.md")), ids=lambda p: p.name
)
def test_the_commands_of_a_tutorial_print_what_it_shows(page: Path, tmp_path: Path):
    console.run(page, tmp_path)


def test_every_word_of_the_glossary_is_there_once_and_leads_to_words_that_are():
    words = [term.word for term in TERMS]
    assert len(words) == len(set(words))
    assert {other for term in TERMS for other in term.see_also} <= set(words)

"""The tools that check the documentation see what is wrong in it."""

from __future__ import annotations

import pytest

from docs import console, fragments, links, pages

FENCE = "```"


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text.replace("~~~", FENCE), encoding="utf-8")
    return path


def test_blocks_keep_their_language_words_line_and_text(tmp_path):
    page = write(
        tmp_path / "page.md",
        "# Title\n\n~~~yaml part metrics.yaml\nmetrics: {}\n~~~\n\n    ~~~\n    x\n    ~~~\n",
    )
    first, second = pages.blocks(page)
    assert (first.language, first.words, first.line, first.text) == (
        "yaml",
        ("part", "metrics.yaml"),
        3,
        "metrics: {}\n",
    )
    assert second.text == "x\n"


def test_a_longer_fence_may_show_a_shorter_one(tmp_path):
    page = write(tmp_path / "page.md", "`~~~text\n~~~yaml\na: 1\n~~~\n`~~~\n")
    (block,) = pages.blocks(page)
    assert block.text == "```yaml\na: 1\n```\n"


def test_links_to_absent_files_and_headings_are_found_and_code_is_not_a_link(tmp_path):
    write(tmp_path / "other.md", "# A `code` heading, twice\n\n## Again\n\n## Again\n")
    page = write(
        tmp_path / "page.md",
        "# Own\n[a](other.md#a-code-heading-twice) [b](other.md#again-1) [c](#own) [web](https://example.org/x)\n"
        "`[not](a-link.md)`\n~~~text\n[nor](this.md)\n~~~\n"
        "[d](absent.md) ![e](absent.svg)\n[f](other.md#absent) [g](#absent)\n",
    )
    assert [line.partition(": ")[2] for line in links.broken([page])] == [
        "no such file: absent.md",
        "no such file: absent.svg",
        "no such heading: other.md#absent",
        "no such heading: #absent",
    ]


@pytest.mark.parametrize(
    ("words", "text", "right"),
    [
        ("metrics.yaml", "metrics: {logins: {count: usage, window: 28d}}", True),
        ("metrics.yaml", "metrics: {logins: {count: usage, windw: 28d}}", False),
        ("retinue.yaml", "stages: [{stage: mature}]", False),
        ("part retinue.yaml", "stages: [{stage: mature}]", True),
        ("part retinue.yaml", "stagez: [{stage: mature}]", False),
        ("part retinue.yaml", "stages: [{stage: mature, when: tenure <}]", False),
        ("part scorecards/smb.yaml", "bands: {at_risk: 0, watch: 40, healthy: 70}", True),
        ("scorecards/smb.yaml", "bands: {at_risk: 0, watch: 40, healthy: 70}", False),
        ("part retinue.yaml", "stages: [", False),
        ("part acme/retinue.yaml", "day_closes: 06:00", True),
        ("part acme/retinue.yaml", "day_closes: 26:00", False),
        ("part metrics/usage.yaml", "metrics: {logins: {count: usage, where: {event: no}}}", True),
        ("part retinue.yaml", "home: ${HOME}\ntimezone: ${ZONE:-Europe/Berlin}", True),
        ("part retinue.yaml", "timezone: ${ZONE:-Europe/Nowhere}", False),
        ("part retinue.yaml", "home: a\nhome: b", False),
        ("playbooks/a.yaml", "playbook: a\nwhen: {band: at_risk}\nsteps: [{task: 'Call {name}'}]", True),
        ("playbooks/a.yaml", "playbook: a\nwhen: {band: at_risk}\nsteps: [{task: 'Call {nam}'}]", False),
        ("other.yaml", "whatever: [1, 2]", True),
        ("", "whatever: [1, 2]", True),
    ],
)
def test_a_fragment_is_held_against_the_model_of_its_file(tmp_path, words, text, right):
    page = write(tmp_path / "page.md", f"~~~yaml {words}\n{text}\n~~~\n")
    (block,) = pages.blocks(page)
    assert (fragments.wrong(block) is None) is right


PAGE = """
~~~text data/greeting.txt
hello   there
and 17 more
~~~

~~~console
$ cat data/greeting.txt
hello there
...
and ... more
$ mkdir inner
$ cd inner
~~~

~~~text part not-written.txt
~~~

~~~console
$ cat ../data/greeting.txt
hello there
$ ls
$ cat absent.txt  # exit 1
~~~
"""


def test_a_page_that_says_the_truth_runs(tmp_path):
    assert console.run(write(tmp_path / "page.md", PAGE), write(tmp_path / "work" / "x", "").parent) == 6


@pytest.mark.parametrize(
    ("told", "instead", "complaint"),
    [
        (
            "hello there\n...",
            "hullo there\n...",
            "page.md:8: `cat data/greeting.txt` does not print 'hullo",
        ),
        ("hello there\n...\nand ... more", "and ... more\nhello there", "does not print 'hello there'"),
        ("  # exit 1", "", "ended with 1, not 0"),
        ("$ mkdir inner", "$ rm -r data", "a page cannot run 'rm'"),
        ("$ cd inner", "$ cd outer", "no folder outer"),
        ("$ cat data/greeting.txt\n", "", "output before the first command"),
    ],
)
def test_a_page_that_does_not_is_told_where(tmp_path, told, instead, complaint):
    assert told in PAGE
    page = write(tmp_path / "page.md", PAGE.replace(told, instead, 1))
    work = tmp_path / "work"
    work.mkdir()
    with pytest.raises(console.Mismatch) as wrong:
        console.run(page, work)
    assert complaint in str(wrong.value)

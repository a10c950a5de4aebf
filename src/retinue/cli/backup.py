"""Commands for what must not be lost, and for whom must not be kept: backup, restore, erase."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from retinue.cli.options import as_json, in_project, now, print_json, quietly
from retinue.errors import RetinueError

if TYPE_CHECKING:
    from retinue.store.upkeep.erase import Receipt

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command()
@in_project
@click.argument("file", type=_FILE)
@quietly
@as_json
def backup(root: Path, file: Path, quiet: bool, json_: bool) -> None:
    """Write the store and the published scores to FILE.

    Nobody has to stop meanwhile. What the project declares is not in it: that is in your git.

    \b
    Example:
      retinue backup /backups/retinue-$(date +%F).tar
    """
    from retinue.cli.render import Page
    from retinue.cli.waiting import progress
    from retinue.store.upkeep.backup import backup as pack
    from retinue.workspace import open_workspace

    workspace = open_workspace(root)
    with progress("packing", quiet=quiet) as tell:
        told = pack(workspace.store, workspace.project.home, file, now=now(), tell=tell)
    if json_:
        print_json(told.to_dict())
        return
    rows = sum(told.tables.values())
    Page().line(f"{file}: {rows:,} rows of the store, {told.files:,} files of runs ({told.bytes:,} bytes).")


@click.command()
@in_project
@click.argument("file", type=_FILE)
@click.option("--force", is_flag=True, help="Replace what is there.")
@click.option(
    "--erasures",
    type=_FILE,
    help="A copy of the file erasures.jsonl of the home: who is in it stays erased.",
)
@click.option("--check", "check_", is_flag=True, help="Only compare every checksum in FILE.")
@quietly
@as_json
def restore(
    root: Path, file: Path, force: bool, erasures: Path | None, check_: bool, quiet: bool, json_: bool
) -> None:
    """Put back what `retinue backup` wrote.

    All of it, or nothing. People sign in again; whoever was erased stays erased.

    \b
    Examples:
      retinue restore --check /backups/retinue-2026-07-01.tar
      retinue restore --force /backups/retinue-2026-07-01.tar
    """
    from retinue.cli.render import Page, counted
    from retinue.cli.waiting import progress
    from retinue.desk.erasing import restore_backup
    from retinue.store.upkeep.backup import contents_of
    from retinue.workspace import open_workspace

    if check_:
        told, again = contents_of(file), 0
    else:
        workspace = open_workspace(root)
        with progress("putting back", quiet=quiet) as tell:
            told, again = restore_backup(
                workspace, file, now=now(), force=force, erasures=erasures, tell=tell
            )
    if json_:
        print_json({**told.to_dict(), "erased_again": again, "restored": not check_})
        return
    page = Page()
    what = "is whole" if check_ else "is back"
    page.line(f"{file} {what}: of {told.made_at:%Y-%m-%d %H:%M} UTC, run {told.run_id or 'none'}.")
    if again:
        page.line(f"{counted(again, 'person', 'people')} in it had been erased, and stayed so.")
    if not check_:
        page.line("Keys are those of then: `retinue keys list` shows which ones are live.")


@click.command()
@in_project
@click.argument("person", metavar="PERSON")
@click.option("--dry-run", is_flag=True, help="Only say where they are.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@as_json
def erase(root: Path, person: str, dry_run: bool, yes: bool, json_: bool) -> None:
    """Erase PERSON, by e-mail address, everywhere that Retinue keeps something of them.

    Erase them in the tables of the company first: the next run reads those again.

    \b
    Examples:
      retinue erase kim.lee@customer.example --dry-run
      retinue erase kim.lee@customer.example
    """
    from retinue.cli.render import Page
    from retinue.desk.erasing import erase_person
    from retinue.store.people.access import OPERATOR
    from retinue.workspace import open_workspace

    workspace = open_workspace(root)
    if not dry_run and not yes:
        if json_:
            raise click.UsageError("with --json say --yes, or --dry-run")
        click.confirm(f"Erase {person}? This cannot be undone", abort=True, err=True)
    receipt = erase_person(workspace, OPERATOR, person, now=now(), rehearsal=dry_run)
    if json_:
        print_json(receipt.to_dict())
    else:
        _tell(Page(), receipt)
    if receipt.left:
        raise RetinueError("some places could not be changed: " + ", ".join(receipt.left))


def _tell(page: object, receipt: Receipt) -> None:
    from retinue.cli.render import Page

    assert isinstance(page, Page)
    page.line("They are in:" if receipt.rehearsed else "Erased:", "bold")
    for what, found in (("store", receipt.store), ("files", receipt.files)):
        for place, count in sorted(found.items()):
            page.line(f"  {what}, {place}: {count:,}")
    if not receipt.found:
        page.line("  nowhere")
    for table in receipt.sources:
        page.line(f"  still in {table}, which is the company's own: the next run reads it again")
    for table in receipt.unread:
        page.line(f"  not looked through: {table}")


COMMANDS = (backup, restore, erase)

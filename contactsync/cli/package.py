"""`contactsync package`: builds all that a deployment needs."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from contactsync.cli.screen.listing import Output, say, show_rows
from contactsync.views.tables import Columns

DEFAULT: Final = Path("build/packages")


class RunsOn(StrEnum):
    """Where the functions of packages run."""

    LAMBDA = "lambda"
    THIS_MACHINE = "this-machine"


COLUMNS: Final = Columns(("name", "size", "unzipped", "sha256"), drop=("sha256", "unzipped"))


def package(
    *,
    output: Annotated[
        Path,
        typer.Option(
            "--output", file_okay=False, help="The folder to write; it must not exist, or be empty.", metavar="DIR"
        ),
    ] = DEFAULT,
    allow_dirty: Annotated[
        bool,
        typer.Option(
            "--allow-dirty", help="Build from the files as they are, with changes that are not committed. For trials."
        ),
    ] = False,
    platform: Annotated[
        RunsOn,
        typer.Option(
            help="What the functions' zips are for: Lambda, or this machine, for "
            "`contactsync sandbox start --functions DIR`. Lambda cannot run the latter."
        ),
    ] = RunsOn.LAMBDA,
    form: Annotated[Output, typer.Option("--format", "-o", help="The format of the list of files.")] = Output.TABLE,
) -> None:
    """Build what a deployment needs: wheel, plugins.zip, dags.zip, requirements.txt, functions' zips, templates.

    It needs a clone of the repository, with git, and builds the same bytes for the same commit. The wheels that the
    functions need are downloaded once and kept in .run/wheels. At the end it lists the files with their sizes in bytes;
    manifest.json has them, too (docs/deploying.md).

    Example: `contactsync package --output build/packages`
    """
    from contactsync.packaging.clone import Clone
    from contactsync.packaging.lambda_wheels import LAMBDA, Platform
    from contactsync.packaging.packages import MANIFEST, Build, unzipped_size

    clone = Clone.at(Path(__file__).resolve().parents[2])
    target = LAMBDA if platform is RunsOn.LAMBDA else Platform.here()
    build = Build(clone, lambda doing: say(f"{doing} ...", err=True), allow_dirty=allow_dirty, platform=target)
    packages = build.into(output)
    rows: list[dict[str, Any]] = [
        {"name": file.name, "size": file.size, "unzipped": unzipped_size(output / file.name), "sha256": file.sha256}
        for file in packages.files
    ]
    show_rows(COLUMNS, rows, form)
    changes = len(packages.uncommitted_changes)
    dirty = f" with {changes} changed {'file' if changes == 1 else 'files'}" if changes else ""
    say(
        f"contactsync {packages.version}, commit {packages.commit[:12]}{dirty}: {len(rows)} files and {MANIFEST} are in"
        f" {output}.",
        err=True,
    )

"""`contactsync backup` and `contactsync restore`: what the tables hold, in a folder or a bucket, and back again."""

import contextlib
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeVar

import typer

from contactsync.backups.choices import Side, Wanted
from contactsync.cli.screen.listing import Output, say, show_rows
from contactsync.cli.screen.progress import counted
from contactsync.settings.groups import Group
from contactsync.views.tables import Columns

if TYPE_CHECKING:
    from contactsync.backups.manifest import Identity, Manifest
    from contactsync.backups.restore import Restored

T = TypeVar("T")

NEEDS: Final = (
    Group.MANAGEMENT,
    Group.CONFIGURATION,
    Group.STATE,
    Group.DESIRED,
    Group.AUDIT,
    Group.DEPLOYMENT,
)
BUCKET: Final = "s3://"
INTERRUPTED: Final = 130
BACKUP_COLUMNS: Final = Columns(("table", "kind", "items"))
RESTORE_COLUMNS: Final = Columns(("table", "kind", "in_backup", "restored", "in_table"))

FormatOption = Annotated[Output, typer.Option("--format", "-o", help="The format of the counts.")]


def backup(
    *,
    output: Annotated[
        str,
        typer.Option(
            "--output",
            metavar="PLACE",
            help="The folder to write, which must not exist or be empty; or s3://BUCKET/PREFIX.",
            show_default=False,
        ),
    ],
    with_contacts: Annotated[
        bool,
        typer.Option(
            "--with-contacts",
            help="Save the desired contacts, too: personal data. The management account has them, so a restore does "
            "not need them. In a bucket they need --kms-key-id.",
        ),
    ] = False,
    kms_key_id: Annotated[
        str | None,
        typer.Option(
            help="The KMS key (id, ARN or alias) that encrypts the objects in the bucket. Without it: as the bucket "
            "is configured.",
            show_default=False,
        ),
    ] = None,
    form: FormatOption = Output.TABLE,
) -> None:
    """Save configuration, operations, outcomes, records, generations and the audit trail, with checksums and counts.

    The deployment may run meanwhile. Fingerprint keys are in no backup. A backup is complete when it has its
    manifest.json, which is written last; until then a folder is named `DIR.*.partial` (docs/backups.md).

    Example: `contactsync --environment prod backup --output backups/2026-11-29`
    """
    from contactsync.backups.kinds import Kind
    from contactsync.services.services import Services

    _check_place(output, "--output", kms_key_id=kms_key_id, with_contacts=with_contacts)
    services = Services.from_environment(needs=NEEDS)
    target = services.backup_target(output, kms_key_id)
    with _stopped_in_words("The backup is not complete.", lambda: target.unfinished):
        manifest = services.backup.into(target, with_contacts=with_contacts, watch=_watched)
    show_rows(BACKUP_COLUMNS, list(_saved_rows(manifest)), form)
    if manifest.left_out.get(Kind.RESTORE):
        say("A restore into this deployment has begun and is not complete, so this backup may lack items.", err=True)
    contacts = "with the desired contacts" if manifest.with_contacts else "without the desired contacts"
    say(f"{manifest.items} items in {len(manifest.files)} files are in {output}, {contacts}.", err=True)


def restore(
    *,
    source: Annotated[
        str,
        typer.Option(
            "--from", metavar="PLACE", help="The folder of the backup, or s3://BUCKET/PREFIX.", show_default=False
        ),
    ],
    into_existing: Annotated[
        bool,
        typer.Option(
            "--into-existing",
            help="Restore into tables that are not empty: what is missing is added. Records and desired contacts that "
            "are older are replaced; everything else stays.",
        ),
    ] = False,
    configuration: Annotated[
        Side | None,
        typer.Option(
            help="Whose configuration counts if a version differs: `backup` replaces the table's versions that have "
            "the same numbers, `table` restores no configuration. Without it, a version that differs is an error.",
            show_default=False,
        ),
    ] = None,
    from_environment: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="The environment that the backup is of, if it is another one than this deployment's.",
            show_default=False,
        ),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Compare the whole backup with its checksums, and write nothing.")
    ] = False,
    form: FormatOption = Output.TABLE,
) -> None:
    """Put a backup back into the tables, in the same or another region; a later run brings every account up to date.

    The whole backup is checked before anything is written. A restore that was cut off goes on with the same command.
    At the end all tables are counted, and no generation counter is behind a record or a desired contact. Pause the DAGs
    first, and start a run afterwards (docs/backups.md).

    Example: `contactsync --environment prod --region eu-central-1 restore --from backups/2026-11-29`
    """
    from contactsync.services.services import Services

    _check_place(source, "--from")
    services = Services.from_environment(needs=NEEDS)
    wanted = Wanted(into_existing=into_existing, configuration=configuration, environment=from_environment)
    with _stopped_in_words("Nothing was written."):
        found = services.restore.check(services.backup_source(source), wanted, watch=_watched)
    if check:
        show_rows(BACKUP_COLUMNS, list(_saved_rows(found.manifest)), form)
        say(f"The backup in {source} is complete: {found.manifest.items} items have their checksums.", err=True)
        return
    with _stopped_in_words("The restore is not complete: the same command goes on with it."):
        restored = services.restore.run(found, wanted, watch=_watched)
    show_rows(RESTORE_COLUMNS, list(_restored_rows(restored)), form)
    for sentence in _afterwards(restored, services.restore.here, configuration):
        say(sentence, err=True)


def _check_place(place: str, option: str, *, kms_key_id: str | None = None, with_contacts: bool = False) -> None:
    in_bucket = place.startswith(BUCKET)
    if in_bucket and not place.removeprefix(BUCKET).partition("/")[0]:
        raise typer.BadParameter(f"{option} {place}: name a bucket, such as s3://my-backups/2026-11-29.")
    if not place.strip():
        raise typer.BadParameter(f"{option} is empty: name a folder, or s3://BUCKET/PREFIX.")
    if kms_key_id and not in_bucket:
        raise typer.BadParameter("--kms-key-id is for objects in a bucket, and --output is a folder.")
    if with_contacts and in_bucket and not kms_key_id:
        raise typer.BadParameter("Contacts are personal data: in a bucket they need --kms-key-id, a KMS key.")


@contextlib.contextmanager
def _stopped_in_words(sentence: str, place: Any = lambda: None) -> Iterator[None]:  # noqa: ANN401 -- a function of no arguments
    """Say what Ctrl-C leaves."""
    try:
        yield
    except KeyboardInterrupt:
        left = place()
        remains = f" Nothing can be restored from what is in {left}: remove it." if left else ""
        say(f"contactsync: stopped by Ctrl-C. {sentence}{remains}", err=True)
        sys.exit(INTERRUPTED)


def _watched(doing: str, things: Iterator[T]) -> Iterator[T]:
    yield from counted(things, lambda number: f"{doing}: {number}")


def _saved_rows(manifest: "Manifest") -> Iterator[dict[str, Any]]:
    for table, kinds in manifest.counts.items():
        for kind, number in kinds.items():
            yield {"table": str(table), "kind": kind, "items": number}


def _restored_rows(restored: "Restored") -> Iterator[dict[str, Any]]:
    for one in restored.kinds:
        yield {
            "table": str(one.table),
            "kind": str(one.kind),
            "in_backup": one.saved,
            "restored": one.put,
            "in_table": one.found,
        }


def _afterwards(restored: "Restored", here: "Identity", side: Side | None) -> Iterator[str]:
    """Yield what the user should know, and do next."""
    from contactsync.backups.kinds import Kind

    was = restored.manifest.of
    for name, (now, saved) in sorted(restored.versions.items()):
        if now != saved or side is Side.TABLE:
            yield (
                f"Configuration {name!r}: version {now or 'none'} is in force, and the backup's newest is {saved}. "
                f"`contactsync config history` lists the table's versions."
            )
    for place in restored.other_regions:
        yield (
            f"The configuration in force names something in another region ({place}): correct it with "
            "contactsync config set."
        )
    if restored.manifest.left_out.get(Kind.RESTORE):
        yield "When this backup was made, a restore was not complete, so it may lack items."
    yield _about_key(was.fingerprint_secret, here.fingerprint_secret)
    yield "The restore is complete. Now start a run over all accounts: contactsync sync --wait"


def _about_key(saved: str | None, here: str | None) -> str:
    if saved and saved == here:
        return (
            f"Fingerprint keys are in no backup: records are recognized if the secret {saved} still has the key that "
            "it had then."
        )
    where = f"; that one was in the secret {saved}" if saved else ""
    return (
        f"Fingerprint keys are in no backup. If the key here is another than that of the saved deployment{where}, set "
        "the old one as CONTACTSYNC_FORMER_FINGERPRINT_KEY before the next run; without it each account is written "
        "once more with the contact that it has (docs/settings.md)."
    )

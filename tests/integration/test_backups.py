"""`contactsync backup` and `restore` on a sandbox: all tables, into empty ones, into another region, after a break."""

import json
import os
import stat
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import botocore.session
import pytest
from botocore.exceptions import ClientError

from contactsync.backups.kinds import Kind, Table, kind_of
from contactsync.backups.manifest import NAME
from contactsync.configuration.schema import Configuration
from contactsync.contacts import ContactType
from contactsync.errors import ConfigurationConflictError
from contactsync.sandbox.server import Sandbox
from contactsync.services.services import Services
from tests.contract.conftest import adapters_on
from tests.integration.conftest import Answer, Command, misused, refused
from tests.integration.test_cli_shells import MAIN
from tests.support.restored import QuietServices, contents, other_region, run, services_in
from tests.support.saved_items import strange
from tests.support.stored.deployment import Stored
from tests.support.stored.kinds import KINDS

SCENARIO = {"organization": {"accounts": 2}, "quotas": {"enabled": False}}
SECURITY = ContactType.SECURITY
BUCKET = "backups-of-contactsync"
KEY = "arn:aws:kms:us-east-1:111122223333:key/0f"


@dataclass(frozen=True, repr=False)
class Deployment(Stored):
    """A deployment, with the sandbox that it is on."""

    sandbox: Sandbox

    def change(self, name: str) -> dict[str, str]:
        """Change the management account's contact, without an event."""
        contact = {
            "Name": name,
            "Title": "Head of Security",
            "EmailAddress": "security@quagga.example",
            "PhoneNumber": "+1 206 555 0100",
        }
        self.sandbox.organization.contacts.put(self.sandbox.management_account, SECURITY, contact)
        return contact

    @property
    def carried(self) -> list[dict[str, str]]:
        """The members' contacts."""
        contacts = self.sandbox.organization.contacts
        return [dict(contacts.latest(account_id, SECURITY) or {}) for account_id in (self.one, self.two)]


@pytest.fixture(scope="module")
def stored() -> Iterator[Deployment]:
    """Give a deployment that has items of every kind, and one of no kind."""
    with adapters_on(SCENARIO) as adapters:
        services = adapters.services
        with suppress(ConfigurationConflictError):
            services.configurations.store(
                Configuration(contact_types=(SECURITY,)), after_version=0, changed_by="a test"
            )
        management = services.settings.management.account
        one, two = [found.account_id for found in services.organization.accounts() if found.account_id != management]
        made = Deployment(services, one, two, adapters.sandbox)
        for store in KINDS.values():
            store(made)
        services._dynamodb.put_item(TableName=made.state, Item=strange())
        boto3.client("s3").create_bucket(Bucket=BUCKET)
        yield made


@pytest.fixture
def saved(stored: Deployment, contactsync: Command, tmp_path: Path) -> Path:
    """Give a backup of all that is stored, with the contacts."""
    del stored
    folder = tmp_path / "backup"
    assert contactsync("backup", "--output", folder, "--with-contacts").code == 0
    return folder


@pytest.fixture
def region(stored: Deployment, monkeypatch: pytest.MonkeyPatch) -> str:
    """Give another region with empty tables, and let boto3 use it."""
    found = other_region(stored.services)
    monkeypatch.setenv("AWS_REGION", found)
    monkeypatch.setenv("AWS_DEFAULT_REGION", found)
    return found


def test_known_kinds(stored: Deployment) -> None:
    """Every kind of item of docs/data.md is known, and nothing else."""
    items = stored.services.whole_tables.items(Table.STATE)
    others = [item["pk"]["S"] for item in items if kind_of(Table.STATE, item) is Kind.OTHER]
    assert others == [strange()["pk"]["S"]]
    kinds = {kind_of(Table.STATE, item) for item in stored.services.whole_tables.items(Table.STATE)}
    apart = {Kind.DESIRED_CONTACT, Kind.AUDIT_ROW, Kind.VERSION, Kind.RESTORE}
    assert kinds == set(Kind) - apart


def test_round_trip(stored: Deployment, saved: Path, region: str, contactsync: Command) -> None:
    """In another region every item is as it was, of each type and kind, and the counts say so."""
    answer = contactsync("restore", "--from", saved, "-o", "json")
    assert answer.code == 0
    assert contents(services_in(region)) == contents(stored.services)
    for contact_type in ContactType:
        counter = services_in(region).operations.generation(contact_type)
        assert counter >= stored.services.operations.generation(contact_type)
        assert counter >= getattr(services_in(region).desired_versions.of(contact_type), "generation", 0)
    rows = json.loads(answer.out)
    assert {row["kind"] for row in rows} > {"operation", "outcome", "record", "generation", "audit row", "other"}
    assert all(row["in_backup"] == row["restored"] <= row["in_table"] for row in rows)
    assert all(row["in_backup"] == row["in_table"] for row in rows if row["kind"] != "generation")
    assert "contactsync sync --wait" in answer.err
    assert "Fingerprint keys are in no backup" in answer.err


def test_modes(saved: Path) -> None:
    """Nobody else can read the folder and its files, whatever the umask is."""
    assert stat.S_IMODE(saved.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in saved.iterdir()} == {0o600}
    assert not list(saved.parent.glob("*.partial"))


def test_without_contacts(stored: Deployment, contactsync: Command, tmp_path: Path, region: str) -> None:
    """Without the contacts nothing of them is in any file, and the rest is restored."""
    here = tmp_path / "backup"
    answer = contactsync("--region", "us-east-1", "backup", "--output", here)
    assert answer.code == 0
    assert "without the desired contacts" in answer.err
    assert not list(here.glob("desired*"))
    assert contactsync("--region", region, "restore", "--from", here).code == 0
    assert contents(services_in(region))[Table.DESIRED_CONTACTS] == {}
    assert contents(services_in(region), [Table.AUDIT]) == contents(stored.services, [Table.AUDIT])


def test_bucket(stored: Deployment, contactsync: Command, region: str) -> None:
    """A bucket holds the same, encrypted with the key, and nothing is written over."""
    place = f"s3://{BUCKET}/{uuid.uuid4()}"
    answer = contactsync(
        "--region", "us-east-1", "backup", "--output", place, "--with-contacts", "--kms-key-id", KEY, "-o", "json"
    )
    assert answer.code == 0
    s3 = boto3.client("s3", region_name="us-east-1")
    listed: Any = s3.list_objects_v2(Bucket=BUCKET, Prefix=place.rpartition("/")[2])["Contents"]
    heads = [s3.head_object(Bucket=BUCKET, Key=one["Key"]) for one in listed]
    assert {(head["ServerSideEncryption"], head["SSEKMSKeyId"]) for head in heads} == {("aws:kms", KEY)}
    refused(contactsync("backup", "--output", place), "There is something")
    assert contactsync("--region", region, "restore", "--from", place).code == 0
    assert contents(services_in(region)) == contents(stored.services)


def test_bucket_without_manifest(stored: Deployment, contactsync: Command, region: str) -> None:
    """A backup that was cut off in a bucket is refused; the same command makes a whole one beside it."""
    del stored
    name = str(uuid.uuid4())
    place = f"s3://{BUCKET}/{name}"
    assert contactsync("--region", "us-east-1", "backup", "--output", place).code == 0
    boto3.client("s3", region_name="us-east-1").delete_object(Bucket=BUCKET, Key=f"{name}/{NAME}")
    refused(contactsync("--region", region, "restore", "--from", place), "has no manifest.json")
    assert contactsync("--region", "us-east-1", "backup", "--output", place).code == 0
    assert contactsync("--region", region, "restore", "--from", place).code == 0


def test_no_bucket(stored: Deployment, contactsync: Command) -> None:
    """A bucket that does not exist is one sentence."""
    del stored
    refused(contactsync("backup", "--output", "s3://no-such-bucket/x"), "NoSuchBucket")
    refused(contactsync("restore", "--from", "s3://no-such-bucket/x"), "NoSuchBucket")


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("backup",), "--output"),
        (("restore",), "--from"),
        (("backup", "--output", "s3://bucket/x", "--with-contacts"), "--kms-key-id"),
        (("backup", "--output", "x", "--kms-key-id", "k"), "--output is a folder"),
        (("backup", "--output", "s3://"), "name a bucket"),
        (("backup", "--output", ""), "is empty"),
        (("restore", "--from", "s3:///x"), "name a bucket"),
        (("restore", "--from", "x", "--configuration", "mine"), "backup"),
    ],
)
def test_misused(contactsync: Command, arguments: tuple[str, ...], text: str) -> None:
    """Wrong usage is said before AWS is asked anything."""
    misused(contactsync(*arguments), text)


def test_filled_folder(stored: Deployment, contactsync: Command, tmp_path: Path) -> None:
    """A folder with something in it is left alone, and so are a file and the root of a file system."""
    del stored
    (tmp_path / "file").write_text("mine")
    refused(contactsync("backup", "--output", tmp_path), "There is something")
    refused(contactsync("backup", "--output", tmp_path / "file"), "There is something")
    refused(contactsync("backup", "--output", "/proc"), "There is something")
    refused(contactsync("backup", "--output", tmp_path / "file" / "below"), "cannot be written")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_empty_folder(stored: Deployment, contactsync: Command, tmp_path: Path) -> None:
    """An empty folder is used."""
    del stored
    assert contactsync("backup", "--output", tmp_path).code == 0
    assert (tmp_path / NAME).is_file()


def test_full_disk(stored: Deployment, contactsync: Command) -> None:
    """On a full disk the sentence says so."""
    del stored
    refused(contactsync("backup", "--output", "/dev/full/x"), "cannot be written")


@pytest.mark.parametrize("place", ["nowhere", "file"])
def test_no_backup(stored: Deployment, contactsync: Command, tmp_path: Path, place: str) -> None:
    """What is no backup is refused."""
    del stored
    (tmp_path / "file").write_text("mine")
    refused(contactsync("restore", "--from", tmp_path / place), "has no manifest.json")


def test_check(saved: Path, region: str, contactsync: Command) -> None:
    """A check reads everything and writes nothing; a changed byte is found."""
    answer = contactsync("restore", "--from", saved, "--check")
    assert answer.code == 0
    assert "have their checksums" in answer.err
    assert not any(contents(services_in(region)).values())
    victim = next(saved.glob("audit-*"))
    content = bytearray(victim.read_bytes())
    content[len(content) // 2] ^= 1
    victim.write_bytes(content)
    refused(contactsync("restore", "--from", saved), f"{victim.name} does not have its checksum")
    assert not any(contents(services_in(region)).values())


def test_same_tables(stored: Deployment, saved: Path, contactsync: Command) -> None:
    """The tables that were saved are not empty; into existing ones a restore changes nothing."""
    refused(contactsync("restore", "--from", saved), "is not empty")
    before = contents(stored.services)
    answer = contactsync("restore", "--from", saved, "--into-existing", "-o", "json")
    assert answer.code == 0
    assert {row["restored"] for row in json.loads(answer.out)} == {0}
    assert contents(stored.services) == before


def test_other_environment(saved: Path, region: str, contactsync: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """A backup of another environment is refused, until its name is given."""
    monkeypatch.setenv("CONTACTSYNC_ENVIRONMENT", "staging")
    refused(contactsync("restore", "--from", saved), "--from-environment local")
    assert contactsync("restore", "--from", saved, "--from-environment", "local").code == 0
    assert any(contents(services_in(region)).values())


def test_default_configuration(saved: Path, region: str, contactsync: Command) -> None:
    """A new deployment has a first version of its own: the restore stops until it is said whose versions count."""
    assert contactsync("config", "init").code == 0
    said = ("restore", "--from", saved, "--into-existing")
    refused(contactsync(*said), "--configuration backup")
    answer = contactsync(*said, "--configuration", "table")
    assert answer.code == 0
    assert "is in force, and the backup's newest is" in answer.err
    assert contactsync(*said, "--configuration", "backup").code == 0
    version = services_in(region).configurations.latest()
    assert version.configuration.contact_types == (SECURITY,)


def quiet(region: str | None = None) -> Services:
    """Return services that tell nobody."""
    place = {"AWS_REGION": region, "AWS_DEFAULT_REGION": region} if region else {}
    return QuietServices.from_environment({**os.environ, **place})


def test_run_after_a_restore(
    stored: Deployment, contactsync: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run after a restore of an older backup, in another region or in place, brings the newest contact."""
    stored.change("First")
    run(quiet(), str(uuid.uuid4()))
    old = tmp_path / "old"
    assert contactsync("backup", "--output", old).code == 0
    stored.change("Second")
    run(quiet(), str(uuid.uuid4()))
    there = other_region(stored.services)
    newest = stored.change("Third")
    assert contactsync("--region", there, "restore", "--from", old).code == 0
    monkeypatch.setenv("AWS_REGION", there)
    monkeypatch.setenv("AWS_DEFAULT_REGION", there)
    before = quiet().operations.generation(SECURITY)
    outcomes = run(quiet(), str(uuid.uuid4()))
    assert stored.carried == [newest, newest]
    assert {outcome.generation for outcome in outcomes} == {before + 1}
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    before = quiet().operations.generation(SECURITY)
    assert contactsync("restore", "--from", old, "--into-existing").code == 0
    assert quiet().operations.generation(SECURITY) == before
    newest = stored.change("Fourth")
    run(quiet(), str(uuid.uuid4()))
    assert stored.carried == [newest, newest]


def test_lost_counters(stored: Deployment, contactsync: Command, tmp_path: Path) -> None:
    """Counters and desired contacts that are lost come back as high as any record knows, and a run converges."""
    stored.change("Before the loss")
    run(quiet(), str(uuid.uuid4()))
    folder = tmp_path / "backup"
    key = {"pk": {"S": "GENERATION#security"}, "sk": {"S": "GENERATION"}}
    highest = quiet().operations.generation(SECURITY)
    client = boto3.client("dynamodb")
    client.update_item(
        TableName=stored.state,
        Key=key,
        UpdateExpression="SET generation = :low",
        ExpressionAttributeValues={":low": {"N": "1"}},
    )
    assert contactsync("backup", "--output", folder).code == 0
    client.delete_item(TableName=stored.state, Key=key)
    client.delete_item(TableName=stored.services.settings.desired.table, Key={"contact_type": {"S": "security"}})
    assert contactsync("restore", "--from", folder, "--into-existing").code == 0
    assert quiet().operations.generation(SECURITY) >= highest
    newest = stored.change("After the loss")
    run(quiet(), str(uuid.uuid4()))
    assert stored.carried == [newest, newest]


def expired(call: str) -> ClientError:
    """Return AWS's answer to credentials that have expired."""
    answer: Any = {
        "Error": {"Code": "ExpiredTokenException", "Message": "The security token has expired"},
        "ResponseMetadata": {"HTTPStatusCode": 400, "RequestId": "0f"},
    }
    return ClientError(answer, call)


def broken(
    contactsync: Command, *arguments: object, call: str, number: int, error: BaseException | None = None
) -> Answer:
    """Run a command whose calls of a kind fail from one of them on: credentials have expired, or another error."""
    seen = 0

    def fail(**_: Any) -> None:
        nonlocal seen
        seen += 1
        if seen >= number:
            raise error or expired(call)

    plain = botocore.session.Session.create_client

    def create(self: Any, *args: Any, **options: Any) -> Any:
        client = plain(self, *args, **options)
        client.meta.events.register(f"before-call.*.{call}", fail)
        return client

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(botocore.session.Session, "create_client", create)
        return contactsync(*arguments)


@pytest.mark.parametrize("number", [1, 2, 3])
@pytest.mark.usefixtures("stored")
def test_expired_credentials_at_backup(contactsync: Command, tmp_path: Path, number: int) -> None:
    """Credentials that expire end a backup in one sentence; what is left is named as partial, and is refused."""
    folder = tmp_path / "backup"
    answer = broken(contactsync, "backup", "--output", folder, call="Scan", number=number)
    refused(answer, "ExpiredToken")
    assert not folder.exists()
    for left in tmp_path.iterdir():
        assert left.name.endswith(".partial")
        assert str(left) in answer.err
        refused(contactsync("restore", "--from", left), "has no manifest.json")


@pytest.mark.parametrize(
    ("call", "number"),
    [
        ("GetItem", 1),
        ("Scan", 1),
        ("Scan", 2),
        ("TransactWriteItems", 1),
        ("UpdateItem", 1),
        ("TransactWriteItems", 2),
        ("TransactWriteItems", 3),
        ("TransactWriteItems", 4),
        ("Scan", 5),
        ("Scan", 8),
        ("UpdateItem", 9),
        ("DeleteItem", 1),
    ],
)
def test_restore_goes_on(
    stored: Deployment, saved: Path, region: str, contactsync: Command, call: str, number: int
) -> None:
    """Wherever a restore breaks, the same command goes on, and the result is the same."""
    answer = broken(contactsync, "restore", "--from", saved, call=call, number=number)
    refused(answer, "ExpiredToken")
    assert contactsync("restore", "--from", saved).code == 0
    assert contents(services_in(region)) == contents(stored.services)


@pytest.mark.parametrize(
    ("arguments", "call", "sentence"),
    [
        (("backup", "--output"), "Scan", "The backup is not complete. Nothing can be restored from what is in"),
        (("restore", "--from"), "TransactWriteItems", "The restore is not complete: the same command goes on with it."),
    ],
)
def test_interrupted(
    contactsync: Command, saved: Path, region: str, arguments: tuple[str, ...], call: str, sentence: str
) -> None:
    """Ctrl-C ends a command with one sentence, which says what is left, and its own exit code."""
    place = saved if arguments[0] == "restore" else saved.with_name("another")
    where = () if arguments[0] == "restore" else ("--region", "us-east-1")
    answer = broken(contactsync, *where, *arguments, place, call=call, number=2, error=KeyboardInterrupt())
    assert answer.code == 130
    assert sentence in answer.err
    assert len(answer.err.splitlines()) == 1
    assert not any(path.name == NAME for path in saved.parent.glob("*.partial/*"))
    assert contactsync("--region", region, "restore", "--from", saved).code == 0
    assert any(contents(services_in(region)).values())


def test_disk_that_fills_up(stored: Deployment, tmp_path: Path) -> None:
    """A file that cannot be written whole ends the backup in one sentence, with the partial folder's name."""
    del stored
    limited = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (200, 200)); "
    answer = subprocess.run(
        [sys.executable, "-c", limited + MAIN, "backup", "--output", tmp_path / "backup"],
        check=False,
        capture_output=True,
        text=True,
        env=dict(os.environ),
        timeout=120,
    )
    (left,) = tmp_path.iterdir()
    assert (answer.returncode, answer.stdout) == (1, "")
    assert "cannot be written" in answer.stderr
    assert f"remove {left}" in answer.stderr
    assert len(answer.stderr.splitlines()) == 1
    assert left.name.endswith(".partial")

"""Spoiled backups: whatever is wrong with a file, nothing is written, and one sentence names the file."""

import gzip
import json
from collections.abc import Callable
from typing import Any

import pytest

from contactsync.backups.kinds import Table
from contactsync.backups.manifest import DIGEST, NAME, Manifest, sha256_of, to_text
from contactsync.errors import BackupFormatError, BackupMissingError, BackupSpoiledError, ContactSyncError
from tests.unit.backups.conftest import Deployments


def refused(deployments: Deployments, kind: type[ContactSyncError], text: str) -> None:
    """Check that a restore is refused before it writes."""
    with pytest.raises(kind, match=text):
        deployments.restore()
    assert not any(deployments.new.stored.values())
    assert deployments.new.breaks.calls == 0


@pytest.mark.parametrize(
    "spoil",
    [
        lambda content: content[:-1],
        lambda content: content[:20],
        lambda _: b"",
        lambda content: content + b"\0",
        lambda content: content[:30] + bytes([content[30] ^ 1]) + content[31:],
        lambda content: content[:9] + bytes([content[9] ^ 1]) + content[10:],
    ],
)
def test_every_file(deployments: Deployments, spoil: Callable[[bytes], bytes]) -> None:
    """A file that is cut off, longer, or has another bit is refused, whichever it is."""
    deployments.save()
    whole = dict(deployments.place.files)
    for name, content in whole.items():
        if name != NAME:
            deployments.place.files = {**whole, name: spoil(content)}
            refused(deployments, BackupSpoiledError, name)


def test_manifest_bytes(deployments: Deployments) -> None:
    """The same with the manifest: each byte counts, except blanks."""
    deployments.save()
    text = deployments.place.files[NAME]
    for place in range(0, len(text), 41):
        for other in (text[:place], text[:place] + b"~" + text[place + 1 :]):
            if other.split() != text.split():
                deployments.place.files[NAME] = other
                with pytest.raises((BackupSpoiledError, BackupFormatError)):
                    deployments.restore()
    assert not any(deployments.new.stored.values())


@pytest.mark.parametrize(
    "text", [b"", b"null", b"[]", b"{}", b"{" * 3000, b"\xff", b'{"format": "1"}', b'{"format": 1}']
)
def test_no_manifest(deployments: Deployments, text: bytes) -> None:
    """What is no manifest is refused as one that cannot be read."""
    deployments.save()
    deployments.place.files[NAME] = text
    refused(deployments, BackupSpoiledError, "manifest.json cannot be read")


def test_missing(deployments: Deployments) -> None:
    """A file that is missing is named; without a manifest there is no backup."""
    manifest = deployments.save()
    name = manifest.files[-1].name
    content = deployments.place.files.pop(name)
    refused(deployments, BackupSpoiledError, f"{name} is missing")
    deployments.place.files[name] = content
    del deployments.place.files[NAME]
    refused(deployments, BackupMissingError, "no manifest.json")


def changed(deployments: Deployments, **parts: Any) -> None:
    """Change the manifest, and give it the right checksum."""
    data = json.loads(deployments.place.files[NAME])
    del data[DIGEST]
    data.update(parts)
    digest = sha256_of(json.dumps(data, sort_keys=True, separators=(",", ":")).encode())
    deployments.place.files[NAME] = json.dumps({**data, DIGEST: digest}).encode()


def test_unknown_format(deployments: Deployments) -> None:
    """A format of a later version is named with what to do."""
    deployments.save()
    changed(deployments, format=2)
    refused(deployments, BackupFormatError, "has format 2, and this version reads format 1")


def test_later_attributes(deployments: Deployments) -> None:
    """What a later version adds to the same format does no harm: more facts, and kinds that are not known here."""
    deployments.save()
    data = json.loads(deployments.place.files[NAME])
    counts = {**data["counts"], "audit": {"new kind": 3}}
    changed(deployments, more="facts", counts=counts, left_out={"new kind": 1})
    assert deployments.restore().kinds


@pytest.mark.parametrize(
    "parts",
    [
        {"counts": {}},
        {"counts": {"state": {"outcome": 1}}},
        {"counts": {"unknown": {}}},
        {"counts": {"state": {"outcome": -1}}},
        {"files": []},
        {"files": 7},
        {"of": {}},
    ],
)
def test_contradictions(deployments: Deployments, parts: dict[str, Any]) -> None:
    """A manifest that contradicts itself, or has other forms, is refused."""
    deployments.save()
    changed(deployments, **parts)
    refused(deployments, BackupSpoiledError, NAME)


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "state-0001-00000000.jsonl.gz\n", "manifest.json"])
def test_names_of_files(deployments: Deployments, name: str) -> None:
    """A manifest names no file outside of the backup."""
    deployments.save()
    data = json.loads(deployments.place.files[NAME])
    changed(deployments, files=[{**data["files"][0], "name": name}, *data["files"][1:]])
    refused(deployments, BackupSpoiledError, "other forms")


def replaced(deployments: Deployments, lines: bytes, *, zipped: bool = True) -> Manifest:
    """Replace the audit trail's file, with the right checksum."""
    manifest = deployments.save()
    (file,) = manifest.files_of(Table.AUDIT)
    content = gzip.compress(lines) if zipped else lines
    deployments.place.files[file.name] = content
    other = file.model_copy(update={"size": len(content), "sha256": sha256_of(content)})
    files = tuple(other if one is file else one for one in manifest.files)
    deployments.place.files[NAME] = to_text(manifest.model_copy(update={"files": files}))
    return manifest


@pytest.mark.parametrize(
    "line",
    [
        b"\n",
        b"x\n",
        b'{"Item": {}}\n',
        b'{"Item": {"pk": {"S": "a"}}}\n',
        b'{"Item": {"pk": {"S": "a"}, "sk": {"N": "1"}}}\n',
        b'{"Item": {"pk": {"S": "a"}, "sk": {"S": "b"}, "x": {"Q": "1"}}}\n',
        b'{"Item": {"pk": {"S": "a"}, "sk": {"S": "b"}, "x": {"S": "1", "N": "1"}}}\n',
        b'{"Item": {"pk": {"S": "a"}, "sk": {"S": "b"}, "x": {"B": "?"}}}\n',
        b'{"Item": {"pk": {"S": "a"}, "sk": {"S": "b"}, "x": {"N": 1}}}\n',
        b'{"Item": {"pk": {"S": "a"}, "sk": {"S": "b"}, "x": {"L": {"S": "a"}}}}\n',
        b'{"Item": ' + b'{"a":{"M":' * 3000 + b"\n",
    ],
)
def test_lines(deployments: Deployments, line: bytes) -> None:
    """A line that is no item of the table is refused, also with the right checksums."""
    replaced(deployments, line * 3)
    refused(deployments, BackupSpoiledError, "holds something else than items")


def test_not_compressed(deployments: Deployments) -> None:
    """A file that is not compressed is refused."""
    replaced(deployments, b'{"Item": {"pk": {"S": "a"}, "sk": {"S": "b"}}}\n' * 3, zipped=False)
    refused(deployments, BackupSpoiledError, "holds something else than items")


def test_another_number(deployments: Deployments) -> None:
    """A file with another number of items is refused."""
    replaced(deployments, b'{"Item": {"pk": {"S": "a"}, "sk": {"S": "b"}}}\n')
    refused(deployments, BackupSpoiledError, "holds 1 items instead of 3")


def test_changed_while_restoring(deployments: Deployments) -> None:
    """A file that changes after the check is seen before any of its items is put."""
    from contactsync.backups.choices import Wanted
    from contactsync.backups.restore import Restore
    from contactsync.errors import RestoreStoppedError
    from tests.unit.backups.conftest import NAMES

    manifest = deployments.save()
    step = Restore(deployments.new, NAMES, deployments.here, deployments.clock)
    backup = step.check(deployments.place, Wanted())
    (file,) = manifest.files_of(Table.AUDIT)
    deployments.place.files[file.name] += b"\0"
    with pytest.raises(RestoreStoppedError, match="is spoiled"):
        step.run(backup, Wanted())
    assert not deployments.new.stored[Table.AUDIT]

"""What of a release is not in the buckets yet, and under which keys and versions its files are there."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from contactsync.deployment.ports import Bucket
from contactsync.deployment.release import PLUGINS, REQUIREMENTS, SUBSCRIBERS, TRIGGER, Release, digest

DAGS_FOLDER: Final = "dags/"
FUNCTIONS: Final = "functions/"
SHORT: Final = 16
"""Characters of a digest in a key; Lambda sees a change only if the key is another one."""

VERSIONED: Final[Mapping[str, str]] = {"PluginsVersion": PLUGINS, "RequirementsVersion": REQUIREMENTS}
CODE: Final[Mapping[str, str]] = {"CodeKey": TRIGGER, "SubscriberCodeKey": SUBSCRIBERS}
PENDING: Final = "not-uploaded-"
"""How the version of a file begins that is uploaded after the preview: no version is known before."""


@dataclass(frozen=True)
class Put:
    """A file that is uploaded."""

    name: str
    """Its name among the packages; of a DAG file, its path there."""
    key: str
    content: bytes
    is_for_trigger: bool = False
    """Whether it goes to the bucket in the trigger's region."""


@dataclass(frozen=True)
class UploadPlan:
    """What is uploaded and deleted, and what the parameters about files are then."""

    puts: tuple[Put, ...] = ()
    removed: tuple[str, ...] = ()
    """Keys of DAG files that the release does not have."""
    values: Mapping[str, str] = field(default_factory=dict)
    """The values of the parameters about files, with placeholders for versions that are not known."""

    @property
    def is_empty(self) -> bool:
        """Whether nothing is uploaded or deleted."""
        return not (self.puts or self.removed)


def plan_uploads(release: Release, bucket: Bucket | None, trigger_bucket: Bucket | None) -> UploadPlan:
    """Compare a release with the buckets; None is a bucket that does not exist yet."""
    puts: list[Put] = []
    values = {parameter: key_of(release, name) for parameter, name in CODE.items()}
    for parameter, name in CODE.items():
        is_for_trigger = name == TRIGGER
        target = trigger_bucket if is_for_trigger else bucket
        if target is None or target.look(values[parameter]) is None:
            puts.append(Put(name, values[parameter], release.content(name), is_for_trigger))
    for parameter, name in VERSIONED.items():
        found = bucket.look(name) if bucket else None
        if found and found.sha256 == release.files[name] and found.version:
            values[parameter] = found.version
        else:
            puts.append(Put(name, name, release.content(name)))
            values[parameter] = f"{PENDING}{release.files[name][:SHORT]}"
    dags = release.dags()
    etags = {one.key: one.etag for one in bucket.listed(DAGS_FOLDER)} if bucket else {}
    puts += (put for put in _dags(dags) if etags.get(put.key) != _md5(put.content))
    removed = sorted(key for key in etags if key.removeprefix(DAGS_FOLDER) not in dags)
    return UploadPlan(tuple(puts), tuple(removed), values)


def upload(plan: UploadPlan, bucket: Bucket, trigger_bucket: Bucket) -> dict[str, str]:
    """Upload and delete what a plan says; return the values of the parameters about files.

    DAG files come last: the functions and plugins that belong to them are there already.
    """
    values = dict(plan.values)
    for put in plan.puts:
        target = trigger_bucket if put.is_for_trigger else bucket
        stored = target.put(put.key, put.content, sha256=digest(put.content))
        values |= {parameter: stored.version for parameter, name in VERSIONED.items() if name == put.name}
    if plan.removed:
        bucket.delete(plan.removed)
    return values


def key_of(release: Release, name: str) -> str:
    """Return the key of a function's zip file: another key for other bytes."""
    return f"{FUNCTIONS}{name.removesuffix('.zip')}-{release.files[name][:SHORT]}.zip"


def _dags(dags: Mapping[str, bytes]) -> Iterator[Put]:
    for path, content in sorted(dags.items()):
        yield Put(DAGS_FOLDER + path, DAGS_FOLDER + path, content)


def _md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()

"""Backups of an operation with ten thousand outcomes: all of them, and no more memory than for ten."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from contactsync.backups.kinds import Table
from contactsync.backups.ports import Put
from contactsync.services.services import Services
from tests.contract.conftest import adapters_on
from tests.support.restored import other_region, services_in
from tests.support.saved_items import counter, operation, outcome, record, text

SCENARIO = {"organization": {"accounts": 2}, "quotas": {"enabled": False}}
MANY = 10_000
WITHIN = 30 * 1024
"""Kilobytes that a process may need in addition: the files have 16 MB of lines."""

PATIENT = {"CONTACTSYNC_READ_TIMEOUT": "120", "CONTACTSYNC_MARK_WAIT": "200"}
"""moto needs long for a page of a large table while other processes use this machine."""

RUN = """
import pathlib, sys
from contactsync.cli.app import main
try:
    main()
finally:
    lines = pathlib.Path("/proc/self/status").read_text().splitlines()
    print(next(line for line in lines if line.startswith("VmHWM")), file=sys.stderr)
"""


@pytest.fixture(scope="module")
def services() -> Iterator[Services]:
    """Give a deployment with its environment."""
    with adapters_on(SCENARIO) as adapters:
        yield adapters.services


def command(*arguments: object) -> tuple[int, str]:
    """Run a command in a process of its own, and return the kilobytes that it needed, and what it said."""
    began = time.monotonic()
    answer = subprocess.run(
        [sys.executable, "-c", RUN, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **PATIENT},
        timeout=900,
    )
    assert answer.returncode == 0, answer.stderr
    *said, peak = answer.stderr.splitlines()
    return int(peak.split()[1]), f"{time.monotonic() - began:.0f} s: {' '.join(said)}"


def fill(services: Services, first: int, end: int) -> None:
    """Store an operation's outcomes and the accounts' records."""
    large = text("A sentence about the account. " * 20)
    items = [operation(), counter(3)]
    for number in range(first, end):
        items += [outcome(number, error_message=large), record(number)]
    for _ in services.whole_tables.put(Table.STATE, [Put(item, 2000) for item in items]):
        pass


@pytest.mark.long
@pytest.mark.timeout(2400)
def test_ten_thousand_outcomes(services: Services, tmp_path: Path) -> None:
    """Twenty thousand items are saved and restored, in about the memory that twenty need."""
    boto3.setup_default_session()
    few, whole = other_region(services), other_region(services)
    for region, number in ((few, 10), (whole, MANY)):
        fill(services_in(region), 0, number)
    folders: dict[str, Any] = {region: tmp_path / region for region in (few, whole)}
    saving = {region: command("--region", region, "backup", "--output", folders[region]) for region in folders}
    assert f"{2 * MANY + 2} items" in saving[whole][1]
    assert saving[whole][0] < saving[few][0] + WITHIN
    restoring = {
        region: command("--region", other_region(services), "restore", "--from", folders[region]) for region in folders
    }
    assert restoring[whole][0] < restoring[few][0] + WITHIN

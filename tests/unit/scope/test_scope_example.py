"""The worked example of docs/scope.md."""

import json
import re
from pathlib import Path

from contactsync.accounts import Account, AccountState
from contactsync.contacts import ContactType
from contactsync.operations.operation import OutcomeDetail
from tests.support.builders import MANAGEMENT_ACCOUNT, configuration
from tests.support.fakes.surroundings import FakeConfigurations, FakeOrganization
from tests.support.worlds.world import World

TEXT = (Path(__file__).parents[3] / "docs" / "scope.md").read_text()
WORDS = {None: "yes", OutcomeDetail.EXCLUDED: "excluded"}


def test_example() -> None:
    """The table of the documentation is what a plan with its configuration does."""
    (settings,) = re.findall(r"```json\n(.*?)```", TEXT, re.DOTALL)
    rows = [[cell.strip() for cell in row.split("|")[1:-1]] for row in re.findall(r"\| [0-9]{12} .*", TEXT)]
    assert len(rows) == 8
    members = [Account(row[0], "", AccountState.ACTIVE) for row in rows]
    world = World.of(0)
    world.configurations = FakeConfigurations([configuration(**json.loads(settings))])
    world.organization = FakeOrganization(
        [Account(MANAGEMENT_ACCOUNT, "management", AccountState.ACTIVE), *members],
        MANAGEMENT_ACCOUNT,
        places={row[0]: "" if row[1].startswith("(") else row[1] for row in rows},
        tags={row[0]: dict([row[2].split("=")]) for row in rows if row[2]},
    )
    world.plan()
    outcomes = world.outcomes()
    for account_id, *_, billing, security in rows:
        for kind, said in ((ContactType.BILLING, billing), (ContactType.SECURITY, security)):
            outcome = outcomes.get((account_id, kind))
            assert (WORDS[outcome.detail] if outcome else "-") == said, account_id

"""Worlds in which deletions are to be approved."""

from datetime import timedelta
from typing import Any, Final

from contactsync.contacts import ContactType
from tests.support.builders import account, contact_of
from tests.support.fakes.surroundings import START
from tests.support.worlds.world import World

SECURITY, BILLING, PRIMARY = ContactType.SECURITY, ContactType.BILLING, ContactType.PRIMARY
ONE, TWO, THREE = (account(number).account_id for number in (1, 2, 3))
BY: Final = "airflow:admin"
AT: Final = START + timedelta(minutes=5)


def world_without(*absent: ContactType, policy: str = "approve", **settings: Any) -> World:
    """Return three members that carry all contacts, and a management account that lacks some."""
    world = World.of(3, deletion={"policy": policy, "approval_timeout": 7200}, **settings)
    for contact_type in ContactType:
        for account_id in (ONE, TWO, THREE):
            world.contacts.stored[account_id, contact_type] = contact_of(contact_type)
    for contact_type in absent:
        del world.contacts.stored[None, contact_type]
    return world


def planned(*absent: ContactType, **settings: Any) -> World:
    """Return a world after the plan of a run for everything."""
    world = world_without(*absent, **settings)
    world.plan()
    return world

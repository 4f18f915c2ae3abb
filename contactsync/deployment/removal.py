"""All stacks of a deployment deleted, in reverse order; what holds data stays."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from contactsync.deployment.blueprint import Blueprint, WantedStack
from contactsync.deployment.live import LiveStack, Rest
from contactsync.deployment.ports import Stacks
from contactsync.deployment.preview import Row
from contactsync.deployment.stack_runs import StackRuns
from contactsync.errors import StacksProtectedError

KEPT_POLICIES: Final = frozenset({"Retain", "RetainExceptOnCreate"})

COMMANDS: Final[Mapping[str, str]] = {
    "AWS::DynamoDB::Table": "aws dynamodb delete-table --region {region} --table-name {name}",
    "AWS::KMS::Key": "aws kms schedule-key-deletion --region {region} --key-id {name}",
    "AWS::Logs::LogGroup": "aws logs delete-log-group --region {region} --log-group-name {name}",
    "AWS::S3::Bucket": "aws s3 rb --region {region} s3://{name} --force  # delete its old versions before",
    "AWS::SQS::Queue": "aws sqs delete-queue --region {region} --queue-url {name}",
    "AWS::SecretsManager::Secret": "aws secretsmanager delete-secret --region {region} --secret-id {name}",
}
"""How to remove what stays, by its type."""


@dataclass(frozen=True)
class Kept:
    """A resource that stays when its stack is deleted."""

    type: str
    name: str
    """Its name, ARN or URL: what AWS identifies it by."""
    command: str
    """How to remove it; empty if that is not known."""


class Removal:
    """The end of a deployment."""

    def __init__(self, blueprint: Blueprint, stacks: Mapping[str, Stacks], runs: StackRuns) -> None:
        """Take CloudFormation by region."""
        self._blueprint = blueprint
        self._stacks = stacks
        self._runs = runs

    def live(self) -> list[tuple[WantedStack, LiveStack]]:
        """Return the stacks that are there, the one that is deleted first at the beginning."""
        found = [(stack, self._runs.find(stack)) for stack in self._blueprint.possible]
        return [(stack, live) for stack, live in reversed(found) if live is not None]

    def rows(self, stacks: Sequence[tuple[WantedStack, LiveStack]]) -> Iterator[Row]:
        """Yield what happens to each resource of the templates."""
        for stack, live in stacks:
            kept = {resource for resource, _, _ in self._kept(stack, live)}
            for resource, kind, _ in self._stacks[stack.region].resources(live.stack_id):
                yield Row(stack.name, "keep" if resource in kept else "remove", resource, kind)

    def kept(self, stacks: Sequence[tuple[WantedStack, LiveStack]]) -> list[Kept]:
        """Return what stays; ask before anything is deleted."""
        return [
            Kept(kind, name, COMMANDS.get(kind, "").format(region=stack.region, name=name))
            for stack, live in stacks
            for _, kind, name in self._kept(stack, live)
        ]

    def check(self, stacks: Sequence[tuple[WantedStack, LiveStack]]) -> None:
        """Raise StacksProtectedError when the termination protection of one of them is on."""
        if protected := [live.name for _, live in stacks if live.is_protected]:
            raise StacksProtectedError(tuple(protected))

    def carry_out(self, stacks: Sequence[tuple[WantedStack, LiveStack]]) -> None:
        """Delete stacks one after the other; raise StacksProtectedError before any is, and StackFailedError."""
        self.check(stacks)
        for stack, _ in stacks:
            now = self._runs.wait(stack)
            if now is not None and now.rest is not Rest.MOVING:
                self._runs.remove(stack, now)

    def _kept(self, stack: WantedStack, live: LiveStack) -> Iterator[tuple[str, str, str]]:
        for resource, kind, name in self._stacks[stack.region].resources(live.stack_id):
            if stack.resources.get(resource, {}).get("DeletionPolicy") in KEPT_POLICIES:
                yield resource, kind, name

"""What the policies of the components allow, compared with what the components and AWS do; and the table of both."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from contactsync.sandbox.access.enforcement import RolePolicies
from contactsync.sandbox.access.needs import needs_afterwards, needs_of
from contactsync.sandbox.access.policies import NOT_LISTED, Decision, Grant, Need, Statement, decide
from contactsync.sandbox.access.role_policies import role_of, statements_of_role
from contactsync.sandbox.requests.call_log import ApiCall
from tests.support.permissions.aws_calls import ACCOUNT, AWS_CALLS, REGION, AwsCall
from tests.support.permissions.system import System

OWN_CALLS = "its own calls"
_SHORT = (
    (re.compile(r"contactsync-local(?=/)"), "contactsync-ENV-airflow"),
    (re.compile(r"contactsync-local"), "contactsync-ENV"),
    (re.compile(rf"-{ACCOUNT}-{REGION}"), "-ACCOUNT-REGION"),
    (re.compile(r"o-[a-z0-9]{10,32}(?=/)"), "ORGANIZATION"),
    (re.compile(r"key/[0-9a-f-]{36}"), "key/DESIRED-CONTACTS-KEY"),
    (re.compile(r"(fingerprint-key)-\w{6}\Z"), r"\1-??????"),
    (re.compile(rf"(?<=[.]){REGION}(?=[.])"), "REGION"),
    (re.compile(r"\Aarn:aws:([a-z0-9]+):[^:]*:[^:]*:"), r"\1 "),
)


@dataclass
class Component:
    """A component's policies, and what was seen of its use."""

    name: str
    statements: tuple[Statement, ...]
    used: dict[tuple[str, str], set[str]] = field(default_factory=lambda: defaultdict(set))
    """By statement and line (an action or a resource) the reasons: its own calls, or why AWS calls."""
    missing: list[str] = field(default_factory=list)
    """Needs of its calls that no statement allows."""

    def add_calls(self, calls: Iterable[ApiCall], around: RolePolicies) -> None:
        """Note what its own calls need."""
        surroundings = around.surroundings()
        for call in calls:
            needs = (
                *needs_of(call, call.caller_account, surroundings),
                *needs_afterwards(call, call.error_code, call.caller_account, surroundings),
            )
            for need in needs:
                if not self._note(need, OWN_CALLS).allowed:
                    self.missing.append(f"{need.action} on {need.resource}")

    def add_aws_call(self, call: AwsCall, outputs: Mapping[str, str]) -> Decision:
        """Note what AWS calls for it."""
        return self._note(Need(call.action, (call.resource.format_map(outputs),), call.context), call.reason)

    def _note(self, need: Need, reason: str) -> Decision:
        decision = decide(self.statements, need)
        denials = [found for one in self.statements if not one.allows and (found := one.grant(need))]
        for grant in (*decision.grants, *denials):
            self._use(grant, reason)
        return decision

    def _use(self, grant: Grant, reason: str) -> None:
        for line in (grant.action, grant.resource):
            self.used[f"{grant.policy}/{grant.statement}", line].add(reason)

    def unused(self) -> list[str]:
        """Return the actions and resources of its policies that nobody needs."""
        return [
            f"{self.name}: {name}: {line}"
            for one in self.statements
            for name in [f"{one.policy}/{one.name}"]
            for line in dict.fromkeys((*one.actions, *([NOT_LISTED] if one.not_resources else one.resources)))
            if not self.used.get((name, line))
        ]

    def rows(self) -> Iterator[str]:
        """Yield the table's rows: one for each statement, and one more where AWS needs some of its actions."""
        for one in self.statements:
            by_reason: dict[tuple[str, ...], list[str]] = defaultdict(list)
            for action in one.actions:
                reasons = self.used.get((f"{one.policy}/{one.name}", action), set())
                by_reason[tuple(sorted(reasons, key=lambda reason: (reason != OWN_CALLS, reason)))].append(action)
            for reasons, actions in by_reason.items():
                listed = ", ".join(f"`{action}`" for action in actions)
                verb = "" if one.allows else "denied: "
                cells = [self.name, one.name, f"{verb}{listed}", _resources(one), _conditions(one), "; ".join(reasons)]
                yield f"| {' | '.join(cells)} |"


def compared(system: System, roles: Mapping[str, str]) -> list[Component]:
    """Return the components, by the ARNs of their roles, with what the call log and the table of AWS's calls say."""
    sandbox = system.sandbox
    around = RolePolicies(sandbox.management_account, lambda: sandbox.organization.organization_id)
    components = []
    for name, arn in roles.items():
        session = f"{arn.replace(':iam:', ':sts:').replace(':role/', ':assumed-role/')}/"
        role = role_of(f"{session}session")
        component = Component(name, (statements_of_role(role) if role else None) or ())
        component.add_calls(sandbox.call_log.query(caller=session), around)
        for call in AWS_CALLS:
            if call.component == name:
                component.add_aws_call(call, sandbox.outputs)
        components.append(component)
    return components


def table(components: Iterable[Component]) -> str:
    """Return the table of all components."""
    head = "| who | statement | actions | on | only if | needed for |\n|---|---|---|---|---|---|\n"
    return head + "".join(f"{row}\n" for component in components for row in component.rows())


def _resources(statement: Statement) -> str:
    listed = ", ".join(f"`{_short(one)}`" for one in dict.fromkeys(statement.resources))
    return f"all but {listed}" if statement.not_resources else listed


def _conditions(statement: Statement) -> str:
    return "; ".join(
        f"{one.operator} `{one.key}`: {', '.join(f'`{_short(value)}`' for value in one.values)}"
        for one in statement.conditions
    )


def _short(resource: str) -> str:
    for pattern, short in _SHORT:
        resource = pattern.sub(short, resource)
    return resource

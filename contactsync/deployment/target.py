"""Where a deployment goes, and what people have given for it."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from contactsync.errors import ParameterRefusedError
from contactsync.stacks.stack_file import StackList
from contactsync.stacks.stacks import Region
from contactsync.stacks.templates import TemplateError, check_value

ALARM_TOPIC: Final = "AlarmTopicArn"

OWN: Final[Mapping[str, str]] = {
    "Environment": "it is the value of --environment",
    "ManagementAccountId": "it is the value of --account-id",
    "NoticesEmail": "it is the value of --notification-email",
    "OrganizationId": "it is that of the account's organization",
    **dict.fromkeys(
        (
            *("CodeBucket", "CodeKey", "SubscriberCodeKey", "DagsPath"),
            *("PluginsKey", "PluginsVersion", "RequirementsKey", "RequirementsVersion"),
        ),
        "deploy uploads the files, and knows where they are",
    ),
}
"""Parameters that nobody sets, and why."""


@dataclass(frozen=True)
class Target:
    """One deployment."""

    environment: str
    region: str
    """That of the MWAA environment."""
    account: str
    organization: str = ""
    """The organization's id."""
    email: str = ""
    given: Mapping[str, str] = field(default_factory=dict)
    """Values of parameters, of this command and of those before it; they win over all others."""

    @property
    def trigger_region(self) -> str:
        """The region where the events of contact changes arrive."""
        return Region.TRIGGER.of(self.region)

    @property
    def regions(self) -> tuple[str, ...]:
        """The regions with stacks, without repetition."""
        return tuple(dict.fromkeys((self.region, self.trigger_region)))

    @property
    def decided(self) -> dict[str, str]:
        """The values that nobody else decides."""
        values = {
            "Environment": self.environment,
            "ManagementAccountId": self.account,
            "OrganizationId": self.organization,
            "NoticesEmail": self.email,
        }
        return {name: value for name, value in values.items() if value}

    def given_in(self, region: str) -> dict[str, str]:
        """Return the given values that hold in a region: an alarm acts only on a topic of its own region."""
        return {
            name: value
            for name, value in self.given.items()
            if name != ALARM_TOPIC or not value or _region_of(value) == region
        }


def check_given(given: Mapping[str, str], listed: StackList, target: Target) -> None:
    """Raise ParameterRefusedError for a name that no template has, and for a value that one of them refuses."""
    for name, value in given.items():
        if name in OWN:
            raise ParameterRefusedError(name, f"nobody sets this parameter: {OWN[name]}")
        declarations = listed.declarations.get(name)
        if declarations is None:
            near = difflib.get_close_matches(name, [one for one in listed.declarations if one not in OWN], n=1)
            meant = f"; do you mean {near[0]}?" if near else "; docs/stacks.md names the templates"
            raise ParameterRefusedError(name, f"no template has a parameter of this name{meant}")
        for declaration in declarations:
            _check(name, value, declaration)
        if name == ALARM_TOPIC and value and _region_of(value) not in target.regions:
            there = " or ".join(target.regions)
            raise ParameterRefusedError(name, f"a topic in {there} is expected, where the alarms are")


def _check(name: str, value: str, declaration: Mapping[str, Any]) -> None:
    try:
        check_value("", name, value, declaration)
    except TemplateError as error:
        raise ParameterRefusedError(name, error.reason.removeprefix(f"parameter {name}: ")) from None


def _region_of(arn: str) -> str:
    parts = arn.split(":")
    return parts[3] if len(parts) > 3 else ""  # noqa: PLR2004 -- arn:PARTITION:SERVICE:REGION:...

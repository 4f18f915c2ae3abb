"""The configuration of contact synchronization: its schema, its defaults and what is wrong with a given one."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from contactsync.contacts import ContactType
from contactsync.errors import ConfigurationInvalidError
from contactsync.sync.bounds import RETRIES_LIMIT
from contactsync.sync.breaker import BreakerConfig
from contactsync.sync.configuration_problems import problems_of
from contactsync.sync.rates import RatesConfig
from contactsync.sync.scope import ScopeConfig
from contactsync.sync.section import AccountId, Section


def _distinct(contact_types: tuple[ContactType, ...]) -> tuple[ContactType, ...]:
    if len(set(contact_types)) < len(contact_types):
        message = "a contact type stands there twice"
        raise ValueError(message)
    return contact_types


class DeletionPolicy(StrEnum):
    """What a deleted contact of the management account means for the member accounts."""

    APPROVE = "approve"
    PROPAGATE = "propagate"
    IGNORE = "ignore"


class RetryConfig(Section):
    """How often and how soon a failed account is tried again; delays in seconds, doubling from `base_delay`."""

    max_attempts: Annotated[int, Field(ge=0, le=RETRIES_LIMIT, strict=True)] = 3
    base_delay: Annotated[float, Field(gt=0, le=3600, allow_inf_nan=False)] = 2
    max_delay: Annotated[float, Field(gt=0, le=86400, allow_inf_nan=False)] = 60

    @model_validator(mode="after")
    def _delays_fit(self) -> "RetryConfig":
        if self.max_delay < self.base_delay:
            message = "max_delay must not be less than base_delay"
            raise ValueError(message)
        return self

    def delay(self, retry: int) -> float:
        """Return the wait in seconds before retry number 1, 2, 3, ..."""
        return float(min(self.base_delay * 2 ** (retry - 1), self.max_delay))


NoticeScenario = Literal[
    "complete_failure",
    "permission_errors",
    "system_errors",
    "partial_failure",
    "configuration_errors",
    "success_completion",
]


class NotificationRules(Section):
    """Which notice scenario has which priority."""

    high_priority: tuple[NoticeScenario, ...] = ("complete_failure", "permission_errors", "system_errors")
    medium_priority: tuple[NoticeScenario, ...] = ("partial_failure", "configuration_errors")
    low_priority: tuple[NoticeScenario, ...] = ("success_completion",)


class UserNotificationsConfig(Section):
    """Where AWS User Notifications delivers."""

    notification_hub_region: Annotated[str, Field(pattern=r"^[a-z]{2}(-[a-z]+)+-[0-9]$")] = "us-east-1"
    delivery_channels: tuple[Literal["EMAIL", "SMS", "SLACK"], ...] = ("EMAIL",)
    notification_rules: NotificationRules = NotificationRules()


class NotificationSettings(Section):
    """Who is told about what, and from how many failed outcomes on an operation counts as failed."""

    user_notifications_config: UserNotificationsConfig = UserNotificationsConfig()
    fallback_sns_topic: Annotated[str, Field(pattern=r"^arn:[a-z-]+:sns:[a-z0-9-]+:[0-9]{12}:.+$")] | None = None
    notify_on_failure: bool = True
    notify_on_success: bool = False
    notify_on_partial_failure: bool = True
    failure_threshold: Annotated[int, Field(ge=1, le=1_000_000, strict=True)] = 1


class DeletionConfig(Section):
    """How deletions are treated; only the three alternate contacts can be deleted."""

    policy: DeletionPolicy = DeletionPolicy.APPROVE
    approval_timeout: Annotated[float, Field(ge=1, le=30 * 86_400, allow_inf_nan=False)] = 86_400
    """How long a run waits for the approval of its deletions, in seconds; then they are rejected."""


class Configuration(Section):
    """The settings that operators change while the product runs (names: source document 000)."""

    contact_types: Annotated[tuple[ContactType, ...], Field(min_length=1), AfterValidator(_distinct)] = tuple(
        ContactType
    )
    excluded_accounts: tuple[AccountId, ...] = ()
    scope: ScopeConfig = ScopeConfig()
    retry_config: RetryConfig = RetryConfig()
    notification_settings: NotificationSettings = NotificationSettings()
    deletion: DeletionConfig = DeletionConfig()
    rates: RatesConfig = RatesConfig()
    breaker: BreakerConfig = BreakerConfig()


class StoredConfiguration(BaseModel):
    """A configuration with the version it is stored under; versions count from 1."""

    model_config = ConfigDict(frozen=True)

    version: int
    settings: Configuration


def parse_configuration(data: object, *, version: int | None = None) -> Configuration:
    """Validate plain data; raise ConfigurationInvalidError that lists every problem with the field it is in."""
    if not isinstance(data, Mapping):
        raise ConfigurationInvalidError(problems=["it is not an object"], version=version)
    try:
        return Configuration.model_validate(data)
    except ValidationError as error:
        raise ConfigurationInvalidError(problems=list(problems_of(error, Configuration)), version=version) from None

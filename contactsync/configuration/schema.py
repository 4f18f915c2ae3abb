"""The configuration of contact synchronization: its schema, its defaults and the problems of a given one."""

import hashlib
import json
import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, Final, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from contactsync.account_management.quotas import RatesConfig
from contactsync.contacts import ContactType, PhoneComparison
from contactsync.errors import ConfigurationInvalidError
from contactsync.limits import RETRIES_LIMIT
from contactsync.pacing.breaker import BreakerConfig
from contactsync.scope.rules import ScopeConfig
from contactsync.sections.problems import problems_of
from contactsync.sections.section import AccountId, Section

_DIGEST_LENGTH: Final = 16
"""Hexadecimal digits: enough, since whoever could make two versions equal on purpose could also just store one."""

Named = TypeVar("Named", bound=StrEnum)


def _distinct(names: tuple[Named, ...]) -> tuple[Named, ...]:
    for name in names:
        if names.count(name) > 1:
            message = f"{name} is there twice"
            raise ValueError(message)
    return names


class DeletionPolicy(StrEnum):
    """What a deleted contact of the management account means for the member accounts."""

    APPROVE = "approve"
    PROPAGATE = "propagate"
    IGNORE = "ignore"


class RetryConfig(Section):
    """How often and when a failed account is tried again; delays in seconds, doubling from `base_delay`."""

    max_attempts: Annotated[int, Field(ge=0, le=RETRIES_LIMIT, strict=True)] = 3
    """Number of retries after the first try."""
    base_delay: Annotated[float, Field(gt=0, le=3600, allow_inf_nan=False)] = 2
    """Seconds before the first retry."""
    max_delay: Annotated[float, Field(gt=0, le=86400, allow_inf_nan=False)] = 60
    """Seconds before a retry at most."""

    @model_validator(mode="after")
    def _delays_fit(self) -> "RetryConfig":
        if self.max_delay < self.base_delay:
            message = "max_delay must not be less than base_delay"
            raise ValueError(message)
        return self

    def no_sooner_than(self, seconds: float) -> "RetryConfig":
        """Return the same with delays of at least `seconds`."""
        delays = {"base_delay": max(self.base_delay, seconds), "max_delay": max(self.max_delay, seconds)}
        return self.model_copy(update=delays)

    def delay(self, retry: int) -> float:
        """Return the wait in seconds before retry number 1, 2, 3, ..."""
        return float(min(self.base_delay * 2 ** (retry - 1), self.max_delay))


class NoticeScenario(StrEnum):
    """What a notice is about: first the six of the notification settings, then those that were added later."""

    COMPLETE_FAILURE = "complete_failure"
    PERMISSION_ERRORS = "permission_errors"
    SYSTEM_ERRORS = "system_errors"
    PARTIAL_FAILURE = "partial_failure"
    CONFIGURATION_ERRORS = "configuration_errors"
    SUCCESS_COMPLETION = "success_completion"
    HALTED = "halted"
    APPROVAL_WAITING = "approval_waiting"
    OVERDUE = "overdue"
    DELIVERY_TROUBLE = "delivery_trouble"


class DeliveryChannel(StrEnum):
    """How a notice reaches people; SLACK and TEAMS are chat rooms of Amazon Q Developer."""

    EMAIL = "EMAIL"
    SMS = "SMS"
    SLACK = "SLACK"
    TEAMS = "TEAMS"


class NotificationRules(Section):
    """Which notice scenario has which priority.

    A list that is not given has its default, without the scenarios that the given lists name.
    """

    high_priority: tuple[NoticeScenario, ...] = (
        NoticeScenario.COMPLETE_FAILURE,
        NoticeScenario.PERMISSION_ERRORS,
        NoticeScenario.SYSTEM_ERRORS,
    )
    medium_priority: tuple[NoticeScenario, ...] = (
        NoticeScenario.PARTIAL_FAILURE,
        NoticeScenario.CONFIGURATION_ERRORS,
    )
    low_priority: tuple[NoticeScenario, ...] = (NoticeScenario.SUCCESS_COMPLETION,)

    @model_validator(mode="before")
    @classmethod
    def _defaults_give_way(cls, data: Any) -> Any:  # noqa: ANN401 -- pydantic hands over whatever it was given
        if not isinstance(data, Mapping):
            return data
        lists = [data[key] for key in cls.model_fields if isinstance(data.get(key), list | tuple)]
        named = [scenario for given in lists for scenario in given]
        absent = {key: field.default for key, field in cls.model_fields.items() if key not in data}
        return {**data, **{key: [one for one in default if one not in named] for key, default in absent.items()}}

    @model_validator(mode="after")
    def _one_priority_each(self) -> "NotificationRules":
        places = [(scenario, key) for key in type(self).model_fields for scenario in getattr(self, key)]
        for scenario in NoticeScenario:
            keys = [key for named, key in places if named is scenario]
            if len(keys) > 1:
                message = f"{scenario} is in {' and in '.join(keys)}; a scenario has one priority, name it once"
                raise ValueError(message)
        return self


def _some_channel(channels: tuple[DeliveryChannel, ...]) -> tuple[DeliveryChannel, ...]:
    if not channels:
        message = "names no channel, so nobody would get notices; to get fewer notices, use the keys notify_on_..."
        raise ValueError(message)
    return channels


REGION: Final = r"[a-z]{2,5}(-[a-z]+)+-[0-9]+"
"""Regions of all partitions have this form: eu-west-1, us-gov-west-1, cn-north-1, eusc-de-east-1."""

TOPIC: Final = re.compile(rf"arn:aws(-[a-z]+)*:sns:{REGION}:[0-9]{{12}}:[A-Za-z0-9_-]{{1,256}}", re.ASCII)


def _a_region(text: str) -> str:
    if not re.fullmatch(REGION, text, re.ASCII):
        message = "must be the name of a region, such as eu-west-1"
        raise ValueError(message)
    return text


def _a_topic(text: str) -> str:
    if text.endswith(".fifo"):
        message = "must be a standard topic: a FIFO topic delivers to queues, not to people"
        raise ValueError(message)
    if not TOPIC.fullmatch(text):
        message = "must be the ARN of an SNS topic, such as arn:aws:sns:eu-west-1:111122223333:fallback"
        raise ValueError(message)
    return text


class UserNotificationsConfig(Section):
    """On which channels people get notices, with which priority, and where AWS User Notifications delivers."""

    notification_hub_region: Annotated[str, AfterValidator(_a_region)] = "us-east-1"
    delivery_channels: Annotated[
        tuple[DeliveryChannel, ...], AfterValidator(_some_channel), AfterValidator(_distinct)
    ] = (DeliveryChannel.EMAIL,)
    notification_rules: NotificationRules = NotificationRules()


class NotificationSettings(Section):
    """Who gets which notices, and how many failed outcomes make an operation fail."""

    user_notifications_config: UserNotificationsConfig = UserNotificationsConfig()
    fallback_sns_topic: Annotated[str, AfterValidator(_a_topic)] | None = None
    notify_on_failure: bool = True
    notify_on_success: bool = False
    notify_on_partial_failure: bool = True
    failure_threshold: Annotated[int, Field(ge=1, le=1_000_000, strict=True)] = 1
    """Number of failed outcomes from which on an operation counts as failed."""


class DeletionConfig(Section):
    """How deletions are treated; only the three alternate contacts can be deleted."""

    policy: DeletionPolicy = DeletionPolicy.APPROVE
    approval_timeout: Annotated[float, Field(ge=1, le=30 * 86_400, allow_inf_nan=False)] = 86_400
    """Seconds for which a run waits for the approval of its deletions; after that they are rejected."""


class Configuration(Section):
    """The settings that operators change while the product runs."""

    contact_types: Annotated[tuple[ContactType, ...], Field(min_length=1), AfterValidator(_distinct)] = tuple(
        ContactType
    )
    excluded_accounts: tuple[AccountId, ...] = ()
    scope: ScopeConfig = ScopeConfig()
    retry_config: RetryConfig = RetryConfig()
    notification_settings: NotificationSettings = NotificationSettings()
    deletion: DeletionConfig = DeletionConfig()
    phone_comparison: PhoneComparison = PhoneComparison.DIGITS
    """Whether accounts are changed when a telephone number is only written in another way."""
    rates: RatesConfig = RatesConfig()
    breaker: BreakerConfig = BreakerConfig()

    @property
    def rules_digest(self) -> str:
        """A digest of the rules about accounts; after a restore, other rules may be stored under the same number."""
        rules = [self.scope.model_dump(mode="json", exclude_defaults=True), sorted(self.excluded_accounts)]
        return hashlib.sha256(json.dumps(rules, sort_keys=True).encode()).hexdigest()[:_DIGEST_LENGTH]

    @property
    def retries(self) -> RetryConfig:
        """The retries, with no delay shorter than the clocks of workers may differ.

        Of two tries of an account the one that started later counts, each by the clock of its worker.
        """
        return self.retry_config.no_sooner_than(self.rates.clock_skew)


class StoredConfiguration(BaseModel):
    """A configuration with the version under which it is stored."""

    model_config = ConfigDict(frozen=True)

    version: int
    """Its number; versions count from 1."""
    configuration: Configuration


def parse_configuration(data: object, *, version: int | None = None) -> Configuration:
    """Validate plain data; raise ConfigurationInvalidError with every problem and its field."""
    if not isinstance(data, Mapping):
        raise ConfigurationInvalidError(problems=["it is not an object"], version=version)
    try:
        return Configuration.model_validate(data)
    except ValidationError as error:
        raise ConfigurationInvalidError(problems=list(problems_of(error, Configuration)), version=version) from None

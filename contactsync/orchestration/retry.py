"""Retries by Airflow: which failures are tried again, and after how long."""

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import RetryDecision, RetryPolicy

from contactsync.errors import ContactSyncError
from contactsync.errors.clearing import CLEAR_RUN

if TYPE_CHECKING:
    from airflow.sdk import Context

RETRY_CONFIG_KEY = "contactsync_retry_config"
"""Where a task puts, in its own context, the retry_config of the operation's configuration version."""


_AFTERWARDS = f"When the cause is fixed, {CLEAR_RUN}."


class ContactSyncRetryPolicy(RetryPolicy):
    """The retry policy: a failure that another try cannot fix ends the task; others follow the plan's `retry_config`.

    `retries` is the task's own number, the upper bound for every configuration. A failure before the configuration was
    read waits for the task's normal retry delay.
    """

    def __init__(self, retries: int) -> None:
        """Take the task's number of retries."""
        self._retries = retries

    def evaluate(
        self, exception: BaseException, try_number: int, max_tries: int, context: "Context | None" = None
    ) -> RetryDecision:
        """Count retries from the last clear: try_number and max_tries both keep growing over clears."""
        if isinstance(exception, ContactSyncError) and not exception.retryable:
            return RetryDecision.fail(f"{exception.code}: trying again cannot help. {exception.afterwards}".rstrip())
        config: Any = (context or {}).get(RETRY_CONFIG_KEY)
        if config is None:
            return RetryDecision.default()
        retry = try_number - (max_tries - self._retries)
        if retry > config.max_attempts:
            then = exception.afterwards if isinstance(exception, ContactSyncError) else _AFTERWARDS
            return RetryDecision.fail(
                f"all {config.max_attempts} retries of the configuration are used. {then}".rstrip()
            )
        return RetryDecision.retry(timedelta(seconds=config.delay(retry)), f"retry {retry} of {config.max_attempts}")

    def serialize(self) -> dict[str, Any]:
        """Return what deserialize needs."""
        return {"retries": self._retries}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> "ContactSyncRetryPolicy":
        """Read what `serialize` wrote."""
        return cls(data["retries"])

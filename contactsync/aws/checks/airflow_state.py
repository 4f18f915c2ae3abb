"""An MWAA environment, and what its parts logged when they installed requirements."""

from typing import Any, Final

from contactsync.aws.checks.calls import Calls
from contactsync.checks.health_ports import AirflowState
from contactsync.errors import ResourceMissingError

STREAMS: Final = "requirements_install"
"""How the names of the log streams of installations begin."""

LINES: Final = 10_000
"""Lines that CloudWatch Logs returns at most in one answer; pip's errors are at the end."""

_FILES: Final = (("PluginsS3Path", "PluginsS3ObjectVersion"), ("RequirementsS3Path", "RequirementsS3ObjectVersion"))


class MwaaState:
    """MWAA and CloudWatch Logs."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def environment(self, region: str, name: str) -> AirflowState | None:
        """Return an environment; None when there is none."""
        try:
            found = self._calls.call("mwaa", region, "GetEnvironment", Name=name)["Environment"]
        except ResourceMissingError:
            return None
        update: dict[str, Any] = found.get("LastUpdate") or {}
        error: dict[str, str] = update.get("Error") or {}
        return AirflowState(
            found.get("Status", "UNKNOWN"),
            update.get("Status", ""),
            ": ".join(filter(None, (error.get("ErrorCode"), error.get("ErrorMessage")))),
            found.get("SourceBucketArn", "").rpartition(":")[2],
            {found[key]: found[version] for key, version in _FILES if found.get(key) and found.get(version)},
        )

    def installation_log(self, region: str, name: str, part: str) -> list[str] | None:
        """Return the end of the newest stream; a log group that is not there has none."""
        group = f"airflow-{name}-{part}"
        try:
            stream = self._newest(region, group)
        except ResourceMissingError:
            return None
        if stream is None:
            return None
        answer = self._calls.call(
            "logs", region, "GetLogEvents", logGroupName=group, logStreamName=stream, startFromHead=False, limit=LINES
        )
        return [str(event["message"]) for event in answer["events"]]

    def _newest(self, region: str, group: str) -> str | None:
        """Return the stream with the newest line: CloudWatch orders streams by time only without a prefix."""
        listed = self._calls.pages(
            "logs", region, "DescribeLogStreams", "logStreams", logGroupName=group, logStreamNamePrefix=STREAMS
        )
        newest = max(
            listed, key=lambda one: one.get("lastEventTimestamp") or one.get("creationTime") or 0, default=None
        )
        return str(newest["logStreamName"]) if newest else None

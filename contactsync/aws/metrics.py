"""Metrics of contactsync in CloudWatch; no other work waits for them or fails because of them."""

import atexit
import json
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from queue import Full, Queue
from typing import TYPE_CHECKING, Any, Final

from contactsync.aws.sdk.error_codes import translated
from contactsync.bus.ports import Metrics
from contactsync.errors import AwsCallError

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient

log = logging.getLogger(__name__)

NAMESPACE: Final = "ContactSync"
"""The namespace; alarms in infra/ use it, and a test compares them with the metric names that are recorded."""

LONGEST_QUEUE: Final = 100
"""Number of values that wait for CloudWatch at most; while it does not answer, later ones are dropped."""

AT_END: Final = 2.0
"""Seconds for which a process waits at its end for values that are not recorded yet."""


class CloudWatchMetrics:
    """Metrics with one dimension, Environment; `record` waits for CloudWatch, so use it in BackgroundMetrics."""

    def __init__(self, client: "CloudWatchClient", environment: str) -> None:
        self._client = client
        self._environment = environment

    def record(self, values: Mapping[str, float]) -> None:
        """Put all values with one call; errors are logged, because nothing else may fail because of a metric."""
        try:
            with translated("PutMetricData"):
                self._client.put_metric_data(
                    Namespace=NAMESPACE,
                    MetricData=[
                        {
                            "MetricName": name,
                            "Value": value,
                            "Unit": "Seconds" if name.endswith("Time") else "Count",
                            "Dimensions": [{"Name": "Environment", "Value": self._environment}],
                        }
                        for name, value in values.items()
                    ],
                )
        except AwsCallError as error:
            log.warning("Metrics %s were not recorded: %s", ", ".join(values), error)


class BackgroundMetrics:
    """Metrics that a thread records, so that the caller does not wait; at its end the process waits for a moment.

    The thread is started by the process that records first: workers fork, and a fork does not copy threads.
    """

    def __init__(self, recorder: Metrics, *, at_end: float = AT_END) -> None:
        """Take a recorder, which may be slow."""
        self._recorder = recorder
        self._at_end = at_end
        self._process: int | None = None
        self._waiting: Queue[Mapping[str, float]] = Queue()

    def record(self, values: Mapping[str, float]) -> None:
        """Give values to the thread, unless too many wait already."""
        if self._process != os.getpid():
            self._begin()
        try:
            self._waiting.put_nowait(dict(values))
        except Full:
            log.warning("Metrics %s are left out: CloudWatch does not answer", ", ".join(values))

    def flush(self, seconds: float) -> bool:
        """Wait at most so many seconds until everything is recorded; return whether it is."""
        if self._process != os.getpid():
            return True
        end = time.monotonic() + seconds
        waiting = self._waiting
        with waiting.all_tasks_done:
            while waiting.unfinished_tasks and (left := end - time.monotonic()) > 0:
                waiting.all_tasks_done.wait(left)
            return not waiting.unfinished_tasks

    def _begin(self) -> None:
        self._process = os.getpid()
        self._waiting = Queue(LONGEST_QUEUE)
        threading.Thread(target=self._run, args=(self._waiting,), name="contactsync-metrics", daemon=True).start()
        atexit.register(self._end)

    def _run(self, waiting: Queue[Mapping[str, float]]) -> None:
        while True:
            values = waiting.get()
            try:
                self._recorder.record(values)
            except Exception:  # without this the thread would end, and nothing more would be recorded
                log.exception("Metrics %s were not recorded", ", ".join(values))
            finally:
                waiting.task_done()

    def _end(self) -> None:
        self.flush(self._at_end)


class EmbeddedMetrics:
    """Metrics of a Lambda function: a line in its log that CloudWatch turns into metrics, without a call.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
    """

    def __init__(self, environment: str, write: Callable[[str], Any] | None = None) -> None:
        self._environment = environment
        self._write = write

    def record(self, values: Mapping[str, float]) -> None:
        """Write the line."""
        metrics = [{"Name": name, "Unit": "Seconds" if name.endswith("Time") else "Count"} for name in values]
        about = {"Namespace": NAMESPACE, "Dimensions": [["Environment"]], "Metrics": metrics}
        head = {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [about]}
        line = json.dumps({"_aws": head, "Environment": self._environment, **values})
        with suppress(OSError):  # nothing else may fail because of a metric
            (self._write or sys.stdout.write)(f"{line}\n")
            sys.stdout.flush()

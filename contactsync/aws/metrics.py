"""Metrics of this product in CloudWatch."""

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from contactsync.aws.error_codes import translated
from contactsync.errors import AwsCallError

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient

log = logging.getLogger(__name__)

NAMESPACE: Final = "ContactSync"
"""Alarms in infra/ name it; a test holds them to the metric names that are recorded."""


class CloudWatchMetrics:
    """Metrics with one dimension, Environment."""

    def __init__(self, client: "CloudWatchClient", environment: str) -> None:
        """Take the environment's name."""
        self._client = client
        self._environment = environment

    def record(self, values: Mapping[str, float]) -> None:
        """Put all values with one call; nothing else may fail because of a metric."""
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

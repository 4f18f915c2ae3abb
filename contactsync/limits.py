"""Bounds that the configuration's validation and Airflow's tasks share; standard library only, for DAG parsing."""

from typing import Final

RETRIES_LIMIT: Final = 10
"""The most retries a configuration may ask for: the `retries` of the task sync_account is this bound."""

FOLLOW_UPS_LIMIT: Final = 10
"""The most follow-up runs that may be allowed to follow each other."""

PRINCIPAL_LETTERS: Final = "[A-Za-z0-9+=,.@_/:%-]{1,512}"
"""What an ARN and the other names of callers are made of; the percent sign stands for what else a name may hold."""

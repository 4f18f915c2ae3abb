"""Bounds that the configuration's validation and Airflow's tasks share; standard library only, for DAG parsing."""

from typing import Final

RETRIES_LIMIT: Final = 10
"""Retries that a configuration may ask for at most; it is also the `retries` of the task sync_account."""

FOLLOW_UPS_LIMIT: Final = 10
"""Follow-up runs in a row that may be allowed at most."""

PRINCIPAL_LETTERS: Final = "[A-Za-z0-9+=,.@_/:%-]{1,512}"
"""The characters of ARNs and of other names of callers; the percent sign encodes any other character of a name."""

"""The environment's variables of contactsync, also where an option of Airflow sets them; standard library only.

An option of Airflow, such as `contactsync.state_table` of an MWAA environment, arrives as the variable
AIRFLOW__CONTACTSYNC__STATE_TABLE.
"""

import os
from collections.abc import Mapping
from typing import Final

PREFIX: Final = "CONTACTSYNC_"
OPTION_PREFIX: Final = "AIRFLOW__CONTACTSYNC__"


def is_own(name: str) -> bool:
    """Return whether a variable is one of contactsync's, in either form."""
    return name.startswith((PREFIX, OPTION_PREFIX))


def own_variables(environ: Mapping[str, str]) -> dict[str, str]:
    """Return contactsync's variables by their names CONTACTSYNC_*, beside the options that they came from.

    A variable that is set and not blank wins over the option with its name.
    """
    own = {name: value for name, value in environ.items() if is_own(name)}
    for name, value in list(own.items()):
        variable = PREFIX + name.removeprefix(OPTION_PREFIX)
        if name.startswith(OPTION_PREFIX) and not own.get(variable, "").strip():
            own[variable] = value
    return own


def value_of(variable: str, environ: Mapping[str, str] = os.environ) -> str:
    """Return the value of a variable CONTACTSYNC_*, or of the option with its name; empty when neither is set."""
    option = OPTION_PREFIX + variable.removeprefix(PREFIX)
    return environ.get(variable, "").strip() or environ.get(option, "").strip()

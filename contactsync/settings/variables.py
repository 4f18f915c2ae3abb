"""The environment's variables, read one by one."""

from collections.abc import Mapping

from contactsync.errors import SettingsError
from contactsync.own_variables import OPTION_PREFIX, PREFIX


class Variables:
    """The environment's CONTACTSYNC_* variables; problems are collected, and a wrong variable reads as a blank one."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._problems: dict[str, str] = {}
        self.asked: dict[str, None] = {}

    def check(self) -> None:
        """Raise SettingsError for all problems."""
        if self._problems:
            raise SettingsError.of(self._problems)

    def refuse(self, name: str, problem: str) -> None:
        """Record what is wrong with a variable; its first problem counts."""
        self._problems.setdefault(PREFIX + name, problem)

    def optional(self, name: str) -> str | None:
        """Return a value; None when it is blank or not set."""
        self.asked[PREFIX + name] = None
        return self._environ.get(PREFIX + name, "").strip() or None

    def not_an_option(self, name: str) -> None:
        """Refuse a secret that is set as an option of Airflow, where more people can read it than workers need it."""
        option = OPTION_PREFIX + name
        if self._environ.get(option, "").strip():
            where = f"is a secret and must not be an option of Airflow ({option}), which many people can read"
            self.refuse(name, f"{where}; name a secret with the option contactsync.fingerprint_secret")

    def required(self, name: str) -> str:
        """Return a value that has to be set."""
        value = self.optional(name)
        if value is None:
            self.refuse(name, "is not set")
        return value or ""

    def number(self, name: str, default: float, *, least: float, most: float = 3600) -> float:
        """Return a number from `least` to `most`."""
        text = self.optional(name)
        if text is None:
            return default
        try:
            value = float(text)
        except ValueError:
            self.refuse(name, "is not a number")
            return default
        if not least <= value <= most:
            self.refuse(name, f"must be a number from {least:g} to {most:g}")
            return default
        return value

    def flag(self, name: str) -> bool:
        """Return whether the value is `true`; not set means `false`."""
        text = self.optional(name)
        if text not in {None, "true", "false"}:
            self.refuse(name, "must be true or false")
        return text == "true"

    def whole(self, name: str, default: int, *, least: int, most: int = 3600) -> int:
        """Return a whole number from `least` to `most`."""
        return int(self.number(name, default, least=least, most=most))

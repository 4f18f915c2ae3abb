"""The options of the MWAA environment as infra/airflow.yaml gives them to Airflow, under values for its parameters."""

from collections.abc import Mapping
from typing import Any

from contactsync.stacks.stack_file import StackList


def option_values(listed: StackList, given: Mapping[str, str]) -> dict[str, str]:
    """Return AirflowConfigurationOptions by their names, such as `core.parallelism`; parameters have their defaults."""
    template: Any = listed.templates["airflow.yaml"]
    defaults = {name: str(one["Default"]) for name, one in template["Parameters"].items() if "Default" in one}
    resolver = _Resolver(template, defaults | dict(given))
    options = template["Resources"]["Airflow"]["Properties"]["AirflowConfigurationOptions"]
    resolved = {name: resolver.value(one) for name, one in options.items()}
    return {name: str(one) for name, one in resolved.items() if one is not None}


def variables(options: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that MWAA makes of options."""
    return {f"AIRFLOW__{name.replace('.', '__', 1).upper()}": value for name, value in options.items()}


class _Resolver:
    """The functions of CloudFormation that the options use."""

    def __init__(self, template: Mapping[str, Any], values: Mapping[str, str]) -> None:
        self._template, self._values = template, values

    def value(self, given: Any) -> Any:
        """Return what a function stands for; None for AWS::NoValue."""
        match given:
            case {"Ref": "AWS::NoValue"}:
                return None
            case {"Ref": name}:
                return self._values[name]
            case {"Fn::If": [name, then, otherwise]}:
                return self.value(then if self._holds(self._template["Conditions"][name]) else otherwise)
            case {"Fn::FindInMap": [name, key, column]}:
                return self._template["Mappings"][name][self.value(key)][column]
        assert not isinstance(given, dict), given
        return given

    def _holds(self, condition: Any) -> bool:
        match condition:
            case {"Fn::Equals": [one, other]}:
                return self.value(one) == self.value(other)
            case {"Fn::Not": [other]}:
                return not self._holds(other)
        raise AssertionError(condition)

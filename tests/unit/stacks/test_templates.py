"""Templates as data: how they are read, and which values a parameter takes."""

from pathlib import Path
from typing import Any

import pytest

from contactsync.stacks.templates import TemplateError, check_value, load

RESOURCES = "Resources: {Queue: {Type: AWS::SQS::Queue}}\n"


def written(folder: Path, content: str) -> Path:
    """Write a template."""
    path = folder / "one.yaml"
    path.write_text(content, encoding="utf-8")
    return path


def test_short_forms(tmp_path: Path) -> None:
    """Short function forms become their long forms, nested ones too."""
    content = "Resources: {A: {Properties: {B: !Sub [!Ref C, {D: !GetAtt E.F.G}], H: !If [I, !Ref AWS::NoValue, 1]}}}\n"
    assert load(written(tmp_path, content))["Resources"]["A"]["Properties"] == {
        "B": {"Fn::Sub": [{"Ref": "C"}, {"D": {"Fn::GetAtt": ["E", "F.G"]}}]},
        "H": {"Fn::If": ["I", {"Ref": "AWS::NoValue"}, 1]},
    }


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "a template needs Resources"),
        ("Resources: []\n", "a template needs Resources"),
        ("Resources: {Queue: x}\n", "Resources is a map of names, each with a map"),
        (f"{RESOURCES}Parameters: [a]\n", "Parameters is a map of names, each with a map"),
        (f"{RESOURCES}Outputs: {{a: b}}\n", "Outputs is a map of names, each with a map"),
        (f"{RESOURCES}{RESOURCES}", "not YAML: Resources stands twice in a map"),
        ("Resources: {A: !Ref [B, {C: D}]\n", "not YAML: "),
        ("Resources: !!python/object/apply:os.getcwd []\n", "not YAML: "),
    ],
)
def test_no_template(tmp_path: Path, content: str, reason: str) -> None:
    """What is no template is named, with what is wrong, in one sentence."""
    with pytest.raises(TemplateError) as refused:
        load(written(tmp_path, content))
    assert str(refused.value).startswith("one.yaml: ")
    assert reason in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("declaration", "right", "wrong"),
    [
        ({"AllowedValues": ["true", "false"]}, ["true"], ["True", "", "yes"]),
        ({"AllowedValues": [7, 14]}, ["7"], ["07", "8"]),
        ({"AllowedPattern": "[a-z]+"}, ["a"], ["", "A", "ab1", "a\n"]),
        ({"Type": "CommaDelimitedList", "AllowedPattern": "[a-z]+"}, ["a", "a,b", "a, b"], ["", "a,", "a,1"]),
        ({"Type": "CommaDelimitedList", "AllowedPattern": "([a-z]+)?"}, ["", "a"], ["1"]),
        ({"Type": "Number", "MinValue": 1, "MaxValue": 3}, ["1", "3", "2.5"], ["0", "4", "", "x", "nan", "inf"]),
        ({"Type": "Number"}, ["-7"], ["seven"]),
        ({"Type": "String"}, ["", "anything"], []),
        ({"AllowedPattern": "(?P<a"}, [], ["a"]),
    ],
)
def test_values(declaration: dict[str, Any], right: list[str], wrong: list[str]) -> None:
    """A value is accepted or refused as CloudFormation would, with the parameter's name and the value."""
    for value in right:
        check_value("one.yaml", "Size", value, declaration)
    for value in wrong:
        with pytest.raises(TemplateError, match=r"^one\.yaml: parameter Size: '"):
            check_value("one.yaml", "Size", value, declaration)

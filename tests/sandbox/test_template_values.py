"""The functions of CloudFormation's templates, with and without values that are not known yet."""

from types import SimpleNamespace
from typing import Any

import pytest

from contactsync.sandbox.stacks.stack_records import Design, Place, Resource, StackError
from contactsync.sandbox.stacks.template_values import KNOWN_AFTER_APPLY, TemplateValues, same

TEMPLATE = {
    "Parameters": {
        "Name": {"Type": "String"},
        "Size": {"Type": "Number"},
        "Subnets": {"Type": "CommaDelimitedList"},
    },
    "Mappings": {"Sizes": {"small": {"Seconds": "3", "Zones": ["a", "b"]}}},
    "Conditions": {
        "Small": {"Fn::Equals": [{"Ref": "Size"}, "1"]},
        "Large": {"Fn::Not": [{"Condition": "Small"}]},
        "Both": {"Fn::And": [{"Condition": "Small"}, {"Condition": "Large"}]},
        "Either": {"Fn::Or": [{"Condition": "Small"}, {"Condition": "Large"}]},
    },
    "Resources": {
        "Known": {"Type": "AWS::SQS::Queue"},
        "New": {"Type": "AWS::SQS::Queue", "DependsOn": "Known"},
        "Absent": {"Type": "AWS::SQS::Queue", "Condition": "Both"},
        "Last": {
            "Type": "AWS::SQS::Queue",
            "Properties": {
                "A": {"Fn::If": ["Small", {"Ref": "New"}, {"Ref": "Absent"}]},
                "B": {"Fn::Sub": ["${Known.Arn}-${Own}", {"Own": {"Ref": "Name"}}]},
            },
        },
    },
}
PARAMETERS = {"Name": "tried", "Size": "1", "Subnets": "one, two"}


def values(region: str = "us-east-1", **changes: str) -> TemplateValues:
    """Evaluate the template with one resource that is there and one that is new."""
    known = Resource("Known", "AWS::SQS::Queue", physical_id="url", name="known")
    known.model = SimpleNamespace(get_cfn_attribute=lambda name: {"Arn": "arn"}[name])
    return TemplateValues(
        Design("", TEMPLATE, PARAMETERS | changes),
        Place("123456789012", region),
        stack_name="stack",
        stack_id="id",
        resources={"Known": known},
        exports={"shared": "value"},
        unknown={"New"},
    )


@pytest.mark.parametrize(
    ("given", "value"),
    [
        ({"Ref": "Name"}, "tried"),
        ({"Ref": "Size"}, 1),
        ({"Ref": "Subnets"}, ["one", "two"]),
        ({"Ref": "AWS::AccountId"}, "123456789012"),
        ({"Ref": "Known"}, "url"),
        ({"Fn::GetAtt": ["Known", "Arn"]}, "arn"),
        ({"Fn::GetAtt": "Known.Arn"}, "arn"),
        ({"Ref": "New"}, KNOWN_AFTER_APPLY),
        ({"Fn::Sub": "${Name}-${!Name}-${New.Arn}"}, f"tried-${{Name}}-{KNOWN_AFTER_APPLY}"),
        ({"Fn::Sub": ["${Own}/${Name}", {"Own": {"Ref": "Size"}}]}, "1/tried"),
        ({"Fn::Join": ["-", ["a", {"Ref": "Size"}, True]]}, "a-1-true"),
        ({"Fn::Split": [",", "a,b"]}, ["a", "b"]),
        ({"Fn::Select": ["1", {"Ref": "Subnets"}]}, "two"),
        ({"Fn::Select": [0, {"Fn::Split": [",", {"Ref": "New"}]}]}, KNOWN_AFTER_APPLY),
        ({"Fn::FindInMap": ["Sizes", "small", "Seconds"]}, "3"),
        ({"Fn::GetAZs": ""}, ["us-east-1a", "us-east-1b", "us-east-1c", "us-east-1d"]),
        ({"Fn::Base64": "a"}, "YQ=="),
        ({"Fn::ToJsonString": {"A": {"Ref": "Size"}}}, '{"A": 1}'),
        ({"Fn::ImportValue": "shared"}, "value"),
        ({"Fn::If": ["Large", "yes", "no"]}, "no"),
        ({"Fn::If": ["Either", "yes", "no"]}, "yes"),
        ({"Fn::Contains": [{"Ref": "Subnets"}, "two"]}, True),
        (["a", {"Ref": "AWS::NoValue"}, "b"], ["a", "b"]),
        ({"A": {"Ref": "AWS::NoValue"}, "B": 1}, {"B": 1}),
        (
            {"Condition": {"Bool": {"aws:SecureTransport": "false"}}},
            {"Condition": {"Bool": {"aws:SecureTransport": "false"}}},
        ),
    ],
)
def test_functions(given: Any, value: Any) -> None:
    """Each function gives what AWS documents."""
    assert values().value(given) == value


@pytest.mark.parametrize(
    "given",
    [
        {"Ref": "Nobody"},
        {"Fn::GetAtt": ["Nobody", "Arn"]},
        {"Fn::GetAtt": ["Known", "Colour"]},
        {"Fn::Select": [9, ["a"]]},
        {"Fn::Select": [0]},
        {"Fn::FindInMap": ["Sizes", "large", "Seconds"]},
        {"Fn::ImportValue": "nobody"},
        {"Fn::If": ["Nobody", 1, 2]},
        {"Fn::Odd": 1},
        {"Fn::Sub": 3},
    ],
)
def test_wrong_functions(given: Any) -> None:
    """What a function cannot give is refused in a sentence."""
    with pytest.raises(StackError):
        values().value(given)


def test_order() -> None:
    """Resources come after those that they name in what is chosen; one whose condition is false does not come."""
    assert values().active() == ["Known", "New", "Last"]
    assert values().dependencies("Last") == {"New", "Known", "Name"}


@pytest.mark.parametrize(("region", "partition"), [("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")])
def test_partitions(region: str, partition: str) -> None:
    """The partition is that of the region."""
    assert values(region).value({"Ref": "AWS::Partition"}) == partition


def test_same() -> None:
    """A number or a truth value is the same as its text, and nothing else is."""
    assert same({"A": [1, True]}, {"A": ["1", "true"]})
    assert not same({"A": "1"}, {"A": "2"})
    assert not same({"A": "1"}, {})

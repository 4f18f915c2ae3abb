"""The list of stacks: what it says about the templates of infra/, and how a wrong one is refused."""

from pathlib import Path

import pytest
import yaml

from contactsync.stacks.stack_file import StackList, read_stacks
from contactsync.stacks.stacks import Region, stack_name
from contactsync.stacks.templates import TemplateError

INFRA = Path(__file__).parents[3] / "infra"
TEMPLATE = (
    "Parameters: {In: {Type: String, Default: ''}, Size: {Type: String, Default: s}}\n"
    "Resources: {Queue: {Type: AWS::SQS::Queue}}\n"
    "Outputs: {Out: {Value: !Ref Queue}, Second: {Value: !GetAtt Queue.Arn}}\n"
)
FIRST, SECOND = (
    "{name: first, template: one.yaml, region: deployment",
    "{name: second, template: two.yaml, region: trigger",
)
EMPTY: dict[str, str] = {}


def listed(folder: Path, *stacks: str) -> StackList:
    """Read a list with these entries, beside two templates."""
    for name in ("one", "two"):
        (folder / f"{name}.yaml").write_text(TEMPLATE, encoding="utf-8")
    (folder / "stacks.yaml").write_text("stacks:\n" + "".join(f"  - {one}\n" for one in stacks), encoding="utf-8")
    return read_stacks(folder)


def refusal(folder: Path, *stacks: str) -> str:
    """Return the sentence with which a list is refused."""
    with pytest.raises(TemplateError) as refused:
        listed(folder, *stacks)
    sentence = str(refused.value)
    assert sentence.startswith("stacks.yaml: ")
    assert "\n" not in sentence
    return sentence.removeprefix("stacks.yaml: ")


def test_all_templates_are_listed() -> None:
    """Every template in infra/ belongs to a stack, and each folder of files of parameters exists."""
    found = read_stacks(INFRA)
    assert set(found.templates) == {path.name for path in INFRA.glob("*.yaml")} - {"stacks.yaml"}
    assert all((INFRA / stack.stack_per_file_in).is_dir() for stack in found.stacks if stack.stack_per_file_in)


def test_every_name_fits() -> None:
    """What a template calls an output of another template comes from there, unless a person gives it."""
    found = read_stacks(INFRA)
    outputs = {name: set(template.get("Outputs") or {}) for name, template in found.templates.items()}
    for stack in found.stacks:
        others = set().union(*(names for name, names in outputs.items() if name != stack.template))
        declared = set(found.templates[stack.template].get("Parameters") or {})
        assert declared & others <= {*stack.parameters, *stack.afterwards}, stack.name


def test_names() -> None:
    """A stack's name has the environment in it."""
    assert stack_name("prod", "state") == "contactsync-prod-state"


@pytest.mark.parametrize(
    ("deployment", "trigger"),
    [
        ("eu-west-1", "us-east-1"),
        ("us-east-1", "us-east-1"),
        ("cn-north-1", "cn-northwest-1"),
        ("us-gov-east-1", "us-gov-west-1"),
        ("eusc-de-east-1", "eusc-de-east-1"),
    ],
)
def test_regions(deployment: str, trigger: str) -> None:
    """The trigger is where docs/partitions.md says, the rest where the deployment is."""
    assert (Region.DEPLOYMENT.of(deployment), Region.TRIGGER.of(deployment)) == (deployment, trigger)
    page = (INFRA.parent / "docs" / "partitions.md").read_text(encoding="utf-8")
    assert any(f"`{trigger}`" in line.split("|")[4] for line in page.splitlines() if line.startswith("| `aws"))


@pytest.mark.parametrize(
    ("condition", "parameters", "region", "wanted"),
    [
        ("{given: [In, Size]}", {"Size": "m"}, "eu-west-1", True),
        ("{given: [In, Size]}", {"In": "", "Other": "x"}, "eu-west-1", False),
        ("{not_given: [In]}", {"In": ""}, "eu-west-1", True),
        ("{not_given: [In]}", {"In": "subnet"}, "eu-west-1", False),
        ("{value: {In: 'true'}}", {"In": "true"}, "eu-west-1", True),
        ("{value: {In: 'true'}}", {"In": "false"}, "eu-west-1", False),
        ("{value: {In: 'true'}}", {}, "eu-west-1", False),
        ("{regions_differ: true}", {}, "eu-west-1", True),
        ("{regions_differ: true}", {}, "us-east-1", False),
        ("{regions_differ: true}", {}, "cn-northwest-1", False),
    ],
)
def test_conditions(tmp_path: Path, condition: str, parameters: dict[str, str], region: str, *, wanted: bool) -> None:
    """An optional stack is wanted when its condition holds, and any other always."""
    one, two = listed(tmp_path, f"{FIRST}, only_if: {condition}}}", f"{SECOND}}}").stacks
    assert one.is_wanted(parameters, region) is wanted
    assert two.is_wanted(parameters, region)


@pytest.mark.parametrize(
    ("source", "outputs", "region", "value"),
    [
        ("first.Out", {"first": {"Out": "a"}}, "eu-west-1", "a"),
        ("first.Out", EMPTY, "eu-west-1", None),
        ("[first.Second, first.Out]", {"first": {"Out": "a"}}, "eu-west-1", "a"),
        ("[first.Second, first.Out]", {"first": {"Out": "a", "Second": "b"}}, "eu-west-1", "b"),
        ("{output: first.Out, same_region: true}", {"first": {"Out": "a"}}, "us-east-1", "a"),
        ("{output: first.Out, same_region: true}", {"first": {"Out": "a"}}, "eu-west-1", None),
        ("{region_of: first}", EMPTY, "eu-west-1", "eu-west-1"),
        ("{region_of: second}", EMPTY, "eu-west-1", "us-east-1"),
    ],
)
def test_values(
    tmp_path: Path, source: str, outputs: dict[str, dict[str, str]], region: str, value: str | None
) -> None:
    """A parameter's value comes from the first source whose stack is deployed, and stays open when none is."""
    found = listed(tmp_path, f"{FIRST}}}", f"{SECOND}, parameters: {{In: {source}}}}}")
    assert found.fed(found.stacks[1], outputs, region) == ({} if value is None else {"In": value})


def test_afterwards(tmp_path: Path) -> None:
    """A value of a later stack is kept apart, and is no value of the first deployment."""
    found = listed(tmp_path, f"{FIRST}, afterwards: {{In: second.Out}}}}", f"{SECOND}, parameters: {{In: first.Out}}}}")
    assert found.fed(found.stacks[0], {"second": {"Out": "a"}}, "eu-west-1") == {}
    assert found.fed_afterwards(found.stacks[0], {"second": {"Out": "a"}}, "eu-west-1") == {"In": "a"}
    assert found.fed_afterwards(found.stacks[0], {}, "eu-west-1") == {}


@pytest.mark.parametrize(
    ("stacks", "reason"),
    [
        (("{name: first, template: one.yaml}",), "stack 1: region must be there"),
        (("first",), "stack 1: a map is expected, with lines KEY: VALUE"),
        (("{name: first, template: one.yaml, regoin: x}",), "unknown key regoin; there are name, template, region"),
        (("{name: first, template: one.yaml, regoin: x}",), "do you mean region?"),
        (("{name: first, template: one.yaml, region: us-east-1}",), "region is deployment or trigger, not 'us-east-1'"),
        (("{name: First, template: one.yaml, region: trigger}",), "name 'First' does not match"),
        (("{name: first, template: ../one.yaml, region: trigger}",), "template '../one.yaml' does not match"),
        (("{name: 1, template: one.yaml, region: trigger}",), "name is a text of one line"),
        ((f"{FIRST}}}", f"{FIRST}}}"), "there are two stacks first"),
        ((f"{FIRST}, only_if: {{}}}}",), "first: only_if has exactly one of given, not_given, value, regions_differ"),
        ((f"{FIRST}, only_if: {{given: [In], regions_differ: true}}}}",), "only_if has exactly one of"),
        ((f"{FIRST}, only_if: {{given: []}}}}",), "only_if: given: a list is expected, with at least one entry"),
        (
            (f"{FIRST}, only_if: {{given: [Sise]}}}}",),
            "only_if names Sise, which no template has as a parameter; do you mean Size?",
        ),
        ((f"{FIRST}, only_if: {{value: {{In: true}}}}}}",), "In is a text of one line; write other values in quotes"),
        ((f"{FIRST}, only_if: {{regions_differ: false}}}}",), "regions_differ is true, or is left out"),
        ((f"{FIRST}, not_in_sandbox: ''}}",), "not_in_sandbox is a text of one line"),
        (
            (f"{FIRST}, parameters: {{Inn: second.Out}}}}", f"{SECOND}}}"),
            "one.yaml has no parameter Inn; do you mean In?",
        ),
        ((f"{FIRST}, parameters: {{In: nobody.Out}}}}",), "first: In: there is no stack nobody"),
        ((f"{FIRST}}}", f"{SECOND}, parameters: {{In: first.Ou}}}}"), "one.yaml has no output Ou; do you mean Out?"),
        ((f"{FIRST}, parameters: {{In: Out}}}}",), "first: In: 'Out' is not STACK.OUTPUT"),
        ((f"{FIRST}, parameters: {{In: 7}}}}",), "first: In: a map is expected"),
        ((f"{FIRST}, parameters: {{In: {{output: second.Out}}}}}}",), "a value comes from STACK.OUTPUT, {output: "),
        ((f"{FIRST}, parameters: {{In: {{output: second.Out, same_region: false}}}}}}",), "a value comes from"),
        ((f"{FIRST}, parameters: {{In: first.Out}}}}",), "first takes values from first: a circle"),
        (
            (f"{FIRST}, parameters: {{In: second.Out}}}}", f"{SECOND}, parameters: {{In: first.Out}}}}"),
            "first takes values from second takes values from first: a circle; move one",
        ),
        ((f"{FIRST}, parameters: {{In: second.Out}}}}", f"{SECOND}}}"), "In comes from second, which stands after it"),
        ((f"{FIRST}}}", f"{SECOND}, afterwards: {{In: first.Out}}}}"), "so it belongs to parameters"),
        (
            (f"{FIRST}, parameters: {{In: second.Out}}, afterwards: {{In: second.Out}}}}", f"{SECOND}}}"),
            "In is in both parameters and afterwards",
        ),
        (
            (f"{FIRST}, stack_per_file_in: folder}}", f"{SECOND}, parameters: {{In: first.Out}}}}"),
            "first is a stack per file, so it has no output of its own",
        ),
        ((f"{FIRST}, name: second}}",), "not YAML: "),
    ],
)
def test_refused(tmp_path: Path, stacks: tuple[str, ...], reason: str) -> None:
    """A wrong list is refused in one sentence that says where and what."""
    assert reason in refusal(tmp_path, *stacks)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"stacks:\n",
        b"stacks: {}\n",
        b"- a\n",
        b"stacks: []\nmore: 1\n",
        b"{",
        b"\xff",
        b"[" * 5000,
        b"a: 2026-99-99\n",
    ],
)
def test_no_list(tmp_path: Path, content: bytes) -> None:
    """A file that holds no list of stacks is refused in one sentence, whatever is in it."""
    (tmp_path / "stacks.yaml").write_bytes(content)
    with pytest.raises(TemplateError, match=r"^stacks.yaml: (it holds|not YAML)"):
        read_stacks(tmp_path)


def test_missing_files(tmp_path: Path) -> None:
    """A list or template that is missing is named."""
    with pytest.raises(TemplateError, match=r"^stacks.yaml: cannot be read: No such file"):
        read_stacks(tmp_path)
    (tmp_path / "stacks.yaml").write_text(yaml.safe_dump({"stacks": [yaml.safe_load(f"{FIRST}}}")]}))
    with pytest.raises(TemplateError, match=r"^one.yaml: cannot be read: No such file"):
        read_stacks(tmp_path)

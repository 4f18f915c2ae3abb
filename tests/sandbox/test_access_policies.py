"""How the sandbox reads identity policies and decides by them, as the IAM user guide describes it."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from moto.iam.access_control import IAMPolicyStatement, PermissionResult

from contactsync.sandbox.access.conditions import Condition
from contactsync.sandbox.access.patterns import arn_matcher, text_matcher
from contactsync.sandbox.access.policies import Need, PolicyError, decide, parsed, statements_of

TABLE = "arn:aws:dynamodb:us-east-1:111122223333:table/contactsync-prod-state"
KEYS = "dynamodb:LeadingKeys"


def allow(action: Any = "dynamodb:PutItem", resource: Any = TABLE, **more: Any) -> dict[str, Any]:
    """Return a statement that allows."""
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def deny(action: Any = "dynamodb:PutItem", resource: Any = TABLE, **more: Any) -> dict[str, Any]:
    """Return a statement that denies."""
    return {**allow(action, resource, **more), "Effect": "Deny"}


def allowed(*statements: dict[str, Any], need: Need | None = None, **context: tuple[str, ...]) -> bool:
    """Return whether these statements allow a need, by default to put an item."""
    asked = need or Need("dynamodb:PutItem", (TABLE,), {"dynamodb:leadingkeys": context.get("keys", ())})
    if not context and need is None:
        asked = Need("dynamodb:PutItem", (TABLE,))
    return decide(statements_of("policy", {"Statement": list(statements)}), asked).allowed


@pytest.mark.parametrize(
    ("pattern", "action", "matches"),
    [
        ("*", "s3:GetObject", True),
        ("s3:*", "s3:GetObject", True),
        ("s3:Get*", "s3:GetObject", True),
        ("S3:getobject", "s3:GetObject", True),
        ("s3:GetObjec?", "s3:GetObject", True),
        ("s3:GetObject?", "s3:GetObject", False),
        ("s3:Put*", "s3:GetObject", False),
        ("s3:Get[O]bject", "s3:GetObject", False),
        ("s3.GetObject", "s3:GetObject", False),
    ],
)
def test_actions(pattern: str, action: str, *, matches: bool) -> None:
    """Actions match in any case, with `*` and `?` and nothing else."""
    assert text_matcher(pattern, any_case=True)(action) is matches


@pytest.mark.parametrize(
    ("pattern", "arn", "matches"),
    [
        ("*", TABLE, True),
        (TABLE, TABLE, True),
        (TABLE, TABLE.upper(), False),
        ("arn:aws:dynamodb:*:*:table/*", TABLE, True),
        ("arn:aws:dynamodb:*:table/*", TABLE, False),
        ("arn:aws:dynamodb:us-east-1:111122223333:table/contactsync-????-state", TABLE, True),
        ("arn:aws:dynamodb:us-*:1111*:*", TABLE, True),
        ("arn:aws:s3:::bucket/*", "arn:aws:s3:::bucket/a/b:c", True),
        ("arn:aws:s3:::bucket", "arn:aws:s3:::bucket/a", False),
        (
            "arn:aws:lambda:us-east-1:111122223333:function:f*",
            "arn:aws:lambda:us-east-1:111122223333:function:f:1",
            True,
        ),
        (TABLE, "*", False),
    ],
)
def test_resources(pattern: str, arn: str, *, matches: bool) -> None:
    """A pattern of an ARN is compared part by part, so a `*` for the region does not reach the account."""
    assert arn_matcher(pattern)(arn) is matches


def test_deny_wins() -> None:
    """Nothing is allowed without an Allow, and an explicit Deny wins, wherever it is."""
    assert not allowed(deny(action="dynamodb:GetItem"))
    assert allowed(allow())
    assert allowed(allow(action=["dynamodb:GetItem", "dynamodb:Put*"], resource=["arn:aws:s3:::b", "*"]))
    assert not allowed(allow(), deny())
    assert not allowed(deny(action="*", resource="*"), allow())
    assert allowed(allow(), deny(action="dynamodb:DeleteItem"))


def test_not() -> None:
    """NotAction and NotResource speak of everything else."""
    other = "arn:aws:dynamodb:us-east-1:111122223333:table/other"
    assert allowed({"Effect": "Allow", "NotAction": "dynamodb:Get*", "Resource": "*"})
    assert not allowed({"Effect": "Allow", "NotAction": "dynamodb:Put*", "Resource": "*"})
    assert allowed({"Effect": "Allow", "Action": "*", "NotResource": other})
    assert not allowed({"Effect": "Allow", "Action": "*", "NotResource": [other, TABLE]})
    assert not allowed(allow(), {"Effect": "Deny", "Action": "*", "NotResource": other})
    assert allowed(allow(), {"Effect": "Deny", "Action": "*", "NotResource": TABLE})


@pytest.mark.parametrize(
    ("operator", "values", "keys", "holds"),
    [
        ("StringEquals", ["a", "b"], ("b",), True),
        ("StringEquals", ["a"], ("A",), False),
        ("StringEquals", ["a"], (), False),
        ("StringEqualsIfExists", ["a"], (), True),
        ("StringEqualsIfExists", ["a"], ("b",), False),
        ("StringNotEquals", ["a"], ("b",), True),
        ("StringNotEquals", ["a"], (), True),
        ("StringNotEquals", ["a", "b"], ("b",), False),
        ("StringLike", ["outbox#*"], ("outbox#1",), True),
        ("StringLike", ["outbox#?"], ("outbox#12",), False),
        ("StringNotLike", ["outbox#*"], ("OUTCOMES#1",), True),
        ("ForAllValues:StringLike", ["outbox#*"], ("outbox#1", "outbox#2"), True),
        ("ForAllValues:StringLike", ["outbox#*"], ("outbox#1", "OUTCOMES#1"), False),
        ("ForAllValues:StringEquals", ["a"], (), True),
        ("ForAnyValue:StringEquals", ["a"], ("b", "a"), True),
        ("ForAnyValue:StringEquals", ["a"], ("b",), False),
        ("ForAnyValue:StringEquals", ["a"], (), False),
        ("ArnLike", ["arn:aws:s3:::b/*"], ("arn:aws:s3:::b/x",), True),
        ("ArnEquals", ["arn:aws:*:::b"], ("arn:aws:s3:::b",), True),
        ("ArnNotLike", ["arn:aws:s3:::b"], ("arn:aws:s3:::c",), True),
        ("Bool", ["true"], ("TRUE",), True),
        ("Bool", [True], ("false",), False),
        ("Null", ["true"], (), True),
        ("Null", ["true"], ("a",), False),
        ("Null", [False], ("a",), True),
        ("Null", ["false"], (), False),
        ("NumericEquals", ["1"], ("1",), None),
        ("StringEqual", ["a"], ("a",), None),
        ("ForSomeValues:StringEquals", ["a"], ("a",), None),
        ("NullIfExists", ["true"], (), None),
    ],
)
def test_conditions(operator: str, values: list[Any], keys: tuple[str, ...], *, holds: bool | None) -> None:
    """Each operator that our policies use holds as AWS says; another one is not known (None), and never allows."""
    texts = tuple(str(value).lower() if isinstance(value, bool) else value for value in values)
    assert Condition(operator, KEYS, texts).holds({"dynamodb:leadingkeys": keys} if keys else {}) is holds
    condition = {operator: {KEYS: values}}
    assert allowed(allow(Condition=condition), keys=keys or ()) is bool(holds)
    assert allowed(allow(), deny(Condition=condition), keys=keys or ()) is (holds is False)


def test_unknown_keys() -> None:
    """A condition key that the sandbox does not know keeps an Allow from allowing, and lets a Deny deny."""
    condition = {"StringEqualsIfExists": {"aws:PrincipalTag/team": "x"}}
    assert not allowed(allow(Condition=condition))
    assert not allowed(allow(), deny(Condition=condition))


def test_all_conditions() -> None:
    """Every condition of a statement has to hold, and one that does not hold makes unknown ones harmless for a Deny."""
    fits, fits_not = {"StringLike": {KEYS: "a*"}}, {"StringEquals": {KEYS: "b"}}
    assert allowed(allow(Condition=fits), keys=("a1",))
    assert not allowed(allow(Condition={**fits, **fits_not}), keys=("a1",))
    assert allowed(allow(), deny(Condition={**fits_not, "DateLessThan": {"aws:CurrentTime": "x"}}), keys=("a1",))


def test_one_resource_is_enough() -> None:
    """Of resources that stand for each other one is enough; a denied one does not count."""
    roles = tuple(f"arn:aws:airflow:us-east-1:111122223333:role/e/{role}" for role in ("Admin", "User"))
    need = Need("airflow:InvokeRestApi", roles)
    assert allowed(allow("airflow:InvokeRestApi", roles[1]), need=need)
    assert not allowed(allow("airflow:InvokeRestApi", roles[1]), deny("airflow:*", roles[1]), need=need)
    assert not allowed(allow("airflow:InvokeRestApi", "arn:aws:airflow:us-east-1:111122223333:role/e/Op"), need=need)


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        ("{", "not JSON"),
        ("[]", "no Statement"),
        ('{"Statement": [1]}', "statement 1 is no object"),
        (allow(Principal="*"), "Principal does not belong"),
        ({**allow(), "Effect": "allow"}, "Effect is Allow or Deny"),
        ({"Effect": "Allow", "Resource": "*"}, "Action or NotAction"),
        (allow(NotAction="s3:*"), "and not both"),
        (allow(action=[]), "a text or a list of texts"),
        (allow(action=[1]), "a text or a list of texts"),
        (allow(resource="arn:aws:s3:bucket"), "neither an ARN nor"),
        (allow(resource="table/x"), "neither an ARN nor"),
        (allow(resource="arn:aws:s3:::home/${aws:username}"), "policy variable"),
        (allow(Condition=[]), "Condition is no object"),
        (allow(Condition={"StringEquals": "x"}), "StringEquals is no object"),
        (allow(Condition={"StringEquals": {KEYS: "${aws:username}"}}), "policy variable"),
    ],
)
def test_unreadable(document: Any, problem: str) -> None:
    """What cannot be read, or is not known here, is an error that names the policy."""
    text = document if isinstance(document, str) else json.dumps({"Statement": document})
    with pytest.raises(PolicyError, match=problem) as raised:
        parsed("trigger", text)
    assert str(raised.value).startswith("trigger: ")


NAMES = st.sampled_from(["s3:GetObject", "s3:GetBucketPolicy", "s3:PutObject", "sns:Publish", "sqs:SendMessage"])
ACTIONS = st.sampled_from(["*", "s3:*", "s3:Get*", "s3:PutObject", "sns:Publish", "sns:*", "sqs:Send*"])
ARNS = st.sampled_from(["arn:aws:s3:::a", "arn:aws:s3:::a/b", "arn:aws:s3:::c/d", "arn:aws:sns:us-east-1:1:t"])
PATTERNS = st.sampled_from(["*", "arn:aws:s3:::a", "arn:aws:s3:::a/*", "arn:aws:s3:::*", "arn:aws:sns:*:*:t"])


@st.composite
def statements(draw: st.DrawFn) -> dict[str, Any]:
    """Return a statement of the parts that moto's own access control knows."""
    kind = draw(st.sampled_from(["Action", "NotAction"]))
    return {
        "Effect": draw(st.sampled_from(["Allow", "Deny"])),
        kind: draw(st.lists(ACTIONS, min_size=1, max_size=3)),
        "Resource": draw(st.lists(PATTERNS, min_size=1, max_size=2)),
    }


@given(st.lists(statements(), min_size=1, max_size=4), NAMES, ARNS)
def test_like_moto(listed: list[dict[str, Any]], action: str, arn: str) -> None:
    """Without conditions and NotResource, which moto does not know, both decide alike."""
    theirs = [IAMPolicyStatement(one).is_action_permitted(action, arn) for one in listed]
    expected = PermissionResult.PERMITTED in theirs and PermissionResult.DENIED not in theirs
    assert decide(statements_of("p", {"Statement": listed}), Need(action, (arn,))).allowed is expected


@given(st.lists(statements(), max_size=4), statements(), NAMES, ARNS)
def test_one_more_statement(listed: list[dict[str, Any]], more: dict[str, Any], action: str, arn: str) -> None:
    """One more Deny allows nothing new, and one more Allow takes nothing away."""
    need = Need(action, (arn,))
    before = decide(statements_of("p", {"Statement": listed}), need)
    after = decide(statements_of("p", {"Statement": [*listed, more]}), need)
    assert before.allowed or not after.allowed or more["Effect"] == "Allow"
    assert after.allowed or not before.allowed or more["Effect"] == "Deny"


@given(st.text(), st.text())
def test_any_text(pattern: str, text: str) -> None:
    """Every text is a pattern of itself, or has `*` or `?` in it; and nothing makes a pattern fail."""
    assert text_matcher(text)(text) or any(char in text for char in "*?")
    assert text_matcher(pattern)(text) in (True, False)
    assert arn_matcher(pattern)(text) in (True, False)

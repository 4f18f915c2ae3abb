"""Which messages Amazon Q in chat applications takes."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contactsync.sandbox.messages.chat import custom_notification

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from(["1.0", "custom"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["version", "source", "content", "description", "nextSteps"]), inner, max_size=5
        )
    ),
    max_leaves=12,
)


def message(**content: Any) -> str:
    """Write a custom notification with this content."""
    described = {"textType": "client-markdown", "description": "d"} | content
    return json.dumps({"version": "1.0", "source": "custom", "content": described})


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"title": "t" * 250, "description": "d" * 8000},
        {"nextSteps": ["s" * 350, "s"], "keywords": ["k" * 75]},
    ],
)
def test_taken(content: dict[str, Any]) -> None:
    """A custom notification is taken up to the documented lengths."""
    assert custom_notification(message(**content))["description"] == content.get("description", "d")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Sync failed", "not a JSON object"),
        ("[1]", "not a JSON object"),
        ('{"version": "1.0"}', "version and source"),
        ('{"version": "0", "source": "aws.ssm", "content": {}}', "version and source"),
        ('{"version": "1.0", "source": "custom"}', "no content"),
        ('{"version": "1.0", "source": "custom", "content": {}}', "no description"),
        (message(description=""), "no description"),
        (message(textType="html"), "textType"),
        (message(title="t" * 251), "title is not a text of at most 250"),
        (message(description="d" * 8001), "description is not a text of at most 8000"),
        (message(nextSteps=["s" * 351]), "nextSteps is not a text of at most 350"),
        (message(nextSteps="s"), "nextSteps is not a list"),
        (message(keywords=["k" * 76]), "keywords is not a text of at most 75"),
        (message(title=1), "title"),
    ],
)
def test_dropped(text: str, reason: str) -> None:
    """Another message is dropped, for a reason that tells what is wrong."""
    with pytest.raises(ValueError, match=reason):
        custom_notification(text)


@given(document=JSON)
def test_anything(document: object) -> None:
    """Whatever is published, it is a custom notification or refused as none, and nothing else happens."""
    try:
        content = custom_notification(json.dumps(document))
    except ValueError:
        return
    assert isinstance(content["description"], str)

"""Listings: what was shown before an error or Ctrl-C, and options that make no sense."""

from collections.abc import Iterator

import pytest
from typer.testing import CliRunner

from contactsync.cli.app import app
from contactsync.cli.screen.listing import Output, Row, show_rows


@pytest.mark.parametrize("error", [KeyboardInterrupt, LookupError])
def test_interrupted(error: type[BaseException], capsys: pytest.CaptureFixture[str]) -> None:
    """Rows that came before are shown: they may tell what was done already."""

    def rows() -> Iterator[Row]:
        yield {"step": "redriven", "message_id": "m-1"}
        raise error

    with pytest.raises(error):
        show_rows(("step", "message_id"), rows(), Output.TABLE)
    shown = capsys.readouterr()
    assert "m-1" in shown.out
    assert "Nothing was found" not in shown.err


@pytest.mark.parametrize(
    "command",
    [
        ("dead-letters", "redrive", "audit", "--all", "--rate", "nan"),
        ("dead-letters", "redrive", "audit", "--all", "--rate", "0"),
        ("dead-letters", "redrive", "audit"),
        ("audit", "--day", "9999-12-31"),
        ("audit", "--day", "today"),
    ],
)
def test_usage(command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    """What makes no sense is a usage error, before anything is called."""
    for name in ("CONFIG_TABLE", "STATE_TABLE"):
        monkeypatch.delenv(f"CONTACTSYNC_{name}", raising=False)
    answer = CliRunner().invoke(app, command)
    assert answer.exit_code == 2, answer.output
    assert "Usage:" in answer.output

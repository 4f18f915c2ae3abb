"""The templates in infra/."""

import subprocess
import sys
from pathlib import Path

import pytest

from contactsync.stacks.stack_file import read_stacks

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", read_stacks(ROOT / "infra").templates)
def test_lint(name: str) -> None:
    """cfn-lint finds nothing."""
    template = ROOT / "infra" / name
    answer = subprocess.run(
        [Path(sys.executable).with_name("cfn-lint"), template], check=False, capture_output=True, text=True, timeout=120
    )
    assert answer.returncode == 0, answer.stdout

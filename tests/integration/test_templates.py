"""The templates in infra/."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("template", sorted((ROOT / "infra").glob("*.yaml")), ids=lambda path: path.stem)
def test_lint(template: Path) -> None:
    """cfn-lint finds nothing."""
    answer = subprocess.run(
        [Path(sys.executable).with_name("cfn-lint"), template], check=False, capture_output=True, text=True, timeout=120
    )
    assert answer.returncode == 0, answer.stdout

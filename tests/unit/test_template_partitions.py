"""The templates work in every partition: no ARN, region or address of one partition is written in them."""

import re
from pathlib import Path
from typing import Final

import pytest

INFRA: Final = Path(__file__).parents[2] / "infra"
TEMPLATES: Final = sorted((*INFRA.glob("*.yaml"), *INFRA.glob("parameters/*.yaml")))
REGION: Final = re.compile(r"\b(?:us|eu|ap|cn|us-gov|eusc)-[a-z]+-[a-z0-9]*-?[0-9]\b")


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_arns(template: Path) -> None:
    """Every ARN takes its partition from the stack."""
    found = re.findall(r"\barn:[^\s\"']+", template.read_text())
    assert [arn for arn in found if not arn.startswith("arn:${AWS::Partition}:")] == []


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_regions(template: Path) -> None:
    """A region is named in defaults of parameters and in descriptions only, which a deployment elsewhere replaces."""
    lines = [line.strip() for line in template.read_text().splitlines() if REGION.search(line)]
    assert [line for line in lines if not line.startswith(("Default:", "Description:", "#"))] == []


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_addresses(template: Path) -> None:
    """Hosts of AWS are service principals, which have one name everywhere, or take their suffix from the stack."""
    found = re.findall(r"[\w.${}:-]+\.amazonaws\.com[\w.]*", template.read_text())
    assert [host for host in found if host.count(".") > 2] == []

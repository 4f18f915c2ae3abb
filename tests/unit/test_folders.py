"""The unit tests have the folders of the package."""

from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_unit_tests_mirror_the_package() -> None:
    """A folder of unit tests is about the room of its name; `pages` is about the documentation."""
    unit = ROOT / "tests" / "unit"
    folders = {path.relative_to(unit).parent for path in unit.rglob("test_*.py")} - {Path(), Path("pages")}
    assert len(folders) > 10
    assert [str(folder) for folder in sorted(folders) if not (ROOT / "contactsync" / folder).is_dir()] == []


def test_only_tests_beside_the_folders() -> None:
    """What tests share is in tests/support."""
    assert {path.name for path in (ROOT / "tests").glob("*.py")} == {"conftest.py"}

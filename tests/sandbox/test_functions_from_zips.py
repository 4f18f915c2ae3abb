"""Functions that run from their own zips: an interpreter that sees these and the standard library."""

import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from contactsync.sandbox.functions.function_code import FunctionCodeError, read_code
from tests.sandbox.loop_sandbox import SmallSandbox, small_sandbox

LOOK = """
import importlib, os, sys
import beside

def handler(event, context):
    seen = {}
    for name in event:
        try:
            importlib.import_module(name)
            seen[name] = True
        except ImportError:
            seen[name] = False
    return {
        "seen": seen, "colour": beside.COLOUR, "path": sys.path, "root": os.environ["LAMBDA_TASK_ROOT"],
        "here": os.listdir(), "python_path": os.environ.get("PYTHONPATH"), "pid": os.getpid(),
    }
"""


@pytest.fixture(scope="module")
def sandbox() -> Iterator[SmallSandbox]:
    """Share one sandbox: each test deploys a function of its own."""
    with small_sandbox(code_root=None) as running:
        yield running


def zipped(files: Mapping[str, str]) -> bytes:
    """Return a zip with these files."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return content.getvalue()


def looking(colour: str = "blue") -> bytes:
    """Return the zip of a function that says what it sees."""
    return zipped({"look.py": LOOK, "beside/__init__.py": f"COLOUR = {colour!r}\n"})


def deployed(sandbox: SmallSandbox, name: str, code: bytes) -> None:
    """Create a function."""
    sandbox.client("lambda").create_function(
        FunctionName=name,
        Runtime="python3.12",
        Role="arn:aws:iam::123456789012:role/tried-role",
        Handler="look.handler",
        Code={"ZipFile": code},
        Timeout=60,
    )


def invoked(sandbox: SmallSandbox, name: str, *modules: str) -> dict[str, Any]:
    """Invoke a function and return its result or its error."""
    answer = sandbox.client("lambda").invoke(FunctionName=name, Payload=json.dumps(modules))
    found: dict[str, Any] = json.loads(answer["Payload"].read())
    return found


def test_sees_its_zip_only(sandbox: SmallSandbox) -> None:
    """A function imports what its zip has, and neither this project nor a package of this Python environment."""
    deployed(sandbox, "alone", looking())
    found = invoked(sandbox, "alone", "boto3", "pydantic", "contactsync", "tests", "decimal")
    assert found["seen"] == {"boto3": False, "pydantic": False, "contactsync": False, "tests": False, "decimal": True}
    assert (found["colour"], found["here"], found["path"][0]) == ("blue", [], found["root"])
    assert not any("site-packages" in entry for entry in found["path"])


def test_other_code(sandbox: SmallSandbox) -> None:
    """A function whose code was updated runs the new code in a new process; until then it stays warm."""
    deployed(sandbox, "updated", looking())
    first, second = invoked(sandbox, "updated"), invoked(sandbox, "updated")
    sandbox.client("lambda").update_function_code(FunctionName="updated", ZipFile=looking("red"))
    third = invoked(sandbox, "updated")
    assert first["pid"] == second["pid"] != third["pid"]
    assert (second["colour"], third["colour"]) == ("blue", "red")


@pytest.mark.parametrize(
    ("code", "missing"),
    [(zipped({"look.py": LOOK}), "beside"), (zipped({}), "look"), (b"PK\x05\x06" + bytes(18), "look"), (b"x", "look")],
    ids=["package missing", "empty", "bare end", "no zip"],
)
def test_missing(sandbox: SmallSandbox, code: bytes, missing: str, request: pytest.FixtureRequest) -> None:
    """What a zip lacks is Lambda's error of an import, each time, with the module's name."""
    name = request.node.callspec.id.replace(" ", "-")
    deployed(sandbox, name, code)
    for _ in range(2):
        error = invoked(sandbox, name)
        assert error["errorType"] == "Runtime.ImportModuleError"
        assert f"No module named '{missing}'" in error["errorMessage"]


def test_nothing_left() -> None:
    """The folders of unpacked zips are removed when the sandbox stops."""
    with small_sandbox(code_root=None) as sandbox:
        deployed(sandbox, "short", looking())
        root = Path(invoked(sandbox, "short")["root"])
        assert (root / "look.py").is_file()
    assert not root.parent.exists()


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("core/_core.cpython-312-aarch64-linux-gnu.so", "cannot load core/_core.cpython-312-aarch64-linux-gnu.so"),
        ("_core.cp312-win_amd64.pyd", "cannot load _core.cp312-win_amd64.pyd"),
        ("", "it is not a zip file"),
    ],
)
def test_foreign_code(tmp_path: Path, name: str, reason: str) -> None:
    """A zip for another machine or Python is refused by name, and the sentence says how to build one."""
    (tmp_path / "some.zip").write_bytes(zipped({name: ""}) if name else b"none")
    with pytest.raises(FunctionCodeError) as refused:
        read_code(tmp_path, "some.zip")
    assert reason in str(refused.value)
    assert "contactsync package --platform this-machine" in str(refused.value)


def test_code_missing(tmp_path: Path) -> None:
    """A zip that is not there is named."""
    with pytest.raises(FunctionCodeError, match="No such file"):
        read_code(tmp_path, "some.zip")


def test_fitting_code(tmp_path: Path) -> None:
    """Modules for every Python, and libraries beside modules, are no reason to refuse a zip."""
    names = ("_a.abi3.so", "pkg/_b.so", "pkg.libs/libz-1.2.so.1.so", "plain.py")
    (tmp_path / "some.zip").write_bytes(zipped(dict.fromkeys(names, "")))
    assert read_code(tmp_path, "some.zip") == (tmp_path / "some.zip").read_bytes()

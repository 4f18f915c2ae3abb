"""Packages of a deployment with small contents, and with the project's own templates."""

import hashlib
import io
import json
import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path

from contactsync.packaging.lambda_wheels import LAMBDA

ROOT = Path(__file__).parents[2]
DAGS: Mapping[str, str] = {"contact_sync.py": "# sync", "contact_housekeeping.py": "# housekeeping"}


def packages(folder: Path, *, dags: Mapping[str, str] = DAGS, **contents: str) -> Path:
    """Write packages into a folder; `contents` has other contents by a file's name without its ending."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(ROOT / "infra", folder / "infra")
    written = {
        "contactsync-0.1.0-py3-none-any.whl": "wheel",
        "plugins.zip": "plugins",
        "requirements.txt": "contactsync==0.1.0\n",
        "lambda-trigger.zip": "trigger",
        "lambda-subscribers.zip": "subscribers",
    }
    for name, content in written.items():
        other = contents.get(name.partition(".")[0].replace("-", "_"))
        (folder / name).write_text(content if other is None else other, encoding="utf-8")
    (folder / "dags.zip").write_bytes(_zipped(dags))
    describe(folder)
    return folder


def describe(folder: Path, *, version: str = "0.1.0", functions_for: str = str(LAMBDA)) -> None:
    """Write the manifest of what is in a folder."""
    files = []
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and path.name != "manifest.json"):
        content = path.read_bytes()
        name, digest = path.relative_to(folder).as_posix(), hashlib.sha256(content).hexdigest()
        files.append({"name": name, "sha256": digest, "size": len(content)})
    manifest = {
        "version": version,
        "commit": "0" * 40,
        "uncommitted_changes": [],
        "functions_for": functions_for,
        "files": files,
    }
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")


def _zipped(entries: Mapping[str, str]) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as written:
        for name, content in entries.items():
            written.writestr(zipfile.ZipInfo(name), content)
    return archive.getvalue()

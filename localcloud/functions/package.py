"""A function's code on disk as Lambda has it: unpacked, read-only, beside the runtime's own libraries."""

from __future__ import annotations

import hashlib
import io
import stat
import sysconfig
import zipfile
from pathlib import Path

# What Lambda's Python runtime brings along beside the standard library, and what its client needs.
# https://docs.aws.amazon.com/lambda/latest/dg/lambda-python.html
RUNTIME_LIBRARIES = (
    "awslambdaric",
    "boto3",
    "botocore",
    "dateutil",
    "jmespath",
    "s3transfer",
    "simplejson",
    "six.py",
    "snapshot_restore_py.py",
    "urllib3",
)


def unpack(code: bytes, root: Path) -> Path:
    """The package's files under ``root``, once per content, with nobody's right to write."""
    target = root / hashlib.sha256(code).hexdigest()[:16]
    if target.exists():
        return target
    with zipfile.ZipFile(io.BytesIO(code)) as archive:
        archive.extractall(target)
    for path in [*target.rglob("*"), target]:
        path.chmod(stat.S_IRUSR | stat.S_IRGRP | stat.S_IROTH | (0o111 if path.is_dir() else 0))
    return target


def make_writable(root: Path) -> None:
    """Let the folder be removed again."""
    for path in root.rglob("*"):
        if path.is_dir() and not path.is_symlink():
            path.chmod(stat.S_IRWXU)


def link_runtime(folder: Path) -> Path:
    """A folder with the runtime's libraries and no others, so that a package that lacks one fails as it would."""
    folder.mkdir()
    site_packages = Path(sysconfig.get_paths()["purelib"])
    compiled = [path.name for path in site_packages.glob("runtime_client*.so")]
    for name in (*RUNTIME_LIBRARIES, *compiled):
        source = site_packages / name
        if source.exists():
            (folder / name).symlink_to(source)
    return folder

"""A bundle on disk: a directory or a tar file with one file for each output, and `manifest.json` about them all.

    manifest.json          {"v": 1, "product": ..., "recorded_at": ..., "release": ..., "transcripts": [...]}
    001-list-cp.txt        what the command printed on its standard output
    002-export.kzone1.txt  ...

The manifest names for each file the command, its exit code, what it printed on standard error, size and SHA-256.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import os
import re
import tarfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from kernelzone import strict

MANIFEST: Final = "manifest.json"
MOST_BYTES: Final = 64 << 20
_NAME: Final = re.compile(r"[0-9]{3}-[a-z0-9-]{1,32}(?:\.[A-Za-z0-9_.-]{1,64})?\.txt\Z")
_MODE: Final = 0o600


class BundleError(Exception):
    """A bundle that cannot be written, or is not what its manifest says; the message is a sentence for a person."""


@dataclass(frozen=True, slots=True)
class Transcript:
    """One output. `kind`: what was asked, such as list-cp or export. `command`: its words.

    `zone`: None for what is about the host. `exit_code`: None when it could not be run; `errors` then says why, else it
    is what the command printed on standard error. `blanked`: in how many places a key was taken out of the output.
    """

    name: str
    kind: str
    zone: str | None
    command: tuple[str, ...]
    exit_code: int | None
    errors: str
    bytes: int
    sha256: str
    blanked: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """`recorded_at`: posix s. `release`: what `uname -v` said. `pseudonyms`: whether names were replaced."""

    v: int
    product: str
    recorded_at: int
    release: str
    pseudonyms: bool
    transcripts: tuple[Transcript, ...]


@dataclass(frozen=True)
class Bundle:
    """A manifest and the texts it names, by file name."""

    manifest: Manifest
    texts: dict[str, str]

    def of_kind(self, kind: str) -> list[tuple[Transcript, str]]:
        """Return every transcript of a kind with its text."""
        return [(one, self.texts[one.name]) for one in self.manifest.transcripts if one.kind == kind]


def transcript(number: int, about: Transcript, text: str) -> Transcript:
    """Return `about` with the name, size and digest that `text` gives it."""
    zone = f".{about.zone}" if about.zone else ""
    content = text.encode()
    return dataclasses.replace(
        about,
        name=f"{number:03}-{about.kind}{zone}.txt",
        bytes=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
    )


def manifest_text(bundle: Bundle) -> str:
    """Return the manifest as it is written: JSON that a person can read."""
    return json.dumps(strict.write(bundle.manifest), indent=1, sort_keys=True) + "\n"


def write_bundle(bundle: Bundle, target: Path) -> None:
    """Write a tar file where the name ends in `.tar`, else a new directory; only their owner may read them.

    Raises: BundleError, also when the target is there already.
    """
    files = [(MANIFEST, manifest_text(bundle)), *sorted(bundle.texts.items())]
    try:
        if target.suffix == ".tar":
            _write_tar(files, target, bundle.manifest.recorded_at)
        else:
            target.mkdir(mode=0o700)
            for name, text in files:
                _write(target / name, text.encode())
    except OSError as error:
        raise BundleError(f"{target} cannot be written ({error.strerror})") from error


def read_bundle(source: Path) -> Bundle:
    """Return the bundle in a directory or tar file, every file of it checked. Raises: BundleError."""
    try:
        files = _read_tar(source) if source.is_file() else _read_directory(source)
        manifest = strict.read(Manifest, strict.load(files.pop(MANIFEST), max_bytes=MOST_BYTES), MANIFEST)
    except KeyError:
        raise BundleError(f"{source} has no {MANIFEST}") from None
    except (OSError, tarfile.TarError, strict.StrictError) as error:
        raise BundleError(f"{source} is not a bundle: {error}") from error
    _check(manifest, files, source)
    return Bundle(manifest, {name: content.decode() for name, content in files.items()})


def _check(manifest: Manifest, files: dict[str, bytes], source: Path) -> None:
    named = {one.name: one for one in manifest.transcripts}
    if manifest.v != 1 or named.keys() != files.keys() or not all(map(_NAME.match, named)):
        raise BundleError(f"{source} does not hold the files its manifest names")
    for name, content in files.items():
        if hashlib.sha256(content).hexdigest() != named[name].sha256:
            raise BundleError(f"{name} in {source} was changed since it was recorded")


def _write_tar(files: Iterable[tuple[str, str]], target: Path, at: int) -> None:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, text in files:
            entry = tarfile.TarInfo(f"{target.stem}/{name}")
            entry.size, entry.mtime, entry.mode = len(text.encode()), at, _MODE
            tar.addfile(entry, io.BytesIO(text.encode()))
    _write(target, content.getvalue())


def _write(path: Path, content: bytes) -> None:
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _MODE), "wb") as file:
        file.write(content)


def _read_tar(source: Path) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    with tarfile.open(source, "r:") as tar:
        for entry in tar:
            held = tar.extractfile(entry) if entry.isreg() and entry.size <= MOST_BYTES else None
            if held is not None:  # nothing is ever unpacked: names in a tar file are not trusted as paths
                files[entry.name.rsplit("/", 1)[-1]] = held.read()
    return files


def _read_directory(source: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(source.iterdir()) if path.name != "expected.json"}

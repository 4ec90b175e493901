"""Secrets that live in files: made once, 0600, read by the one process that needs them."""

import os
import secrets
import stat
from pathlib import Path


def secret_or_random(path: str) -> str:
    """Return the text of the secret file, or a fresh random secret when there is none."""
    try:
        return Path(path).read_text(encoding="ascii").strip() or secrets.token_urlsafe(50)
    except OSError:
        return secrets.token_urlsafe(50)


def write_secret(path: Path, content: bytes) -> None:
    """Create `path` with mode 0600 and `content`; its folder is made with mode 0700.

    Raises: FileExistsError when there is such a file already: a secret is never overwritten.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        # A link, not a rename: it refuses when another process was first, and is whole or absent.
        os.link(partial, path)
    finally:
        partial.unlink()


def is_private(path: Path) -> bool:
    """Return whether nobody but the file's user may read it."""
    return not stat.S_IMODE(path.stat().st_mode) & 0o077

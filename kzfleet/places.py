"""Where kzfleet keeps its state on this machine: everything is under one folder, `var/` by default."""

import hashlib
import os
import re
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent.parent
# The address of a unix socket is 108 bytes with its closing zero (Linux: unix(7)); Valkey and
# Redis refuse a longer one at start.
SOCKET_PATH_MAX_BYTES = 107


def var_dir() -> Path:
    """Return the absolute folder of all state: `KZFLEET_VAR`, else `var/` beside `manage.py`."""
    return Path(os.environ.get("KZFLEET_VAR") or BASE_DIR / "var").absolute()


def keys_dir(var: Path) -> Path:
    """Return the folder of the key files (folder 0700, files 0600)."""
    return var / "keys"


def output_dir(var: Path) -> Path:
    """Return the folder where each process's output is kept, one file a process."""
    return var / "log"


def broker_socket(var: Path) -> Path:
    """Return the unix socket of the embedded broker: under `var`, or in a short folder if that is too deep.

    The answer depends on `var` and the user alone, so every process finds the same one.
    """
    socket = var / "run" / "broker.sock"
    if len(os.fsencode(socket)) <= SOCKET_PATH_MAX_BYTES:
        return socket
    mark = hashlib.sha256(os.fsencode(var)).hexdigest()[:12]
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    # Predictable name in /tmp: who makes the folder checks owner and mode before it is used.
    short = Path(runtime) if runtime and len(os.fsencode(runtime)) <= 64 else Path("/tmp")  # noqa: S108
    return short / f"kzfleet-{os.getuid()}-{mark}" / "broker.sock"


def embedded_broker_url(var: Path) -> str:
    """Return the broker's address as Celery writes it."""
    return f"redis+socket://{broker_socket(var)}"


def without_credentials(url: str) -> str:
    """Return `url` without user and password."""
    return re.sub("://[^/]*@", "://", url, count=1)

"""How one host's RAD is reached, and the password file that only the agent may read."""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from kzagent.errors import SetupError

DEFAULT_PORT: Final = 6788
_HOST: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{0,252}\Z|[0-9a-fA-F:]{2,39}\Z")
_USER: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,31}\Z")
_MOST_PASSWORD_BYTES: Final = 1024


@dataclass(frozen=True, slots=True)
class RadSettings:
    """One RAD server. Either `certificate_file` with `key_file`, or `username` with `password_file`; all absolute.

    `host`: a name or address as the server's certificate names it. `ca_file`: the only authority that is trusted,
    on Solaris /etc/certs/localhost/host-ca/hostca.crt. `timeout_s`: of one read.
    Source: rad(8); REST/README and Using_the_X509_Client of oracle/oraclesolaris-contrib.
    """

    host: str
    ca_file: str
    port: int = DEFAULT_PORT
    certificate_file: str = ""
    key_file: str = ""
    username: str = ""
    password_file: str = ""
    timeout_s: int = 30


def check_rad_settings(settings: RadSettings) -> None:
    """Refuse settings that reach no RAD server, or not a verified one. Raises: SetupError."""
    _demand(bool(_HOST.match(settings.host)), "a RAD server is named by its hostname or address alone")
    _demand(0 < settings.port < 65536, "the port of RAD is 1 to 65535")
    _demand(settings.timeout_s > 0, "the time allowed for one answer of RAD is at least 1 s")
    _demand(bool(settings.ca_file), "RAD is reached with a CA file: its certificate is always verified")
    by_certificate = bool(settings.certificate_file and settings.key_file)
    by_password = bool(settings.username and settings.password_file)
    _demand(by_certificate != by_password, "RAD takes either a certificate with its key, or a user and password file")
    _demand(not by_password or bool(_USER.match(settings.username)), "that is no name of a Solaris user")
    paths = [settings.ca_file, settings.certificate_file, settings.key_file, settings.password_file]
    _demand(all(os.path.isabs(path) for path in paths if path), "files for RAD are named by absolute paths")
    for path in (settings.password_file, settings.key_file):
        if path:
            _check_private(path)


def read_password(path: str) -> str:
    """Return the first line of the password file. Raises: SetupError, also when others may read it."""
    _check_private(path)
    try:
        raw = Path(path).read_bytes()[: _MOST_PASSWORD_BYTES + 1]
        password = raw.decode("utf-8").split("\n", 1)[0].rstrip("\r")
    except OSError as error:
        raise SetupError(f"{path} cannot be read ({error.strerror})") from error
    except UnicodeDecodeError:
        raise SetupError(f"{path} is not text in UTF-8") from None
    _demand(0 < len(password) <= _MOST_PASSWORD_BYTES, f"the first line of {path} is not a password")
    return password


def _check_private(path: str) -> None:
    try:
        found = os.stat(path)
    except OSError as error:
        raise SetupError(f"{path} cannot be read ({error.strerror})") from error
    is_own = found.st_uid == os.geteuid() and stat.S_ISREG(found.st_mode)
    _demand(is_own, f"{path} is not a file of the user that the agent runs as")
    _demand(not found.st_mode & 0o077, f"{path} may be read by others: run 'chmod 600' on it")


def _demand(holds: bool, rule: str) -> None:
    if not holds:
        raise SetupError(rule)

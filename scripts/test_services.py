"""What the tests need besides Python: Debian's packages, and a PostgreSQL of their own.

`python scripts/test_services.py` starts that PostgreSQL, prints its DATABASE_URL and keeps it until
Ctrl-C: for running a few tests by hand.
"""

import contextlib
import glob
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

PACKAGES = {"postgres": "postgresql", "redis-server": "redis-server", "chromium": "chromium", "sshd": "openssh-server"}
START_WAIT_S = 30


class Missing(Exception):
    """The sentence that says what to install."""


def say(text: str) -> None:
    """Print one line at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def find_program(name: str) -> str | None:
    """Return the path of a program; PostgreSQL's and sshd lie outside PATH on Debian."""
    return (
        shutil.which(name)
        or shutil.which(name, path="/usr/sbin")
        or max(glob.glob(f"/usr/lib/postgresql/*/bin/{name}"), default=None)
    )


def bring_packages() -> None:
    """Install the packages that are missing when root on Debian. Raises: Missing elsewhere."""
    missing = [package for program, package in PACKAGES.items() if find_program(program) is None]
    if not missing:
        return
    names = " ".join(missing)
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise Missing(f"The tests need {names}: install them (Debian: sudo apt-get install {names}).")
    say(f"installing {names} (once, a minute or two) ...")
    # RUNLEVEL=1: no service is started for it (invoke-rc.d(8)); the tests start their own.
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing]
    for command in (["apt-get", "update", "-qq"], install):
        done = subprocess.run(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode != 0:
            last = "\n".join(done.stdout.splitlines()[-15:])
            raise Missing(f"{last}\n{' '.join(command)} failed; see above, then try again.")


@contextlib.contextmanager
def postgresql() -> Iterator[str]:
    """Run a PostgreSQL in a temporary folder, on a unix socket only; yield its DATABASE_URL."""
    folder = Path(tempfile.mkdtemp(prefix="kzfleet-pg-", dir="/tmp"))
    user = _server_user(folder)
    try:
        initdb = [_program("initdb"), "-D", str(folder / "data"), "-U", "kzfleet", "-A", "trust"]
        quick = ["--no-sync", "-E", "UTF8", "--locale=C"]
        made = subprocess.run([*initdb, *quick], user=user, cwd=folder, capture_output=True, text=True)
        if made.returncode != 0:
            raise Missing(f"initdb failed: {made.stderr.strip()}")
        with _server(folder, user):
            yield f"postgres://kzfleet@/{folder}/postgres"
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _server(folder: Path, user: str | None) -> Iterator[None]:
    # A test's database need not survive a power cut.
    settings = {"listen_addresses": "", "fsync": "off", "synchronous_commit": "off", "max_connections": "200"}
    options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    argv = [_program("postgres"), "-D", str(folder / "data"), "-k", str(folder), *options]
    with (folder / "output").open("wb") as output:
        server = subprocess.Popen(argv, user=user, cwd=folder, stdout=output, stderr=output, start_new_session=True)
    try:
        _wait_until_it_answers(server, folder)
        yield
    finally:
        server.send_signal(signal.SIGINT)  # "fast shutdown"
        server.wait(timeout=START_WAIT_S)


def _wait_until_it_answers(server: subprocess.Popen[bytes], folder: Path) -> None:
    deadline = time.monotonic() + START_WAIT_S
    ready = [_program("pg_isready"), "-q", "-h", str(folder)]
    while subprocess.run(ready).returncode != 0:
        if server.poll() is not None or time.monotonic() > deadline:
            raise Missing(f"PostgreSQL did not start: {(folder / 'output').read_text()[-2000:]}")
        time.sleep(0.1)


def _server_user(folder: Path) -> str | None:
    """Return who runs the server: PostgreSQL refuses to run as root. `folder` is theirs afterwards."""
    if os.geteuid() != 0:
        return None
    try:
        found = pwd.getpwnam("postgres")
    except KeyError:
        raise Missing("There is no user postgres: install postgresql (apt-get install postgresql).") from None
    os.chown(folder, found.pw_uid, found.pw_gid)
    return "postgres"


def _program(name: str) -> str:
    found = find_program(name)
    if found is None:
        raise Missing(f"{name} is missing: install postgresql (Debian: sudo apt-get install postgresql).")
    return found


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with postgresql() as address:
        say(f"DATABASE_URL={address}")
        with contextlib.suppress(KeyboardInterrupt):
            signal.pause()

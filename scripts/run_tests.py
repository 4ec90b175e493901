"""Every test: pure and on SQLite, then on PostgreSQL, then the journeys through Chromium.

The first part that fails ends the run, so the last line is pytest's own summary of what decided it.
Arguments are handed to pytest (`make test ARGS="-k approval"`).
"""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from test_services import Missing, bring_packages, postgresql, say

PROJECT = Path(__file__).resolve().parent.parent
NO_TESTS = 5
# Each worker has its own database; two of them keep two cores busy.
SPREAD = ("-n", "2", "--dist", "loadgroup")
ON_POSTGRESQL = ("tests/apps", "tests/surface", "tests/pages")


def main(arguments: list[str]) -> int:
    """Run the parts; return the exit code."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        bring_packages()
        with postgresql() as address:
            return _run_parts(address, arguments)
    except Missing as missing:
        sys.stderr.write(f"kzfleet: {missing}\n")
        return 1
    except KeyboardInterrupt:
        return 130


def _run_parts(address: str, arguments: list[str]) -> int:
    on_both = [folder for folder in ON_POSTGRESQL if _has_tests(folder)]
    parts = {
        "pure tests, and services on SQLite": ({}, ["-m", "not postgres and not journey", *SPREAD, "tests"]),
        "services on PostgreSQL": ({"DATABASE_URL": address}, ["-m", "not journey", *SPREAD, *on_both]),
        "journeys": ({}, ["-m", "journey", "-p", "no:randomly", "tests"]),
    }
    for name, (env, words) in parts.items():
        say(f"\n{name}")
        code = _pytest(env, [*words, *arguments])
        # With an argument such as -k a part may have nothing to run; without one that is a failure.
        if code != 0 and not (code == NO_TESTS and arguments):
            return code
    return 0


def _pytest(env: dict[str, str], words: list[str]) -> int:
    given = {name: value for name, value in os.environ.items() if not name.startswith(("KZFLEET_", "DJANGO_"))}
    for name in ("DATABASE_URL", "BROKER_URL", "CACHE_URL"):
        given.pop(name, None)
    argv = [sys.executable, "-m", "pytest", "-q", *words]
    # A state folder of their own: a `make run` of this checkout hears nothing of the tests.
    with tempfile.TemporaryDirectory(prefix="kzfleet-tests-") as var:
        return subprocess.run(argv, cwd=PROJECT, env={**given, **env, "KZFLEET_VAR": var}).returncode


def _has_tests(folder: str) -> bool:
    return any((PROJECT / folder).rglob("test_*.py"))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

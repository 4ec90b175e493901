"""Every test: pure and on SQLite; then on PostgreSQL and, beside that, the journeys through Chromium.

Journeys mostly wait (boot storage is watched for seconds), so they run while the other part computes; what
they print comes after it. The last line is pytest's own summary, or a sentence that names the part that failed.
Arguments are handed to pytest (`make test ARGS="-k approval"`).
"""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import IO

from test_services import Missing, bring_packages, postgresql, say

PROJECT = Path(__file__).resolve().parent.parent
NO_TESTS = 5
# Each worker has its own database; two of them keep two cores busy.
SPREAD = ("-n", "2", "--dist", "loadgroup")
ON_SQLITE = ("-m", "not postgres and not journey", *SPREAD, "tests")
ON_POSTGRESQL = ("tests/apps", "tests/surface", "tests/pages")
JOURNEYS = ("-m", "journey", "-p", "no:randomly", "tests")


def main(arguments: list[str]) -> int:
    """Run the parts; return the exit code."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        bring_packages()
        with postgresql() as address, tempfile.TemporaryDirectory(prefix="kzfleet-tests-") as var:
            # A state folder of their own: a `make run` of this checkout hears nothing of the tests.
            return _run_parts({"KZFLEET_VAR": var}, address, arguments)
    except Missing as missing:
        sys.stderr.write(f"kzfleet: {missing}\n")
        return 1
    except KeyboardInterrupt:
        return 130


def _run_parts(env: dict[str, str], address: str, arguments: list[str]) -> int:
    say("\npure tests, and services on SQLite")
    first = _pytest([*ON_SQLITE, *arguments], env).wait()
    if first not in (0, NO_TESTS):
        return first
    on_both = [folder for folder in ON_POSTGRESQL if any((PROJECT / folder).rglob("test_*.py"))]
    with tempfile.TemporaryFile() as output:
        journeys = _pytest([*JOURNEYS, *arguments], env, output)
        try:
            say("\nservices on PostgreSQL (journeys are under way beside them)")
            words = ["-m", "not journey", *SPREAD, *on_both, *arguments]
            services_code = _pytest(words, {**env, "DATABASE_URL": address}).wait()
        finally:
            journeys_code = journeys.wait()
        _print("\njourneys\n", output)
    if services_code not in (0, NO_TESTS):
        sys.stderr.write("kzfleet: services on PostgreSQL failed, see above the journeys\n")
    return whole_code([first, services_code, journeys_code], arguments)


def _pytest(words: list[str], env: dict[str, str], output: IO[bytes] | None = None) -> subprocess.Popen[bytes]:
    given = {name: value for name, value in os.environ.items() if not name.startswith(("KZFLEET_", "DJANGO_"))}
    for name in ("DATABASE_URL", "BROKER_URL", "CACHE_URL"):
        given.pop(name, None)
    argv = [sys.executable, "-m", "pytest", "-q", *words]
    return subprocess.Popen(argv, cwd=PROJECT, env={**given, **env}, stdout=output, stderr=output and subprocess.STDOUT)


def whole_code(codes: list[int], arguments: list[str]) -> int:
    """Return the exit code of all parts: a part may have nothing to run because of an argument such as -k, not all."""
    if set(codes) == {NO_TESTS}:
        sys.stderr.write(f"kzfleet: no test in any part matches {' '.join(arguments)}\n")
        return 1
    allowed = {0, NO_TESTS} if arguments else {0}
    return next((code for code in codes if code not in allowed), 0)


def _print(title: str, output: IO[bytes]) -> None:
    output.seek(0)
    sys.stdout.write(title)
    sys.stdout.flush()
    sys.stdout.buffer.write(output.read())
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

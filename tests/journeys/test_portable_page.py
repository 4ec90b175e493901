"""docs/portable.md, as somebody follows it from top to bottom: every command as it is written there."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kernelzone.portable.host import Flag, Host

PAGE = Path(__file__).parents[2] / "docs" / "portable.md"
# a zone held elsewhere, a fork, and a question where there is no terminal
ENDS_WITH_1 = [
    "kz lab/global1 zoneadm -z kzone1 attach",
    "kz lab/global2 fsck kzone1",
    "kz lab/global2 erase-storage $LU2",
]


ONE = """{command}
code=$?; [ $code = 0 ] || echo $code of {name} >&3
"""


def commands() -> Iterator[str]:
    """Return each command of the page, those over several lines whole, comments left out."""
    by_hand = PAGE.read_text(encoding="utf-8").split("## The demonstration fleet")[0]
    whole = ""
    for block in re.findall(r"```\n((?:kz |LU=|LU2=).*?)```", by_hand, re.DOTALL):
        for line in block.splitlines():
            whole += line
            if whole.count('"') % 2 == 0:
                yield re.sub(r"\s+# .*", "", whole)
                whole = ""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """An empty folder; every guest in it is ended afterwards."""
    yield tmp_path
    for host in sorted(tmp_path.glob("lab/*/host.json")):
        Host.open(host.parent).set_flag(Flag.DEAD)


def test_every_command_of_the_page_ends_as_the_page_says(folder: Path) -> None:
    said = "".join(ONE.format(command=one, name=shlex.quote(one)) for one in commands())
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"

    subprocess.run(
        ["/bin/bash", "-c", f"exec 3> refused; {said}"],
        cwd=folder,
        env={**os.environ, "PATH": path},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )

    assert (folder / "refused").read_text().splitlines() == [f"1 of {one}" for one in ENDS_WITH_1]

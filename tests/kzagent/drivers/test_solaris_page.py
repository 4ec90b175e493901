"""What docs/solaris.md shows is what the agent takes."""

from __future__ import annotations

import json
import re
from pathlib import Path

from kernelzone import strict
from kzagent.host_settings import HostSettings, Way
from kzagent.hosts_file import HostsFile

PAGE = Path(__file__).parents[3] / "docs" / "solaris.md"


def test_the_hosts_on_the_page_are_read_as_settings() -> None:
    blocks = re.findall(r"```json\n(.*?)```", PAGE.read_text(), re.DOTALL)

    hosts: list[HostSettings] = []
    for block in blocks:
        hosts += strict.read(HostsFile, json.loads(block)).hosts

    assert Way.RAD in {host.solaris.way for host in hosts if host.solaris is not None}

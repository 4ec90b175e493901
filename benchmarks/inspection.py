"""The sweep against its bare parts: `python benchmarks/inspection.py [zones a host]`.

2 000 portable zones on 200 hosts, from the orders' insertion until the last reading is taken in (signer, broker, two
agents, 2 000 regions read and verified, signed reports by HTTP, ingestion, verdicts), beside its parts done bare: 200
no-op Celery tasks on the same broker, as many workers, a raw bulk insert of 2 000 readings into the same table, and
what reads, signs and carries the host data of 2 000 zones (_inspection_parts.py). Goal: at most 2x. The ratio to
messages and rows alone is printed too; docs/decisions/0017 says why it is not the goal. Sides take turns; medians are
compared.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import django

from benchmarks._inspection_fleet import built_fleet
from benchmarks._stack import free_port, say, site

HOSTS = 200
# in memory where there is such a folder: what a disk takes for a commit or a direct read is not what is compared
IN_MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


def main() -> int:
    """Print both sides; return 1 when the goal is missed."""
    zones_a_host = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    zones = HOSTS * zones_a_host
    with tempfile.TemporaryDirectory(prefix="kzfleet-bench-", dir=IN_MEMORY) as place, ExitStack() as running:
        root = Path(place)
        os.environ |= {"KZFLEET_VAR": str(root / "var"), "DJANGO_SETTINGS_MODULE": "kzfleet.settings"}
        began = time.monotonic()
        hosts = built_fleet(root / "fleet", hosts=HOSTS, zones_a_host=zones_a_host)
        say(f"{zones} zones on {HOSTS} hosts made in {time.monotonic() - began:.0f} s")
        port = free_port()
        running.enter_context(site(root / "var", port))
        django.setup()
        from benchmarks import _inspection_sides as sides  # noqa: PLC0415 - needs the settings above

        running.enter_context(sides.agents(root, hosts, port, zones))
        running.enter_context(sides.noop_workers(root))
        return 0 if sides.compared(root, HOSTS, zones) else 1


if __name__ == "__main__":
    sys.exit(main())

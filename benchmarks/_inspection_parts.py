"""What any inspection that reads host data consists of, done bare: the honest other side of the benchmark.

Beside messages and rows: both slots of every zone read twice and decrypted, orders and reports signed and verified,
what was found written as JSON and read, and posted. By as many processes as there are agents, on the same cores, each
part with nothing of ours around it but the calls themselves.
"""

from __future__ import annotations

import gzip
import http.client
import http.server
import json
import mmap
import multiprocessing
import os
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from benchmarks.hostdata import bare_reads, bare_slot, prepared

ORDER_BYTES = 420
_page: list[mmap.mmap] = []


class Share(NamedTuple):
    """What one process does: so many zones and hosts; `state`: the result of one host as the agents report it."""

    device: str
    zones: int
    hosts: int
    state: dict[str, Any]
    port: int


def opened(root: Path, running: ExitStack, agents: int) -> tuple[ProcessPoolExecutor, str, int]:
    """Return the waiting processes, a boot storage to read, and the port where somebody answers every post."""
    place = root / "bare"
    place.mkdir()
    device = prepared(place)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    running.callback(server.shutdown)
    pool = ProcessPoolExecutor(agents, mp_context=multiprocessing.get_context("spawn"))
    running.callback(pool.shutdown)
    list(pool.map(_warm, range(agents)))
    return pool, str(device.path), server.server_address[1]


def bare_parts(pool: ProcessPoolExecutor, shares: list[Share]) -> tuple[float, dict[str, float]]:
    """Return the seconds all of it took side by side, and the seconds of each part summed over the processes."""
    began = time.perf_counter()
    found = list(pool.map(_share, shares))
    took_s = time.perf_counter() - began
    return took_s, {name: sum(one[name] for one in found) for name in found[0]}


def _warm(_number: int) -> None:
    time.sleep(0.2)  # so that each process gets one, and has imported everything


def _share(share: Share) -> dict[str, float]:
    parts = {"reading": _read, "signatures": _sign, "JSON": _json, "posts": _post}
    taken = {}
    for name, part in parts.items():
        began = time.perf_counter()
        part(share)
        taken[name] = time.perf_counter() - began
    return taken


def _read(share: Share) -> None:
    page = mmap.mmap(-1, 16384)
    for _ in range(share.zones):
        fd = os.open(share.device, os.O_RDONLY)
        images = bare_reads(fd, page)
        os.close(fd)
        for slot, image in enumerate(images):
            bare_slot(image, slot)


def _sign(share: Share) -> None:
    """One order and one report for each host, each signed and verified."""
    key = Ed25519PrivateKey.generate()
    public = key.public_key()
    report = json.dumps(share.state).encode()
    for _ in range(share.hosts):
        for content in (bytes(ORDER_BYTES), report):
            public.verify(key.sign(content), content)


def _json(share: Share) -> None:
    for _ in range(share.hosts):
        json.loads(json.dumps(share.state, sort_keys=True, separators=(",", ":")))


def _post(share: Share) -> None:
    """All reports in one post, packed."""
    body = gzip.compress(json.dumps([share.state] * share.hosts).encode(), compresslevel=1)
    connection = http.client.HTTPConnection("127.0.0.1", share.port, timeout=30)
    connection.request("POST", "/", body=body)
    connection.getresponse().read()
    connection.close()


class _Answer(http.server.BaseHTTPRequestHandler):
    """Takes a post, unpacks it, and says so."""

    def do_POST(self) -> None:
        gzip.decompress(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(202)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's own name
        pass

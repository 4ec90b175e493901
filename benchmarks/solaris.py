"""Solaris hosts: `python benchmarks/solaris.py [hosts]`.

Two limits. One agent inspects 200 ssh hosts within 60 s although every command on them takes 2 s: the ssh server is
this benchmark's own (asyncssh, one process beside), one user name a host, with keys that are checked. And what 500
zones of one host print, `list -cp` and every export, is taken apart within 50 ms of CPU time.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import cast
from uuid import UUID

import asyncssh

from benchmarks._stack import say
from kernelzone import zoneadm
from kernelzone.words import HostId, ZoneName
from kzagent import identity
from kzagent.assembly import assemble
from kzagent.drivers.solaris.configurations import Configurations
from kzagent.drivers.solaris.port import HostPort
from kzagent.host_settings import DEFAULT_SESSIONS, HostSettings, SolarisSettings, SshSettings, Way
from kzagent.watching import Watch

HOSTS, ZONES_A_HOST, COMMAND_S, LIMIT_S = 200, 5, 2.0, 60.0
PARSED_ZONES, PARSE_LIMIT_MS = 500, 50.0


def export(number: int) -> str:
    """Return what `zonecfg export` prints of a kernel zone with the template's resources."""
    return (
        "create -b\nset brand=solaris-kz\nset autoboot=true\nset autoshutdown=shutdown\n"
        'set bootargs="kz=d -k -m verbose"\nset hostid=0x2e7d2173\nadd anet\nset lower-link=auto\n'
        "set configure-allowed-address=true\nset link-protection=mac-nospoof\nset mac-address=auto\nset id=0\nend\n"
        f"add device\nset storage=iscsi://target/luname.naa.600144f0{number:024x}\nset bootpri=0\nset id=0\nend\n"
        "add capped-memory\nset physical=4G\nend\nadd virtual-cpu\nset ncpus=4\nend\n"
        "add suspend\nset path=/system/zones/%{zonename}/suspend\nend\n"
        "add keysource\nset raw=00112233445566778899aabbccddeeff\nend\n"
    )


def listing(zones: int) -> str:
    """Return what `zoneadm list -cp` prints of a host with so many kernel zones."""
    lines = ["0:global:running:/::solaris:shared:-::"]
    for number in range(zones):
        path = f"/system/volatile/zones/kz{number}/zonepath"
        lines.append(f"-:kz{number}:installed:{path}:{UUID(int=number)}:solaris-kz:excl:R:solaris-kz:")
    return "".join(f"{line}\n" for line in lines)


class Printed:
    """The port of a host that has printed everything already: what is left is reading it."""

    def __init__(self, first: int) -> None:
        self.exported = {ZoneName(f"kz{n}"): export(first + n) for n in range(PARSED_ZONES)}

    def exports(self, zones: Sequence[ZoneName]) -> dict[ZoneName, str]:
        return self.exported

    def evacuation_targets(self, zones: Sequence[ZoneName]) -> dict[ZoneName, str]:
        return {}


def parsed_ms() -> tuple[float, float]:
    """Return the CPU time of one list and its exports at the first look, and at a later one: each the best of five."""
    firsts, laters = [], []
    for turn in range(5):
        known = Configurations(cast("HostPort", Printed(turn * PARSED_ZONES)))
        firsts.append(_look_ms(known))
        for number in range(PARSED_ZONES):
            known.forget(ZoneName(f"kz{number}"))
        laters.append(_look_ms(known))
    return min(firsts), min(laters)


def _look_ms(known: Configurations) -> float:
    text = listing(PARSED_ZONES)
    began = time.process_time()
    found = [ZoneName(zone.name) for zone in zoneadm.parse_list_cp(text) if zone.brand == "solaris-kz"]
    read = known.of(found)
    took = (time.process_time() - began) * 1000
    if len(read) != PARSED_ZONES or any(one.sha256 is None or "keysource" in one.text for one in read.values()):
        raise AssertionError("the exports were not read")
    return took


# --- two hundred hosts that answer slowly -------------------------------------------------------------------------


def answer(host: int, words: list[str]) -> str:
    """Return what a command on host number `host` prints."""
    name = Path(words[0]).name
    if name == "zonecfg":
        return export(host * 1000 + int(words[2].removeprefix("kz")))
    if name == "zoneadm":
        head = "NAME             STATUS           AUXILIARY STATE\n"
        return listing(ZONES_A_HOST) if "-cp" in words else head + "global           running\n"
    return {
        "hostid": f"{host + 1:08x}\n",
        "uname": f"host{host} 11.4.62.155.1\n",
        "beadm": f"solaris-1;{UUID(int=1)};NR;/;1;static;1\n",
        "kstat": "unix:0:system_misc:boot_time\t1795451797\n",
        "date": time.strftime("%Y%m%dT%H%M%SZ\n", time.gmtime()),
    }.get(name, "")


async def handle(process: asyncssh.SSHServerProcess[str]) -> None:
    """Answer one command after COMMAND_S."""
    words = [word for word in (process.command or "").split() if "=" not in word or word.startswith("pid=")]
    words = [word for word in words[1:] if Path(word).name != "pfexec"]
    await asyncio.sleep(COMMAND_S)
    process.stdout.write(answer(int(process.get_extra_info("username").removeprefix("host")), words))
    process.exit(0)


def serve(directory: str, ready: multiprocessing.Queue[int]) -> None:
    """Serve until the process is ended; tell the port."""

    async def begin() -> None:
        server = await asyncssh.listen(
            "127.0.0.1",
            0,
            server_host_keys=[f"{directory}/host_key"],
            authorized_client_keys=f"{directory}/client_key.pub",
            process_factory=handle,
            login_timeout=60,
            backlog=512,
        )
        ready.put(server.get_port())

    asyncssh.set_log_level("ERROR")
    loop = asyncio.new_event_loop()
    loop.run_until_complete(begin())
    loop.run_forever()


def hosts_of(directory: Path, port: int, count: int) -> list[HostSettings]:
    """Return the settings of so many hosts behind one port, a user name each."""
    return [
        HostSettings("solaris", "", SolarisSettings(HostId(f"{number + 1:08x}"), Way.SSH, "", "/var/log/zones", ssh))
        for number in range(count)
        for ssh in [
            SshSettings(
                "127.0.0.1",
                port,
                f"host{number}",
                str(directory / "client_key"),
                str(directory / "known_hosts"),
                DEFAULT_SESSIONS,
            )
        ]
    ]


def inspected_s(directory: Path, count: int) -> float:
    """Return how long one agent takes to inspect so many hosts, connections and all."""
    for name in ("host_key", "client_key"):
        key = asyncssh.generate_private_key("ssh-ed25519")
        key.write_private_key(directory / name)
        key.write_public_key(directory / f"{name}.pub")
    ready: multiprocessing.Queue[int] = multiprocessing.Queue()
    server = multiprocessing.Process(target=serve, args=(str(directory), ready), daemon=True)
    server.start()
    try:
        port = ready.get(timeout=30)
        known = (directory / "host_key.pub").read_text()
        (directory / "known_hosts").write_text(f"[127.0.0.1]:{port} {known}")
        return watched_s(directory, hosts_of(directory, port, count))
    finally:
        server.terminate()
        server.join()


def watched_s(directory: Path, hosts: list[HostSettings]) -> float:
    """Return how long an agent's heartbeat takes, which inspects each of its hosts."""
    settings = identity.new_settings(
        deployment=UUID(int=1),
        url="http://127.0.0.1:1",
        broker="redis://127.0.0.1:1/0",
        authority_keys=["3b6a27bcceb6a42d62a3a8d02a6f0d73653215771de243a63ac048a18b59da29"],
        hosts=hosts,
        name="benchmark",
    )
    identity.create(directory / "agent", settings)
    agent = assemble(directory / "agent")
    watch = Watch(agent)
    began = time.perf_counter()
    watch.beat()
    took = time.perf_counter() - began
    if len(watch._reported) != len(hosts):
        raise AssertionError(f"{len(watch._reported)} of {len(hosts)} hosts were inspected")
    return took


def main() -> int:
    """Print both figures; return 1 when a limit is missed."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else HOSTS
    first_ms, later_ms = parsed_ms()
    say(f"list -cp and exports of {PARSED_ZONES} zones: {first_ms:.0f} ms of CPU time (limit {PARSE_LIMIT_MS:.0f})")
    say(f"the same again, none of them changed: {later_ms:.1f} ms")
    with tempfile.TemporaryDirectory(prefix="kzfleet-bench-") as place:
        took_s = inspected_s(Path(place), count)
    say(f"{count} ssh hosts, {COMMAND_S:.0f} s a command, inspected in {took_s:.1f} s (limit {LIMIT_S:.0f})")
    return 0 if first_ms <= PARSE_LIMIT_MS and took_s <= LIMIT_S else 1


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    os._exit(code)  # connections of the agent live in a thread of their own

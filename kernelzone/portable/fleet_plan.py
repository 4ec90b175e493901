"""Who is who in the demonstration fleet: hosts, zones and what happened to some of them."""

from __future__ import annotations

import hashlib
from typing import Final, NamedTuple
from uuid import UUID


class PlannedHost(NamedTuple):
    """One host of the fleet. `agent`: the name of the agent that serves it, one a site."""

    hostname: str
    owner_hostid: str
    site: str
    rack: str
    boot_environment: str = "solaris-1"
    boot_environment_uuid: UUID | None = None

    @property
    def agent(self) -> str:
        """The agent of the host's site."""
        return f"agent-{self.site}"


class PlannedZone(NamedTuple):
    """One zone and the host it is installed on. state: what it is brought to, `running installed suspended`."""

    name: str
    host: str
    state: str = "running"
    memory: str = "8G"
    ncpus: int = 4
    vlan: int = 110
    data_devices: int = 0


# global2 and its boot environment are those of the message in the kernel zones guide.
HOSTS: Final = (
    PlannedHost("global1", "83a0cc71", "frankfurt", "A01"),
    PlannedHost("global2", "848611d4", "frankfurt", "A02", "solaris-1", UUID("69ed2e6a-e25a-6d36-e022-ed7261ed8899")),
    PlannedHost("global3", "84f1a2c3", "frankfurt", "A02", "11.4.81"),
    PlannedHost("global4", "8510b7e4", "frankfurt", "A03", "11.4.81"),
    PlannedHost("global5", "86a91f05", "munich", "B01", "11.4.81"),
    PlannedHost("global6", "8702dd16", "munich", "B01", "11.4.78-backup-1"),
    PlannedHost("global7", "87c45e27", "munich", "B02", "11.4.81"),
    PlannedHost("global8", "8831aa38", "munich", "B02", "11.4.81"),
)

ZONES: Final = (
    PlannedZone("kz-web01", "global1", vlan=120),
    PlannedZone("kz-web02", "global1", vlan=120),
    PlannedZone("kz-app01", "global1", memory="16G", ncpus=8),
    PlannedZone("kz-stage01", "global1", "installed", memory="4G", ncpus=2),
    PlannedZone("kzone1", "global2", "installed", memory="4G"),
    PlannedZone("kz-mail01", "global2", memory="16G"),
    PlannedZone("kz-db01", "global3", memory="64G", ncpus=16, vlan=130, data_devices=2),
    PlannedZone("kz-cache01", "global3", memory="32G"),
    PlannedZone("kz-cache02", "global3", memory="32G"),
    PlannedZone("kz-db02", "global4", memory="64G", ncpus=16, vlan=130, data_devices=2),
    PlannedZone("kz-log01", "global4", memory="16G", data_devices=1),
    PlannedZone("kz-stage02", "global4", "installed", memory="4G", ncpus=2),
    PlannedZone("kz-web03", "global5", vlan=220),
    PlannedZone("kz-web04", "global5", vlan=220),
    PlannedZone("kz-ldap01", "global5", memory="4G", ncpus=2, vlan=210),
    PlannedZone("kz-wiki01", "global5", "installed"),
    PlannedZone("kz-vault01", "global5", "installed", memory="4G", ncpus=2, vlan=240),
    PlannedZone("kz-app02", "global6", memory="16G", ncpus=8, vlan=210),
    PlannedZone("kz-batch01", "global6", "suspended", memory="16G", ncpus=8, vlan=210),
    PlannedZone("kz-batch02", "global6", "suspended", memory="16G", ncpus=8, vlan=210),
    PlannedZone("kz-report01", "global6", "installed", vlan=210),
    PlannedZone("kz-mon01", "global7", memory="16G", vlan=240),
    PlannedZone("kz-git01", "global7", memory="16G", vlan=240, data_devices=1),
    PlannedZone("kz-ci01", "global7", "installed", memory="32G", ncpus=16, vlan=240),
    PlannedZone("kz-queue01", "global7", vlan=210),
    PlannedZone("kz-dns01", "global8", memory="2G", ncpus=1, vlan=210),
    PlannedZone("kz-dns02", "global8", memory="2G", ncpus=1, vlan=210),
    PlannedZone("kz-proxy01", "global8", memory="4G", ncpus=2, vlan=220),
    PlannedZone("kz-erp01", "global8", "installed", memory="64G", ncpus=16, vlan=230, data_devices=2),
    PlannedZone("kz-test01", "global8", "configured", memory="2G", ncpus=1, vlan=240),
)


def storage_uri(zone: str, device: int) -> str:
    """Return the URI of a device of a zone: a logical unit that every host of both sites reaches."""
    number = hashlib.sha256(f"{zone}/{device}".encode()).hexdigest()[:24]
    return f"lu:luname.naa.600144f0{number}"


def commands(zone: PlannedZone, suspend_directory: str) -> str:
    """Return the zonecfg commands that configure a zone."""
    number = hashlib.sha256(zone.name.encode()).hexdigest()[:8]
    lines = [
        "create -b",
        "set brand=solaris-kz",
        f"set autoboot={'true' if zone.state == 'running' else 'false'}",
        "set autoshutdown=shutdown",
        f"set hostid=0x{number}",
        "add anet",
        "set lower-link=net0",
        "set link-protection=mac-nospoof",
        f"set vlan-id={zone.vlan}",
        "set mac-address=auto",
        "set id=0",
        "end",
    ]
    for device in range(1 + zone.data_devices):
        bootpri = ["set bootpri=0"] if device == 0 else []
        lines += ["add device", f"set storage={storage_uri(zone.name, device)}", *bootpri, f"set id={device}", "end"]
    lines += ["add capped-memory", f"set physical={zone.memory}", "end"]
    lines += ["add virtual-cpu", f"set ncpus={zone.ncpus}", "end"]
    lines += ["add suspend", f"set path={suspend_directory}/%{{zonename}}", "end"]
    return "\n".join(lines) + "\n"

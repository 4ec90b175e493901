"""Two hosts on one storage, as small as a laboratory can be; its guests are gone when the test ends."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

from kernelzone.facts import Outcome
from kernelzone.portable import configuring, guests, storage, verbs
from kernelzone.portable.host import Host

URI = "lu:luname.naa.600144f0000000000000000000000001"
COMMANDS = """create -b
set brand=solaris-kz
set autoboot=true
add device
set storage={uri}
set bootpri=0
set id=0
end
add capped-memory
set physical=4G
end
add suspend
set path={suspend}/%{{zonename}}
end
"""


class Lab:
    """global1 wants what global2 has."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.global1 = self.host("global1", "83a0cc71")
        self.global2 = self.host("global2", "848611d4", UUID("69ed2e6a-e25a-6d36-e022-ed7261ed8899"))

    def host(self, hostname: str, owner_hostid: str, uuid: UUID | None = None) -> Host:
        return Host.create(
            self.directory / hostname,
            owner_hostid=owner_hostid,
            hostname=hostname,
            boot_environment_uuid=uuid,
            guest_interval_s=0.02,
        )

    def configured(self, zone: str = "kzone1", uri: str = URI) -> None:
        storage.create(self.global2.path_of(uri))
        text = COMMANDS.format(uri=uri, suspend=self.directory / "suspend")
        must(configuring.configure(self.global2, zone, text))

    def installed(self, zone: str = "kzone1", uri: str = URI) -> None:
        """`zone` is installed on global2, and its export, key and all, was taken to global1."""
        self.configured(zone, uri)
        must(verbs.install(self.global2, zone))
        must(configuring.configure(self.global1, zone, self.global2.export(zone)))

    def running(self, zone: str = "kzone1") -> None:
        self.installed(zone)
        must(verbs.boot(self.global2, zone))

    def storage_path(self, uri: str = URI) -> Path:
        return self.global2.path_of(uri)

    def end_guests(self) -> None:
        hosts = [Host.open(path.parent) for path in self.directory.glob("*/host.json")]
        guests.end_all([host.placement(zone).guest() for host in hosts for zone in host.zones()])

    def slots(self) -> tuple[bytes, bytes]:
        image = self.storage_path().read_bytes()
        return image[:4096], image[524_288 : 524_288 + 4096]


def must(outcome: Outcome) -> None:
    assert outcome.is_done, outcome

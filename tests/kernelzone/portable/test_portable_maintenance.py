"""What a host says of its maintenance, and of where its zones would go."""

from __future__ import annotations

import pytest
from portable_lab import Lab

from kernelzone.portable import evacuation_targets, maintenance
from kernelzone.portable.errors import PortableError
from kernelzone.portable.host import Host


def test_maintenance_is_told_in_the_facts_and_outlasts_a_start_of_the_host(lab: Lab) -> None:
    host = lab.global1
    assert host.facts().maintenance is None
    maintenance.start(host.directory, "new firmware")
    host.set_flag("dead")
    host.set_flag("up")
    assert Host.open(host.directory).facts().maintenance == "new firmware"
    assert (maintenance.end(host.directory), maintenance.end(host.directory)) == (True, False)
    assert host.facts().maintenance is None


@pytest.mark.parametrize("message", ["", "  ", "two\nlines", "x" * 256])
def test_a_maintenance_message_is_one_line_that_says_something(lab: Lab, message: str) -> None:
    with pytest.raises(PortableError, match="printable"):
        maintenance.start(lab.global1.directory, message)
    assert lab.global1.facts().maintenance is None


def test_a_damaged_maintenance_file_is_not_taken_for_no_maintenance(lab: Lab) -> None:
    (lab.global1.directory / "maintenance.json").write_text("{}")
    assert "damaged" in str(lab.global1.facts().maintenance)


def test_a_target_counts_from_the_refresh_on_and_a_zones_own_before_that_of_all(lab: Lab) -> None:
    lab.installed()
    directory = lab.global2.directory

    def target() -> str | None:
        return lab.global2.placements()[0].evacuation_target

    evacuation_targets.store(directory, "system/zones/zone", "ssh://global3")
    assert target() is None
    evacuation_targets.refresh(directory, "system/zones/zone")
    assert target() == "ssh://global3"
    evacuation_targets.store(directory, "system/zones/zone:kzone1", "ssh://global1")
    evacuation_targets.refresh(directory, "system/zones/zone:kzone1")
    assert target() == lab.global2.placement_facts("kzone1").evacuation_target == "ssh://global1"
    evacuation_targets.store(directory, "system/zones/zone:kzone1", None)
    evacuation_targets.refresh(directory, "system/zones/zone:kzone1")
    assert target() == "ssh://global3"

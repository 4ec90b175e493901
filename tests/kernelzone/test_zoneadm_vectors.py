import pytest

from kernelzone import zoneadm
from kernelzone.states import Verb
from kernelzone.words import WordError
from kernelzone.zoneadm import Extended


def test_the_vectors_of_attach():
    assert zoneadm.attach("kzone1") == ["zoneadm", "-z", "kzone1", "attach"]
    assert zoneadm.attach("kzone1", Extended.FORCE_TAKEOVER)[-2:] == ["-x", "force-takeover"]
    assert zoneadm.attach("kzone1", Extended.INITIALIZE_HOSTDATA)[-2:] == ["-x", "initialize-hostdata"]


def test_no_other_extended_option_is_passed_on():
    with pytest.raises(ValueError):
        zoneadm.attach("kzone1", "cert=/etc/passwd")


def test_the_vectors_of_the_other_verbs():
    zone = ["zoneadm", "-z", "kz"]
    assert zoneadm.vector(Verb.DETACH, "kz") == [*zone, "detach"]
    assert zoneadm.vector(Verb.MARK_UNAVAILABLE, "kz") == [*zone, "mark", "unavailable"]
    assert zoneadm.boot("kz", fresh=True) == [*zone, "boot", "-R"]
    assert zoneadm.shutdown("kz", restart=True) == [*zone, "shutdown", "-r"]
    assert zoneadm.migrate("kz", "ssh://u@global2:22", dry_run=True) == [*zone, "migrate", "-n", "ssh://u@global2:22"]
    assert zoneadm.disable_autoboot("kz") == ["zonecfg", "-z", "kz", "set autoboot=false"]
    assert zoneadm.configure("kz", "/run/kz.cfg") == ["zonecfg", "-z", "kz", "-f", "/run/kz.cfg"]
    assert zoneadm.export("kz") == ["zonecfg", "-z", "kz", "export"]
    assert zoneadm.list_placements() == ["zoneadm", "list", "-cp"]
    assert zoneadm.evacuate(dry_run=True) == ["sysadm", "evacuate", "-v", "-n"]


BAD_ZONES = ["-z", "a b", "../x", "kz;reboot", "z" * 65, "", "GLOBAL", "global", "kzоne1", "kz\n"]  # noqa: RUF001


@pytest.mark.parametrize("zone", BAD_ZONES)
@pytest.mark.parametrize("make", [zoneadm.attach, zoneadm.boot, zoneadm.export, zoneadm.mark_unavailable])
def test_a_bad_zone_name_reaches_no_vector(make, zone):
    with pytest.raises(WordError) as refused:
        make(zone)

    assert refused.value.code == "ZONE_NAME"


@pytest.mark.parametrize("target", ["", "-x", "global2", "http://h", "ssh://-o@h", "ssh://h;reboot", "ssh://h\n"])
def test_a_bad_migration_target_reaches_no_vector(target):
    with pytest.raises(WordError) as refused:
        zoneadm.migrate("kz", target)

    assert refused.value.code == "MIGRATE_TARGET"


def test_a_bad_cipher_reaches_no_vector():
    with pytest.raises(WordError) as refused:
        zoneadm.migrate("kz", "ssh://h", cipher="-q")

    assert refused.value.code == "MIGRATE_CIPHER"


def test_a_command_file_is_named_absolutely():
    with pytest.raises(ValueError):
        zoneadm.configure("kz", "-r")

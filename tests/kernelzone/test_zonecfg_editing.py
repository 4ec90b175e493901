import pytest
from transcripts import transcript

from kernelzone.suri import SuriError
from kernelzone.zonecfg import (
    Property,
    Resource,
    ZoneCfgError,
    apply_commands,
    boot_storage,
    compare,
    parse,
    resolve,
    write,
)

EXPORT = transcript("export-puppet.txt")
TOKENS = {"zonename": "kzone1", "global-rootzpool": "rpool"}
HEAD = "create -b\nset brand=solaris-kz\n"
KEYED = f"{HEAD}add keysource\nset raw=00112233445566778899aabbccddeeff\nend\n"


def test_tokens_are_resolved_per_device():
    text = EXPORT.replace(
        "set id=0\nend\nadd capped",
        "set id=0\nend\nadd device\nset id=7\nset storage=dev:x%{id}%%{id}\nend\nadd capped",
    )

    devices = list(resolve(parse(text), TOKENS).resources_of("device"))

    assert devices[0].value("storage") == "dev:/dev/zvol/dsk/rpool/VARSHARE/zones/kzone1/disk0"
    assert devices[1].value("storage") == "dev:x7%{id}"


def test_a_token_without_a_value_is_refused_with_its_line():
    with pytest.raises(ZoneCfgError) as refused:
        resolve(parse(EXPORT), {"zonename": "kzone1"})

    assert (refused.value.code, refused.value.line) == ("ZONECFG_TOKEN", 13)


def test_the_boot_storage_comes_in_boot_order_and_normalised():
    device = "add device\nset storage={}\nset id={}\n{}end\n"
    text = HEAD + "".join(
        [
            device.format("nfs://u:g@Filer:2049/b", 2, "set bootpri=1\n"),
            device.format("nfs://filer/a", 3, "set bootpri=0\n"),
            device.format("nfs://filer/c", 1, "set bootpri=1\n"),
            device.format("nfs://filer/data", 0, ""),
        ]
    )

    assert boot_storage(parse(text)) == [("nfs://filer/a", 3, 0), ("nfs://filer/c", 1, 1), ("nfs://filer/b", 2, 1)]


def test_boot_storage_with_a_token_left_is_refused():
    with pytest.raises(SuriError) as refused:
        boot_storage(parse(EXPORT))

    assert refused.value.code == "SURI_TOKEN"


def differences(left, right):
    return {(d.where, d.name): d.matters for d in compare(parse(left), parse(right))}


SHARED = f"{HEAD}add device\nset storage=nfs://filer/a\nset bootpri=0\nset id=0\nend\n"


def test_equal_configurations_in_another_order_and_spelling_do_not_differ():
    other = SHARED.replace("nfs://filer/a", "nfs://u:g@FILER:2049/a").replace(
        "set bootpri=0\nset id=0", "set id=0\nset bootpri=0"
    )

    assert differences(SHARED, other) == {}


@pytest.mark.parametrize(
    ("left", "right", "where", "matters"),
    [
        (f"{HEAD}set autoboot=true\n", HEAD, ("global", "autoboot"), False),
        (f"{HEAD}set cpu-arch=generic\n", HEAD, ("global", "cpu-arch"), True),
        (EXPORT, EXPORT.replace("4G", "8G"), ("capped-memory", "physical"), True),
        (EXPORT, EXPORT.replace("ncpus=4", "ncpus=5"), ("virtual-cpu", "ncpus"), True),
        (EXPORT, EXPORT.replace("mac-nospoof", "ip-nospoof"), ("anet 0", "link-protection"), True),
        (EXPORT, EXPORT.replace("zones/%{zonename}/suspend", "s"), ("suspend", "path"), True),
        (SHARED, SHARED.replace("filer/a", "filer/b"), ("device 0", "storage"), True),
        (EXPORT, EXPORT.replace("/VARSHARE/", "/other/"), ("device 0", "storage"), False),
        (EXPORT, EXPORT.replace("bootpri=0", "bootpri=1"), ("device 0", "bootpri"), True),
        (f"{HEAD}add attr\nset name=a\nset value=x\nend\n", HEAD, ("attr a", ""), False),
        (HEAD, SHARED, ("device 0", ""), True),
    ],
)
def test_a_difference_is_named_with_whether_a_migration_minds(left, right, where, matters):
    assert differences(left, right) == {where: matters}


def test_another_device_id_is_another_device():
    assert set(differences(SHARED, SHARED.replace("set id=0", "set id=1"))) == {("device 0", ""), ("device 1", "")}


def test_different_keys_are_a_difference_whose_values_are_not_told():
    (found,) = compare(parse(KEYED), parse(KEYED.replace("00112233", "33221100")))

    assert found == ("keysource", "", "present", "another", True)
    assert compare(parse(KEYED), parse(HEAD)) == [("keysource", "", "present", None, True)]


def test_the_commands_an_administrator_types():
    made = apply_commands(
        "create -t SYSsolaris-kz-minimal; select device id=0; set storage=nfs://filer/a; end;"
        "add device; set storage=nfs://filer/b; end; set bootargs='-v'; commit; exit; nonsense"
    )
    changed = apply_commands(
        "select device id=1\nclear storage\nset match=x\nend\nremove anet\nclear bootargs\ninfo\nverify", made
    )

    assert [device.value("id") for device in made.resources_of("device")] == ["0", "1"]
    assert made.value_of("capped-memory", "physical") == "2G"
    assert changed.value("bootargs") is None
    assert changed.only("anet") is None
    assert list(changed.resources_of("device"))[1] == Resource("device", (Property("id", "1"), Property("match", "x")))


def test_a_refused_command_changes_nothing_and_force_begins_anew():
    base = parse(EXPORT)

    with pytest.raises(ZoneCfgError):
        apply_commands("set autoboot=false; remove device id=4", base)

    assert write(base) == EXPORT
    assert write(apply_commands("create -Fb; set brand=solaris-kz", base)) == HEAD
    assert apply_commands("set autoboot=false; revert", base) == base


def test_remove_with_force_takes_all_and_cancel_takes_nothing():
    text = f"{HEAD}add device\nend\nadd device\nend\n"

    assert list(apply_commands("remove -F device", parse(text)).resources_of("device")) == []
    assert apply_commands("select device id=0; set match=x; cancel", parse(text)) == parse(text)


def test_a_removed_value_of_a_resource():
    base = parse(f"{HEAD}add rctl\nset name=r\nadd value (a=1)\nadd value (a=2)\nend\n")

    changed = apply_commands("select rctl name=r; remove value (a=1); end", base)

    assert write(changed).count("add value") == 1
    with pytest.raises(ZoneCfgError):
        apply_commands("select rctl name=r; remove value (a=3); end", base)

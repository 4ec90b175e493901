import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernelzone import suri
from kernelzone.suri import SuriError

NAA = "naa.600144f0dbf8af190000520a55c20001"


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("dev:dsk/c0t0d0", "dev:dsk/c0t0d0"),
        ("dev:/dev/dsk/c0t0d0s0", "dev:dsk/c0t0d0s0"),
        ("dev:///dev//zvol/dsk/rpool/disk0", "dev:zvol/dsk/rpool/disk0"),
        ("dev:///export/disk0", "dev:///export/disk0"),
        (f"lu:luname.{NAA.upper().replace('NAA', 'naa')}", f"lu:luname.{NAA}"),
        (
            f"lu:initiator.naa.2100001B32,target.naa.2100001D38089FB0,luname.{NAA}".replace("2100001B32", "2" * 16),
            f"lu:initiator.naa.{'2' * 16},target.naa.2100001d38089fb0,luname.{NAA}",
        ),
        (f"iscsi://Target:3260/LUNAME.{NAA}", f"iscsi://target/luname.{NAA}"),
        (f"ISCSI://target:3261/luname.{NAA}", f"iscsi://target:3261/luname.{NAA}"),
        ("iscsi://h/target.iqn.1986-03.com.SUN:02:x,lun.007", "iscsi://h/target.iqn.1986-03.com.sun:02:x,lun.7"),
        ("iscsi://[FE80:0:0::1]:3260/luname.eui.0123456789ABCDEF", "iscsi://[fe80::1]/luname.eui.0123456789abcdef"),
        ("nfs://user:group@Filer:2049/share//a/./Disk0", "nfs://filer/share/a/Disk0"),
        ("file://user:group@/export/disk0", "file:///export/disk0"),
        ("file:/export/disk0", "file:///export/disk0"),
    ],
)
def test_each_form_has_one_normal_form_which_stays(text, normal):
    assert suri.normalise(text) == normal
    assert suri.normalise(normal) == normal


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "SURI_LENGTH"),
        ("dev:" + "x" * 1024, "SURI_LENGTH"),
        ("dev:dsk/a b", "SURI_FORM"),
        ("dev:dsk/a\n", "SURI_FORM"),
        ("iscsi:target", "SURI_FORM"),
        ("/dev/dsk/c0t0d0", "SURI_TYPE"),
        ("http://h/x", "SURI_TYPE"),
        ("dev:zvol/%{zonename}", "SURI_TOKEN"),
        ("dev:dsk/../../etc/passwd", "SURI_PATH"),
        ("dev:/etc/passwd", "SURI_PATH"),
        ("dev:", "SURI_PATH"),
        ("dev:.", "SURI_PATH"),
        ("nfs://h/", "SURI_PATH"),
        ("file:relative", "SURI_PATH"),
        ("file://h/x", "SURI_HOST"),
        ("nfs:///share/x", "SURI_HOST"),
        ("nfs://h:0/x", "SURI_HOST"),
        ("nfs://h:65536/x", "SURI_HOST"),
        ("nfs://-o/x", "SURI_HOST"),
        ("nfs://[1::2::3]/x", "SURI_HOST"),
        (f"iscsi://u:secret@h/luname.{NAA}", "SURI_HOST"),
        ("iscsi://h/lun.0", "SURI_LUN"),
        ("lu:luname.naa.600144f0", "SURI_LUN"),
        (f"lu:target.{NAA}", "SURI_LUN"),
    ],
)
def test_what_is_no_storage_uri_is_refused_with_its_code_and_not_repeated(text, code):
    with pytest.raises(SuriError) as refused:
        suri.normalise(text)

    assert refused.value.code == code
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        (f"lu:luname.{NAA}", (NAA,)),
        (f"iscsi://h/luname.{NAA.upper()}", (NAA,)),
        ("dev:dsk/c0t600144F0DBF8AF190000520A55C20001d0s0", (NAA,)),
        ("dev:rdsk/c3t5000CCA0123456ABd0", ("naa.5000cca0123456ab",)),
        ("dev:dsk/c0t0d0", ()),
        ("dev:zvol/dsk/rpool/disk0", ()),
        ("iscsi://h/target.iqn.1986-03.com.sun:02:x,lun.7", ()),
        ("nfs://h/x", ()),
    ],
)
def test_three_texts_for_one_logical_unit_share_its_id(text, ids):
    assert suri.device_ids(text) == ids


def test_what_another_host_can_reach_by_the_same_uri():
    shared = ["nfs://h/x", f"lu:luname.{NAA}", f"iscsi://h/luname.{NAA}"]
    local = ["dev:dsk/c0t0d0", "file:///x"]

    assert [suri.is_shareable(text) for text in shared + local] == [True] * 3 + [False] * 2


def test_the_path_of_local_storage():
    assert suri.local_path("dev:zvol/dsk/a") == "/dev/zvol/dsk/a"
    assert suri.local_path("file://u:g@/images/a") == "/images/a"
    assert suri.local_path("nfs://h/a") is None


@given(
    st.sampled_from(["dev:", "dev://", "lu:", "iscsi://", "nfs://", "file:", "file://", ""]),
    st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=80),
)
def test_any_text_is_normalised_once_for_all_or_refused(scheme, rest):
    try:
        normal = suri.normalise(scheme + rest)
    except SuriError:
        return
    assert suri.normalise(normal) == normal
    assert suri.device_ids(normal) == suri.device_ids(scheme + rest)


def test_the_identity_of_a_logical_unit_is_its_id_whatever_the_uri():
    number = NAA.removeprefix("naa.")
    forms = [f"lu:luname.{NAA}", f"iscsi://h:3261/luname.{NAA.upper().replace('NAA', 'naa')}", f"dev:dsk/c0t{number}d0"]
    assert {suri.identity(text) for text in forms} == {NAA}
    assert suri.identity("file:/export//disk0") == "file:///export/disk0"

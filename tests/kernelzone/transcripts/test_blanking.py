"""Keys are taken out of what is recorded, and the form that nobody has published stays."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernelzone.transcripts import blank, blank_answer, values_of_keys
from kernelzone.zonecfg import key_source, parse

KEY = "6c9b111e4b50ce2fe249395122812a45"
# No part of a key that the tests look for may be zeros, which is what a blanked value becomes.
KEYS = (
    st.binary(min_size=16, max_size=16)
    .map(bytes.hex)
    .filter(lambda key: all(set(key[at : at + 8]) != {"0"} for at in range(0, 32, 8)))
)
SHAPES = [
    "add keysource\nset raw={key}\nend\n",
    'add keysource\n  set raw = "{key}"\nend\n',
    "add keysource\nset passphrase={key}\nset salt=0x{key}\nend\n",
    "add keysource\nset raw=({key},{key})\n# {key}\n{key}\nend\n",
    "add keysource; set raw={key}; end\n",
    "select keysource\nset raw={key}\ncancel\n",
    "ADD KEYSOURCE\nset RAW={key}\nEND\n",
    "add keysource\nset raw={key}\n",
    "keysource:\n        raw: {key}\n        salt: {key}\nanet:\n        id: 0\n",
    "keysource 0:\n\traw: {key}\nzonename: z\n",
    '<keysource raw="{key}"/>\n',
    "-----BEGIN CONFIGURATION-----\nset anything={key}\n-----END CONFIGURATION-----\n",
    "zoneadm: zone 'z': -----BEGIN CONFIGURATION-----\nset anything={key}\n",
    "set anything={key}\n-----END CONFIGURATION-----\n",
    "error: the key {key} is wrong\n",
    "key: {key}\n",
    '{"type": "keysource", "properties": [{"name": "raw", "value": "{key}"}]}\n',
]
NOISE = ["", "\n", "zone 'z': error: no\n", "create -b\nset brand=solaris-kz\n", "end\n", "add device\nset id=0\nend\n"]


@given(KEYS, st.sampled_from(SHAPES), st.sampled_from(NOISE), st.sampled_from(NOISE), st.booleans(), st.booleans())
def test_no_key_survives_in_any_shape(
    key: str, shape: str, before: str, after: str, upper: bool, returns: bool
) -> None:
    written = key.upper() if upper else key
    text = before + shape.replace("{key}", written) + after
    text = text.replace("\n", "\r\n") if returns else text

    blanked = blank(text)

    assert blanked.places
    for start in range(0, 32, 8):
        assert written[start : start + 8] not in blanked.text
    assert blank(blanked.text).text == blanked.text


@given(KEYS, st.sampled_from([" ", ":", "-"]))
def test_no_key_survives_that_is_written_in_groups(key: str, between: str) -> None:
    grouped = between.join(key[at : at + 2] for at in range(0, 32, 2))

    assert key[:2] + between + key[2:4] + between + key[4:6] not in blank(f"key {grouped}\n").text


def test_the_form_of_a_key_source_stays_and_is_read() -> None:
    text = f"create -b\nset brand=solaris-kz\nadd keysource\nset raw={KEY}\nend\n"

    blanked = blank(text).text

    assert blanked == text.replace(KEY, "0" * 32)
    assert key_source(parse(blanked)) == bytes(16)
    assert blank("add keysource\nset file=/etc/zones/keys/z\nend\n").text == "add keysource\nset file=xxxxxxxx\nend\n"
    assert blank("keysource:\n        raw redacted\n").text == "keysource:\n        raw redacted\n"
    assert "# (left out" in blank(f"add keysource\nnew-verb {KEY}\nend\n").text


@pytest.mark.parametrize(
    "text",
    [
        "set storage=lu:luname.naa.600144f0a1b2c3d4e5f60718293a4b5c\n",
        "dev:dsk/c0t600144F0A1B2C3D4E5F60718293A4B5Cd0\n",
        "lu:initiator.naa.2100000e1e1b9b30,target.naa.600144f0a1b2c3d4e5f60718293a4b5c\n",
        "boot environment uuid: 69ed2e6a-e25a-6d36-e022-ed7261ed8899\n",
        "Progress being logged to /var/log/zones/zoneadm.20150615T163032Z.kzone1.install\n",
        "hostid: 0x2e7d2173\n",
        "zone 'kzone1': error: Encryption key is incorrect.  See solaris-kz(7) for configuration migration\n",
    ],
)
def test_what_is_no_key_stays(text: str) -> None:
    assert blank(text) == (text, 0)


def test_the_values_of_a_key_source_are_known_to_look_for_them_elsewhere() -> None:
    assert values_of_keys(f'add keysource\nset raw="{KEY}"\nset other=correcthorse\nend\nset id=12345678\n') == {
        KEY,
        "correcthorse",
    }
    assert values_of_keys(f"keysource:\n        raw: {KEY}\nzonename: kzone123456\n") == {KEY}


@pytest.mark.slow
@pytest.mark.parametrize("piece", ["add keysource\n", "keysource:\n a\n", "ab ", "0123456789abcdef", "raw=", "-", "\0"])
def test_a_megabyte_of_anything_is_blanked_at_once(piece: str) -> None:
    started = time.process_time()

    blank(piece * ((1 << 20) // len(piece)))

    assert time.process_time() - started < 10


@given(KEYS, st.sampled_from(SHAPES))
def test_json_stays_json_and_loses_its_keys(key: str, shape: str) -> None:
    answer = {"status": "success", "payload": [{"text": shape.replace("{key}", key), "note": None, "n": 1}]}

    blanked = blank_answer(json.dumps(answer))

    assert json.loads(blanked.text)["payload"][0]["n"] == 1
    assert all(key[at : at + 8] not in blanked.text for at in range(0, 32, 8))
    assert blank_answer(blanked.text).text == blanked.text

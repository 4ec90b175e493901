"""No key survives redaction, whatever the text around it looks like."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kernelzone import zoneadm, zonecfg
from kernelzone.zonecfg import BRAND, Configuration, Property, Resource

KEYS = st.binary(min_size=16, max_size=16).map(bytes.hex)
# What stands around a key in an export, an import error, `info`, an archive; and in forms that only may exist.
SHAPES = [
    "add keysource\nset raw={key}\nend\n",
    'add keysource\nset raw="{key}"\nend\n',
    "add keysource; set raw = {key}; end\n",
    "select keysource\nset raw={key}\nend\n",
    "ADD KEYSOURCE\nSET RAW={key}\nEND\n",
    "add keysource\nset type=raw\nset value={key}\nset note=(a={key},b={key})\nend\n",
    "add keysource\n  # {key}\nset raw={key}\nend\n",
    "# set raw={key}\n",
    "keysource:\n        raw: {key}\n        salt: {key}\nanet:\n        id: 0\n",
    "keysource 0:\n\traw: {key}\n\n\tother: {key}\nzonename: z\n",
    '<keysource raw="{key}"/>\n',
    '<keysource type="raw" value="{key}">{key}</keysource>\n',
    "raw={key}\n",
    "raw: {key}\n",
    "-----BEGIN CONFIGURATION-----\ncreate -b\nset anything={key}\n-----END CONFIGURATION-----\n",
    "zoneadm: zone 'z': -----BEGIN CONFIGURATION-----\nset anything={key}\n",
    "set anything={key}\n-----END CONFIGURATION-----\n",
]
NOISE = ["", "\n", "zone 'z': error: no\n", "-----\n", "create -b\nset brand=solaris-kz\n", "end\n", ";;;\n"]


@st.composite
def texts_with_keys(draw: st.DrawFn) -> tuple[str, str]:
    """Return (a key, a text with the key in it)."""
    key = draw(KEYS)
    written = draw(st.sampled_from([key, key.upper()]))
    shape = draw(st.sampled_from(SHAPES)).replace("{key}", written)
    text = draw(st.sampled_from(NOISE)) + shape + draw(st.sampled_from(NOISE))
    return written, text.replace("\n", draw(st.sampled_from(["\n", "\r\n"])))


@given(texts_with_keys())
def test_no_key_is_in_what_is_kept_of_an_output(key_and_text: tuple[str, str]) -> None:
    key, text = key_and_text

    for kept in (zoneadm.redact_output(text), zoneadm.classify(text, 1).text, zonecfg.redact(text)):
        for start in range(0, 24, 8):
            assert key[start : start + 8] not in kept


@given(texts_with_keys(), st.integers(0, 120))
def test_no_key_is_in_what_is_kept_of_an_output_that_breaks_off(key_and_text: tuple[str, str], end: int) -> None:
    key, text = key_and_text
    kept = zoneadm.redact_output(text[:end])

    if "END CONFIGURATION" not in text or "BEGIN" in text:  # the end of an echo that never came cannot be known
        assert key not in kept


@given(KEYS, st.sampled_from(["raw", "value", "file", "Raw", "hex-key"]))
def test_no_key_is_in_a_configuration_shown_or_redacted(key: str, name: str) -> None:
    secret = Resource("keysource", (Property(name, key),))
    device = Resource("device", (Property("storage", "dev:dsk/c0d0"), Property("id", "0")))
    configuration = Configuration((Property("brand", BRAND),), (secret, device))

    assert key not in zonecfg.zonecfg_info(configuration, "z")
    assert key not in zonecfg.write(zonecfg.redact(configuration))
    assert key not in zonecfg.redact(zonecfg.write(configuration))
    assert "c0d0" in zonecfg.redact(zonecfg.write(configuration))

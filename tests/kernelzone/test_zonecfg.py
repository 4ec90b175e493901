import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transcripts import transcript

from kernelzone import zonecfg
from kernelzone.zonecfg import (
    BRAND,
    Complex,
    Configuration,
    Property,
    Resource,
    ValueList,
    ZoneCfgError,
    in_export_order,
    key_source,
    parse,
    redact,
    with_key_source,
    write,
)

EXPORT = transcript("export-puppet.txt")
TOKENS = {"zonename": "kzone1", "global-rootzpool": "rpool"}
KEY = "00112233445566778899aabbccddeeff"
HEAD = "create -b\nset brand=solaris-kz\n"
KEYED = f"{HEAD}add keysource\nset raw={KEY}\nend\n"


def refusal(text):
    with pytest.raises(ZoneCfgError) as refused:
        parse(text)
    return refused.value


def test_the_published_export_is_read_and_written_byte_for_byte():
    configuration = parse(EXPORT)

    assert write(configuration) == EXPORT
    assert configuration.value("bootargs") == "kz=d -k -m verbose"
    assert configuration.value_of("capped-memory", "physical") == "4G"


def test_an_export_for_reimport_begins_with_force():
    assert parse(write(parse(EXPORT), force=True)) == parse(EXPORT)
    assert write(parse(EXPORT), force=True).startswith("create -Fb\n")


def test_separators_comments_quotes_and_carriage_returns():
    text = 'create -b; set brand=solaris-kz ;\r\n\t# a comment; set brand=solaris\r\nset bootargs="a;#b"\r\n;;\r\n'

    assert parse(text).value("bootargs") == "a;#b"


def test_a_quoted_string_ends_with_its_line():
    assert parse(f'{HEAD}set bootargs="a b\nset tenant=t\n').value("bootargs") == "a b"


def test_lists_and_complex_values():
    text = (
        f'{HEAD}set x=[a, (b=c,d="e f")]\nadd rctl\nset name=r\nadd value (priv=p,limit=1)\nadd value (priv=q)\nend\n'
    )

    configuration = parse(text)

    assert configuration.properties[1].value == ValueList(("a", Complex((("b", "c"), ("d", "e f")))))
    rctl = configuration.only("rctl")
    assert [one.value.pairs for one in rctl.properties[1:]] == [(("priv", "p"), ("limit", "1")), (("priv", "q"),)]
    assert parse(write(configuration)) == configuration


def test_a_resource_within_a_resource():
    text = f"{HEAD}add anet\nset id=0\nadd mac\nset mac-address=auto\nend\nend\n"

    assert parse(text).only("anet").resources == (Resource("mac", (Property("mac-address", "auto"),)),)
    assert write(parse(text)) == text


@pytest.mark.parametrize(
    ("text", "code", "line"),
    [
        ("", "ZONECFG_NO_CREATE", 1),
        ("set brand=solaris-kz\n", "ZONECFG_NO_CREATE", 1),
        ("create -b\n" + "\n" * (257 << 10), "ZONECFG_SIZE", (256 << 10) - 8),
        (b"create -b\nset a=\xff\xfe\n", "ZONECFG_BINARY", 2),
        ("create -b\nset a=b\0c\n", "ZONECFG_BINARY", 2),
        ("create -b\nset a=\x1b[2J\n", "ZONECFG_BINARY", 2),
        ("create -b\nset a=\u202ex\n", "ZONECFG_BINARY", 2),
        ("PK\x03\x04", "ZONECFG_BINARY", 1),
        (f"{KEYED}add keysource\nset raw={KEY}\nend\n", "ZONECFG_KEY_TWICE", 6),
        (f"{HEAD}add keysource\nset raw={KEY[:-1]}\nend\n", "ZONECFG_KEY_HEX", 4),
        (f"{HEAD}add keysource\nset raw={KEY[:-1]}g\nend\n", "ZONECFG_KEY_HEX", 4),
        (f"{HEAD}add keysource\nset raw={KEY[:-2]}\nend\n", "ZONECFG_KEY_LENGTH", 4),
        (f"{HEAD}add keysource\nset raw={KEY}00\nend\n", "ZONECFG_KEY_LENGTH", 4),
        (f"{HEAD}# set raw={KEY}\n", "ZONECFG_KEY_COMMENT", 3),
        ("create -b\nset brand=solaris\n", "ZONECFG_BRAND", 2),
        ("create -b\nset autoboot=true\n", "ZONECFG_BRAND", 0),
        ("create -t SYSsolaris\n", "ZONECFG_TEMPLATE", 1),
        ("create\n", "ZONECFG_TEMPLATE", 1),
        ("create -b\ncreate -b\n", "ZONECFG_EXISTS", 2),
        ("create -b -x\n", "ZONECFG_SYNTAX", 1),
        (f"{HEAD}frobnicate\n", "ZONECFG_COMMAND", 3),
        (f"{HEAD}delete -F\n", "ZONECFG_COMMAND", 3),
        (f"{HEAD}set a\n", "ZONECFG_SYNTAX", 3),
        (f"{HEAD}set a=\n", "ZONECFG_SYNTAX", 3),
        (f"{HEAD}set a=b c\n", "ZONECFG_SYNTAX", 3),
        (f"{HEAD}set a=[b\n", "ZONECFG_SYNTAX", 3),
        (f"{HEAD}add value (a=b\n", "ZONECFG_SYNTAX", 3),
        (f"{HEAD}add ../x\n", "ZONECFG_SYNTAX", 3),
        (f"{HEAD}set zonename=other\n", "ZONECFG_PROPERTY", 3),
        (f"{HEAD}end\n", "ZONECFG_SCOPE", 3),
        (f"{HEAD}add device\ncommit\nend\n", "ZONECFG_SCOPE", 4),
        (f"{HEAD}add a\nadd b\nadd c\nadd d\n", "ZONECFG_SCOPE", 6),
        (f"{HEAD}add device\nset id=0\n", "ZONECFG_UNFINISHED", 3),
        (f"{HEAD}add suspend\nend\nadd suspend\nend\n", "ZONECFG_TWICE", 5),
        (f"{HEAD}add device\nset id=0\nend\nadd device\nset id=00\nend\n", "ZONECFG_ID_TWICE", 6),
        (f"{HEAD}add device\nset bootpri=first\nend\n", "ZONECFG_NUMBER", 4),
        (f"{HEAD}add device\nset id=-1\nend\n", "ZONECFG_NUMBER", 4),
        (f"{HEAD}select device id=0\n", "ZONECFG_NO_RESOURCE", 3),
        (f"{HEAD}add device\nend\nadd device\nend\nselect device\n", "ZONECFG_AMBIGUOUS", 7),
        (f"{HEAD}add device\nend\nadd device\nend\nremove device\n", "ZONECFG_AMBIGUOUS", 7),
    ],
)
def test_bad_input_is_refused_with_its_code_and_line_and_never_repeated(text, code, line):
    refused = refusal(text)

    assert (refused.code, refused.line) == (code, line)
    assert KEY[:8] not in str(refused)


def test_the_largest_export_is_read():
    text = HEAD + "#" * ((256 << 10) - len(HEAD) - 1) + "\n"

    assert parse(text).value("brand") == BRAND
    assert refusal(text + "\n").code == "ZONECFG_SIZE"


def test_a_key_source_is_found_put_in_and_taken_out():
    configuration = parse(KEYED)

    assert key_source(configuration) == bytes.fromhex(KEY)
    assert key_source(parse(EXPORT)) is None
    assert write(redact(configuration)) == HEAD
    assert redact(KEYED) == HEAD
    assert write(with_key_source(parse(HEAD), bytes.fromhex(KEY))) == KEYED
    assert key_source(with_key_source(configuration, b"k" * 16)) == b"k" * 16


def test_a_key_of_another_length_is_not_put_in():
    for length in (0, 15, 17, 24, 32):
        with pytest.raises(ZoneCfgError) as refused:
            with_key_source(parse(HEAD), b"k" * length)
        assert refused.value.code == "ZONECFG_KEY_LENGTH"


def test_a_key_source_with_another_property_is_kept_as_secret_and_gives_no_key():
    configuration = parse(f"{HEAD}add keysource\nset file=/etc/zones/keys/kzone1\nend\n")

    with pytest.raises(ZoneCfgError) as refused:
        key_source(configuration)

    assert (refused.value.code, refused.value.line) == ("ZONECFG_KEY_FILE", 3)
    assert "/etc" not in write(redact(configuration))
    assert "/etc" not in zonecfg.zonecfg_info(configuration, "kzone1")


@pytest.mark.parametrize(
    "text",
    [
        KEYED,
        KEYED.replace("\n", "\r\n"),
        KEYED.replace("\n", "; "),
        KEYED.replace("raw=", 'raw = "'),
        KEYED.removesuffix("end\n"),
        f"# set raw={KEY}\n",
        f"not a command file {KEYED}",
        KEYED.replace("add keysource\n", ""),
        KEYED.replace("add", "ADD").replace("raw", "RAW"),
    ],
)
def test_text_that_is_no_command_file_is_redacted_too(text):
    assert KEY not in redact(text)


def test_redaction_of_text_keeps_what_follows_on_the_line():
    text = f"create -b; add keysource; set raw={KEY}; end; set brand=solaris-kz"

    assert redact(text).endswith("set brand=solaris-kz")


def test_no_repr_shows_a_value():
    assert KEY not in repr(parse(KEYED))


def test_info_shows_what_is_set_and_never_the_key():
    shown = zonecfg.zonecfg_info(parse(KEYED), "kzone1")

    assert shown == "zonename: kzone1\nbrand: solaris-kz\nkeysource:\n        raw redacted\n"
    assert zonecfg.zonecfg_info(parse(EXPORT), "kzone1", "virtual-cpu") == "virtual-cpu:\n        ncpus: 4\n"
    assert zonecfg.zonecfg_info(parse(EXPORT), "kzone1", "keysource") == ""


def test_a_value_that_no_command_file_can_hold_is_not_written():
    for value in ('a"b', "a\nb", "a\0b"):
        with pytest.raises(ZoneCfgError) as refused:
            write(Configuration((Property("brand", BRAND), Property("bootargs", value))))
        assert refused.value.code == "ZONECFG_VALUE"


# never one that the format itself knows (id, bootpri, raw)
NAMES = st.text("abcdiklmpqrtwxyz0189-", max_size=8).map(lambda rest: f"n{rest}")
TEXTS = st.text(st.characters(exclude_characters='"', exclude_categories=("C", "Z")) | st.just(" "), max_size=8)
COMPLEX = st.builds(Complex, st.lists(st.tuples(NAMES, TEXTS), min_size=1, max_size=3).map(tuple))
VALUES = TEXTS | COMPLEX | st.builds(ValueList, st.lists(TEXTS | COMPLEX, max_size=3).map(tuple))
PROPERTIES = st.lists(st.builds(Property, NAMES, VALUES), max_size=4, unique_by=lambda one: one.name).map(tuple)
RESOURCES = st.lists(st.builds(Resource, NAMES.map(lambda name: f"x-{name}"), PROPERTIES), max_size=4).map(tuple)


@given(PROPERTIES, RESOURCES)
def test_what_is_written_reads_back(properties, resources):
    kept = tuple(one for one in properties if one.name not in ("brand", "zonename"))
    configuration = Configuration((Property("brand", BRAND), *kept), resources)

    assert parse(write(configuration)) == in_export_order(configuration)


@given(st.text(alphabet=st.sampled_from('create -bset=and"[](),;#\n \t%{}x'), max_size=60))
def test_no_text_makes_the_reader_fail_otherwise_than_by_refusing(text):
    with contextlib.suppress(ZoneCfgError):
        parse(HEAD + text)

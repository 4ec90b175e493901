"""Names and addresses get stand-ins, each the same one everywhere, and nothing else changes."""

from __future__ import annotations

import pytest

from kernelzone.transcripts import Pseudonyms


def test_a_host_has_one_stand_in_under_its_long_and_its_short_name() -> None:
    stand_ins = Pseudonyms("db1.corp.example")

    assert stand_ins.replaced("db1.corp.example DB1 db11 xdb1 db1-a") == "host1 host2 db11 xdb1 db1-a"


def test_hosts_and_users_in_uris_and_refusals_are_found() -> None:
    stand_ins = Pseudonyms("global1")
    stand_ins.learn("ssh://oper@global2.corp:22 nfs://kz:staff@filer/x\nzone 'z': error:    hostname: global3\n")

    text = stand_ins.replaced("oper at global2.corp, kz at filer, global3, global1")

    assert text == "user1 at host2, user2 at host4, host5, host1"


def test_zones_states_and_the_words_of_the_commands_stay() -> None:
    stand_ins = Pseudonyms("running", frozenset({"kzone1"}))
    stand_ins.learn("ssh://root@kzone1/ ssh://installed/ hostname: global\n")

    assert stand_ins.replaced("root kzone1 installed running global") == "root kzone1 installed running global"


@pytest.mark.parametrize(
    ("text", "replaced"),
    [
        ("10.1.2.3 10.1.2.3 10.1.2.4", "192.0.2.1 192.0.2.1 192.0.2.2"),
        ("fe80::1 and 2001:db8:1:2:3:4:5:6", "2001:db8::1 and 2001:db8::2"),
        ("2:8:20:a1:b2:c3", "2:0:0:0:0:1"),
        ("11.4.43.0.1.113.3", "11.4.43.0.1.113.3"),
        ("999.1.1.1 12:30:59", "999.1.1.1 12:30:59"),
        ("0:global:running:/::solaris:shared:-::", "0:global:running:/::solaris:shared:-::"),
    ],
)
def test_addresses_are_replaced_and_what_only_looks_like_one_is_not(text: str, replaced: str) -> None:
    assert Pseudonyms("h0").replaced(text) == replaced

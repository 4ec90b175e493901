"""Version 7 UUIDs (RFC 9562, 5.7)."""

from __future__ import annotations

import time

from kernelzone.ids import uuid7


def test_an_id_is_a_version_7_uuid_that_carries_its_time():
    before = time.time_ns() // 1_000_000
    made = uuid7()
    assert (made.version, made.variant) == (7, "specified in RFC 4122")
    assert before <= made.int >> 80 <= time.time_ns() // 1_000_000


def test_a_later_id_sorts_behind_an_earlier_one_and_no_two_are_equal():
    first = uuid7()
    time.sleep(0.002)
    assert first < uuid7()
    assert len({uuid7() for _ in range(1000)}) == 1000

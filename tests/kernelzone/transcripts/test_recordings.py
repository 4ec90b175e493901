"""Every recording under tests/data/recordings is read as it was when it was added.

A new one: `kzagent record --as-fixture BUNDLE tests/data/recordings/NAME`, and these tests pick it up.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kernelzone.transcripts import found_by_readers, read_bundle, secrets_left

FOLDER = Path(__file__).parents[2] / "data" / "recordings"
RECORDINGS = sorted(path for path in FOLDER.iterdir() if path.is_dir())


@pytest.mark.parametrize("recording", RECORDINGS, ids=lambda path: path.name)
def test_the_readers_find_what_they_found(recording: Path) -> None:
    found = json.loads(json.dumps(found_by_readers(read_bundle(recording))))

    assert found == json.loads((recording / "expected.json").read_text())


@pytest.mark.parametrize("recording", RECORDINGS, ids=lambda path: path.name)
def test_nothing_in_it_looks_like_a_key(recording: Path) -> None:
    assert secrets_left(read_bundle(recording)) == []


def test_there_is_a_recording() -> None:
    assert RECORDINGS

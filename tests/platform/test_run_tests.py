"""`make test`: what its parts say together."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"


@pytest.fixture
def run_tests(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(SCRIPTS))
    spec = importlib.util.spec_from_file_location("run_tests", SCRIPTS / "run_tests.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.delitem(sys.modules, "test_services")
    return module


@pytest.mark.parametrize(
    ("codes", "arguments", "code"),
    [
        ([0, 0, 0], [], 0),
        ([0, 5, 5], ["-k", "approval"], 0),
        ([5, 0, 5], ["-k", "approval"], 0),
        ([5, 5, 5], ["-k", "nothing"], 1),
        ([0, 1, 5], ["-k", "approval"], 1),
        ([0, 0, 2], [], 2),
        ([0, 5, 0], [], 5),
    ],
)
def test_a_part_may_have_nothing_to_run_and_not_all_of_them(
    run_tests: ModuleType, codes: list[int], arguments: list[str], code: int
) -> None:
    assert run_tests.whole_code(codes, arguments) == code


def test_that_nothing_matched_is_said_plainly(run_tests: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    run_tests.whole_code([5, 5, 5], ["-k", "nothing"])
    assert capsys.readouterr().err == "kzfleet: no test in any part matches -k nothing\n"

"""What the API offers and what it refuses, checked in: a change shows in review.

KZFLEET_WRITE_SURFACE=1 writes the files anew; look at the difference before you commit it.
"""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest

from apps.accounts.policy import ALL_PERMISSIONS
from apps.base.errors import DomainError, Fault, InvalidInput, refusals
from kzfleet.api import errors as api_errors
from kzfleet.api.router import APPS, make_router, surface

PROJECT = Path(__file__).resolve().parents[2]
SURFACE_FILE = PROJECT / "tests/surface/api.txt"
ERRORS_FILE = PROJECT / "docs/api/errors.md"
TEXT_RULES = ("control", "empty", "long")


def compare(path: Path, text: str) -> None:
    if os.environ.get("KZFLEET_WRITE_SURFACE"):
        path.write_text(text, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == text


def test_the_api_offers_what_is_checked_in():
    compare(SURFACE_FILE, "\n".join(surface(make_router())) + "\n")


@pytest.mark.parametrize("line", surface(make_router()))
def test_every_action_needs_a_permission_that_exists(line):
    assert line.split()[3] in ALL_PERMISSIONS


def known_refusals() -> list[type[DomainError]]:
    for app in ("apps.base", *APPS):
        if find_spec(f"{app}.errors"):
            import_module(f"{app}.errors")
    assert api_errors
    return [refusal for refusal in refusals() if refusal.__module__.startswith(("apps.", "kzfleet."))]


def project_trees() -> Iterator[ast.Module]:
    for folder in ("apps", "kzfleet"):
        for path in sorted((PROJECT / folder).rglob("*.py")):
            yield ast.parse(path.read_text(encoding="utf-8"))


def called_with(keyword: str, function: str | None = None) -> set[str]:
    """Return every literal that is given as `keyword` to a call (of `function`) anywhere in the site."""
    return {
        argument.value.value
        for tree in project_trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and (function is None or getattr(node.func, "id", "") == function)
        for argument in node.keywords
        if argument.arg == keyword and isinstance(argument.value, ast.Constant)
    }


def input_codes() -> set[str]:
    """Return the codes of refused values: literal ones, those of each kind of text, those of shared words."""
    literal = {code.lower() for code in called_with("code", "InvalidInput")}
    text = {f"{noun}_{rule}" for noun in called_with("noun", "clean_text") | {"text"} for rule in TEXT_RULES}
    words = (PROJECT / "kernelzone/words.py").read_text(encoding="utf-8")
    shared = {code.lower() for code in re.findall(r'_refuse\(\s*"([A-Z_]+)"', words)}
    return literal | text | shared


def errors_page() -> str:
    rows = [
        f"| `{refusal.code}` | {refusal.status} | {refusal.message} | {refusal.hint} |"
        for refusal in sorted({*known_refusals()}, key=lambda refusal: refusal.code)
    ]
    rows.append(f"| `{Fault.code}` | {Fault.status} | {Fault.message} | {Fault.hint} |")
    codes = [f"`{code}`" for code in sorted(input_codes())]
    return f"""# Errors

Every error is a problem document (RFC 9457, `application/problem+json`):

```
{{"type": "urn:kzfleet:error:not_allowed", "title": "you may not do this", "status": 403,
 "detail": "Ask an administrator which role gives this permission.", "code": "not_allowed",
 "request_id": "019ab3c4-…", "facts": {{"permission": "zones.run"}}}}
```

`code` is stable: decide by it, never by the text. `title` says what is wrong, `detail` what to do next, `facts`
(where there are any) what it was decided on. Quote `request_id` when you ask somebody; it is in the site's diagnostics.
Which status stands for what: [decision 0002](../decisions/0002-status-codes.md).

| code | status | title | detail |
|---|---|---|---|
{chr(10).join(rows)}

## Values refused by a rule (422)

`facts.field` names the field. {", ".join(codes)}.

This page is compared with the code by `tests/surface/test_surface.py`.
"""


def test_every_code_is_on_the_page_and_no_other():
    compare(ERRORS_FILE, errors_page())


def test_a_code_means_one_thing():
    codes = [refusal.code for refusal in known_refusals()]
    assert sorted(codes) == sorted(set(codes))
    assert all(re.fullmatch(r"[a-z][a-z0-9_]*", code) for code in [*codes, *input_codes()])


def test_a_refusal_is_said_in_the_form_that_was_agreed():
    for refusal in known_refusals():
        assert refusal.__module__.endswith(".errors"), refusal
        assert refusal.message[0].islower() or refusal.message.split()[0].isupper(), refusal
        assert not refusal.message.endswith("."), refusal
        assert refusal.hint[0].isupper(), refusal
        assert refusal.hint.endswith("."), refusal
        assert refusal.status in {400, 401, 403, 404, 405, 406, 409, 412, 415, 422, 428, 429, 503}, refusal
    assert InvalidInput.status == 422

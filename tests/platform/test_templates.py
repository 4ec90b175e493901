"""Every template compiles, and none carries what the Content-Security-Policy would refuse."""

import re
from pathlib import Path

import pytest
from django.conf import settings
from django.template import engines

FOLDERS = [Path(settings.BASE_DIR) / "templates", *(Path(settings.BASE_DIR) / "apps").glob("*/templates")]
TEMPLATES = sorted(
    str(path.relative_to(folder))
    for folder in FOLDERS
    for path in folder.rglob("*")
    if path.suffix in {".html", ".txt"}
)
REFUSED = {
    "an inline style": re.compile(r"<style|\sstyle\s*=", re.IGNORECASE),
    "an inline script": re.compile(r"<script(?![^>]*\ssrc=)|\son[a-z]+\s*=\s*[\"']|javascript:", re.IGNORECASE),
    "text that is not escaped": re.compile(r"\|\s*safe\b|autoescape\s+off|\bhx-on\b"),
    "an address elsewhere": re.compile(r"(?:src|href)=[\"'](?:https?:)?//(?!www\.w3\.org)", re.IGNORECASE),
}
COMMENT = re.compile(r"{% comment.*?{% endcomment %}|{#.*?#}", re.DOTALL)
MAX_LINES = 150


def source(name: str) -> str:
    return next(folder / name for folder in FOLDERS if (folder / name).is_file()).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", TEMPLATES)
def test_template_compiles(name: str) -> None:
    assert engines["django"].get_template(name)


@pytest.mark.parametrize("name", TEMPLATES)
def test_template_has_nothing_that_the_policy_refuses(name: str) -> None:
    text = COMMENT.sub("", source(name))
    found = {what: match.group(0) for what, pattern in REFUSED.items() if (match := pattern.search(text))}
    assert found == {}


@pytest.mark.parametrize("name", TEMPLATES)
def test_template_is_short_enough_to_read(name: str) -> None:
    assert source(name).count("\n") <= MAX_LINES


@pytest.mark.parametrize(
    "text",
    [
        '<p style="color:red">',
        "<script>alert(1)</script>",
        '<a onclick="x()">',
        "{{ reason|safe }}",
        '<img src="//x/y">',
    ],
)
def test_the_patterns_find_what_they_are_for(text: str) -> None:
    assert any(pattern.search(text) for pattern in REFUSED.values())

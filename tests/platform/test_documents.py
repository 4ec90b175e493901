"""Documents point at what is there."""

import re
import subprocess
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)")
KEPT = subprocess.run(
    ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
    cwd=PROJECT,
    capture_output=True,
    text=True,
    check=False,
).stdout.splitlines()
DOCUMENTS = [name for name in KEPT if name.endswith(".md") and (PROJECT / name).is_file()]


@pytest.mark.skipif(not KEPT, reason="not a git checkout")
@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_link_of_a_document_leads_to_a_file_here(name: str) -> None:
    text = (PROJECT / name).read_text(encoding="utf-8")
    links = [link for link in LINK.findall(text) if "://" not in link and not link.startswith("mailto:")]
    assert [link for link in links if not (PROJECT / name).parent.joinpath(link).exists()] == []


@pytest.mark.skipif(not KEPT, reason="not a git checkout")
def test_every_mechanism_page_is_reached_from_the_readme() -> None:
    readme = (PROJECT / "README.md").read_text(encoding="utf-8")
    pages = [name for name in DOCUMENTS if name.startswith("docs/mechanisms/")]
    assert pages
    assert [page for page in pages if page not in readme] == []

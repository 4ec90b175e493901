"""A shortened id or a name means one thing, or the command says which ones it could mean."""

from __future__ import annotations

from typing import Any

import pytest

from apps.zones.models import Zone
from kzfleet.cli.client import CliError
from kzfleet.cli.finding import pick

FIRST = {"id": "01a208cf-35e3-7f0f-9427-837248f51eb9", "name": "kzone1"}
SECOND = {"id": "01a208cf-35e3-7def-8dc8-2e77af2df21d", "name": "kzone2"}
TWIN = {"id": "01b00000-0000-7000-8000-0000af2df21d", "name": "kzone2"}


def found(text: str, *rows: dict[str, str]) -> dict[str, str]:
    return pick(text, rows, "zone", lambda row: [row["name"]], lambda row: row["id"])


@pytest.mark.parametrize(
    "text", ["kzone1", FIRST["id"], "48f51eb9", "837248F51EB9", "9427-837248f51eb9", "01a208cf-35e3-7f", "1eb9"]
)
def test_a_name_an_id_its_beginning_and_its_end_mean_the_row(text: str) -> None:
    assert found(text, FIRST, SECOND, TWIN) is FIRST


@pytest.mark.parametrize("text", ["01a208cf-35e3", "af2df21d", "kzone2"])
def test_what_means_several_is_refused_and_names_them(text: str) -> None:
    with pytest.raises(CliError) as refused:
        found(text, FIRST, SECOND, TWIN)

    assert refused.value.exit_code == 2
    assert SECOND["id"] in refused.value.hint


@pytest.mark.parametrize("text", ["eb9", "", "-", "kzone", "KZONE1", "zzzz", "208cf"])
def test_what_means_nothing_is_refused(text: str) -> None:
    with pytest.raises(CliError, match="there is no zone"):
        found(text, FIRST, SECOND, TWIN)


def test_a_name_goes_before_the_end_of_an_id() -> None:
    named_like_an_id = {"id": "01b00000-0000-7000-8000-000000000001", "name": "48f51eb9"}

    assert found("48f51eb9", FIRST, named_like_an_id) is named_like_an_id


def test_two_zones_of_one_name_are_told_apart_by_their_ids(kzfleet: Any, fleet: Any, olga: Any) -> None:
    twin = Zone.objects.create(name="kzone1")

    said = kzfleet(olga, "zone", "show", "kzone1")

    assert (said.status, said.out) == (2, "")
    assert said.err.startswith("kzfleet: 'kzone1' means more than one zone. Say which by its id: ")
    assert str(twin.pk) in said.err
    assert kzfleet(olga, "zone", "show", str(twin.pk)[-10:]).out.startswith("kzone1: unknown\n")


def test_hosts_are_found_by_name_hostid_and_the_beginning_of_it(kzfleet: Any, fleet: Any, olga: Any) -> None:
    said = {
        kzfleet(olga, "host", "show", text).out.split("\n")[0] for text in ("global1", "83a0cc71", "83A0CC71", "83a0")
    }

    assert said == {"global1 (83a0cc71)"}

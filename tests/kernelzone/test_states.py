from itertools import product

import pytest

from kernelzone.states import NEXT, Verb, VerbRefused, ZoneState, next_state, verbs_allowed


@pytest.mark.parametrize(
    ("state", "verb", "after"),
    [
        ("configured", "attach", "installed"),
        ("configured", "install", "installed"),
        ("unavailable", "attach", "installed"),
        ("unavailable", "uninstall", "configured"),
        ("installed", "boot", "running"),
        ("installed", "detach", "configured"),
        ("running", "suspend", "installed"),
        ("running", "halt", "installed"),
        ("running", "shutdown", "installed"),
        ("running", "reboot", "running"),
        ("running", "migrate", "configured"),
    ],
)
def test_the_documented_transitions(state, verb, after):
    assert next_state(ZoneState(state), Verb(verb)) is ZoneState(after)


@pytest.mark.parametrize(("state", "verb"), sorted(set(product(ZoneState, Verb)) - set(NEXT)))
def test_every_verb_that_is_not_in_the_table_is_refused_with_its_code(state, verb):
    with pytest.raises(VerbRefused) as refused:
        next_state(state, verb)

    assert (refused.value.code, refused.value.state, refused.value.verb) == ("ZONE_STATE", state, verb)
    assert verb not in verbs_allowed(state)


def test_a_zone_whose_storage_is_in_doubt_is_neither_booted_nor_detached():
    assert not {Verb.BOOT, Verb.READY, Verb.DETACH, Verb.SUSPEND} & verbs_allowed(ZoneState.UNAVAILABLE)


def test_a_running_zone_is_neither_attached_nor_detached():
    assert not {Verb.ATTACH, Verb.DETACH, Verb.INSTALL, Verb.UNINSTALL} & verbs_allowed(ZoneState.RUNNING)

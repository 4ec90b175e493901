"""At most one writer wins a generation: every interleaving, with the real claim, recovery and watch.

What each exploration may do is in `Rules`; that the explorer can fail is shown by the mutations below.
KZ_EXHAUSTIVE=1 adds the large explorations (about two minutes).
"""

import os

import pytest
from explorer import BrokenProperty, Explorer, Rules, recover_restoring_b, skipping

whole = pytest.mark.skipif(
    os.environ.get("KZ_EXHAUSTIVE") != "1", reason="the large explorations run with KZ_EXHAUSTIVE=1"
)
SMALL = {
    "two writers": Rules(claims=(1, 1), reads=4),
    "two writers, several generations, late losers": Rules(claims=(2, 2), reads=4),
    "three writers": Rules(claims=(1, 1, 1)),
    "two writers that crash at any step and recover": Rules(crashes=True),
    "three writers that crash at any step and recover": Rules(
        claims=(1, 1, 1), crashes=True, reads=1, torn=False, later_generations=False
    ),
    "winners that watch": Rules(claims=(1, 2), watches=True, checks_truth=False),
}
LARGE = {
    "three writers that crash, with torn writes": Rules(claims=(1, 1, 1), crashes=True, reads=1),
    "four writers": Rules(claims=(1, 1, 1, 1), torn=False),
    "three writers, reading as the device does": Rules(claims=(1, 1, 1), reads=4),
    "crashes, reading as the device does": Rules(crashes=True, reads=4),
    "crashes whose write lands after the recovery": Rules(crashes=True, late_writes=True, reads=4, checks_truth=False),
    "winners that watch, and crash": Rules(watches=True, crashes=True, checks_truth=False),
}


IN_MAKE_FAST = {"two writers", "two writers that crash at any step and recover", "winners that watch"}


@pytest.mark.parametrize(
    "rules",
    [
        pytest.param(rules, id=name, marks=[] if name in IN_MAKE_FAST else pytest.mark.slow)
        for name, rules in SMALL.items()
    ],
)
def test_one_writer_at_most_wins_a_generation(rules):
    assert_holds(rules)


@whole
@pytest.mark.slow
@pytest.mark.parametrize("rules", LARGE.values(), ids=LARGE)
def test_one_writer_at_most_wins_a_generation_at_large(rules):
    assert_holds(rules)


def assert_holds(rules):
    explorer = Explorer(rules)
    assert explorer.explore() > 500
    # it went somewhere: winners, losers, and those who came too late
    assert {"CLAIMED", "LOST", "CHANGED"} <= explorer.outcomes
    assert {"CLEAN", "CLAIM", "SPLIT"} <= explorer.statuses
    assert rules.torn == ("SINGLE_A" in explorer.statuses)
    if rules.crashes:
        assert {"NOT_APPLIED", "UNKNOWN"} <= explorer.outcomes


@pytest.mark.parametrize("step", ["W3", "W5"])
def test_the_explorer_finds_two_winners_when_a_reading_is_left_out(step):
    with pytest.raises(BrokenProperty, match="two writers won"):
        Explorer(Rules(claims=(1, 1), claim=skipping(step), checks_truth=False)).explore()


def test_the_explorer_finds_a_recovery_that_restores_slot_b():
    with pytest.raises(BrokenProperty, match="was won"):
        Explorer(Rules(crashes=True, recover=recover_restoring_b)).explore()


def test_without_the_previous_link_a_claim_shows_a_truth_that_is_not_the_winners():
    def by_generation_alone(explorer):
        """Return a reader that takes any gap of one for a claim, as if the link were not looked at."""

        def shows(shown, a, b):
            newer, older = explorer.named(a, 0), explorer.named(b, 1)
            if shown.status == "SPLIT" and newer and older and newer[0] == older[0] + 1:
                return shown._replace(status="CLAIM", generation=older[0], owner=older[1])
            return shown

        return shows

    explorer = Explorer(Rules(claims=(1, 2)))
    explorer.rules.shows = by_generation_alone(explorer)
    with pytest.raises(BrokenProperty, match=r"CLAIM (names|shows)"):
        explorer.explore()
    assert Explorer(Rules(claims=(1, 2))).explore()  # and with it, it does not

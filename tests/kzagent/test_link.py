"""Reports on their way: nothing is lost, nothing is said twice under two numbers, and a journal's break is noticed."""

from __future__ import annotations

import dataclasses
import logging
import shutil
import threading
from uuid import uuid4

import pytest
from agent_lab import GLOBAL1, GLOBAL2, Deployment
from agent_process import rewrite
from agent_site import Authority, warrant_for

from kernelzone.orders import Kind, ReportState, read_heartbeat
from kernelzone.portable import verbs
from kzagent import identity, link, watching
from kzagent.errors import LinkError, SetupError
from kzagent.identity import load_settings
from kzagent.post import Post
from kzagent.reports import MAX_PAYLOAD_BYTES, Said
from kzagent.watching import Watch


def say(deployment: Deployment, code: str) -> int:
    return deployment.agent.reports.say(Said(ReportState.DONE, code))


def codes(deployment: Deployment) -> list[str]:
    return [report.code for _, report in sorted(deployment.site.reports.items(), key=lambda item: item[0][1])]


def restarted(deployment: Deployment) -> None:
    deployment.agent.journal.close()
    deployment.start()


def test_reports_wait_for_a_site_that_is_away_and_keep_their_numbers(deployment: Deployment) -> None:
    deployment.site.refuses = 503
    say(deployment, "A")
    with pytest.raises(LinkError):
        deployment.agent.link.exchange()
    say(deployment, "B")
    deployment.site.refuses = None

    deployment.send()

    assert codes(deployment) == ["A", "B"]
    assert [seq for _, seq in deployment.site.reports] == [1, 2]


def test_a_report_whose_answer_was_lost_is_sent_again_under_the_same_number(deployment: Deployment) -> None:
    deployment.site.loses_answers = 1
    say(deployment, "A")
    with pytest.raises(LinkError):
        deployment.agent.link.exchange()

    deployment.send()

    # the site itself fails when one number comes with two contents
    assert codes(deployment) == ["A"]
    assert deployment.agent.journal.outgoing(10, 10**6) == []


def test_reports_outlive_the_process_that_made_them(deployment: Deployment) -> None:
    say(deployment, "A")
    epoch = deployment.agent.journal.epoch

    restarted(deployment)
    say(deployment, "B")
    deployment.send()

    assert codes(deployment) == ["A", "B"]
    assert deployment.agent.journal.epoch == epoch


def test_many_reports_go_in_batches(deployment: Deployment) -> None:
    with deployment.agent.journal.database.writing():
        for number in range(450):
            say(deployment, str(number))
    posts = deployment.site.posts

    deployment.send()

    assert codes(deployment) == [str(number) for number in range(450)]
    assert deployment.site.posts - posts == 3


def test_a_batch_has_no_more_bytes_than_the_site_takes(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link, "MAX_BATCH_BYTES", 3000)
    posts = deployment.site.posts
    for number in range(10):
        say(deployment, str(number))

    deployment.send()

    assert codes(deployment) == [str(number) for number in range(10)]
    assert deployment.site.posts - posts >= 3


def test_a_report_too_large_to_send_says_so_instead(deployment: Deployment) -> None:
    result = {"text": "x" * (MAX_PAYLOAD_BYTES + 1)}
    deployment.agent.reports.say(Said(ReportState.DONE, "A", result=result))

    deployment.send()

    assert codes(deployment) == ["REPORT_TOO_LARGE"]


def test_a_journal_restored_from_a_backup_begins_a_new_epoch(deployment: Deployment) -> None:
    backup = deployment.directory.with_name("backup")
    old = deployment.inspected()
    deployment.agent.journal.close()
    shutil.copytree(deployment.directory, backup)
    deployment.start()
    say(deployment, "after the backup")
    deployment.send()
    deployment.agent.journal.close()
    shutil.rmtree(deployment.directory)
    shutil.copytree(backup, deployment.directory)

    deployment.start()
    say(deployment, "after the restore")
    deployment.send()

    assert deployment.agent.journal.epoch != old.epoch
    order = deployment.takeover(reading=_reading_of(old))
    deployment.run(order)
    assert deployment.result(order) == ("refused", "EPOCH")


def _reading_of(report: object) -> object:
    return warrant_for(report, "kzone1").reading  # type: ignore[arg-type]


def test_a_result_that_was_not_confirmed_is_told_in_the_new_epoch(deployment: Deployment) -> None:
    deployment.inspected()
    order = deployment.takeover()
    deployment.site.refuses = 503
    with pytest.raises(LinkError):
        deployment.run(order)
    deployment.site.refuses = None
    # a site restored from its own backup has lost what it had confirmed
    deployment.site.reports.clear()

    deployment.send()
    deployment.send()

    now = deployment.agent.journal.epoch
    told = [report for (epoch, _), report in deployment.site.reports.items() if epoch == now]
    assert [(report.order, report.code) for report in told] == [(order.order, "DONE")]


@pytest.mark.parametrize("host", ["example.com", "10.0.0.1", "[::ffff:10.0.0.1]"])
def test_plain_http_to_another_machine_is_refused(deployment: Deployment, host: str) -> None:
    with pytest.raises(SetupError):
        identity.check_settings(_with_url(deployment, f"http://{host}:8000"))

    identity.check_settings(_with_url(deployment, f"https://{host}:8000"))


def _with_url(deployment: Deployment, url: str) -> identity.Settings:
    return dataclasses.replace(load_settings(deployment.directory), url=url)


@pytest.mark.parametrize(
    "answer", [b"", b"[]", b"{}", b'{"epoch":"","seq":1.5,"missing":[],"wanted":[],"beacon":null}', b"x" * 2_000_000]
)
def test_an_answer_that_is_none_confirms_nothing(
    deployment: Deployment, answer: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    say(deployment, "A")
    monkeypatch.setattr(deployment.site, "take", lambda body: (202, answer))

    with pytest.raises(LinkError):
        deployment.agent.link.exchange()

    assert len(deployment.agent.journal.outgoing(10, 10**6)) == 1


# --- beacons --------------------------------------------------------------------------------------------------------


def test_only_a_newer_beacon_of_this_authority_counts(deployment: Deployment) -> None:
    authority = deployment.agent.authority
    now = deployment.clock.now() + 10

    assert authority.hear(deployment.authority.beacon(now))
    assert not authority.hear(deployment.authority.beacon(now)), "one held back must not look fresh again"
    assert not authority.hear(deployment.authority.beacon(now - 5))
    assert not authority.hear(Authority().beacon(now + 5))
    assert not authority.hear("{}")
    other = Authority()
    other.key = deployment.authority.key
    assert not authority.hear(other.beacon(now + 5)), "another deployment's"
    assert authority.hear(deployment.authority.beacon(now + 1))


def test_a_withdrawal_counts_in_whatever_beacon_it_stands(deployment: Deployment) -> None:
    authority, order = deployment.agent.authority, deployment.order(Kind.INSPECT)
    now = deployment.clock.now() + 10
    assert authority.hear(deployment.authority.beacon(now))

    assert not authority.hear(deployment.authority.beacon(now, (order.order,)))

    deployment.clock.wall_s = 10
    deployment.run(order)
    assert deployment.result(order) == ("refused", "VETO")


def test_a_beacon_takes_back_orders_that_have_not_acted(deployment: Deployment) -> None:
    order = deployment.order(Kind.INSPECT)
    deployment.site.withdrawn = (order.order, uuid4())
    deployment.clock.wall_s = 1
    deployment.site.beacon_shift_s = 1
    deployment.send()

    deployment.run(order)

    assert deployment.result(order) == ("refused", "VETO")


# --- what is said unasked -------------------------------------------------------------------------------------------


def heartbeats(deployment: Deployment) -> list[dict[str, str]]:
    found = [report for report in deployment.site.reports.values() if report.code == "HEARTBEAT"]
    return [dict(read_heartbeat(report.result).hosts) for report in found]


def states(deployment: Deployment) -> list[str]:
    return [str(report.owner_hostid) for report in deployment.site.reports.values() if report.code == "STATE"]


def test_a_heartbeat_tells_every_host_and_whole_states_only_where_they_changed(deployment: Deployment) -> None:
    watch = Watch(deployment.agent)
    watch.beat()
    watch.beat()
    assert verbs.ready(deployment.fleet.global1, "kzone2").is_done
    watch.beat()
    deployment.send()

    first, second, third = heartbeats(deployment)
    assert first.keys() == {GLOBAL1, GLOBAL2}
    assert first == second
    assert third[GLOBAL1] != second[GLOBAL1]
    assert third[GLOBAL2] == second[GLOBAL2]
    assert states(deployment) == [GLOBAL1, GLOBAL2, GLOBAL1]


def test_a_change_of_state_is_told_before_the_next_heartbeat(deployment: Deployment) -> None:
    watch = Watch(deployment.agent)
    watch.beat()
    watch.glance()
    assert verbs.ready(deployment.fleet.global1, "kzone2").is_done
    watch.glance()
    watch.glance()
    deployment.send()

    assert states(deployment) == [GLOBAL1, GLOBAL2, GLOBAL1]


@pytest.mark.parametrize("flag", ["cut-off", "dead"])
def test_a_host_out_of_reach_is_not_spoken_for(deployment: Deployment, flag: str) -> None:
    deployment.fleet.global2.set_flag(flag)
    watch = Watch(deployment.agent)

    watch.beat()
    watch.glance()
    deployment.send()

    assert [set(hosts) for hosts in heartbeats(deployment)] == [{GLOBAL1}]
    assert states(deployment) == [GLOBAL1]


def test_the_site_gets_the_state_it_wants(deployment: Deployment) -> None:
    watch = Watch(deployment.agent)
    watch.beat()
    deployment.site.wanted = [GLOBAL2]
    deployment.send()

    watch.glance()
    watch.glance()
    deployment.send()

    assert states(deployment) == [GLOBAL1, GLOBAL2, GLOBAL2]


def test_a_reading_that_was_told_unasked_may_carry_a_warrant(deployment: Deployment) -> None:
    Watch(deployment.agent).beat()
    deployment.send()
    (report,) = [one for one in deployment.site.reports.values() if one.code == "STATE" and one.owner_hostid == GLOBAL1]
    order = deployment.takeover(reading=_reading_of(report))

    deployment.run(order)

    assert deployment.result(order) == ("done", "DONE")


def test_what_nothing_asks_for_any_more_is_forgotten(deployment: Deployment) -> None:
    inspection, takeover = deployment.order(Kind.INSPECT), deployment.takeover()
    deployment.run(inspection)
    deployment.run(takeover)
    deployment.clock.wall_s = 601
    watching.forget_old(deployment.agent.journal, deployment.clock)
    known = {row[0] for row in deployment.agent.journal.database.rows("SELECT id FROM orders")}
    assert str(inspection.order) not in known
    assert str(takeover.order) in known, "a forced order stays burned past any validity"

    deployment.clock.wall_s = 8 * 24 * 3600
    deployment.clock.slept_ms = 8 * 24 * 3600 * 1000
    watching.forget_old(deployment.agent.journal, deployment.clock)

    for table in ("orders", "intents", "readings", "outbox"):
        assert deployment.agent.journal.database.rows(f"SELECT * FROM {table}") == [], table


def test_the_sending_thread_outlives_a_site_that_goes_and_comes(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(link, "FIRST_PAUSE_S", 0.05)
    caplog.set_level(logging.WARNING)
    deployment.site.refuses = 500
    thread = threading.Thread(target=deployment.agent.link.run, args=(deployment.agent.stopping,))
    thread.start()
    say(deployment, "A")
    deployment.site.wait_for(lambda: deployment.site.posts >= 3)
    deployment.site.refuses = None

    deployment.site.wait_for(lambda: codes(deployment) == ["A"])
    say(deployment, "B")
    deployment.site.wait_for(lambda: codes(deployment) == ["A", "B"])

    deployment.agent.stopping.set()
    deployment.agent.reports.new.wake()
    thread.join(timeout=5)
    assert not thread.is_alive()
    assert "the site answered 500" in caplog.text


def test_a_name_that_leads_to_another_machine_gets_no_reports_over_http(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: [(0, 0, 0, "", ("10.1.2.3", 80))])

    with pytest.raises(LinkError, match="not this machine"):
        Post(deployment.agent.settings).batch([])


def test_a_private_key_that_others_may_read_is_not_used(deployment: Deployment) -> None:
    deployment.agent.journal.close()
    (deployment.directory / identity.KEY_NAME).chmod(0o640)

    with pytest.raises(SetupError, match="chmod 600"):
        deployment.start()

    (deployment.directory / identity.KEY_NAME).chmod(0o600)
    rewrite(deployment.directory, load_settings(deployment.directory), heartbeat_s=5)
    deployment.start()

"""The takeover, from warrant to attached zone."""

from __future__ import annotations

from agent_lab import GLOBAL1, Deployment

from kernelzone.orders import Kind, read_result


def test_an_approved_takeover_claims_attaches_and_shows_a_new_reading(deployment: Deployment) -> None:
    order = deployment.takeover()

    deployment.run(order)

    report = deployment.site.final(order.order)
    assert report is not None
    assert (report.state, report.code) == ("done", "DONE")
    result = read_result(Kind.FORCE_TAKEOVER, report.result)
    record = result.readings[0].record
    assert (record.owner_hostid, record.flags, record.previous_owner_hostid) == (GLOBAL1, ("forced",), "848611d4")
    assert result.placement.state == "installed"
    said = [one.progress.what for one in deployment.site.about(order.order) if one.progress]
    assert said[-3:] == [
        "claiming host data",
        "host data names this host, attaching",
        "reading host data again",
    ]

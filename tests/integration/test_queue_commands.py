"""What operators do to messages and destinations, and what they are told."""

import re

import pytest
from lib.clients import connect, submit, text_mail
from lib.command import ANY, Command
from lib.provider import Provider
from lib.wait import until


@pytest.fixture
def provider():
    provider = Provider()
    yield provider
    provider.close()


@pytest.fixture
def command(daemon):
    return Command(daemon)


def send(client, *recipients):
    code, text = submit(client, text_mail(), recipients=list(recipients))
    assert code == 250
    return text.split()[1]


def queue_id(command, message_id):
    return next(row["queue_id"] for row in command.lines("queue", "ls") if row["message_id"] == message_id)


def test_explain(daemon, provider, command):
    daemon.config["routes"] = [
        {"name": "slow", "destination": "slow.test", "host": "127.0.0.1", "port": provider.listen(), "allow_private": True},
        {"name": "dead", "destination": "dead.test", "host": "127.0.0.1", "port": 9, "allow_private": True},
    ]
    daemon.config["delivery"].update(max_connections_per_site=1, retry_min="1h", retry_max="1h")
    provider.hold()
    daemon.start()
    with connect(daemon) as client:
        first, second = send(client, "x@slow.test"), send(client, "x@slow.test")
        dead = send(client, "y@dead.test", "x@slow.test")
    until(lambda: provider.open == 1, 30, daemon.log)
    daemon.wait_log("status=deferred")
    assert "x@slow.test waits for the end of the attempt" in command("queue", "explain", first)
    told = command("queue", "explain", second)
    assert "1 open: x@slow.test waits for its turn at =slow, where 2 wait and 1 of 1 connections are in use." in told
    told = command("queue", "explain", dead)
    assert re.search(r"y@dead.test waits for its next try, after: 4.*Connection refused; until 20\d\d-", told)
    command("queue", "hold", second, "--reason", "for the lawyers")
    assert "waits for an operator: for the lawyers" in command("queue", "explain", second)
    provider.release()


def test_hold_and_release(daemon, provider, command):
    """What is held stays over a restart, and goes when it is released."""
    daemon.route_all_to(provider.listen())
    daemon.config["delivery"].update(max_connections_per_site=1)
    provider.hold()
    daemon.start()
    with connect(daemon) as client:
        send(client, "a@dest.test")
        held = send(client, "b@dest.test")
        until(lambda: provider.open == 1, 30, daemon.log)
        assert command("queue", "hold", held) == "1 message held until they are released.\n"
        send(client, "c@dest.test")
    provider.release()
    until(lambda: len(provider.taken) == 2, 30, daemon.log)
    daemon.stop()
    daemon.start()
    assert [row["queue_name"] for row in command.lines("queue", "ls")] == ["held"]
    assert command("queue", "release", held) == "1 message released.\n"
    until(lambda: len(provider.taken) == 3, 30, daemon.log)
    assert [taken.recipient for taken in provider.taken] == ["a@dest.test", "c@dest.test", "b@dest.test"]


def test_requeue(daemon, provider, command):
    """Another route of the present configuration, and no tries yet."""
    port = provider.listen()
    daemon.route_all_to(9)
    daemon.config["delivery"].update(retry_min="1h", retry_max="1h")
    daemon.start()
    with connect(daemon) as client:
        sent = send(client, "x@dest.test")
    daemon.wait_log("status=deferred")
    daemon.route_all_to(port)
    daemon.reload()
    assert command.json("queue", "show", sent)["attempts"] == 1
    assert command("queue", "requeue", sent) == "1 message begin anew.\n"
    until(lambda: len(provider.taken) == 1, 30, daemon.log)


def test_filters(daemon, command):
    daemon.config["routes"] = [
        {"name": "dead", "destination": "dead.test", "host": "127.0.0.1", "port": 9, "allow_private": True}
    ]
    daemon.config["dns"] = {"servers": ["127.0.0.1@9"], "timeout": "1s"}
    daemon.config["delivery"].update(retry_min="1h", retry_max="1h")
    daemon.start()
    with connect(daemon) as client:
        dead, lost = send(client, "x@dead.test"), send(client, "x@lost.test")
    daemon.wait_log("status=deferred", count=2)

    def listed(*filters):
        return [row["message_id"] for row in command.lines("queue", "ls", *filters)]

    assert listed("--account", "web") == [dead, lost] and listed("--account", "other") == []
    assert listed("--reason", "connection refused") == [dead]
    assert listed("--destination", "lost.test") == [lost]
    assert listed("--account", "web", "--reason", "lost.test") == [lost]


def test_pause_and_resume(daemon, make_dns, provider, command):
    ns = make_dns({
        "one.test": "@ MX 10 mx\nmx A 127.0.0.41",
        "two.test": "@ MX 10 mx.one.test.",
    })  # fmt: skip
    port = provider.listen("127.0.0.41")
    daemon.config["dns"] = {"servers": [ns.server]}
    daemon.config["delivery"].update(port=port)
    daemon.start()
    told = command.json("dest", "pause", "ONE.test", "--for", "1h", "--reason", "they asked")
    assert told["destination"] == "one.test" and told["pause_reason"] == "they asked"
    with connect(daemon) as client:
        waits = send(client, "x@one.test")
        send(client, "x@two.test")  # the same hosts, and not paused
        until(lambda: len(provider.taken) == 1, 30, daemon.log)
        until(lambda: "paused: they asked" in command("queue", "explain", waits), 30, daemon.log)
        rows = command.json("dest", "ls")
        assert [(row["destination"], row["items"]) for row in rows["destinations"]] == [("one.test", 1)]
        assert "paused" in command("dest", "ls")
        command("dest", "resume", "one.test")
        until(lambda: len(provider.taken) == 2, 30, daemon.log)
    assert "is not paused" in command("dest", "resume", "one.test", want=ANY)
    assert "Nothing waits" in command("dest", "show", "three.test", want=ANY)
    assert "no duration" in command("dest", "pause", "one.test", "--for", "soon", want=ANY)
    assert "cannot be paused" in command("dest", "pause", "!simulator", want=ANY)


def test_what_is_paused_ends_with_its_time(daemon, make_dns, provider, command):
    ns = make_dns({"one.test": "@ MX 10 mx\nmx A 127.0.0.42", "example.com": "@ MX 10 mx\nmx A 127.0.0.43"})
    port = provider.listen("127.0.0.43")
    daemon.config["dns"] = {"servers": [ns.server]}
    daemon.config["delivery"].update(port=port)
    daemon.config["configuration_sets"] = [{"name": "short", "account": "web", "max_delivery": "2s"}]
    daemon.start()
    command("dest", "pause", "one.test", "--for", "2s")
    with connect(daemon) as client:
        assert submit(client, text_mail(X_SES_CONFIGURATION_SET="short"), recipients=["x@one.test"])[0] == 250
    until(lambda: provider.taken, 60, daemon.log)  # the report to the sender
    assert "paused: by an operator" in daemon.log() or "Message expired" in daemon.log()


def test_top(daemon, provider, command):
    daemon.route_all_to(provider.listen())
    daemon.config["accounts"][0]["quota_24h"] = 10
    provider.hold()
    daemon.start()
    with connect(daemon) as client:
        for _ in range(5):
            send(client, "x@dest.test")
        told = command("top", "--count", "2")
        assert told.count("rates ") == 2 and "5 messages" in told and "account web: 5 of 10 in 24 hours (50 %)" in told
        drawn = command.json("top", "-n", "1")
        assert drawn["queue"]["messages"] == 5 and drawn["destinations"][0]["items"] == 5
    assert "no number" in command("top", "-n", "x", want=ANY)
    provider.release()

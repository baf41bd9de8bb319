"""Sites: domains that share hosts share connections, accounts take turns, and what a provider takes is learned."""

import re
import smtplib

import pytest
from lib.clients import connect, insecure_context, submit, text_mail
from lib.command import ANY, Command
from lib.daemon import account, smtp_password
from lib.provider import Provider
from lib.wait import until

OTHER_KEY, OTHER_SECRET = "AKIAIOSFODNN7OTHER00", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYOTHERKEY00"


@pytest.fixture
def provider():
    provider = Provider()
    yield provider
    provider.close()


@pytest.fixture
def two_accounts(daemon):
    """web may send as example.com, other as example.org."""
    daemon.config["accounts"] = [account(), {"name": "other", "credentials": [{"id": OTHER_KEY, "secret": OTHER_SECRET}]}]
    daemon.config["identities"].append({"name": "example.org", "account": "other"})
    return daemon


def connect_other(daemon):
    client = smtplib.SMTP("127.0.0.1", daemon.port(), timeout=60)
    client.starttls(context=insecure_context())
    client.login(OTHER_KEY, smtp_password(OTHER_SECRET))
    return client


def send(client, recipient, sender="jo@example.com", **fields):
    assert submit(client, text_mail(sender=sender, **fields), sender=sender, recipients=[recipient])[0] == 250


def wait_taken(provider, count, daemon):
    until(lambda: len(provider.taken) >= count, 60, lambda: f"{len(provider.taken)}\n{daemon.log()[-3000:]}")


def deliver_by_mx(daemon, nameserver, port, **delivery):
    daemon.config["dns"] = {"servers": [nameserver.server]}
    daemon.config["delivery"].update(port=port, **delivery)
    return daemon.start()


def test_domains_of_one_provider_are_one_site(daemon, make_dns, provider):
    """However many they are: one number of connections, which are used for all of them."""
    zones = {"provider.test": "mx A 127.0.0.21\nlast A 127.0.0.22"}
    for i in range(10):
        zones[f"d{i}.test"] = "@ MX 10 mx.provider.test.\n@ MX 20 last.provider.test."
    ns = make_dns(zones)
    port = provider.listen("127.0.0.21")
    provider.hold()
    deliver_by_mx(daemon, ns, port, max_connections_per_site=3, idle="30s")
    with connect(daemon) as client:
        for i in range(40):
            send(client, f"x@d{i % 10}.test")
        until(lambda: provider.open > 0, 30, daemon.log)
        provider.release()
        wait_taken(provider, 40, daemon)
    assert provider.most <= 3 and provider.connections <= 3
    assert len({taken.recipient for taken in provider.taken}) == 10


def test_a_connection_is_used_for_domains_of_its_host_only(daemon, make_dns, provider):
    """The best hosts are the same, and the one that the first domain fell back to is none of the second's."""
    ns = make_dns({
        "provider.test": "gone A 127.0.0.23\nback A 127.0.0.24\nother A 127.0.0.25",
        "one.test": "@ MX 10 gone.provider.test.\n@ MX 20 back.provider.test.",
        "two.test": "@ MX 10 gone.provider.test.\n@ MX 20 other.provider.test.",
    })  # fmt: skip
    port = provider.listen("127.0.0.24")
    provider.listen("127.0.0.25", port)
    deliver_by_mx(daemon, ns, port, max_connections_per_site=1, idle="30s")
    with connect(daemon) as client:
        for domain in ("one.test", "two.test", "one.test"):
            before = len(provider.taken)
            send(client, f"x@{domain}")
            wait_taken(provider, before + 1, daemon)
    assert [taken.host for taken in provider.taken] == ["127.0.0.24", "127.0.0.25", "127.0.0.24"]


@pytest.mark.parametrize("fair", [True, False])
def test_accounts_take_turns(two_accounts, provider, fair):
    daemon = two_accounts
    daemon.route_all_to(provider.listen())
    daemon.config["delivery"].update(max_connections_per_site=2, fair=fair)
    provider.hold()
    daemon.start()
    with connect(daemon) as client, connect_other(daemon) as other:
        for _ in range(200):
            send(client, "x@big.test")
        send(other, "x@small.test", sender="jo@example.org")
        provider.release()
        wait_taken(provider, 201, daemon)
    place = [taken.recipient for taken in provider.taken].index("x@small.test")
    # Two were under way, and each account begins one in turn.
    assert place <= 4 if fair else place > 190


def test_accounts_take_turns_for_the_last_connections(two_accounts, provider):
    """One account waits at more sites than there are connections; the other's mail goes to yet another site."""
    daemon = two_accounts
    ports = [provider.listen() for _ in range(30)]
    daemon.config["routes"] = [
        {"name": f"r{i}", "destination": f"d{i}.test", "host": "127.0.0.1", "port": port, "allow_private": True}
        for i, port in enumerate(ports)
    ]
    daemon.config["delivery"].update(max_connections=3)
    provider.hold()
    daemon.start()
    with connect(daemon) as client, connect_other(daemon) as other:
        for i in range(290):
            send(client, f"x@d{i % 29}.test")
        send(other, "x@d29.test", sender="jo@example.org")
        assert provider.most <= 3
        provider.release()
        wait_taken(provider, 291, daemon)
    assert [taken.recipient for taken in provider.taken].index("x@d29.test") <= 8


def test_classes_of_an_account(daemon, provider):
    daemon.route_all_to(provider.listen())
    daemon.config["configuration_sets"] = [{"name": "news", "account": "web", "class": "bulk"}]
    daemon.config["delivery"].update(max_connections_per_site=1)
    provider.hold()
    daemon.start()
    with connect(daemon) as client:
        for _ in range(100):
            send(client, "x@news.test", X_SES_CONFIGURATION_SET="news")
        for _ in range(8):
            send(client, "x@code.test")
        provider.release()
        wait_taken(provider, 108, daemon)
    order = [taken.recipient for taken in provider.taken]
    # One was under way; then four of five are transactional.
    assert max(i for i, r in enumerate(order) if r == "x@code.test") <= 12


def test_class_and_weight_by_command(daemon, provider):
    """What is changed while messages wait counts for those, too."""
    daemon.route_all_to(provider.listen())
    daemon.config["delivery"].update(max_connections_per_site=1)
    provider.hold()
    daemon.start()
    command = Command(daemon)
    command("config-set", "add", "web", "news")
    with connect(daemon) as client:
        for _ in range(50):
            send(client, "x@news.test", X_SES_CONFIGURATION_SET="news")
        for _ in range(4):
            send(client, "x@code.test")
        command("config-set", "set", "web", "news", "class=bulk")
        assert command.json("config-set", "show", "web", "news")["class"] == "bulk"
        provider.release()
        wait_taken(provider, 54, daemon)
    order = [taken.recipient for taken in provider.taken]
    assert max(i for i, r in enumerate(order) if r == "x@code.test") <= 7


def test_a_hidden_limit_costs_no_message_a_try(daemon, provider):
    """Connections beyond it are refused; messages that were to use them wait, are not deferred, and nobody is told."""
    provider.limit, provider.unlucky, provider.seconds = 4, 0.2, 0.005
    daemon.route_all_to(provider.listen())
    daemon.config["delivery"].update(messages_per_connection=50, retry_min="1s", retry_max="1s")
    daemon.start()
    with connect(daemon) as client:
        send(client, "x@dest.test")
        wait_taken(provider, 1, daemon)
        for _ in range(400):
            send(client, "x@dest.test")
        wait_taken(provider, 401, daemon)
    assert provider.most <= 4 and provider.refused > 0
    until(lambda: len(re.findall(r"status=sent", daemon.log())) == 401, 30, daemon.log)
    deferred = re.findall(r"status=deferred[^\n]*", daemon.log())
    assert len(deferred) <= 5, deferred  # only while there was no other connection


def test_what_waits_for_dead_hosts_is_reported_in_time(daemon, make_dns, provider):
    """Messages behind a host that is tried with one at a time: each ends with its own time."""
    ns = make_dns({
        "dead.test": "@ MX 10 mx\nmx A 127.0.0.26",
        "example.com": "@ MX 10 mx\nmx A 127.0.0.27",
    })  # fmt: skip
    port = provider.listen("127.0.0.27")
    daemon.config["configuration_sets"] = [{"name": "short", "account": "web", "max_delivery": "5s"}]
    deliver_by_mx(daemon, ns, port, retry_min="1s", retry_max="2s")
    with connect(daemon) as client:
        for i in range(30):
            send(client, f"x{i}@dead.test", X_SES_CONFIGURATION_SET="short")
    until(lambda: len(provider.taken) == 30, 60, daemon.log)  # reports to the sender
    assert len(re.findall(r"status=bounced[^\n]*Message expired", daemon.log())) == 30


def pool(name, *addresses, weights=None):
    return {
        "name": name,
        "sources": [
            {"name": f"{name}{i}", "ipv4": address, "hostname": f"{name}{i}.provider.test", "weight": (weights or {}).get(i, 1)}
            for i, address in enumerate(addresses)
        ],
    }


def use_pool(daemon, name):
    daemon.config["configuration_sets"] = [{"name": "codes", "account": "web", "pool": name}]


def test_pools(daemon, provider):
    """A set's mail comes from its pool's addresses, by their weights, each with its name; other mail does not."""
    daemon.route_all_to(provider.listen("0.0.0.0"))
    daemon.config["pools"] = [pool("codes", "127.0.0.31", "127.0.0.32", weights={1: 3})]
    use_pool(daemon, "codes")
    daemon.start()
    with connect(daemon) as client:
        for i in range(40):
            send(client, f"x{i}@dest.test", X_SES_CONFIGURATION_SET="codes")
            wait_taken(provider, i + 1, daemon)
        send(client, "other@dest.test")
        wait_taken(provider, 41, daemon)
    by_peer = {}
    for taken in provider.taken[:40]:
        by_peer.setdefault((taken.peer, taken.helo), []).append(taken)
    counts = {key: len(mails) for key, mails in by_peer.items()}
    assert counts == {("127.0.0.31", "codes0.provider.test"): 10, ("127.0.0.32", "codes1.provider.test"): 30}
    assert provider.taken[40].peer == "127.0.0.1" and provider.taken[40].helo == daemon.config["hostname"]


def test_a_pool_edit_moves_queued_mail(daemon, provider):
    daemon.route_all_to(provider.listen("0.0.0.0"))
    daemon.config["pools"] = [pool("a", "127.0.0.33"), pool("b", "127.0.0.34")]
    daemon.config["delivery"].update(max_connections_per_site=1)
    use_pool(daemon, "a")
    provider.hold()
    daemon.start()
    with connect(daemon) as client:
        for i in range(30):
            send(client, f"x{i}@dest.test", X_SES_CONFIGURATION_SET="codes")
    until(lambda: provider.open == 1, 30, daemon.log)
    use_pool(daemon, "b")
    daemon.reload()
    until(lambda: provider.open == 2, 30, daemon.log)
    daemon.config["pools"] = daemon.config["pools"][:1]  # the set's pool goes, and mail by the default one
    use_pool(daemon, "")
    daemon.reload()
    until(lambda: provider.open == 3, 30, daemon.log)
    provider.release()
    wait_taken(provider, 30, daemon)
    peers = [taken.peer for taken in provider.taken]
    assert sorted(set(peers)) == ["127.0.0.1", "127.0.0.33", "127.0.0.34"]
    assert peers.count("127.0.0.33") == 1 and peers.count("127.0.0.34") == 1


def test_pools_that_cannot_be(daemon):
    daemon.config["pools"] = [pool("a", "127.0.0.33")]
    daemon.start()
    command = Command(daemon)
    assert "There is no pool" in command("config-set", "add", "web", "news", "pool=b", want=ANY)
    command("config-set", "add", "web", "news", "pool=a")
    use_pool(daemon, "b")
    daemon.reload(succeeds=False)
    assert 'there is no pool "b"' in daemon.log()


def test_a_source_without_an_address_for_the_host(daemon, provider):
    """IPv6 only, and the host has IPv4: the message waits, and says why."""
    daemon.route_all_to(provider.listen())
    daemon.config["pools"] = [{"name": "six", "sources": [{"name": "six", "ipv6": "::1"}]}]
    use_pool(daemon, "six")
    daemon.start()
    with connect(daemon) as client:
        send(client, "x@dest.test", X_SES_CONFIGURATION_SET="codes")
    daemon.wait_log(r"status=deferred \(.*the source has no address")
    assert provider.connections == 0

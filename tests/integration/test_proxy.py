"""Behind a load balancer: HAProxy says for whom it speaks, and nobody else may say so."""

import re
import smtplib
import socket
import subprocess

import pytest

from lib.clients import Line, insecure_context, submit, text_mail
from lib.daemon import ACCESS_KEY, smtp_password
from lib.ports import free_port
from lib.wait import until

CLIENT = "127.0.9.7"  # a client's address that is not the balancer's
V1 = b"PROXY TCP4 192.0.2.9 192.0.2.1 40000 587\r\n"


def listeners(proxies):
    return [
        {"name": "submission", "addresses": ["127.0.0.1"], "port": 0, "proxies": proxies},
        {"name": "submissions", "addresses": ["127.0.0.1"], "port": 0, "tls": "implicit", "proxies": proxies},
    ]


@pytest.fixture
def proxied(daemon, sink):
    """A daemon whose listeners are for balancers on this machine, but not at CLIENT."""
    daemon.config["listeners"] = listeners(["127.0.0.1", "10.0.0.0/8"])
    daemon.route_all_to(sink.port)
    return daemon.start()


class Balancer:
    """HAProxy in front of both listeners, each with one version of the header."""

    def __init__(self, daemon, folder, version):
        self.ports = {"submission": free_port(), "submissions": free_port()}
        send = "send-proxy" if version == 1 else "send-proxy-v2"
        text = "defaults\n mode tcp\n timeout connect 10s\n timeout client 60s\n timeout server 60s\n"
        for name, port in self.ports.items():
            text += f"listen {name}\n bind 127.0.0.1:{port}\n"
            text += f" server postrider 127.0.0.1:{daemon.port(name)} source 127.0.0.1 {send} check\n"
        path = folder / "haproxy.cfg"
        path.write_text(text)
        self.process = subprocess.Popen(["/usr/sbin/haproxy", "-q", "-db", "-f", str(path)])
        until(self.answers, 30, "HAProxy does not listen")

    def answers(self):
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.ports["submission"])) == 0

    def stop(self):
        self.process.terminate()
        self.process.wait(30)


@pytest.mark.parametrize("version", [1, 2])
def test_haproxy(proxied, sink, tmp_path, version):
    balancer = Balancer(proxied, tmp_path, version)
    try:
        for name in ("submission", "submissions"):
            where = {"host": "127.0.0.1", "port": balancer.ports[name], "source_address": (CLIENT, 0)}
            if name == "submissions":
                client = smtplib.SMTP_SSL(**where, timeout=60, context=insecure_context())
            else:
                client = smtplib.SMTP(**where, timeout=60)
                client.starttls(context=insecure_context())
            with client:
                client.login(ACCESS_KEY, smtp_password())
                assert submit(client, text_mail(subject=name))[0] == 250
        # Log lines name the client, not the balancer. HAProxy's checks are connections of its own and end quietly.
        accepted = proxied.wait_log(r"smtpd\[\d+\]: \S+: client=.*", count=2)
        assert all(f"[{CLIENT}]" in line for line in accepted), accepted
        sink.wait(2)
        assert "ERROR" not in proxied.log()
    finally:
        balancer.stop()


def ends(client):
    """The daemon closes; what it has not read makes that a reset."""
    try:
        return client.recv(100) == b""
    except ConnectionResetError:
        return True


def closed_without_a_word(port, data=b"", source="127.0.0.1"):
    with socket.create_connection(("127.0.0.1", port), timeout=60, source_address=(source, 0)) as client:
        if data:
            client.sendall(data)
        return ends(client)


def test_strangers(proxied):
    """Neither another address with a header nor a balancer without one is spoken to."""
    port = proxied.port()
    assert closed_without_a_word(port, V1, source=CLIENT)
    assert closed_without_a_word(port, b"EHLO x\r\n")
    assert closed_without_a_word(proxied.port("submissions"), b"\x16\x03\x01\x02\x00")
    assert closed_without_a_word(port, V1.replace(b"TCP4", b"TCP9"))
    proxied.wait_log(rf"{re.escape(CLIENT)}: refused at listener submission, which is for load balancers")
    proxied.wait_log("a load balancer's connection: no PROXY header", count=3)


def test_pieces_and_headers_inside(proxied):
    """A header that comes byte by byte counts; a second one is no command."""
    client = Line(proxied.port(), greet=False)
    for i in range(len(V1)):
        client.send(V1[i : i + 1])
    client.expect(b"220 ")
    client.command(V1.rstrip(), b"500")
    client.command(b"EHLO x", b"250")
    client.close()


def test_silence(daemon, sink):
    """A balancer that does not say for whom waits for nothing; one that stops within the header, too."""
    daemon.config["listeners"] = listeners(["127.0.0.1"])
    daemon.config["smtp"] = {"handshake": "1s"}
    daemon.route_all_to(sink.port)
    daemon.start()
    assert closed_without_a_word(daemon.port())
    with socket.create_connection(("127.0.0.1", daemon.port()), timeout=60) as client:
        client.sendall(V1[:20])
        client.shutdown(socket.SHUT_WR)
        assert ends(client)
    daemon.wait_log("no PROXY header in time")
    daemon.wait_log("closed within the PROXY header")


def test_limits_are_the_clients(daemon, sink):
    """Connections count for the address in the header: a balancer has many, a client few."""
    daemon.config["listeners"] = listeners(["127.0.0.1"])
    daemon.config["smtp"] = {"max_connections_per_address": 2}
    daemon.route_all_to(sink.port)
    daemon.start()
    held = []
    for host in (b"192.0.2.1", b"192.0.2.2", b"192.0.2.3"):
        for _ in range(2):
            client = Line(daemon.port(), greet=False)
            client.send(V1.replace(b"192.0.2.9", host))
            client.expect(b"220 ")
            held.append(client)
    one_more = Line(daemon.port(), greet=False)
    one_more.send(V1.replace(b"192.0.2.9", b"192.0.2.3"))
    one_more.expect(b"421 ")
    for client in [*held, one_more]:
        client.close()


def test_stop_with_arrivals(proxied):
    """A connection whose header never comes does not hold up a stop."""
    with socket.create_connection(("127.0.0.1", proxied.port()), timeout=60) as client:
        client.sendall(V1[:5])
        proxied.stop()
        assert ends(client)

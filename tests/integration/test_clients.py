"""The clients that applications and mail servers are made with: each sends through us over TLS with a login, and tells its
user when it is refused."""

import os
import re
import subprocess
import types

import pytest
from lib.daemon import ACCESS_KEY, BUILD, Daemon, account, smtp_password
from lib.dkim_judges import dkimpy_verdicts, public_key_record
from lib.dns import NameServer
from lib.postfix import open_up
from lib.sink import Sink
from lib.wait import until
from lib.zoo import CLIENTS, Post

EACH = [pytest.param(c, id=c.name) for c in CLIENTS]
EACH_WAY = [pytest.param(c, tls, id=f"{c.name}-{tls}") for c in CLIENTS for tls in c.tls]


@pytest.fixture(scope="session")
def trust(tmp_path_factory):
    """Of a file with key and certificate, a copy for clients: without the key, and where mail servers that have given up
    root can read it."""

    def copy(certificate):
        path = str(tmp_path_factory.mktemp("trust") / "ca.pem")
        open_up(os.path.dirname(path))
        with open(certificate, encoding="ascii") as whole, open(path, "w", encoding="ascii") as out:
            out.write(whole.read().partition("-----BEGIN PRIVATE KEY-----")[0])
        os.chmod(path, 0o644)
        return path

    return copy


@pytest.fixture(scope="module")
def relay(tmp_path_factory, certificate, trust, dkim_key):
    """One daemon for all of them, and where its mail arrives."""
    folder = tmp_path_factory.mktemp("relay")
    sink = Sink()
    ns = NameServer(str(folder), {"example.com": "sel._domainkey TXT " + public_key_record(dkim_key)})
    daemon = Daemon(str(folder))
    daemon.config["hostname"] = "localhost"  # the name that "--for" prints, and that the certificate is for
    daemon.config.update(
        tls={"certificates": [{"name": "default", "certificate": certificate, "key": certificate}]},
        accounts=[account()],
        identities=[{"name": "example.com", "account": "web", "dkim_selector": "sel", "dkim_key": dkim_key}],
        configuration_sets=[{"name": "web-set", "account": "web"}],
    )
    daemon.route_all_to(sink.port)
    daemon.start()
    yield types.SimpleNamespace(daemon=daemon, sink=sink, ns=ns, ca=trust(certificate))
    daemon.stop()
    ns.stop()
    sink.close()


@pytest.fixture
def make_post(relay, request):
    """A post to an address that no other test uses."""
    to = "".join(c if c.isalnum() else "-" for c in request.node.name) + "@dest.test"

    def make(tls="starttls", **changes):
        port = relay.daemon.port("submissions" if tls == "implicit" else "submission")
        ways = {"port": port, "ca": relay.ca, "user": ACCESS_KEY, "password": smtp_password(), "to": to, "tls": tls}
        return Post(**{**ways, **changes})

    return make


def need(client):
    if why := client.missing():
        pytest.skip(why)


def arrived(relay, post):
    return [m for m in list(relay.sink.mails) if m.recipients == [post.to]]


def wait_for(relay, post):
    until(lambda: arrived(relay, post), 60, lambda: f"nothing came to {post.to}:\n{relay.daemon.log()[-3000:]}")
    (mail,) = arrived(relay, post)
    return mail


def assert_same(mail, post):
    """What came is what was sent, and of SES's fields there is nothing."""
    message = mail.message()
    assert message["Subject"] == post.subject
    assert message["From"].addresses[0].addr_spec == post.sender == mail.sender
    text = message.get_body(("plain",)).get_content()
    assert text.rstrip("\r\n").splitlines() == post.text.rstrip("\n").splitlines()
    (attachment,) = message.iter_attachments()
    assert attachment.get_content() == post.attachment
    assert attachment.get_filename() == post.attachment_name
    left = [name for name in message.keys() if name.lower().startswith("x-ses-")]
    assert left == ["X-SES-Outgoing"] or not left, left


@pytest.mark.parametrize("client, tls", EACH_WAY)
def test_mail_arrives(relay, make_post, folder, client, tls):
    need(client)
    tags = f"client={client.name}, way={tls}"
    post = make_post(tls, headers={"X-SES-CONFIGURATION-SET": "web-set", "X-SES-MESSAGE-TAGS": tags})
    taken, words = client.send(post, folder)
    assert taken, words
    mail = wait_for(relay, post)
    assert_same(mail, post)
    assert dkimpy_verdicts(mail.content, relay.ns) == {"example.com": True}
    assert f"configuration-set=web-set, tags=client={client.name};way={tls}" in relay.daemon.log()


@pytest.mark.parametrize("client", EACH)
def test_unverified_sender(relay, make_post, folder, client):
    """554 comes at the end of the message; the client's user sees why."""
    need(client)
    post = make_post(sender="jo@other.test")
    taken, words = client.send(post, folder)
    assert not taken, words
    assert "554" in words and "Email address is not verified" in words, words
    assert not arrived(relay, post)


@pytest.mark.parametrize("client", EACH)
def test_wrong_password(relay, make_post, folder, client):
    need(client)
    post = make_post(password="B" + "A" * 43)
    taken, words = client.send(post, folder)
    assert not taken, words
    assert "535" in words and "Authentication Credentials Invalid" in words, words
    assert not arrived(relay, post)


# What "--for" takes, and the client here that reads such lines. Laravel hands them to Symfony Mailer.
SNIPPETS = {
    "django": "django",
    "laravel": "symfony",
    "msmtp": "msmtp",
    "nodemailer": "nodemailer",
    "php": "phpmailer",
    "rails": "actionmailer",
}


def postrider(daemon, *words):
    command = [os.path.join(BUILD, "src/cli/postrider"), "--socket", daemon.config["control"]["socket"], *words]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout


@pytest.mark.parametrize("name", SNIPPETS)
def test_printed_settings(relay, make_post, folder, name):
    """What "account add --for" prints is pasted as it is, but for the port."""
    client = next(c for c in CLIENTS if c.name == SNIPPETS[name])
    need(client)
    printed = postrider(relay.daemon, "account", "add", f"for-{name}", "production=true", "--for", name)
    postrider(relay.daemon, "identity", "add", f"for-{name}", "example.com", "verified=true")
    assert printed.count("587") == 1, printed
    snippet = printed.replace("587", str(relay.daemon.port()))
    # Nothing else tells the client where to go, and as whom.
    post = make_post(snippet=snippet, host="", port=0, user="", password="")
    taken, words = client.send(post, folder)
    assert taken, words
    assert_same(wait_for(relay, post), post)
    (login,) = re.findall(r"AKIA[0-9A-Z]{16}", printed)
    assert f"sasl_username={login}" in relay.daemon.log()


@pytest.mark.parametrize("client", EACH)
def test_another_certificate(relay, make_post, make_certificate, trust, folder, client):
    """A client that trusts another certificate does not give its password away."""
    need(client)
    if not client.verifies:
        pytest.skip(f"{client.name} verifies no certificate")
    post = make_post(ca=trust(make_certificate()))
    taken, words = client.send(post, folder)
    assert not taken, words
    assert any(word in words.lower() for word in ("certificate", "verif", "fingerprint")), words
    assert not arrived(relay, post)

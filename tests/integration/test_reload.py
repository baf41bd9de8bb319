"""SIGHUP: a good file is taken up without a session noticing, a bad one changes nothing, certificates are renewed."""

import os
import shutil
import socket
import ssl
import subprocess

from lib.clients import Line, connect, insecure_context, submit, text_mail
from lib.wait import until


def test_good_file_keeps_sessions(daemon, sink):
    daemon.route_all_to(sink.port)
    daemon.start()
    client = connect(daemon)
    assert submit(client, text_mail(sender="x@new.test"), sender="x@new.test")[0] == 554
    daemon.config["identities"].append({"name": "new.test", "account": "web"})
    daemon.reload()
    assert submit(client, text_mail(sender="x@new.test"), sender="x@new.test")[0] == 250
    client.quit()
    sink.wait()


def test_bad_file_changes_nothing(daemon, sink):
    daemon.route_all_to(sink.port)
    daemon.start()
    good = dict(daemon.config)
    daemon.config["smtp"] = {"max_recipient": 1, "idle": "5 parsecs"}
    daemon.reload(succeeds=False)
    log = daemon.log()
    assert 'unknown setting "max_recipient"' in log and "max_recipients" in log and "idle" in log
    client = connect(daemon)
    assert submit(client, text_mail(), recipients=[f"r{i}@dest.test" for i in range(3)])[0] == 250
    client.quit()
    daemon.config = good
    daemon.reload()
    sink.wait()


def test_queued_mail_follows_a_changed_route(daemon, sink, make_sink):
    """Recipients of one message that waited for one host go where the new routes say, each on its own way."""
    away = make_sink()
    away.close()
    other = make_sink()
    daemon.route_all_to(away.port)
    daemon.start()
    client = connect(daemon)
    assert submit(client, text_mail(), recipients=["a@one.test", "b@two.test", "c@two.test"])[0] == 250
    client.quit()
    daemon.wait_log("status=deferred", count=3)
    daemon.config["routes"] = [
        {"name": "one", "destination": "one.test", "host": "127.0.0.1", "port": sink.port, "allow_private": True},
        {"name": "two", "destination": "two.test", "host": "127.0.0.1", "port": other.port, "allow_private": True},
    ]  # fmt: skip
    daemon.reload()
    assert sink.wait()[0].recipients == ["a@one.test"]
    assert other.wait()[0].recipients == ["b@two.test", "c@two.test"]
    daemon.wait_log(": removed")


def make_certificate(folder, name):
    os.makedirs(folder, exist_ok=True)
    key, chain = os.path.join(folder, "key.pem"), os.path.join(folder, "chain.pem")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
         "-keyout", key + ".new", "-out", chain + ".new", "-days", "2", "-subj", f"/CN={name}",
         "-addext", f"subjectAltName=DNS:{name}"],
        check=True,
        capture_output=True,
    )  # fmt: skip
    os.chmod(key + ".new", 0o600)
    os.rename(key + ".new", key)
    os.rename(chain + ".new", chain)
    return {"certificate": chain, "key": key}


def served_name(daemon, server_name=None):
    """Common name of the certificate that a client gets (openssl reads it, not us)."""
    with socket.create_connection(("127.0.0.1", daemon.port("submissions")), timeout=30) as plain:
        with insecure_context().wrap_socket(plain, server_hostname=server_name) as tls:
            der = tls.getpeercert(binary_form=True)
    out = subprocess.run(
        ["openssl", "x509", "-noout", "-subject", "-nameopt", "multiline"],
        input=ssl.DER_cert_to_PEM_cert(der).encode(),
        capture_output=True,
        check=True,
    ).stdout.decode()
    return out.split("=")[-1].strip()


def test_certificates_by_name_and_renewal(daemon, folder):
    one, two = f"{folder}/one", f"{folder}/two"
    daemon.config["tls"] = {
        "certificates": [
            {"name": "default", **make_certificate(one, "one.test")},
            {"name": "two.test", **make_certificate(two, "two.test")},
        ]
    }
    daemon.start()
    assert served_name(daemon) == "one.test"
    assert served_name(daemon, "two.test") == "two.test"
    assert served_name(daemon, "unknown.test") == "one.test"
    make_certificate(one, "renewed.test")
    daemon.reload()
    assert served_name(daemon) == "renewed.test"
    # a key that does not fit: the old certificate stays
    shutil.copy(f"{two}/key.pem", f"{one}/key.pem")
    daemon.reload(succeeds=False)
    assert served_name(daemon) == "renewed.test"


def test_old_tls_is_refused(daemon):
    daemon.start()
    for version in ("-tls1", "-tls1_1"):
        done = subprocess.run(
            ["openssl", "s_client", "-connect", f"127.0.0.1:{daemon.port('submissions')}", version,
             "-cipher", "ALL:@SECLEVEL=0"],
            input=b"",
            capture_output=True,
            timeout=60,
            check=False,
        )  # fmt: skip
        assert done.returncode != 0, version
        assert b"Cipher is (NONE)" in done.stdout, version
    for version in ("-tls1_2", "-tls1_3"):
        done = subprocess.run(
            ["openssl", "s_client", "-connect", f"127.0.0.1:{daemon.port()}", "-starttls", "smtp", version],
            input=b"QUIT\r\n",
            capture_output=True,
            timeout=60,
            check=False,
        )  # fmt: skip
        assert done.returncode == 0, version


def test_commands_behind_starttls_are_never_run(daemon):
    """Bytes injected behind STARTTLS in clear text: the connection ends, nothing of them is answered."""
    daemon.start()
    line = Line(daemon.port())
    line.command(b"EHLO a", b"250")
    line.send(b"STARTTLS\r\nNOOP\r\n")
    got = line.reply()
    assert got in (b"", b"220 Ready to start TLS\r\n"), got
    assert line.at_end()
    until(daemon.alive, 1, lambda: "")

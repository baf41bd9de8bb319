"""Accounts and what they own, made and changed by the command while the daemon runs, and kept in the store."""

import json
import os
import random
import re
import smtplib
import sqlite3
import subprocess
import threading
import time

import pytest
from lib.clients import connect, insecure_context, submit, text_mail
from lib.command import ANY, Command
from lib.daemon import ACCESS_KEY, BUILD, SECRET_KEY, account, smtp_password
from lib.ports import free_port
from lib.wait import until

PAUSED = "Message rejected: Sending paused for this account."


def is_mail(m):
    """Not a report."""
    return m.sender not in ("", "<>", None)


def log_in(daemon, user, password):
    client = smtplib.SMTP("127.0.0.1", daemon.port(), timeout=60)
    client.starttls(context=insecure_context())
    client.login(user, password)
    return client


def refused_login(daemon, user, password):
    with pytest.raises(smtplib.SMTPAuthenticationError) as caught:
        log_in(daemon, user, password)
    return caught.value.smtp_code


def shop(command, *settings):
    """An account with an identity; user and password of its login."""
    made = command.json("account", "add", "shop", *settings)
    command("identity", "add", "shop", "shop.test", "--verified")
    return made["credential"]["id"], made["credential"]["smtp_password"]


def shop_mail(**fields):
    return text_mail(sender="jo@shop.test", **fields)


def test_life_of_an_account(daemon, sink):
    daemon.route_all_to(sink.port)
    daemon.start()
    command = Command(daemon)
    user, password = shop(command, "send_rate=100", "quota_24h=3")

    client = log_in(daemon, user, password)
    assert submit(client, shop_mail(), sender="jo@shop.test")[0] == 250
    code, text = submit(client, text_mail(), sender="jo@example.com")  # another account's
    assert code == 554 and "jo@example.com" in text

    command("account", "pause", "shop")
    code, text = submit(client, shop_mail(), sender="jo@shop.test")
    assert code == 554 and text.startswith(PAUSED)
    command("account", "resume", "shop")
    assert submit(client, shop_mail(), sender="jo@shop.test")[0] == 250

    limits = command.lines("limits", "show", "shop")[0]
    assert limits["sent_24h"] == 2 and limits["quota_24h"] == 3 and limits["send_rate"] == 100
    recipients = ["a@dest.test", "b@dest.test"]
    assert submit(client, shop_mail(), sender="jo@shop.test", recipients=recipients)[0] == 454
    command("account", "set", "shop", "quota_24h=0")
    assert submit(client, shop_mail(), sender="jo@shop.test", recipients=recipients)[0] == 250

    command("identity", "rm", "shop", "shop.test", "--yes")
    assert submit(client, shop_mail(), sender="jo@shop.test")[0] == 554
    client.quit()

    command("credential", "revoke", user, "--yes")
    assert refused_login(daemon, user, password) == 535
    second = command.json("credential", "add", "shop", "--note", "the second")
    log_in(daemon, second["id"], second["smtp_password"]).quit()

    daemon.stop()
    daemon.start()
    log_in(daemon, second["id"], second["smtp_password"]).quit()
    assert [c["note"] for c in command.lines("credential", "ls", "shop")] == ["the second"]
    command("account", "rm", "shop", "--yes")
    assert refused_login(daemon, second["id"], second["smtp_password"]) == 535
    daemon.stop()
    daemon.start()
    assert refused_login(daemon, second["id"], second["smtp_password"]) == 535
    assert [a["name"] for a in command.lines("account", "ls")] == ["web"]
    assert len(sink.mails) == 3


def test_what_the_file_declares(daemon):
    """Seen like the rest, and changed in the file only; what both have is the file's."""
    daemon.start()
    command = Command(daemon)
    assert command.lines("account", "ls")[0]["in_file"] is True
    for words in (
        ("account", "set", "web", "send_rate=1"),
        ("account", "rm", "web", "--yes"),
        ("account", "add", "web"),
        ("identity", "set", "web", "example.com", "verified=false"),
        ("identity", "rm", "web", "example.com", "--yes"),
        ("credential", "revoke", ACCESS_KEY, "--yes"),
    ):
        error = command(*words, want=ANY)
        assert "is declared in the configuration file" in error, words

    command("account", "add", "both", "send_rate=1", "--no-credential")
    daemon.config["accounts"].append({"name": "both", "send_rate": 2.0})
    daemon.reload()
    assert command.json("account", "show", "both")["send_rate"] == 2.0
    assert "declared" in command("account", "set", "both", "send_rate=3", want=ANY)
    daemon.config["accounts"].pop()
    daemon.reload()
    assert command.json("account", "show", "both")["send_rate"] == 1.0

    # a declared account may own what is in the store
    command("identity", "add", "web", "more.test", "--verified")
    client = connect(daemon)
    assert submit(client, text_mail(sender="jo@more.test"), sender="jo@more.test")[0] == 250
    client.quit()


def test_errors(daemon):
    daemon.start()
    command = Command(daemon)
    for words, text in (
        (("account", "add", "a b"), "name must be"),
        (("account", "add", "shop", "send_rat=5"), 'did you mean "send_rate"'),
        (("account", "add", "shop", "send_rate=-1"), "send_rate must be a number"),
        (("account", "add", "shop", "production=maybe"), "production must be true or false"),
        (("account", "add", "shop", "profile"), "is no SETTING=VALUE"),
        (("account", "add", "shop", "--for", "pine"), "known are postfix"),
        (("account", "show", "nobody"), 'no account "nobody"'),
        (("identity", "add", "nobody", "x.test"), 'no account "nobody"'),
        (("identity", "add", "web", "no one"), "name must be"),
        (("identity", "add", "web", "x.test", "configuration_set=none"), 'no configuration set "none"'),
        (("identity", "add", "web", "x.test", "dkim_key=/x"), "in the configuration file only"),
        (("config-set", "add", "web", "s", "tls=maybe"), 'tls must be "opportunistic"'),
        (("config-set", "add", "web", "s", "tags=a"), "tags must be"),
        (("credential", "import", "web", "short"), "id must be"),
        (("credential", "import", "web", ACCESS_KEY), "declared in the configuration file"),
        (("suppress", "add", "web", "nobody"), "no mail address"),
        (("suppress", "add", "web", "a@b.test", "--reason", "HATE"), "BOUNCE or COMPLAINT"),
        (("suppress", "rm", "web", "a@b.test"), "does not exist on the suppression list"),
        (("credential", "revoke", "AKIAXXXXXXXXXXXXXXXX", "--yes"), "no credential"),
        (("account", "rm", "web"), "--yes is needed"),
    ):
        assert text in command(*words, stdin=b"secret", want=ANY), words
    command("account", "add", "shop")
    assert "is there already" in command("account", "add", "shop", want=ANY)


def test_keys_of_aws(daemon, sink):
    """A team that has an AWS access key keeps its SMTP password."""
    daemon.route_all_to(sink.port)
    del daemon.config["accounts"], daemon.config["identities"]
    daemon.start()
    command = Command(daemon)
    command("account", "add", "web", "--no-credential")
    command("identity", "add", "web", "example.com", "--verified")
    out = command.json("credential", "import", "web", ACCESS_KEY, stdin=SECRET_KEY.encode())
    assert out["smtp_password"] == "BLBM/9hSUELfq8Gw+rU1YcBjkOxGbhT2XG763xVLGWL9" == smtp_password()
    assert "secret" not in out
    client = smtplib.SMTP("127.0.0.1", daemon.port(), timeout=60)
    client.starttls(context=insecure_context())
    client.ehlo()
    blob = "AEFLSUFJT1NGT0ROTjdFWEFNUExFAEJMQk0vOWhTVUVMZnE4R3crclUxWWNCamtPeEdiaFQyWEc3NjN4VkxHV0w5"
    assert client.docmd("AUTH", "PLAIN " + blob) == (235, b"Authentication successful.")
    assert submit(client, text_mail())[0] == 250
    client.quit()
    old = "An60U4ZD3sd4fg+FvXUjayOipTt8LO4rUUmhpdX6ctDy"
    assert refused_login(daemon, ACCESS_KEY, old) == 535
    command("credential", "revoke", ACCESS_KEY, "--yes")
    command("credential", "import", "web", ACCESS_KEY, "--version2", stdin=SECRET_KEY.encode())
    log_in(daemon, ACCESS_KEY, old).quit()


@pytest.mark.parametrize(
    "region, password",
    [
        ("us-west-2", "BF2PynzbSCAjX08zhZZnP/kW+T9P5zs/1Er0pi5vTEmd"),
        ("eu-west-1", "BMW5RDrXmmVs0lV7GpI4oLkHXpZ4stDsk6q91z1g38Pk"),
        ("eu-central-1", "BF0/eIJm0ruTHsSjOkRuOGzGF+zeSyE3aiRzrzUQ8LwG"),
    ],
)
def test_passwords_of_a_region(daemon, region, password):
    daemon.config["region"] = region
    daemon.start()
    command = Command(daemon)
    command("account", "add", "shop", "--no-credential")
    command("credential", "import", "shop", "AKIAIOSFODNN7EXAMPLF", stdin=SECRET_KEY.encode())
    log_in(daemon, "AKIAIOSFODNN7EXAMPLF", password).quit()


def test_secrets_are_not_readable(daemon, folder):
    daemon.start()
    command = Command(daemon)
    command("account", "add", "shop", "--no-credential")
    command("credential", "import", "shop", "AKIAIOSFODNN7EXAMPLF", stdin=SECRET_KEY.encode())
    made = command.json("credential", "add", "shop")
    copy = os.path.join(folder, "copy.db")
    command("store", "backup", copy)
    daemon.stop()
    everything = daemon.log().encode()
    for name in os.listdir(daemon.config["state_directory"]) + [copy]:
        with open(os.path.join(daemon.config["state_directory"], name), "rb") as f:
            everything += f.read()
    assert b"AKIAIOSFODNN7EXAMPLF" in everything
    for secret in (SECRET_KEY, made["secret"], made["smtp_password"], smtp_password()):
        assert secret.encode() not in everything
    assert sqlite3.connect(copy).execute("select count(*) from credential").fetchone() == (2,)


def test_new_master_key(daemon):
    daemon.start()
    command = Command(daemon)
    command("account", "add", "shop", "--no-credential")
    made = command.json("credential", "add", "shop")
    path = os.path.join(daemon.config["state_directory"], "master.key")
    with open(path, encoding="ascii") as f:
        old = f.read()
    new = subprocess.run(["openssl", "rand", "-base64", "32"], capture_output=True, check=True).stdout.decode()
    with open(path, "w", encoding="ascii") as f:
        f.write(new + old)
    command("store", "rekey")
    with open(path, "w", encoding="ascii") as f:
        f.write(new)
    daemon.stop()
    daemon.start()
    log_in(daemon, made["id"], made["smtp_password"]).quit()
    daemon.stop()

    # Without the key a login cannot be judged: not refused for good.
    with open(path, "w", encoding="ascii") as f:
        f.write(old)
    daemon.start()
    assert refused_login(daemon, made["id"], made["smtp_password"]) == 454
    client = connect(daemon)
    client.quit()


@pytest.mark.parametrize("damage", ["garbage", "truncated", "locked"])
def test_store_that_cannot_be_used(daemon, sink, damage):
    """Mail that is there goes out, what the file declares works, the rest is refused for a time; nothing is lost."""
    daemon.route_all_to(free_port())
    daemon.config["delivery"].update(retry_min="1s", retry_max="1s")
    daemon.start()
    command = Command(daemon)
    user, password = shop(command)
    client = log_in(daemon, user, password)
    assert submit(client, shop_mail(), sender="jo@shop.test")[0] == 250
    client.quit()
    daemon.stop()

    path = os.path.join(daemon.config["state_directory"], "postrider.db")
    with open(path, "rb") as f:
        good = f.read()
    bad = {"garbage": os.urandom(len(good)), "truncated": good[: len(good) // 2], "locked": good}[damage]
    with open(path, "wb") as f:
        f.write(bad)
    lock = sqlite3.connect(path, isolation_level=None) if damage == "locked" else None
    if lock:
        lock.execute("PRAGMA locking_mode=EXCLUSIVE")
        lock.execute("BEGIN EXCLUSIVE")
    daemon.route_all_to(sink.port)
    daemon.start()
    until(lambda: len(sink.mails) == 1, 60, lambda: daemon.log()[-3000:])
    assert refused_login(daemon, user, password) == 454
    client = connect(daemon)
    assert submit(client, text_mail())[0] == 250
    client.quit()
    error = command("account", "add", "other", want=ANY)
    assert "postrider.db" in error or "database" in error, error
    daemon.stop()
    if lock:
        lock.close()
    else:
        with open(path, "rb") as f:
            assert f.read() == bad, "the store was changed although it is damaged"
    with open(path, "wb") as f:
        f.write(good)
    daemon.start()
    log_in(daemon, user, password).quit()


def test_killed_during_changes(daemon):
    """What was answered is there after each kill, and the store passes its check."""
    seed = random.randrange(1 << 30)
    print("seed", seed)
    rng = random.Random(seed)
    daemon.start()
    command = Command(daemon)
    command("account", "add", "shop", "--no-credential")
    confirmed, number = set(), 0
    for _ in range(5):
        stop = threading.Event()

        def work(first):
            nonlocal number
            n = first
            while not stop.is_set():
                n += 4
                done = subprocess.run(
                    [
                        os.path.join(BUILD, "src/cli/postrider"),
                        "--socket",
                        daemon.config["control"]["socket"],
                        "identity",
                        "add",
                        "shop",
                        f"d{n}.test",
                    ],
                    capture_output=True,
                )
                if done.returncode == 0:
                    confirmed.add(f"d{n}.test")
            number = max(number, n)

        workers = [threading.Thread(target=work, args=(number + i,)) for i in range(4)]
        for w in workers:
            w.start()
        before = len(confirmed)
        wanted = before + rng.randrange(5, 40)
        until(lambda: len(confirmed) >= wanted, 120, lambda: "no changes are made")
        daemon.kill()
        stop.set()
        for w in workers:
            w.join()
        path = os.path.join(daemon.config["state_directory"], "postrider.db")
        assert sqlite3.connect(path).execute("PRAGMA integrity_check").fetchone() == ("ok",)
        daemon.start()
        there = {i["name"] for i in command.lines("identity", "ls", "shop")}
        assert confirmed <= there, confirmed - there


def test_configuration_sets(daemon, sink):
    daemon.route_all_to(sink.port)
    daemon.start()
    command = Command(daemon)
    user, password = shop(command)
    client = log_in(daemon, user, password)
    named = shop_mail(X_SES_CONFIGURATION_SET="news")
    code, text = submit(client, named, sender="jo@shop.test")
    assert (code, text) == (554, "Configuration Set does not exist: Configuration set <news> does not exist.")
    command("config-set", "add", "shop", "news", "tags=list=weekly team=mail")
    assert submit(client, named, sender="jo@shop.test")[0] == 250
    command("config-set", "set", "shop", "news", "sending_enabled=false")
    code, text = submit(client, named, sender="jo@shop.test")
    assert (code, text) == (554, "Message rejected: Sending is paused for configuration set <news>.")
    assert submit(client, shop_mail(), sender="jo@shop.test")[0] == 250
    command("identity", "set", "shop", "shop.test", "configuration_set=news")
    assert submit(client, shop_mail(), sender="jo@shop.test")[0] == 554
    command("config-set", "rm", "shop", "news", "--yes")
    code, text = submit(client, shop_mail(), sender="jo@shop.test")
    assert "Configuration set <news> does not exist." in text
    client.quit()


def test_sending_for_others(daemon, sink):
    """An identity may be lent to another account, which names it."""
    daemon.route_all_to(sink.port)
    daemon.start()
    command = Command(daemon)
    user, password = shop(command)
    arn = "arn:aws:ses:us-east-1:web:identity/example.com"
    lent = text_mail(X_SES_SOURCE_ARN=arn, X_SES_FROM_ARN=arn, X_SES_RETURN_PATH_ARN=arn)
    client = log_in(daemon, user, password)
    code, text = submit(client, lent)
    assert code == 554 and text == (
        f"Access denied: User `arn:aws:iam::shop:user/{user}' is not authorized to perform "
        f"`ses:SendRawEmail' on resource `{arn}'"
    )
    daemon.config["identities"][0]["senders"] = ["shop"]
    daemon.reload()
    assert submit(client, lent)[0] == 250
    assert submit(client, text_mail())[0] == 554  # not without naming it
    client.quit()
    until(lambda: len(sink.mails) == 1, 60, lambda: daemon.log()[-2000:])
    assert "X-SES" not in sink.mails[0].content.decode().upper().replace("X-SES-OUTGOING", "")


def test_sandbox_and_simulator(daemon, sink):
    daemon.route_all_to(sink.port)
    daemon.config["accounts"] = [account(production=False, quota_24h=2, send_rate=100.0)]
    daemon.start()
    command = Command(daemon)
    client = connect(daemon)
    code, text = submit(client, text_mail(), recipients=["to@dest.test"])
    assert code == 554 and "to@dest.test" in text
    names = ["success", "bounce", "ooto", "complaint", "suppressionlist", "bounce+label", "other"]
    for name in names:
        address = name + "@simulator.amazonses.com"
        assert submit(client, text_mail(to=address), recipients=[address])[0] == 250, name
        status = "sent" if name in ("success", "ooto", "complaint") else "bounced"
        daemon.wait_log(rf"to=<{re.escape(address)}>.*status={status}")
    assert "550 5.1.1 user unknown" in daemon.log() and "250 2.6.0 Message received" in daemon.log()
    assert command.lines("limits", "show", "web")[0]["sent_24h"] == 0
    assert submit(client, text_mail(), recipients=["own@example.com", "b@simulator.amazonses.com"])[0] == 250
    assert command.lines("limits", "show", "web")[0]["sent_24h"] == 1
    client.quit()
    # The reports on the bounces reach the sender.
    until(lambda: len(sink.mails) >= 5, 60, lambda: daemon.log()[-3000:])
    daemon.kill()  # and after a crash nothing is counted that was not before
    daemon.start()
    assert command.lines("limits", "show", "web")[0]["sent_24h"] == 1


def test_limits_of_the_sandbox(daemon):
    """200 recipients a day and one a second, unless the account has limits of its own."""
    daemon.config["accounts"] = [account(production=False)]
    daemon.start()
    command = Command(daemon)
    assert command.lines("limits", "show", "web") == [
        {
            "account": "web",
            "send_rate": 1,
            "send_burst": 3,
            "quota_24h": 200,
            "sent_24h": 0,
            "over_limit": "reject",
            "sending_enabled": True,
        }
    ]
    client = connect(daemon)
    to = ["a@example.com", "b@example.com"]
    assert submit(client, text_mail(), recipients=to)[0] == 250
    assert submit(client, text_mail(), recipients=to)[0] == 454
    client.quit()


def test_suppressed_recipients(daemon, sink):
    daemon.route_all_to(sink.port)
    daemon.start()
    command = Command(daemon)
    command("suppress", "add", "web", "Gone@Dest.Test")
    command("suppress", "add", "web", "cross@dest.test", "--reason", "COMPLAINT")
    client = connect(daemon)
    recipients = ["Gone@dest.test", "cross@dest.test", "gone@dest.test", "to@dest.test"]
    assert submit(client, text_mail(), recipients=recipients)[0] == 250
    daemon.wait_log("status=bounced", count=2)
    daemon.wait_log("status=sent", count=3)  # the two that are delivered to, and the report
    mails = [m for m in sink.mails if is_mail(m)]
    assert [sorted(m.recipients) for m in mails] == [["gone@dest.test", "to@dest.test"]]
    report = [m for m in sink.mails if not is_mail(m)][0].content.decode()
    assert "because it is on the suppression list for your account" in report.replace("\r\n ", " ")

    command("config-set", "add", "web", "bounces", "suppression=bounce")
    command("config-set", "add", "web", "all", "suppression=none")
    for name, arrives in (("bounces", ["cross@dest.test"]), ("all", ["Gone@dest.test", "cross@dest.test"])):
        sink.mails.clear()
        content = text_mail(X_SES_CONFIGURATION_SET=name)
        assert submit(client, content, recipients=["Gone@dest.test", "cross@dest.test"])[0] == 250
        until(lambda: [m for m in sink.mails if is_mail(m)], 60, lambda: daemon.log()[-2000:])
        assert sorted(sum((m.recipients for m in sink.mails if is_mail(m)), [])) == arrives, name

    command("suppress", "rm", "web", "gone@dest.test", want=ANY)  # the local part as it is
    command("suppress", "rm", "web", "Gone@dest.test")
    sink.mails.clear()
    assert submit(client, text_mail(), recipients=["Gone@dest.test"])[0] == 250
    until(lambda: sink.mails, 60, lambda: daemon.log()[-2000:])
    client.quit()


def test_mailboxes_that_do_not_exist(daemon, sink):
    """A host that says so puts the address on the list, unless the account or the set does not want that."""
    daemon.route_all_to(sink.port)
    sink.rcpt = {
        "gone@dest.test": ["550 5.1.1 no such user"] * 9,
        "full@dest.test": ["550 5.2.2 mailbox full"] * 9,
        "you@dest.test": ["550 5.1.8 bad sender"] * 9,
        "set@dest.test": ["550 5.1.1 no such user"] * 9,
    }
    daemon.start()
    command = Command(daemon)
    command("config-set", "add", "web", "keep", "suppression=none")
    client = connect(daemon)
    to = ["gone@dest.test", "full@dest.test", "you@dest.test", "bounce@simulator.amazonses.com"]
    code, text = submit(client, text_mail(), recipients=to)
    assert code == 250
    content = text_mail(X_SES_CONFIGURATION_SET="keep")
    assert submit(client, content, recipients=["set@dest.test"])[0] == 250
    daemon.wait_log("status=bounced", count=5)
    until(lambda: command.lines("suppress", "ls", "web"), 60, lambda: daemon.log()[-2000:])
    rows = command.lines("suppress", "ls", "web")
    assert [(r["address"], r["reason"]) for r in rows] == [("gone@dest.test", "BOUNCE")]
    assert rows[0]["message_id"] == text.split()[1]
    before = daemon.log().count("no such user")
    assert submit(client, text_mail(), recipients=["gone@dest.test"])[0] == 250
    daemon.wait_log("status=bounced", count=6)
    assert daemon.log().count("no such user") == before
    daemon.stop()
    daemon.start()
    assert len(command.lines("suppress", "ls", "web")) == 1
    client.close()


def test_suppressed_after_restart(daemon, sink):
    """A start that reads digests knows domains only; whoever is suppressed is not sent to, the others are."""
    daemon.route_all_to(free_port())
    daemon.config["delivery"].update(retry_min="1h", retry_max="1h")
    daemon.config["spool"]["segment"] = "1M"
    daemon.start()
    command = Command(daemon)
    client = connect(daemon)
    count = 60  # some segments are complete
    for i in range(count):
        content = text_mail(body="x" * 70 + "\r\n") + b"y" * 70 + b"\r\n" * 9000
        assert submit(client, content, recipients=[f"r{i}@dest.test"])[0] == 250
    client.quit()
    daemon.wait_log("status=deferred", count=3)
    command("suppress", "add", "web", *[f"r{i}@dest.test" for i in range(0, count, 2)])
    daemon.stop()
    for _ in range(2):  # the first start writes digests
        daemon.start()
        daemon.stop()
    daemon.route_all_to(sink.port)
    daemon.start()
    command("queue", "retry", "--all")
    want = {f"r{i}@dest.test" for i in range(1, count, 2)}

    def arrived():
        return {r for m in sink.mails if is_mail(m) for r in m.recipients}

    until(lambda: arrived() >= want, 120, lambda: f"{want - arrived()}\n{daemon.log()[-2000:]}")
    assert arrived() == want


def test_import_and_export_of_suppressions(daemon, folder):
    daemon.start()
    command = Command(daemon)
    path = os.path.join(folder, "list")
    with open(path, "w", encoding="ascii") as f:
        f.write("# from somewhere\n")
        f.writelines(f"r{i}@dest.test,{'COMPLAINT' if i % 3 == 0 else 'BOUNCE'}\n" for i in range(2500))
        f.write(json.dumps({"EmailAddress": "aws@dest.test", "Reason": "COMPLAINT"}) + "\n")
    assert command.json("suppress", "import", "web", path) == {"changed": 2501}
    exported = command("suppress", "export", "web")
    assert len(exported.splitlines()) == 2502
    assert len(command.lines("suppress", "ls", "web", "--reason", "COMPLAINT")) == 835
    command("account", "add", "shop", "--no-credential")
    assert command.json("suppress", "import", "shop", "-", stdin=exported.encode()) == {"changed": 2501}
    assert sorted(command("suppress", "export", "shop").splitlines()) == sorted(exported.splitlines())
    assert "HATE" not in exported
    command("suppress", "import", "web", "-", stdin=b"x@y.test,HATE\n", want=ANY)


def test_smooth(daemon, make_counting_sink):
    """Above the rate mail is taken, and delivered at the rate, over a restart, too."""
    sink = make_counting_sink()
    rate, burst, messages = 20, 20, 140
    daemon.config["accounts"] = [
        account(send_rate=float(rate), send_burst=float(burst), over_limit="smooth")
    ]
    daemon.route_all_to(sink.port)
    daemon.start()
    client = connect(daemon)
    begin = time.monotonic()
    for i in range(messages):
        assert submit(client, text_mail(X_Seq=str(i), X_Sent="1"))[0] == 250
    client.quit()
    until(lambda: daemon.log().count("status=sent") >= 2 * burst, 60, lambda: daemon.log()[-2000:])
    daemon.kill()
    daemon.start()
    until(lambda: sink.unique() >= messages, 120, lambda: daemon.log()[-2000:])
    took = time.monotonic() - begin
    assert took >= (messages - burst) / rate - 1, f"{messages} in {took:.1f} s: faster than the rate"
    assert len(daemon.wait_log("its account sends faster", 0)) == 0  # that is no delay of delivery

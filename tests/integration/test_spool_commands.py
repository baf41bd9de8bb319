"""postrider spool check, ls, export, stats: beside a daemon and without one."""

import json
import os
import subprocess

from lib.clients import connect, submit, text_mail
from lib.daemon import BUILD
from lib.ports import free_port


def spool(daemon, *words, status=0):
    done = subprocess.run(
        [os.path.join(BUILD, "src/cli/postrider"), "spool", *words, "-c", daemon.path],
        capture_output=True,
        timeout=60,
    )
    assert done.returncode == status, (done.stdout, done.stderr)
    return done


def test_all_of_them(daemon, sink, folder):
    daemon.route_all_to(free_port())
    daemon.config["delivery"].update(retry_min="1h", retry_max="1h")
    daemon.config["spool"]["memory_body"] = "16K"
    daemon.start()
    client = connect(daemon)
    small = text_mail(subject="small")
    big = text_mail(subject="big") + (b"y" * 900 + b"\r\n") * 100
    for content in (small, big):
        assert submit(client, content, recipients=["a@dest.test", "b@dest.test"])[0] == 250
    client.quit()
    daemon.wait_log("status=deferred", count=4)

    # beside the daemon
    done = spool(daemon, "ls")
    assert b"a daemon has this spool" in done.stderr and b"2 messages" in done.stdout
    assert b"clean" in spool(daemon, "check").stdout
    daemon.stop()

    rows = [json.loads(line) for line in spool(daemon, "ls", "--json").stdout.splitlines()]
    assert [r["open_count"] for r in rows] == [2, 2]
    assert {r["queue_name"] for r in rows} == {"deferred"} and rows[0]["account"] == "web"
    stats = json.loads(spool(daemon, "stats", "--json").stdout)
    assert stats["messages"] == 2 and stats["large_files"] == 1 and not stats["in_use"]
    assert b"2 wait" in spool(daemon, "stats").stdout

    out = os.path.join(folder, "out")
    os.mkdir(out)
    spool(daemon, "export", "--all", "-o", out)
    ids = [r["queue_id"] for r in rows]
    assert sorted(os.listdir(out)) == sorted(f"{i}.{kind}" for i in ids for kind in ("eml", "json"))
    with open(os.path.join(out, ids[0] + ".json"), encoding="utf-8") as f:
        envelope = json.load(f)
    assert [r["address"] for r in envelope["recipients"]] == ["a@dest.test", "b@dest.test"]
    assert envelope["sender"] == "jo@example.com"
    exported = {}
    for i in ids:
        with open(os.path.join(out, i + ".eml"), "rb") as f:
            exported[i] = f.read()
    assert exported[ids[1]].endswith(big.split(b"\r\n\r\n", 1)[1])
    assert spool(daemon, "export", ids[0]).stdout == exported[ids[0]]
    spool(daemon, "export", ids[0], "-o", out, status=73)  # nothing is overwritten
    spool(daemon, "export", "FFFFFFFFFF", status=66)
    spool(daemon, "export", status=64)

    # what is sent later is what was exported
    daemon.route_all_to(sink.port)
    daemon.start()
    client_id = subprocess.run(
        [os.path.join(BUILD, "src/cli/postrider"), "-s", daemon.config["control"]["socket"], "queue", "retry", "--all"],
        check=True,
        capture_output=True,
    )
    assert client_id.returncode == 0
    mails = sink.wait(2)
    assert sorted(m.content for m in mails) == sorted(exported.values())


def test_check_tells_what_is_wrong(daemon):
    daemon.route_all_to(free_port())
    daemon.config["delivery"].update(retry_min="1h", retry_max="1h")
    daemon.start()
    client = connect(daemon)
    for i in range(3):
        assert submit(client, text_mail(subject=str(i)))[0] == 250
    client.quit()
    daemon.wait_log("status=deferred")
    daemon.stop()
    directory = daemon.config["spool"]["directory"]
    spool(daemon, "check")
    with open(os.path.join(directory, "00000000000000ff.new"), "wb"):
        pass
    assert b"next start of the daemon" in spool(daemon, "check", status=1).stdout
    segment = next(n for n in sorted(os.listdir(directory)) if n.endswith(".seg"))
    with open(os.path.join(directory, segment), "r+b") as f:
        f.seek(4096 + 100)
        f.write(b"\xff\xfe\xfd")
    found = json.loads(spool(daemon, "check", "--json", status=2).stdout)
    assert found["verdict"] == 2
    damage = [x for x in found["findings"] if x["damage"]]
    assert damage[0]["file"] == segment and damage[0]["from"] == 4096 and damage[0]["to"] > 4196
    # the start goes on with what is good
    daemon.start()
    daemon.wait_log("replayed: ")

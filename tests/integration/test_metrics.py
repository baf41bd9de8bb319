"""Metrics: promtool and a scraper of our own judge them; probes say what is so."""

import json
import os
import re
import subprocess
import urllib.error
import urllib.request

import pytest
from lib.clients import connect, submit, text_mail
from lib.command import Command
from lib.ports import free_port
from lib.provider import Provider
from lib.wait import until

SAMPLE = re.compile(r'([a-z_0-9]+)(?:\{((?:[a-z]+="(?:[^"\\]|\\.)*",?)*)\})? ([0-9.e+-]+)')


def parse(text):
    samples = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            name, labels, value = SAMPLE.fullmatch(line).groups()
            assert (name, labels or "") not in samples, line
            samples[name, labels or ""] = float(value)
    return samples


@pytest.fixture
def provider():
    provider = Provider()
    yield provider
    provider.close()


@pytest.fixture
def metered(daemon):
    daemon.config["metrics"] = {"port": free_port()}

    def get(path="/metrics", method="GET"):
        request = urllib.request.Request(f"http://127.0.0.1:{daemon.config['metrics']['port']}{path}", method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.read().decode()

    daemon.get = get
    return daemon


def test_what_is_counted(metered, provider):
    daemon = metered
    daemon.route_all_to(provider.listen())
    daemon.config["delivery"].update(max_connections_per_site=2)
    provider.hold()
    daemon.start()
    with connect(daemon) as client:
        for _ in range(10):
            assert submit(client, text_mail())[0] == 250
        until(lambda: provider.open == 2, 30, daemon.log)
        text = daemon.get()
        waiting = parse(text)
        provider.release()
        until(lambda: len(provider.taken) == 10, 30, daemon.log)
        daemon.wait_log(r"qmgr\[\d+\]: \w+: removed", count=10)
    checked = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")
    assert waiting["postrider_messages_accepted_total", ""] == 10
    assert waiting["postrider_queue_messages", ""] == 10 and waiting["postrider_sessions", ""] == 1
    assert waiting["postrider_queue_items", 'state="active"'] == 2
    assert waiting["postrider_queue_items", 'state="ready"'] == 8
    site = next(labels for name, labels in waiting if name == "postrider_site_ready_items")
    assert waiting["postrider_site_ready_items", site] == 8
    assert waiting["postrider_site_active_items", site] == 2
    assert waiting["postrider_site_connection_limit", site] == 2
    done = parse(Command(daemon)("metrics"))
    assert done["postrider_recipients_total", 'result="delivered"'] == 10
    first = 'attempt="first",class="transactional"'
    assert done["postrider_queue_wait_seconds_count", first] == 10
    assert done["postrider_queue_wait_seconds_bucket", first + ',le="+Inf"'] == 10
    assert done["postrider_delivery_duration_seconds_count", ""] == 10
    assert done["postrider_queue_messages", ""] == 0
    assert done["process_resident_memory_bytes", ""] > 1 << 20 and done["process_open_fds", ""] > 5


def test_labels_are_bounded(metered):
    """However many sites there are."""
    daemon = metered
    daemon.config["routes"] = [
        {"name": f"r{i}", "destination": f"d{i}.test", "host": "127.0.0.1", "port": 9, "allow_private": True}
        for i in range(60)
    ]
    daemon.config["delivery"].update(retry_min="1h", retry_max="1h")
    daemon.start()
    with connect(daemon) as client:
        for i in range(60):
            assert submit(client, text_mail(), recipients=[f"x@d{i}.test"])[0] == 250
    daemon.wait_log("status=deferred", count=60)
    samples = parse(daemon.get())
    sites = [labels for name, labels in samples if name == "postrider_site_connection_limit"]
    assert len(sites) == 21 and 'site="other",source=""' in sites


def test_probes(metered):
    daemon = metered
    daemon.start()
    assert daemon.get("/healthz") == "ok\n" and daemon.get("/readyz") == "ok\n"
    for path, method, status in (("/", "GET", 404), ("/v1/queue", "GET", 404), ("/metrics", "POST", 501)):
        with pytest.raises(urllib.error.HTTPError) as error:
            daemon.get(path, method)
        assert error.value.code == status


SITES = ("site_ready_items", "site_active_items", "site_connections", "site_connection_limit")  # without mail there is none


def test_dashboard_and_alerts_ask_for_what_there_is(metered):
    contrib = os.path.join(os.path.dirname(__file__), "..", "..", "contrib")
    rules = os.path.join(contrib, "prometheus", "postrider.rules.yml")
    checked = subprocess.run(["promtool", "check", "rules", rules], capture_output=True, text=True, check=False)
    assert checked.returncode == 0 and "SUCCESS" in checked.stdout, checked.stdout + checked.stderr
    metered.start()
    with open(os.path.join(contrib, "grafana", "postrider.json"), encoding="utf-8") as file:
        dashboard = json.load(file)
    expressions = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    with open(rules, encoding="utf-8") as file:
        expressions += re.findall(r"postrider_[a-z_0-9]+", file.read())
    asked = {name for text in expressions for name in re.findall(r"\b(?:postrider|process)_[a-z_0-9]+", text)}
    known = {name for name, _ in parse(metered.get())} | {"postrider_" + name for name in SITES}
    assert len(asked) > 20 and asked <= known, asked - known

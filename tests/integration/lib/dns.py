"""A real name server (nsd) on loopback, with zones that a test writes."""

import os
import subprocess

import dns.resolver

from .ports import free_port
from .wait import until

HEAD = """$TTL 5
@ SOA ns.{zone}. admin.{zone}. 1 3600 600 86400 1
@ NS ns.{zone}.
ns A 127.0.0.1
"""


class NameServer:
    def __init__(self, folder, zones):
        """zones: {"example.test": "records in zone file syntax"}."""
        self.folder = os.path.join(folder, "nsd")
        os.makedirs(self.folder)
        self.port = free_port()
        self.zones = zones
        config = [
            "server:",
            f"  ip-address: 127.0.0.1@{self.port}",
            '  username: ""',
            f'  zonesdir: "{self.folder}"',
            f'  pidfile: "{self.folder}/nsd.pid"',
            f'  xfrdfile: "{self.folder}/xfrd.state"',
            f'  zonelistfile: "{self.folder}/zone.list"',
            f'  xfrdir: "{self.folder}"',
            '  database: ""',
            "  server-count: 1",
            "remote-control:",
            "  control-enable: no",
        ]
        for name, records in zones.items():
            with open(os.path.join(self.folder, name + ".zone"), "w", encoding="ascii") as f:
                f.write(HEAD.format(zone=name) + records.strip("\n") + "\n")
            config += ["zone:", f"  name: {name}", f"  zonefile: {name}.zone"]
        with open(os.path.join(self.folder, "nsd.conf"), "w", encoding="ascii") as f:
            f.write("\n".join(config) + "\n")
        self.log_path = os.path.join(self.folder, "nsd.log")
        self.process = None
        self.start()

    def start(self):
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                ["/usr/sbin/nsd", "-d", "-c", os.path.join(self.folder, "nsd.conf")],
                stdout=log,
                stderr=log,
            )
        until(self._answers, 20, lambda: open(self.log_path, encoding="utf-8").read())

    @property
    def server(self):
        """As dns.servers wants it."""
        return f"127.0.0.1@{self.port}"

    def resolver(self):
        resolver = dns.resolver.Resolver(configure=False)
        resolver.nameservers = ["127.0.0.1"]
        resolver.port = self.port
        resolver.lifetime = 10
        return resolver

    def _answers(self):
        try:
            self.resolver().resolve(next(iter(self.zones)), "SOA", lifetime=1)
            return True
        except (dns.exception.DNSException, OSError):
            return False

    def stop(self):
        if self.process is not None:
            self.process.terminate()
            self.process.wait(20)
            self.process = None


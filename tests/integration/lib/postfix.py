"""A private Postfix: a whole instance of its own in the test's folder, as smarthost client or as receiving MTA."""

import glob
import grp
import os
import pwd
import subprocess

from .wait import until

MASTER = """
{listener} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
proxywrite unix - - n - 1 proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
local unix - n n - - local
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
tlsmgr unix - - n 1000? 1 tlsmgr
postlog unix-dgram n - n - 1 postlogd
"""


class Postfix:
    """`settings` go into main.cf as they are. Mail for `domains` is kept in Maildirs; see mails()."""

    def __init__(self, folder, port, settings=(), domains=()):
        open_up(folder)
        self.folder = os.path.join(folder, "postfix")
        self.config = os.path.join(self.folder, "etc")
        self.maildirs = os.path.join(self.folder, "mail")
        for name in ("etc", "queue", "data", "mail"):
            os.makedirs(os.path.join(self.folder, name), mode=0o755)
        os.chmod(self.folder, 0o755)
        owner = pwd.getpwnam("postfix")
        os.chown(os.path.join(self.folder, "data"), owner.pw_uid, owner.pw_gid)
        nobody = pwd.getpwnam("nobody")
        os.chown(self.maildirs, nobody.pw_uid, nobody.pw_gid)
        self.port = port
        self.log_path = os.path.join(self.folder, "postfix.log")
        main = {
            "compatibility_level": "3.6",
            "queue_directory": os.path.join(self.folder, "queue"),
            "data_directory": os.path.join(self.folder, "data"),
            "maillog_file": self.log_path,
            "maillog_file_prefixes": self.folder,
            "mail_owner": "postfix",
            "myhostname": "postfix.test",
            "mydestination": "",
            "mynetworks": "127.0.0.0/8",
            "inet_interfaces": "127.0.0.1",
            "inet_protocols": "ipv4",
            "alias_maps": "",
            "biff": "no",
            "smtputf8_enable": "no",
            "virtual_mailbox_domains": ", ".join(domains),
            "virtual_mailbox_base": self.maildirs,
            "virtual_mailbox_maps": "static:all/",
            "virtual_uid_maps": f"static:{nobody.pw_uid}",
            "virtual_gid_maps": f"static:{grp.getgrnam('nogroup').gr_gid}",
            "minimal_backoff_time": "1s",
            "maximal_backoff_time": "2s",
            "queue_run_delay": "1s",
            "message_size_limit": str(60 << 20),
            "virtual_mailbox_limit": "0",
            "mailbox_size_limit": "0",
            **dict(settings),
        }
        with open(os.path.join(self.config, "main.cf"), "w", encoding="ascii") as f:
            f.writelines(f"{k} = {v}\n" for k, v in main.items())
        with open(os.path.join(self.config, "master.cf"), "w", encoding="ascii") as f:
            f.write(MASTER.format(listener=f"127.0.0.1:{port}"))
        # On a busy machine it gives up waiting for its daemon, which starts all the same: the log tells.
        started = self.run("postfix", "start", check=False)
        until(lambda: "daemon started" in self.log(), 60, lambda: f"{started}\n{self.log()}")

    def run(self, *command, check=True, **kwargs):
        return subprocess.run(
            ["/usr/sbin/" + command[0], "-c", self.config, *command[1:]],
            check=check,
            capture_output=True,
            timeout=60,
            **kwargs,
        )

    def stop(self):
        subprocess.run(["/usr/sbin/postfix", "-c", self.config, "stop"], capture_output=True, timeout=60, check=False)

    def log(self):
        if not os.path.exists(self.log_path):
            return ""
        with open(self.log_path, encoding="utf-8", errors="replace") as f:
            return f.read()

    def wait_log(self, text, timeout_s=60):
        until(lambda: text in self.log(), timeout_s, lambda: f"{text!r} not in:\n{self.log()[-4000:]}")

    def mails(self):
        """Contents of everything that was kept."""
        kept = []
        for path in glob.glob(os.path.join(self.maildirs, "all/new/*")):
            with open(path, "rb") as f:
                kept.append(f.read())
        return kept

    def wait(self, count=1, timeout_s=60):
        until(lambda: len(self.mails()) >= count, timeout_s, lambda: f"{len(self.mails())} of {count}:\n{self.log()[-3000:]}")
        return self.mails()

    def sendmail(self, content, sender, *recipients):
        return subprocess.run(
            ["/usr/sbin/sendmail", "-C", self.config, "-i", "-f", sender, *recipients],
            input=content,
            check=True,
            capture_output=True,
            timeout=60,
        )


def open_up(folder):
    """Postfix drops to its own user: let it walk to its folder."""
    while folder not in ("/", ""):
        if os.stat(folder).st_uid == os.getuid() and folder != "/tmp":
            os.chmod(folder, os.stat(folder).st_mode | 0o011)
        folder = os.path.dirname(folder)

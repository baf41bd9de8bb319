"""Mail clients that nobody here wrote, each set up as its users do. A client is a function: it is given a Post and a folder
of its own, and says whether the message was taken and, in the client's own words, what became of it."""

import contextlib
import dataclasses
import email.message
import email.policy
import functools
import glob
import hashlib
import json
import os
import select
import shlex
import shutil
import signal
import socket
import ssl
import subprocess

from .ports import free_port
from .postfix import Postfix, open_up
from .wait import until

HERE = os.path.dirname(os.path.dirname(__file__))
PROGRAMS = os.path.join(HERE, "clients")
NODE_MODULES = os.environ.get("POSTRIDER_NODE_MODULES", os.path.join(HERE, "node", "node_modules"))
# Where packages lie that cannot be installed beside Postfix, as "dpkg -x" leaves them; tests/run does that.
UNPACKED = os.environ.get("POSTRIDER_UNPACKED", "")
CLIENT_S = 120


@dataclasses.dataclass
class Post:
    """A message, and the way it is to go."""

    port: int
    ca: str  # the certificate to trust, a file that everybody may read
    user: str
    password: str
    to: str
    sender: str = "jo@example.com"
    host: str = "localhost"  # the certificate's
    tls: str = "starttls"  # or "implicit"
    subject: str = "Grüße – 世界"
    text: str = "Grüße, 世界 🎈\n.\n..\nTwo words.\n"
    attachment_name: str = "Größe.bin"
    attachment: bytes = bytes(range(256)) * 20
    headers: dict = dataclasses.field(default_factory=dict)
    snippet: str = ""  # what "postrider account add --for" printed: in place of host, port, user and password

    def content(self):
        """For clients that are given a whole message: 8-bit text, lines in LF."""
        message = email.message.EmailMessage(policy=email.policy.default)
        message["From"], message["To"], message["Subject"] = self.sender, self.to, self.subject
        for name, value in self.headers.items():
            message[name] = value
        message.set_content(self.text, cte="8bit")
        message.add_attachment(
            self.attachment, maintype="application", subtype="octet-stream", filename=self.attachment_name
        )
        return message.as_bytes()

    @property
    def is_implicit(self):
        return self.tls == "implicit"


@dataclasses.dataclass
class Client:
    name: str
    send: object  # (post, folder) -> (taken, words)
    needs: dict  # package: a path of it as a pattern, or a program
    tls: tuple
    verifies: bool  # the server's certificate
    root: bool

    def missing(self):
        """Why it cannot be used here; "" when it can."""
        if self.root and os.getuid() != 0:
            return f"{self.name} needs root"
        for package, path in self.needs.items():
            if path.startswith("unpacked:"):
                if not UNPACKED or not glob.glob(UNPACKED + path.removeprefix("unpacked:")):
                    return f"{package} is not unpacked in POSTRIDER_UNPACKED"
            elif not glob.glob(path) and not shutil.which(path):
                return f"{package} is not installed"
        if "util-linux" in self.needs and not may_mount():
            return f"{self.name} needs a mount namespace, and it is not allowed here"
        return ""


@functools.cache
def may_mount():
    return subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False).returncode == 0


CLIENTS = []


def client(name, needs, tls=("starttls", "implicit"), verifies=True, root=False):
    def enter(send):
        CLIENTS.append(Client(name, send, needs, tls, verifies, root))
        return send

    return enter


# ---- what they are run with


def write(folder, name, content, mode=0o600):
    path = os.path.join(folder, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as f:
        f.write(content if isinstance(content, bytes) else content.encode())
    os.chmod(path, mode)
    return path


def run(command, post, folder, stdin=b"", **environment):
    """(exit status is 0, all that was printed)."""
    done = subprocess.run(
        command,
        input=stdin,
        env={**os.environ, "HOME": folder, "LC_ALL": "C.UTF-8", "SSL_CERT_FILE": post.ca, **environment},
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=CLIENT_S,
        check=False,
    )
    return done.returncode == 0, done.stdout.decode("utf-8", "replace")


def run_program(command, post, folder, pool=False, **environment):
    """One of ours around a library: it reads the post as JSON, with paths in the place of bytes."""
    settings = {
        **dataclasses.asdict(post),
        "pool": pool,
        "attachment": write(folder, "attachment", post.attachment),
        "content": write(folder, "content", post.content().replace(b"\n", b"\r\n")),
    }
    words = [os.path.join(PROGRAMS, word) if word == command[-1] else word for word in command]
    return run(words, post, folder, json.dumps(settings).encode(), **environment)


# ---- programs


@client("swaks", {"swaks": "/usr/bin/swaks", "libnet-ssleay-perl": "/usr/lib/*/perl5/*/Net/SSLeay.pm"})
def swaks(post, folder):
    content = write(folder, "content", post.content())
    return run(
        ["/usr/bin/swaks", "--server", post.host, "--port", str(post.port),
         "--tls-on-connect" if post.is_implicit else "--tls", "--tls-verify", "--tls-ca-path", post.ca,
         "--auth-user", post.user, "--auth-password", post.password,
         "--from", post.sender, "--to", post.to, "--data", f"@{content}"],
        post, folder,
    )  # fmt: skip


@client("curl", {"curl": "/usr/bin/curl"})
def curl(post, folder):
    content = write(folder, "content", post.content().replace(b"\n", b"\r\n"))
    return run(
        ["/usr/bin/curl", "-sSv", "--cacert", post.ca, "--ssl-reqd",
         f"{'smtps' if post.is_implicit else 'smtp'}://{post.host}:{post.port}",
         "--user", f"{post.user}:{post.password}",
         "--mail-from", post.sender, "--mail-rcpt", post.to, "--upload-file", content],
        post, folder,
    )  # fmt: skip


@client("msmtp", {"msmtp": "/usr/bin/msmtp"})
def msmtp(post, folder):
    settings = post.snippet or (
        f"account default\nhost {post.host}\nport {post.port}\nauth on\nuser {post.user}\npassword {post.password}\n"
        f"tls on\ntls_starttls {'off' if post.is_implicit else 'on'}\n"
    )
    settings += f"tls_trust_file {post.ca}\n"
    config = write(folder, "msmtprc", settings)
    return run(["/usr/bin/msmtp", "-C", config, "-f", post.sender, post.to], post, folder, post.content())


# ---- libraries


@client("smtplib", {"python3": "/usr/bin/python3"})
def smtplib(post, folder):
    return run_program(["/usr/bin/python3", "smtplib_send.py"], post, folder)


@client("aiosmtplib", {"python3-aiosmtplib": "/usr/lib/python3/dist-packages/aiosmtplib"})
def aiosmtplib(post, folder):
    return run_program(["/usr/bin/python3", "aiosmtplib_send.py"], post, folder)


# Before Django 4.2 its SMTP backend gives smtplib no TLS context, and so verifies nothing.
@client("django", {"python3-django": "/usr/lib/python3/dist-packages/django"}, verifies=False)
def django(post, folder):
    return run_program(["/usr/bin/python3", "django_send.py"], post, folder)


NODEMAILER = {"nodejs": "node", "nodemailer": os.path.join(NODE_MODULES, "nodemailer")}


@client("nodemailer", NODEMAILER)
def nodemailer(post, folder):
    return run_program(
        ["node", "nodemailer.js"], post, folder, NODE_PATH=NODE_MODULES, NODE_EXTRA_CA_CERTS=post.ca
    )  # fmt: skip


@client("nodemailer-pool", NODEMAILER)
def nodemailer_pool(post, folder):
    return run_program(
        ["node", "nodemailer.js"], post, folder, pool=True, NODE_PATH=NODE_MODULES, NODE_EXTRA_CA_CERTS=post.ca
    )  # fmt: skip


def run_php(program, post, folder):
    return run_program(["/usr/bin/php", "-d", f"openssl.cafile={post.ca}", program], post, folder)


PHP = {"php-cli": "/usr/bin/php"}


@client("phpmailer", {**PHP, "libphp-phpmailer": "/usr/share/php/libphp-phpmailer/autoload.php"})
def phpmailer(post, folder):
    return run_php("phpmailer.php", post, folder)


@client("symfony", {**PHP, "php-symfony-mailer": "/usr/share/php/Symfony/Component/Mailer/autoload.php"})
def symfony(post, folder):
    return run_php("symfony.php", post, folder)


@client("actionmailer", {"ruby-actionmailer": "/usr/share/rubygems-integration/all/gems/actionmailer-*"})
def actionmailer(post, folder):
    return run_program(["/usr/bin/ruby", "actionmailer.rb"], post, folder)


@client("go", {"golang-go": "/usr/bin/go"})
def go(post, folder):
    # The cache is that of all tests of this run: what one has compiled is there for the next.
    cache = os.path.join(os.path.dirname(folder), "go-cache")
    return run_program(
        ["/usr/bin/go", "run", "net_smtp.go"], post, folder, GOCACHE=cache, GO111MODULE="off", GOFLAGS=""
    )  # fmt: skip


# ---- mail servers that hand everything to us


@client("postfix", {"postfix": "/usr/sbin/postfix"}, root=True)
def postfix(post, folder):
    passwords = write(folder, "sasl_passwd", f"[{post.host}]:{post.port} {post.user}:{post.password}\n")
    server = Postfix(folder, free_port(), {
        "relayhost": f"[{post.host}]:{post.port}",
        "smtp_host_lookup": "native",
        "smtp_sasl_auth_enable": "yes",
        "smtp_sasl_password_maps": f"texthash:{passwords}",
        "smtp_sasl_security_options": "noanonymous",
        "smtp_tls_security_level": "secure",
        "smtp_tls_wrappermode": "yes" if post.is_implicit else "no",
        "smtp_tls_CAfile": post.ca,
    })  # fmt: skip
    try:
        server.sendmail(post.content(), post.sender, post.to)
        server.wait_log(" status=")
        return "status=sent" in server.log(), server.log()
    finally:
        server.stop()


@client("nullmailer", {"nullmailer": "unpacked:/usr/sbin/nullmailer-send"})
def nullmailer(post, folder):
    remote = [post.host, "smtp", f"port={post.port}", "tls" if post.is_implicit else "starttls", f"x509cafile={post.ca}",
              f"user={post.user}", f"pass={post.password}"]  # fmt: skip
    write(folder, "conf/remotes", shlex.join(remote) + "\n")
    write(folder, "conf/pausetime", "0\n")  # one run, and it ends
    write(folder, "conf/me", "null.test\n")
    for name in ("queue", "tmp", "failed"):
        os.makedirs(os.path.join(folder, "queue", name))
    os.mkfifo(os.path.join(folder, "queue/trigger"))
    os.symlink(f"{UNPACKED}/usr/lib/nullmailer", os.path.join(folder, "protocols"))
    places = {
        "NULLMAILER_TEST_PREFIX": folder,
        "NULLMAILER_QUEUE": f"{UNPACKED}/usr/sbin/nullmailer-queue",
        "PATH": f"{UNPACKED}/usr/bin:{UNPACKED}/usr/sbin:{os.environ['PATH']}",
    }
    inject = [f"{UNPACKED}/usr/bin/nullmailer-inject", "-f", post.sender, post.to]
    queued, words = run(inject, post, folder, post.content(), **places)
    if not queued:
        return False, words
    _, words = run([f"{UNPACKED}/usr/sbin/nullmailer-send"], post, folder, **places)
    return "Sent file." in words, words


# dma and Exim have places written in them, where there may be nothing or another's files.
PRIVATE = """
    for name in null zero random urandom tty; do
        : >"$0/dev/$name" && mount --bind "/dev/$name" "$0/dev/$name" || exit
    done
    mount --bind "$0/etc" /etc && mount --rbind "$0/dev" /dev && exec "$@"
"""
EXIM_UID = 64999
MOUNTS = {"util-linux": "/usr/bin/unshare"}


def run_private(command, post, folder, until_said=()):
    """Given the post's content, in a mount namespace that has folder/etc as /etc, and a /dev/log: all that was printed and
    logged. It is ended when one of `until_said` is, or ends by itself."""
    open_up(folder)
    with open("/etc/passwd", encoding="utf-8") as f:
        users = f.read() + f"Debian-exim:x:{EXIM_UID}:{EXIM_UID}::/:/usr/sbin/nologin\n"
    with open("/etc/group", encoding="utf-8") as f:
        groups = f.read() + f"Debian-exim:x:{EXIM_UID}:\n"
    write(folder, "etc/passwd", users, 0o644)
    write(folder, "etc/group", groups, 0o644)
    write(folder, "etc/hosts", "127.0.0.1 localhost\n", 0o644)
    write(folder, "etc/nsswitch.conf", "hosts: files\n", 0o644)
    said, log_path = os.path.join(folder, "said"), os.path.join(folder, "dev/log")
    os.makedirs(os.path.dirname(log_path))
    with (
        open(write(folder, "content", post.content()), "rb") as content,
        open(said, "wb", buffering=0) as out,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log,
    ):
        log.bind(log_path)
        os.chmod(log_path, 0o666)

        def look():
            while select.select([log], [], [], 0)[0]:
                out.write(log.recv(1 << 16) + b"\n")
            with open(said, encoding="utf-8", errors="replace") as f:
                words = f.read()
            return any(word in words for word in until_said) or process.poll() is not None

        process = subprocess.Popen(
            ["unshare", "--mount", "sh", "-c", PRIVATE, folder, *command],
            stdin=content, stdout=out, stderr=out, cwd=folder, start_new_session=True,
        )  # fmt: skip
        try:
            until(look, CLIENT_S, lambda: f"{command[0]} goes on")
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            look()
    with open(said, encoding="utf-8", errors="replace") as f:
        return f.read()


# dma asks no authority; it can pin the certificate, which is the stricter way.
@client("dma", {**MOUNTS, "dma": "unpacked:/usr/sbin/dma"}, root=True)
def dma(post, folder):
    with open(post.ca, encoding="ascii") as f:
        fingerprint = hashlib.sha256(ssl.PEM_cert_to_DER_cert(f.read())).hexdigest()
    settings = [f"SMARTHOST {post.host}", f"PORT {post.port}", "AUTHPATH /etc/dma/auth.conf", "MAILNAME dma.test",
                f"SPOOLDIR {folder}/spool", "NULLCLIENT", "SECURETRANSFER", f"FINGERPRINT {fingerprint}"]  # fmt: skip
    if not post.is_implicit:
        settings.append("STARTTLS")
    write(folder, "etc/dma/dma.conf", "\n".join(settings) + "\n", 0o644)
    auth = write(folder, "etc/dma/auth.conf", f"{post.user}|{post.host}:{post.password}\n", 0o640)
    os.mkdir(os.path.join(folder, "spool"))
    for path in (auth, os.path.join(folder, "spool")):
        shutil.chown(path, "mail", "mail")
    command = [f"{UNPACKED}/usr/sbin/dma", "-D", "-i", "-f", post.sender, post.to]
    # What fails for a time it tries again in five minutes, without going to the background.
    words = run_private(command, post, folder, until_said=("delivery deferred", "fingerprints do not match"))
    return "delivery successful" in words, words


EXIM = """
exim_path = {unpacked}/usr/sbin/exim4
primary_hostname = exim.test
spool_directory = {folder}/spool
log_file_path = {folder}/spool/%slog
keep_environment =
begin routers
smarthost:
	driver = manualroute
	route_list = * {host} byname
	transport = smarthost
	self = send
begin transports
smarthost:
	driver = smtp
	port = {port}
	protocol = {protocol}
	hosts_require_tls = *
	hosts_require_auth = *
	tls_verify_certificates = {ca}
	tls_verify_hosts = *
	tls_verify_cert_hostnames = *
begin retry
*	*	F,1h,1m
begin authenticators
plain:
	driver = plaintext
	public_name = PLAIN
	client_send = ^{user}^{password}
"""


@client("exim4", {**MOUNTS, "exim4-daemon-light": "unpacked:/usr/sbin/exim4"}, root=True)
def exim4(post, folder):
    config = EXIM.format(
        unpacked=UNPACKED, folder=folder, host=post.host, port=post.port, ca=post.ca, user=post.user,
        password=post.password, protocol="smtps" if post.is_implicit else "smtp",
    )  # fmt: skip
    path = write(folder, "exim.conf", config, 0o644)
    command = [f"{UNPACKED}/usr/sbin/exim4", "-C", path, "-odf", "-i", "-f", post.sender, post.to]
    words = run_private(command, post, folder)
    with open(f"{folder}/spool/mainlog", encoding="utf-8", errors="replace") as f:
        words += f.read()
    return f"=> {post.to}" in words, words

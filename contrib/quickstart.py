"""Helpers of contrib/quickstart: a receiving server (aiosmtpd), and the check of what it received (dkimpy).

	quickstart.py port N            N, or another free port when N is taken
	quickstart.py receive DIR FILE N  keep mail as DIR/NUMBER.eml and say a line for each; the port, N if free, goes to FILE
	quickstart.py wait FILE         wait for FILE and print it
	quickstart.py verify DIR SUBJECT KEY SELECTOR DOMAIN
"""

import base64
import email
import os
import socket
import subprocess
import sys
import time

PATIENCE_S = 30


def free_port(wanted):
    for port in (int(wanted), 0):
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                s.bind(("127.0.0.1", port))
                return s.getsockname()[1]
            except OSError:
                continue
    raise SystemExit("no free port")


class Keep:
    def __init__(self, folder):
        self.folder = folder

    async def handle_DATA(self, server, session, envelope):
        name = os.path.join(self.folder, f"{time.time_ns()}.eml")
        with open(name + ".new", "wb") as f:
            f.write(envelope.original_content)
        os.rename(name + ".new", name)
        subject = email.message_from_bytes(envelope.original_content)["Subject"]
        print(f"received {name}: from <{envelope.mail_from}> to {', '.join(envelope.rcpt_tos)}, subject {subject}", flush=True)
        return "250 2.0.0 kept"


def receive(folder, port_file, port):
    from aiosmtpd.controller import Controller

    if os.path.exists(port_file):
        os.unlink(port_file)
    controller = Controller(Keep(folder), hostname="127.0.0.1", port=free_port(port))
    controller.start()
    with open(port_file + ".new", "w", encoding="ascii") as f:
        f.write(str(controller.port))
    os.rename(port_file + ".new", port_file)
    while True:
        time.sleep(3600)


def wait_for(probe, what):
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        found = probe()
        if found:
            return found
        time.sleep(0.05)
    raise SystemExit(f"{what} did not come")


def find(folder, subject):
    for name in os.listdir(folder):
        if name.endswith(".eml"):
            with open(os.path.join(folder, name), "rb") as f:
                content = f.read()
            if email.message_from_bytes(content)["Subject"] == subject:
                return name, content
    return None


def verify(folder, subject, key, selector, domain):
    import dkim

    name, content = wait_for(lambda: find(folder, subject), "the message")
    message = email.message_from_bytes(content)
    print(f"delivered     {os.path.join(folder, name)}")
    print(f"              Message-ID {message['Message-ID']}")
    left = [field for field in message.keys() if field.lower().startswith("x-ses-")]
    print("              no X-SES header is left" if not left else f"              X-SES headers are left: {left}")
    der = subprocess.run(["openssl", "pkey", "-in", key, "-pubout", "-outform", "DER"], capture_output=True, check=True)
    record = b"v=DKIM1; k=rsa; p=" + base64.b64encode(der.stdout)

    def txt(asked, timeout=5):
        return record if asked.rstrip(b".") == f"{selector}._domainkey.{domain}".encode() else None

    good = dkim.verify(content, dnsfunc=txt)
    print(f"DKIM          {'good' if good else 'BAD'}: d={domain} s={selector}, verified by dkimpy")
    return 0 if good and not left else 1


def main():
    command, *arguments = sys.argv[1:]
    if command == "port":
        print(free_port(*arguments))
    elif command == "receive":
        receive(*arguments)
    elif command == "wait":
        path = arguments[0]
        wait_for(lambda: os.path.exists(path), path)
        with open(path, encoding="ascii") as f:
            print(f.read())
    elif command == "verify":
        sys.exit(verify(*arguments))
    else:
        sys.exit(__doc__)


main()

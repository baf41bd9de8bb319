"""Sends one message with aiosmtplib. In: settings as JSON on standard input. A refusal is an exception's text."""

import asyncio
import email
import email.policy
import json
import sys

import aiosmtplib

settings = json.load(sys.stdin)
with open(settings["content"], "rb") as f:
    message = email.message_from_binary_file(f, policy=email.policy.SMTP)
asyncio.run(
    aiosmtplib.send(
        message,
        hostname=settings["host"],
        port=settings["port"],
        use_tls=settings["tls"] == "implicit",
        start_tls=settings["tls"] == "starttls",
        cert_bundle=settings["ca"],
        username=settings["user"],
        password=settings["password"],
    )
)

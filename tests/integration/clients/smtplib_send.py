"""Sends one message with Python's smtplib. In: settings as JSON on standard input. A refusal is an exception's text."""

import email
import email.policy
import json
import smtplib
import ssl
import sys

settings = json.load(sys.stdin)
context = ssl.create_default_context(cafile=settings["ca"])
with open(settings["content"], "rb") as f:
    message = email.message_from_binary_file(f, policy=email.policy.SMTP)
if settings["tls"] == "implicit":
    client = smtplib.SMTP_SSL(settings["host"], settings["port"], context=context)
else:
    client = smtplib.SMTP(settings["host"], settings["port"])
    client.starttls(context=context)
with client:
    client.login(settings["user"], settings["password"])
    client.send_message(message)

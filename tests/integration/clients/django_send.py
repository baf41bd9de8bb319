"""Sends one message with Django. In: as JSON on standard input, the message, and the settings of a project."""

import json
import sys

import django
from django.conf import settings
from django.core.mail import EmailMessage

post = json.load(sys.stdin)
ways = {
    "EMAIL_HOST": post["host"],
    "EMAIL_PORT": post["port"],
    "EMAIL_USE_TLS": post["tls"] == "starttls",
    "EMAIL_USE_SSL": post["tls"] == "implicit",
    "EMAIL_HOST_USER": post["user"],
    "EMAIL_HOST_PASSWORD": post["password"],
}
if post["snippet"]:
    ways = {}
    exec(post["snippet"], ways)  # as in a project's settings.py
settings.configure(**{name: value for name, value in ways.items() if name.isupper()})
django.setup()
with open(post["attachment"], "rb") as f:
    attachment = f.read()
message = EmailMessage(post["subject"], post["text"], post["sender"], [post["to"]], headers=post["headers"])
message.attach(post["attachment_name"], attachment, "application/octet-stream")
message.send()

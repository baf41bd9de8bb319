"""Two verifiers that know nothing of postrider: dkimpy, and Perl's Mail::DKIM, each asking a real name server."""

import os
import subprocess

import dkim

PERL = r"""
use Mail::DKIM::Verifier; use Mail::DKIM::DNS; use Net::DNS;
Mail::DKIM::DNS::resolver(Net::DNS::Resolver->new(nameservers => ['127.0.0.1'], port => $ARGV[0], recurse => 1));
my $v = Mail::DKIM::Verifier->new; binmode STDIN; local $/; my $m = <STDIN>; $v->PRINT($m); $v->CLOSE;
for ($v->signatures) { print $_->domain, " ", $_->result_detail, "\n" }
"""


def dkimpy_verdicts(content, nameserver):
    """{domain: verifies} of every signature."""

    def txt(name, timeout=5):
        answer = nameserver.resolver().resolve(name.decode().rstrip("."), "TXT")
        return b"".join(answer[0].strings)

    verifier = dkim.DKIM(content)
    signatures = [value for name, value in verifier.headers if name.lower() == b"dkim-signature"]
    verdicts = {}
    for i, value in enumerate(signatures):
        domain = dkim.util.parse_tag_value(value)[b"d"].decode()
        verdicts[domain] = verifier.verify(idx=i, dnsfunc=txt)
    return verdicts


def perl_verdicts(content, nameserver):
    """{domain: "pass" or the reason}."""
    environment = {**os.environ, "LC_ALL": "C"}
    out = subprocess.run(
        ["/usr/bin/perl", "-e", PERL, str(nameserver.port)],
        input=content,
        capture_output=True,
        env=environment,
        check=True,
        timeout=120,
    )
    return dict(line.split(" ", 1) for line in out.stdout.decode().splitlines())


def assert_signed(content, nameserver, *domains):
    """Both judges find exactly these domains' signatures, all good."""
    first, second = dkimpy_verdicts(content, nameserver), perl_verdicts(content, nameserver)
    assert first == {d: True for d in domains}, first
    assert second == {d: "pass" for d in domains}, second


def public_key_record(pem_path):
    """The TXT value for a private key, in zone file syntax (strings of at most 255 octets)."""
    der = subprocess.run(
        ["openssl", "pkey", "-in", pem_path, "-pubout", "-outform", "DER"],
        capture_output=True,
        check=True,
    ).stdout
    import base64

    value = "v=DKIM1; k=rsa; p=" + base64.b64encode(der).decode()
    return " ".join(f'"{value[i:i + 250]}"' for i in range(0, len(value), 250))

"""Certificates for servers on loopback, made while a test runs."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path


class NoOpensslError(Exception):
    """There is no command `openssl` here, so no certificate can be made."""


@dataclass(frozen=True, slots=True)
class Identity:
    """What a server shows that it is, and the file that somebody who trusts it needs."""

    context: ssl.SSLContext
    certificate: Path


def identity(folder: Path, names: str = "IP:127.0.0.1") -> Identity:
    """Make a self-signed certificate for names in OpenSSL's notation, such as `DNS:a.invalid`.

    Raises:
        NoOpensslError: it cannot be made here.
    """
    if not shutil.which("openssl"):
        raise NoOpensslError("there is no openssl command")
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    command = ["openssl", "req", "-x509", "-nodes", "-days", "2", "-subj", "/CN=a test"]
    command += ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    command += ["-addext", f"subjectAltName={names}"]
    command += ["-addext", "keyUsage=critical,digitalSignature,keyCertSign"]
    command += ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, capture_output=True, check=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return Identity(context, certificate)

"""An authority of a test's own, which says who is who."""

import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


class Authority:
    """Signs servers' certificates; `pem` is what its friends trust."""

    def __init__(self, folder):
        self.folder = folder
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
        own = self.sign(self.name, self.key, x509.BasicConstraints(True, None))
        self.pem = pem(own).decode()
        self.trust = ssl.create_default_context(cadata=self.pem)

    def sign(self, name, key, *extensions):
        now, day = datetime.now(UTC), timedelta(days=1)
        made = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self.name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - day)
            .not_valid_after(now + day)
        )
        for extension in extensions:
            made = made.add_extension(extension, critical=False)
        return made.sign(self.key, hashes.SHA256())

    def server(self, host, names):
        """Return what makes TLS of a socket; `names` gathers whom clients ask for."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
        text = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        says = x509.SubjectAlternativeName([called(host)])
        signed = self.sign(subject, key, says)
        file = self.folder / f"{host}.pem"
        file.write_bytes(text + pem(signed))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        context.sni_callback = lambda _socket, name, _context: names.append(name)
        return lambda plain: context.wrap_socket(plain, server_side=True)


def called(host):
    """Return a host as certificates name it, by its address or by its name."""
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def pem(certificate):
    return certificate.public_bytes(serialization.Encoding.PEM)

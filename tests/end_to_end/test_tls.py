"""A server that cannot prove who it is gets not one byte of a request.

Each case is met by a run with real credentials: nothing may reach the server but the handshake, the
message names the cause in people's words, every row stays pending, and the same command places all
of them once the server is the right one.
"""

import contextlib
import shutil
import socket
import ssl
import subprocess
import time
import unittest

from cases import ProgramTest, wait_until
from harness import CREDENTIALS, GATEWAY, LIMIT, USAGE, Gateway
from impostor import (
    Listener,
    Server,
    make_authority,
    make_certificate,
    make_self_signed,
    shared_ca,
    tls_context,
)

ROWS = 5


class CertifiedGateway(Gateway):
    """A gateway that shows the certificate in `folder`, whose CA the program is told to trust."""

    def __init__(self, folder):
        super().__init__()
        self.certificate = folder
        self.ca = folder / "ca.pem"

    def start(self):
        """Any free port, and no --pki."""
        port_file = self.folder / "port"
        with open(self.folder / "output", "ab") as output:
            self.process = subprocess.Popen(
                [
                    *(str(GATEWAY), "--listen", "127.0.0.1:0", "--port-file", str(port_file)),
                    *("--cert", str(self.certificate / "server.pem")),
                    *("--key", str(self.certificate / "server-key.pem")),
                    *("--executed", str(self.executed_path), "--counts", str(self.counts_path)),
                ],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        if not wait_until(port_file.exists):
            raise RuntimeError("the gateway did not start: " + self.output())
        self.port = int(port_file.read_text())
        return self


class TlsTest(ProgramTest):
    """What is asserted of every server that is not to be talked to."""

    def assert_refused(self, batch, code, *words):
        done = batch.run()
        self.assert_ended(done, code, *words)
        self.assertNotIn("SSL routines", done.stderr)
        self.assert_all_pending(batch)
        return done

    def assert_all_pending(self, batch):
        self.assertEqual(batch.summary()["batch"]["not_sent"], batch.rows)
        self.assertEqual(set(batch.ledger_rows().values()) | {"pending"}, {"pending"})
        self.assertEqual(batch.results(), [])

    def assert_refused_then_placed(self, batch, code, *words):
        """With what `gateway.ca` is now the run is refused; with the right server and CA, on the
        same port and with the same options, every row is placed."""
        self.assert_refused(batch, code, *words)
        counts = batch.gateway.counts()
        self.assertEqual(counts["requests"], 0, counts)
        self.assertGreaterEqual(counts["connections"], 1, counts)
        self.assertEqual(batch.gateway.executed(), [])
        self.assert_placed_on(batch, batch.gateway.port)

    def assert_placed_on(self, batch, port):
        with Gateway(port=port) as right:
            batch.gateway = right
            self.assert_places_all(batch)


class Certificate(TlsTest):
    """A certificate that does not prove the name: exit 6, after the handshake and no more."""

    def certified(self, make):
        folder = self.folder()
        make_authority(folder)
        make(folder)
        gateway = self.enterContext(CertifiedGateway(folder))
        return self.batch(gateway, rows=ROWS)

    def test_of_another_authority(self):
        gateway = self.gateway(pki=self.folder() / "pki")
        batch = self.batch(gateway, rows=ROWS)
        gateway.ca = shared_ca()
        self.assert_refused_then_placed(batch, CREDENTIALS, "authority that is not trusted")

    def test_unknown_to_the_system(self):
        batch = self.batch(self.gateway(), rows=ROWS)
        arguments = batch.command()
        at = arguments.index("--ca-file")
        done = batch.sagorder(*arguments[1:at], *arguments[at + 2 :])
        self.assert_ended(done, CREDENTIALS, "authority that is not trusted", "--ca-file")
        self.assert_all_pending(batch)
        self.assert_nothing_reached(batch.gateway)
        self.assert_places_all(batch)

    def test_for_another_name(self):
        batch = self.certified(lambda folder: make_certificate(folder, "DNS:shop.example"))
        self.assert_refused_then_placed(batch, CREDENTIALS, "certificate is not for 127.0.0.1")

    def test_for_another_address(self):
        batch = self.certified(lambda folder: make_certificate(folder, "IP:127.0.0.2"))
        self.assert_refused_then_placed(batch, CREDENTIALS, "certificate is not for 127.0.0.1")

    def test_for_a_name_that_is_not_the_address(self):
        """`localhost` resolves to the address; a certificate for the one is none for the other."""
        batch = self.certified(lambda folder: make_certificate(folder, "DNS:localhost"))
        self.assert_refused_then_placed(batch, CREDENTIALS, "certificate is not for 127.0.0.1")

    def test_expired(self):
        batch = self.certified(lambda folder: make_certificate(folder, "IP:127.0.0.1", days=-1))
        self.assert_refused_then_placed(batch, CREDENTIALS, "expired")

    def test_self_signed(self):
        batch = self.certified(make_self_signed)
        self.assert_refused_then_placed(batch, CREDENTIALS, "self-signed")

    def test_the_right_one_of_another_authority(self):
        """The control: what the cases above differ from does work."""
        batch = self.certified(lambda folder: make_certificate(folder, "IP:127.0.0.1"))
        self.assert_places_all(batch)

    def test_is_asked_for_by_name(self):
        batch = self.certified(lambda folder: make_certificate(folder, "DNS:localhost"))
        batch.gateway = Named(batch.gateway)
        self.assert_places_all(batch)


class Named:
    """A gateway that is asked for as localhost."""

    def __init__(self, gateway):
        self.endpoint = gateway.endpoint.replace("127.0.0.1", "localhost")
        self.ca = gateway.ca
        self.executed_path = gateway.executed_path
        self.executed = gateway.executed


class Transport(TlsTest):
    """A server that speaks no TLS that is good enough: exit 5, nothing is told to it."""

    def against(self, serve, *options):
        """@return the batch and the listener that it is to be placed at"""
        listener = self.enterContext(Listener(serve))
        gateway = Server(listener.port)
        return self.batch(gateway, *options, rows=ROWS), listener

    def assert_unreachable_then_placed(self, batch, listener, *words):
        done = self.assert_refused(batch, LIMIT, "unreachable", *words)
        self.assertGreaterEqual(listener.connections, 1)
        self.assertEqual(listener.received, b"")
        listener.__exit__()
        self.assert_placed_on(batch, listener.port)
        return done

    def test_tls_1_1_only(self):
        folder = self.folder()
        make_authority(folder)
        make_certificate(folder, "IP:127.0.0.1")
        log = folder / "application-data"
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        with open(log, "wb") as output:
            server = subprocess.Popen(
                [
                    *("openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-quiet"),
                    *("-cert", str(folder / "server.pem"), "-key", str(folder / "server-key.pem")),
                    *("-tls1_1", "-cipher", "ALL:@SECLEVEL=0"),
                ],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.DEVNULL,
            )
        with contextlib.ExitStack() as cleanup:
            cleanup.callback(server.wait)
            cleanup.callback(server.kill)
            cleanup.callback(server.stdin.close)
            self.assertTrue(is_listening(port))
            gateway = Server(port, folder / "ca.pem")
            batch = self.batch(gateway, rows=ROWS)
            self.assert_refused(batch, LIMIT, "TLS 1.2")
        self.assertNotIn(b"AccessKeyId", log.read_bytes())
        self.assertNotIn(b"POST", log.read_bytes())
        gateway.ca = shared_ca()
        self.assert_placed_on(batch, port)

    def test_plain_text(self):
        def serve(connection):
            hello = connection.recv(65536)
            connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
            return hello if not hello.startswith(b"\x16") else b""

        batch, listener = self.against(serve)
        self.assert_unreachable_then_placed(batch, listener, "does not speak TLS")

    def test_stalls_in_the_handshake(self):
        listener_is_closing = []

        def serve(connection):
            hello = connection.recv(65536)
            listener_is_closing[0].wait(timeout=5)
            return hello if not hello.startswith(b"\x16") else b""

        batch, listener = self.against(serve, "--connect-timeout", "200ms")
        listener_is_closing.append(listener.closing)
        self.assert_unreachable_then_placed(batch, listener, "TLS handshake", "time")

    def test_closes_in_the_handshake(self):
        batch, listener = self.against(lambda connection: None)
        self.assert_unreachable_then_placed(batch, listener)

    def test_wants_a_certificate_of_the_client_that_nobody_has(self):
        """Over TLS 1.3 the refusal comes behind the handshake, yet before a request."""
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            self.assert_asks_who_we_are(version)

    def assert_asks_who_we_are(self, version):
        folder = self.folder()
        make_authority(folder)
        make_certificate(folder, "IP:127.0.0.1")
        context = tls_context(folder)
        context.load_verify_locations(folder / "ca.pem")
        context.verify_mode = ssl.CERT_REQUIRED
        context.maximum_version = version

        def serve(connection):
            with context.wrap_socket(connection, server_side=True) as stream:
                return stream.recv(65536)

        batch, listener = self.against(serve)
        batch.gateway.ca = folder / "ca.pem"
        self.assert_refused(batch, CREDENTIALS, "wants a client certificate", "--client-cert")
        self.assertEqual(listener.received, b"")


class TrustAnchors(TlsTest):
    """--ca-file: a mistake in it is found before anything is sent."""

    def broken(self, content):
        gateway = self.gateway()
        batch = self.batch(gateway, rows=ROWS)
        right = gateway.ca
        gateway.ca = batch.folder / "anchors.pem"
        if content is not None:
            gateway.ca.write_bytes(content)
        done = batch.run()
        self.assert_ended(done, USAGE, "trust anchors", str(gateway.ca))
        self.assert_nothing_reached(gateway, connections=0)
        shutil.copyfile(right, gateway.ca)
        self.assert_places_all(batch)

    def test_missing(self):
        self.broken(None)

    def test_empty(self):
        self.broken(b"")

    def test_garbage(self):
        self.broken(b"-----BEGIN CERTIFICATE-----\nbm90IG9uZQ==\n-----END CERTIFICATE-----\n")

    def test_a_key_in_its_place(self):
        folder = self.folder()
        make_self_signed(folder)
        self.broken((folder / "server-key.pem").read_bytes())

    def test_a_directory(self):
        gateway = self.gateway()
        batch = self.batch(gateway, rows=ROWS)
        gateway.ca = self.folder()
        self.assert_ended(batch.run(), USAGE, "trust anchors", str(gateway.ca))
        self.assert_nothing_reached(gateway, connections=0)


def is_listening(port):
    for _ in range(200):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return True
        time.sleep(0.02)
    return False


if __name__ == "__main__":
    unittest.main()

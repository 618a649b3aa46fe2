"""Once a server has proved who it is, the next one in its place has to prove it too.

A TLS session of the right server is in hand when, at the same address, a server answers whose
certificate does not prove the name, or that speaks an old TLS only. Nothing is sent to it.
"""

import signal
import ssl
import threading
import warnings

from cases import ProgramTest, wait_until
from harness import CREDENTIALS, LIMIT, Batch
from hostile import Hostile, certified, ordered
from impostor import make_authority, make_certificate, tls_context

ROWS = 4
ONE_BY_ONE = ("--connections", "1", "--max-in-flight", "1")
CLOSE = "Connection: close"


def old_tls():
    """The right certificate, and TLS 1.1."""
    context = tls_context(certified())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version = ssl.TLSVersion.TLSv1_1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    return context


class Changing(Hostile):
    """The right server for three connections, the second and third by a resumed session; `wrong`
    (a context) afterwards. What is told to the wrong one is kept."""

    def __init__(self, version, wrong):
        super().__init__(self.answer)
        self.context.minimum_version = self.context.maximum_version = version
        self.right, self.wrong = self.context, wrong
        self.resumed = []
        self.told = b""
        self.count = threading.Lock()

    def meet(self, connection, number):
        with self.count:
            self.context = self.right if number <= 3 else self.wrong
        super().meet(connection, number)

    def answer(self, peer):
        if peer.context is self.wrong:
            peer.read_request()
            self.told += peer.request
            return
        self.resumed.append(peer.tls.session_reused)
        if peer.read_request():
            peer.send(ordered(peer.row, CLOSE))
            peer.receive()  # until the client has gone, so that its next connection is another


class Replaced(ProgramTest):
    VERSIONS = {"TLS 1.2": ssl.TLSVersion.TLSv1_2, "TLS 1.3": ssl.TLSVersion.TLSv1_3}

    def certificates(self):
        """Name of what is wrong to (context, exit code, words)."""

        def wrong(names, days=3, authority=None):
            folder = self.folder()
            if authority is None:
                make_authority(folder)
            else:
                for name in ("ca.pem", "ca-key.pem"):
                    (folder / name).write_bytes((authority / name).read_bytes())
            make_certificate(folder, names, days)
            return tls_context(folder)

        right = certified()
        return {
            "authority": (wrong("IP:127.0.0.1"), CREDENTIALS, "not trusted"),
            "name": (
                wrong("DNS:shop.example", authority=right),
                *(CREDENTIALS, "certificate is not for 127.0.0.1"),
            ),
            "expired": (wrong("IP:127.0.0.1", -1, right), CREDENTIALS, "expired"),
            "TLS 1.1": (old_tls(), LIMIT, "TLS 1.2 or later"),
        }

    def test_by_a_server_that_cannot_prove_it(self):
        certificates = self.certificates()
        for version_name, version in self.VERSIONS.items():
            for name, (context, code, words) in certificates.items():
                with self.subTest(wrong=name, session=version_name):
                    self.replaced(version, context, code, words)

    def replaced(self, version, context, code, words):
        with Changing(version, context) as server, Batch(server, *ONE_BY_ONE, rows=ROWS) as batch:
            process = batch.start("--connect-timeout", "10s")
            if code == LIMIT:  # a server that was there is asked for a minute whether it is again
                self.assertTrue(wait_until(lambda: server.connections >= 6), "tried again")
                process.send_signal(signal.SIGINT)
            self.assertEqual(process.wait(timeout=60), code)
            said = batch.log.read_text()
            self.assertIn(words, said)
            self.assertEqual(server.resumed, [False, True, True], "sessions are resumed")
            self.assertEqual(server.told, b"", "nothing was told to the wrong server")
            self.assertGreaterEqual(server.connections, 4)
            self.assertEqual(batch.statuses(), {"placed": 3}, said)
            self.assertEqual(batch.summary()["batch"]["not_sent"], 1)
            self.assertNotEqual(batch.ledger_rows().get(4, "pending"), "in_doubt")

    def test_the_right_one_goes_on(self):
        """The control: another context with the right certificate is talked to."""
        server = self.enterContext(Changing(ssl.TLSVersion.TLSv1_3, tls_context(certified())))
        batch = self.batch(server, *ONE_BY_ONE, rows=ROWS)
        batch.run("--connect-timeout", "10s")
        self.assertIn(b"UserCount=4", server.told)

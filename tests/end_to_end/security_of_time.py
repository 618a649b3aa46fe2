"""A server that never comes to an end is left at the deadline, whatever it keeps sending.

Each drip below would go on for as long as the client listens; the run is over soon after the
deadline of the exchange (--request-timeout) or of the connection (--connect-timeout).
"""

import contextlib
import itertools
import signal
import ssl
import time

from cases import ProgramTest, said, wait_until
from harness import IN_DOUBT, LIMIT, TIME_SCALE
from hostile import Hostile

DEADLINE = ("--request-timeout", "1s", "--connect-timeout", "1s")
PATIENCE_S = 25 * TIME_SCALE  # for all of them together; each drip alone would take for ever

HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


def for_ever(data):
    return (bytes((each,)) for each in itertools.cycle(data))


def header_drip(peer):
    peer.send(HEAD)
    peer.drip(for_ever(b"A: b\r\n"))


def value_drip(peer):
    peer.send(HEAD + b"A: ")
    peer.drip(for_ever(b"x"))


def body_drip(peer):
    peer.send(HEAD + b"Content-Length: 200000\r\n\r\n")
    peer.drip(for_ever(b"{"))


def chunk_drip(peer):
    peer.send(CHUNKED)
    peer.drip(for_ever(b"1\r\nx\r\n"))


def extension_drip(peer):
    peer.send(CHUNKED + b"1;a=")
    peer.drip(for_ever(b"x"))


def trailer_drip(peer):
    peer.send(CHUNKED + b"1\r\nx\r\n0\r\n")
    peer.drip(for_ever(b"A: b\r\n"))


def interim_drip(peer):
    peer.drip(for_ever(b"HTTP/1.1 100 Continue\r\n\r\n"))


def until_close_drip(peer):
    peer.send(HEAD + b"Connection: close\r\n\r\n")
    peer.drip(for_ever(b" "))


def record_drip(peer):
    """A TLS record that is begun and comes a byte at a time: the answer stands in it whole."""
    peer.tls.write(HEAD + b"Content-Length: 16000\r\n\r\n" + b"x" * 16000)
    record = peer.outgoing.read()
    peer.drip((bytes((each,)) for each in record), raw=True)


def silence(peer):
    peer.drip(itertools.repeat(b""), raw=True)


AFTER_A_REQUEST = (
    *(header_drip, value_drip, body_drip, chunk_drip, extension_drip, trailer_drip),
    *(interim_drip, until_close_drip, record_drip, silence),
)


def handshake_drip(peer):
    """The server's flight, a byte at a time."""
    if peer.receive():
        with contextlib.suppress(ssl.SSLWantReadError):
            peer.tls.do_handshake()
        peer.drip((bytes((each,)) for each in peer.outgoing.read()), gap=0.2, raw=True)


def greeting_drip(peer):
    """A TLS record without end before anything was said."""
    peer.raw(b"\x16\x03\x03\x40\x00")
    peer.drip(for_ever(b"\0"), raw=True)


EARLY = {"handshake_drip": handshake_drip, "greeting_drip": greeting_drip}


class Drip(ProgramTest):
    def answering(self, drip):
        def script(peer):
            while peer.read_request():
                drip(peer)

        return Hostile(script)

    def test_no_drip_outlasts_its_deadline(self):
        servers = {drip.__name__: self.answering(drip) for drip in AFTER_A_REQUEST}
        servers.update({name: Hostile(drip, shake=False) for name, drip in EARLY.items()})
        batches, runs = {}, {}
        begin = time.monotonic()
        for name, server in servers.items():
            batches[name] = self.batch(self.enterContext(server), *DEADLINE, rows=1)
            runs[name] = batches[name].start()
        for name in EARLY:
            # The next try shows that the last one was left; the rest of them would take a while.
            self.assertTrue(wait_until(lambda name=name: servers[name].connections > 2), name)
            runs[name].send_signal(signal.SIGINT)
        for name, run in runs.items():
            left = max(begin + PATIENCE_S - time.monotonic(), 0.1)
            code = run.wait(timeout=left)
            with self.subTest(drip=name, took=time.monotonic() - begin):
                self.expect(batches[name], code, name in EARLY)

    def expect(self, batch, code, is_early):
        text = batch.log.read_text(errors="replace")
        self.assertEqual(code, LIMIT if is_early else IN_DOUBT, text)
        if is_early:
            self.assertEqual(batch.results(), [])
            self.assertEqual(set(batch.ledger_rows().values()) | {"pending"}, {"pending"})
            return
        line = batch.result(1)
        self.assertEqual((line["Status"], line["Code"]), ("in_doubt", "timed_out"), line)
        self.assertGreaterEqual(int(line["LatencyMs"]), 900, line)


class Starved(ProgramTest):
    """One exchange that floods does not keep the others from their answers, or from their time."""

    def test_beside_a_flood(self):
        def script(peer):
            while peer.read_request():
                if peer.row == 1:
                    peer.drip(itertools.repeat(b"HTTP/1.1 100 Continue\r\n"), gap=0)
                else:
                    peer.drip(for_ever(b"x"), gap=0.05)

        server = self.enterContext(Hostile(script))
        batch = self.batch(server, *DEADLINE, "--max-doubts", "100", rows=4)
        begin = time.monotonic()
        done = batch.run(timeout=25)
        self.assert_ended(done, IN_DOUBT)
        self.assertLess(time.monotonic() - begin, PATIENCE_S, said(done))
        self.assertEqual(batch.statuses(), {"in_doubt": 4})

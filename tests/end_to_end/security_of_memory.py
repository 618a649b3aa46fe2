"""A thousand hostile connections take no more memory than sixteen: what a server can make the
program hold is bounded for each connection, and given back with it.

Peak memory is VmHWM. It is compared with that of a smaller batch against an honest server.
"""

import contextlib
import gzip
import itertools
import pathlib
import ssl
import time
import unittest

from cases import ProgramTest
from harness import ALL_PLACED, IN_DOUBT, PATIENT, is_sanitized
from hostile import Hostile, certified, http, order_body, ordered
from impostor import tls_context

ROWS = 1000
CONNECTIONS = 16
# What an answer may hold: 256 KiB of body, and what is not yet understood of it, for each
# connection, twice over for what the allocator keeps.
GROWTH_KIB_MAX = CONNECTIONS * 2 * (256 + 64)

HEAD = b"HTTP/1.1 200 OK\r\n"
CLOSE = "Connection: close"
BOMB = gzip.compress(b"\0" * 100_000_000, compresslevel=9)


def largest(peer):
    """As much as an answer may have, of each."""
    fields = [f"A{i}: {'a' * 1000}" for i in range(15)]
    body = order_body(peer.row, Padding="x" * (255 * 1024))
    peer.send(http(200, body, CLOSE, *fields))


def endless_header(peer):
    peer.send(HEAD)
    peer.drip(itertools.repeat(b"A: " + b"a" * 8000 + b"\r\n"), gap=0)


def endless_line(peer):
    peer.send(HEAD + b"A: ")
    peer.drip(itertools.repeat(b"a" * 8000), gap=0)


def endless_body(peer):
    peer.send(HEAD + CLOSE.encode() + b"\r\n\r\n")
    peer.drip(itertools.repeat(b"{" * 16000), gap=0)


def endless_chunks(peer):
    peer.send(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
    peer.drip(itertools.repeat(b"3e80\r\n" + b"[" * 16000 + b"\r\n"), gap=0)


def endless_extension(peer):
    peer.send(HEAD + b"Transfer-Encoding: chunked\r\n\r\n1;a=")
    peer.drip(itertools.repeat(b"a" * 8000), gap=0)


def endless_interim(peer):
    peer.drip(itertools.repeat(b"HTTP/1.1 100 Continue\r\n\r\n" * 100), gap=0)


def length_of_a_terabyte(peer):
    peer.send(HEAD + b"Content-Length: 1000000000000\r\n\r\n")
    peer.drip(itertools.repeat(b"x" * 16000), gap=0)


def nested(peer):
    """JSON as deep as it may be long."""
    peer.send(http(200, b"[" * 250_000, CLOSE))


def bomb(peer):
    peer.send(http(200, BOMB, CLOSE, "Content-Encoding: gzip"))


def tickets(peer):
    """The handshake has ended in a thousand TLS sessions to remember."""
    peer.send(ordered(peer.row, CLOSE))


KINDS = (
    *(largest, endless_header, endless_line, endless_body, endless_chunks, endless_extension),
    *(endless_interim, length_of_a_terabyte, nested, bomb, tickets),
)


def many_tickets():
    """The context of a server that gives a session after the other."""
    context = tls_context(certified())
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.num_tickets = 200
    return context


def peak_kib(process):
    """VmHWM of a process until it ends, as last seen."""
    status = pathlib.Path("/proc", str(process.pid), "status")
    peak = 0
    while process.poll() is None:
        with contextlib.suppress(OSError):
            for line in status.read_text().splitlines():
                if line.startswith("VmHWM"):
                    peak = int(line.split()[1])
        time.sleep(0.01)
    return peak


@unittest.skipIf(is_sanitized(), "a sanitizer's own memory is what would be measured")
class Memory(ProgramTest):
    def measured(self, script, code, rows=ROWS):
        server = self.enterContext(Hostile(script, context=many_tickets()))
        options = ("--connections", CONNECTIONS, "--request-timeout", "20s", *PATIENT)
        batch = self.batch(server, *options, rows=rows)
        process = batch.start("--quiet")
        peak = peak_kib(process)
        self.assertEqual(process.returncode, code, batch.log.read_text(errors="replace")[-2000:])
        self.assertEqual(len(batch.results()), rows)
        self.assertEqual(len(server.requests), rows, "each row was sent once")
        return peak, server.connections, batch

    def test_a_thousand_hostile_connections(self):
        def honest(peer):
            while peer.read_request():
                peer.send(ordered(peer.row))

        def hostile(peer):
            if peer.read_request():
                KINDS[peer.row % len(KINDS)](peer)

        good, _, _ = self.measured(honest, ALL_PLACED, rows=300)
        bad, connections, batch = self.measured(hostile, IN_DOUBT)
        print(f"peak {good} KiB with a good server, {bad} KiB with {connections} hostile ones")
        self.assertGreaterEqual(connections, ROWS)
        self.assertGreater(good, 1000)
        self.assertLess(bad, good + GROWTH_KIB_MAX)
        placed = batch.statuses()["placed"]
        kinds = [KINDS[row % len(KINDS)] for row in range(1, ROWS + 1)]
        self.assertEqual(placed, kinds.count(largest) + kinds.count(tickets))

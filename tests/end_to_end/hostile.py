"""A server that means harm, and whose every byte a test chooses.

    def script(peer):
        while peer.read_request():
            peer.send(ordered(peer.row))

    with Hostile(script) as server, Batch(server, rows=3) as batch:
        ...

It stands in a gateway's place for a batch: its certificate is good, for what is tried here begins
behind the handshake, or within it.
"""

import atexit
import contextlib
import json
import pathlib
import re
import shutil
import socket
import ssl
import tempfile
import threading

from impostor import make_authority, make_certificate, tls_context

_shared = {}


def certified():
    """A directory with a CA and a certificate for 127.0.0.1, one for all tests of a process."""
    if "folder" not in _shared:
        folder = pathlib.Path(tempfile.mkdtemp(prefix="sagorder-hostile-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        make_authority(folder)
        make_certificate(folder, "IP:127.0.0.1")
        _shared["folder"] = folder
    return _shared["folder"]


def http(status, body, *fields, reason="X"):
    """The bytes of an answer with its Content-Length. `fields` are more lines of its header."""
    lines = [f"HTTP/1.1 {status} {reason}", "Content-Type: application/json"]
    head = "\r\n".join([*lines, f"Content-Length: {len(body)}", *fields])
    return head.encode("latin-1") + b"\r\n\r\n" + body


def order_id_of(row):
    """The OrderId that a row is given here, and no other row."""
    return str(700000000 + row)


def order_body(row, **more):
    answer = {"OrderId": order_id_of(row), "SmartAGId": f"sag-{row}", "RequestId": f"R-{row}"}
    return json.dumps({**answer, **more}).encode()


def ordered(row, *fields):
    """A good answer."""
    return http(200, order_body(row), *fields)


class Peer:
    """One connection, as a script sees it. TLS is between memory and memory, so that its records
    can be sent whole, in pieces, or never."""

    def __init__(self, server, connection, number):
        self.server = server
        self.socket = connection
        self.number = number  # of the connection, from 1
        self.requests = 0
        self.row = 0  # of the last request, by its UserCount
        self.request = b""
        self.context = server.context
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = self.context.wrap_bio(self.incoming, self.outgoing, server_side=True)

    def receive(self):
        """Bytes of the client into TLS. @return False: it ended"""
        try:
            bytes_read = self.socket.recv(65536)
        except OSError:
            return False
        self.incoming.write(bytes_read)
        return bool(bytes_read)

    def flush(self):
        self.raw(self.outgoing.read())

    def raw(self, data):
        """Bytes below TLS."""
        self.socket.sendall(data)

    def shake(self):
        """@return False: there was no handshake"""
        while True:
            try:
                self.tls.do_handshake()
                self.flush()
                return True
            except ssl.SSLWantReadError:
                self.flush()
            except ssl.SSLError:
                self.flush()  # the alert
                return False
            if not self.receive():
                return False

    def read_request(self):
        """Waits for a request. @return False: the connection ended"""
        data = b""
        while True:
            with contextlib.suppress(ssl.SSLWantReadError, ssl.SSLError):
                data += self.tls.read(65536)
            head, end, body = data.partition(b"\r\n\r\n")
            length = re.search(rb"(?i)content-length: *(\d+)", head)
            if end and len(body) >= int(length[1] if length else 0):
                break
            if self.server.closing.is_set() or not self.receive():
                return False
        self.request = data
        self.requests += 1
        named = re.search(rb"UserCount=(\d+)", data)
        self.row = int(named[1]) if named else 0
        self.server.seen(self)
        return True

    def send(self, data):
        """The application's bytes, in TLS records, at once."""
        self.tls.write(data)
        self.flush()

    def drip(self, pieces, gap=0.05, raw=False):
        """One after the other until the client, or the test, has enough."""
        for piece in pieces:
            if self.server.closing.wait(gap):
                return
            if raw:
                self.raw(piece)
            else:
                self.send(piece)

    def end(self, farewell=False):
        """Ends the sending side, with or without what TLS says at its end."""
        if farewell:
            with contextlib.suppress(ssl.SSLError):
                self.tls.unwrap()
            self.flush()
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_WR)


class Hostile:
    """Runs `script(peer)` for each connection, behind the handshake; `shake=False`: before it."""

    def __init__(self, script, *, folder=None, shake=True, context=None):
        self.script = script
        self.shake = shake
        folder = folder or certified()
        self.context = context or tls_context(folder)
        self.ca = folder / "ca.pem"
        self.executed_path = pathlib.Path("/nonexistent")
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self.listener.getsockname()[1]
        self.endpoint = f"https://127.0.0.1:{self.port}"
        self.closing = threading.Event()
        self.lock = threading.Lock()
        self.connections = 0
        self.requests = []  # (number of the connection, row), in the order of arrival
        self.open = set()
        self.acceptor = threading.Thread(target=self.accept, daemon=True)

    def __enter__(self):
        self.acceptor.start()
        return self

    def __exit__(self, *ignored):
        self.closing.set()
        for each in (self.listener, *list(self.open)):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.acceptor.join(timeout=10)

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.connections += 1
            meet = threading.Thread(
                target=self.meet, args=(connection, self.connections), daemon=True
            )
            meet.start()

    def meet(self, connection, number):
        self.open.add(connection)
        with connection, contextlib.suppress(OSError):
            peer = Peer(self, connection, number)
            if not self.shake or peer.shake():
                self.script(peer)
        self.open.discard(connection)

    def seen(self, peer):
        with self.lock:
            self.requests.append((peer.number, peer.row))

    def connections_of(self, row):
        """The connections over which a row was sent."""
        return [number for number, each in self.requests if each == row]

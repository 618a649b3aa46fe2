"""Connections that swallow what is sent: no answer, no end, no reset; later they go on, or end.

    with Server() as server, WayToDatabase(server) as way:
        host = hosts.join(way.uri(hosts.uri))
        ...
        way.swallow()
        time.sleep(4)
        way.go_on()

What was swallowed is kept, as a network does that delivers again and again: it arrives when the way
goes on, however late, also of a side that has closed its end meanwhile. Where it ends instead, it
is gone.
"""

import contextlib
import pathlib
import shutil
import socket
import tempfile
import threading

CHUNK = 1 << 16
PATIENCE_SECONDS = 30
REQUESTS, ANSWERS = "requests", "answers"
BOTH = (REQUESTS, ANSWERS)


class Connection:
    """One that passes: two sockets, and a thread for each direction."""

    def __init__(self, way, near, far):
        self.way = way
        self.sides = {REQUESTS: (near, far), ANSWERS: (far, near)}
        self.open = {direction: threading.Event() for direction in BOTH}
        self.ended = False
        self.go_on()
        self.swallow(way.shut)
        self.threads = [threading.Thread(target=self.pass_on, args=(each,)) for each in BOTH]
        for thread in self.threads:
            thread.start()

    def pass_on(self, direction):
        source, sink = self.sides[direction]
        with contextlib.suppress(OSError):  # either side may be gone
            while data := source.recv(CHUNK):
                self.open[direction].wait()
                if self.ended:
                    return
                if direction == REQUESTS:
                    self.way.look_at(self, data)
                sink.sendall(data)
        self.open[direction].wait()  # an end is not seen either
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_WR)

    def swallow(self, directions):
        for direction in directions:
            self.open[direction].clear()

    def go_on(self):
        for each in self.open.values():
            each.set()

    def end(self):
        self.ended = True
        for side, _ in self.sides.values():
            with contextlib.suppress(OSError):
                side.shutdown(socket.SHUT_RDWR)
        self.go_on()

    def close(self):
        self.end()
        for thread in self.threads:
            thread.join(PATIENCE_SECONDS)
        for side, _ in self.sides.values():
            side.close()


class BlackHole:
    """A listener that passes connections on to a target, a port of this machine or the path of a
    Unix socket, as long as the `with` block; at first everything passes."""

    def __init__(self, target, address=("127.0.0.1", 0)):
        """@param address where it listens for a port"""
        self.target = target
        self.address = address
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="sagorder-way-"))
        self.shut = ()  # directions of new connections
        self.trap = None
        self.trap_is_for_one = False
        self.trap_passes = 0  # so often before it closes
        self.swallows = False
        self.mutex = threading.Lock()
        self.connections = []
        self.closing = False
        self.listener = self.listen()
        self.thread = threading.Thread(target=self.serve)

    def listen(self):
        if isinstance(self.target, int):
            return socket.create_server(self.address, backlog=64)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(self.folder / self.target.name))
        listener.listen(64)
        return listener

    def connect(self):
        if isinstance(self.target, int):
            return socket.create_connection(("127.0.0.1", self.target), PATIENCE_SECONDS)
        far = socket.socket(socket.AF_UNIX)
        far.connect(str(self.target))
        return far

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *ignored):
        self.closing = True
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)  # wakes who accepts
        self.thread.join(PATIENCE_SECONDS)
        self.listener.close()
        for connection in self.connections:
            connection.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def serve(self):
        while not self.closing:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            try:
                far = self.connect()
                far.settimeout(None)
            except OSError:  # the target is not there
                near.close()
                continue
            with self.mutex:
                self.connections.append(Connection(self, near, far))

    # what becomes of it

    def swallow(self, directions=BOTH):
        with self.mutex:
            self.swallows = True
            self.shut = directions
            for connection in self.connections:
                connection.swallow(directions)

    def swallow_behind(self, words, *, alone=False, first=1):
        """Everything, as soon as these words of a request have passed for the `first` time: they
        arrive. `alone`: what is on that connection, and on each that says them later."""
        self.trap_is_for_one, self.trap_passes = alone, first - 1
        self.trap = words

    def look_at(self, connection, data):
        if self.trap is None or self.trap not in data:
            return
        if self.trap_passes > 0:
            self.trap_passes -= 1
        elif self.trap_is_for_one:
            self.swallows = True
            connection.swallow(BOTH)
        else:
            self.trap = None
            self.swallow()

    def go_on(self):
        """What was swallowed arrives."""
        with self.mutex:
            self.swallows, self.shut, self.trap = False, (), None
            for connection in self.connections:
                connection.go_on()

    def end(self):
        """All connections end, and what was swallowed is gone; new ones pass."""
        with self.mutex:
            self.swallows, self.shut, self.trap = False, (), None
            for connection in self.connections:
                connection.end()


class WayToDatabase(BlackHole):
    """In front of a test's PostgreSQL server."""

    def __init__(self, server):
        self.server = server
        super().__init__(pathlib.Path(server.folder) / ".s.PGSQL.5432")

    def uri(self, uri):
        """The address of a database of the server's, by this way."""
        return uri.replace(f"host={self.server.folder}", f"host={self.folder}")


class WayToGateway(BlackHole):
    """In front of a test's gateway, whose place it takes for a Batch: at the same port of another
    address, for hosts have to give the same endpoint. `route` are the options that lead there."""

    def __init__(self, gateway, number):
        """@param number of the way, from 0"""
        self.ca = gateway.ca
        self.endpoint = f"https://localhost:{gateway.port}"
        address = f"127.0.0.{2 + number}"
        self.route = ("--resolve", f"localhost:{gateway.port}:{address}")
        super().__init__(gateway.port, (address, gateway.port))

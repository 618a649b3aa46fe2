"""A TCP proxy that sees ciphertext only and cuts what passes after a chosen byte.

It follows the frames of TLS records, which are plain, and so knows the parts of a connection:

  hello     the program's ClientHello
  flight    the gateway's answer to it
  finished  the program's second flight
  tickets   what the gateway says after that, before it was asked anything
  request   one record of the program
  response  one record of the gateway

One Lane serves one run of the program, which has one connection at a time. What became of every
exchange that the program began is noted in its order as a Passed.
"""

import contextlib
import select
import socket
import struct
import threading
import time
from dataclasses import dataclass, field

HANDSHAKE = ("hello", "flight", "finished", "tickets")
EXCHANGE = ("request", "response")
PATIENCE = 20.0  # seconds for anything that must come
QUIET = 0.06  # seconds without a byte: nothing more comes by itself
SLOW = 0.4  # seconds after which the program may take this machine for a silent gateway
ALERT_MAX = 64  # bytes of a record that may be a farewell; a request is longer

APPLICATION_DATA = 23


@dataclass(frozen=True)
class Cell:
    """One cut: after `offset` bytes of a part, in a way, on a connection of a kind.

    part  of the above, or `idle`: the whole answer came, and the connection ends behind it
    how   fin, rst, or stall: nothing more comes, until the program gives up; a request may also be
          late: the program sees the end, and the rest reaches the gateway after it gave up
    kind  of an exchange: fresh, reused (the second exchange is struck), or replayed (fresh, and
          the program sends the same bytes once more if it saw no byte of an answer);
          of a handshake: full or resumed
    """

    part: str
    how: str
    kind: str
    offset: int

    def __str__(self):
        return f"{self.part}:{self.how}:{self.kind}:{self.offset}"


@dataclass
class Passed:
    """One exchange that the program began, or would have if it had got a connection.

    cell      the cut that struck it; None: it passed whole
    wanted    what the ledger may say of the attempt
    executed  whether the gateway must have executed it; None: either
    slow      this machine took so long that the program may have given up
    """

    cell: Cell
    wanted: frozenset
    executed: bool
    slow: bool = False


class Gone(Exception):
    """A side ended where a record should be."""


class Side:
    """One socket, read by records."""

    def __init__(self, sock):
        self.sock = sock
        self.data = b""
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.settimeout(PATIENCE)

    def fill(self):
        try:
            more = self.sock.recv(65536)
        except OSError as error:
            raise Gone(str(error)) from error
        if not more:
            raise Gone("end of file")
        self.data += more

    def record(self):
        """The next whole record with its header."""
        while len(self.data) < 5 or len(self.data) < 5 + int.from_bytes(self.data[3:5], "big"):
            self.fill()
        size = 5 + int.from_bytes(self.data[3:5], "big")
        taken, self.data = self.data[:size], self.data[size:]
        return taken

    def send(self, data):
        with contextlib.suppress(OSError):  # the other end may have given up
            self.sock.sendall(data)

    def send_with_end(self, data):
        """The bytes and the end of the stream in one segment."""
        with contextlib.suppress(OSError):
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
            self.sock.sendall(data)
            self.sock.shutdown(socket.SHUT_WR)

    def rest(self):
        """Everything that still comes until this end is closed."""
        seen, self.data = self.data, b""
        with contextlib.suppress(OSError):
            while more := self.sock.recv(65536):
                seen += more
        return seen

    def close(self, reset=False):
        if reset:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()


@dataclass
class Shape:
    """What a gateway's handshakes look like, learned by the first ones: how many records come by
    themselves, by part and kind, and the length of a ClientHello without a ticket."""

    records: dict = field(default_factory=dict)
    plain_hello: int = 0


class Lane:
    """One listener and the plan of its cuts; a thread serves it."""

    def __init__(self, gateway_port, shape, cells=()):
        self.gateway_port = gateway_port
        self.shape = shape
        self.plan = list(cells)  # what is left to strike, in order
        self.passed = []
        self.lengths = {}  # part and kind to the lengths seen
        self.complaints = []
        self.need_good = False  # a failed connection is followed by one that is not
        self.early = []  # why connections ended by themselves
        self.held = []  # of stalled connections, the gateway's side
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=16)
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.closing = False
        self.thread.start()

    def close(self):
        self.closing = True
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        self.thread.join(PATIENCE)
        self.listener.close()
        for side in self.held:
            side.close()

    def serve(self):
        while True:
            sock, _ = self.listener.accept()
            if self.closing:
                sock.close()
                return
            client = Side(sock)
            server = Side(socket.create_connection(("127.0.0.1", self.gateway_port)))
            connection = Connection(self, client, server)
            try:
                connection.run()
            except Gone as gone:
                connection.end_early(str(gone))
            except Exception as error:  # pylint: disable=broad-except
                self.complaints.append(f"the proxy broke: {type(error).__name__}: {error}")
            client.close()
            if server not in self.held:
                server.close()

    def saw(self, part, kind, size):
        self.lengths.setdefault((part, kind), set()).add(size)


class Connection:
    """One connection of a lane."""

    def __init__(self, lane, client, server):
        self.lane = lane
        self.client = client
        self.server = server
        self.resumes = False
        self.struck = False
        self.since = time.monotonic()  # when this connection, or the answer before, was there
        self.asked = False  # the program has got as far as a request

    @property
    def kind(self):
        return "resumed" if self.resumes else "full"

    # what strikes

    def cell(self, *parts):
        """The next cell of the plan, if it strikes one of these parts."""
        if not self.lane.plan or self.lane.need_good:
            return None
        first = self.lane.plan[0]
        return first if first.part in parts else None

    def strike(self, cell, side, data, wanted, executed):
        """Lets `offset` bytes of `data` pass to `side` and cuts. @return None: no request"""
        self.lane.plan.pop(0)
        self.struck = True
        self.lane.need_good = cell.part in HANDSHAKE
        may_speak = "not_executed" in wanted and "in_doubt" in wanted
        sent, how = data[: cell.offset], cell.how
        if cell.offset > len(data):  # the records are shorter than they were
            cell, how = None, "fin"
        slow = self.is_slow()
        if slow:  # the program may have given up before: another time
            cell, wanted = None, wanted + (" in_doubt" if self.asked else "")
        self.note(cell, wanted, executed, slow)
        if side is self.client and self.asked and how == "fin":
            side.send_with_end(sent)  # or the next request may come before the end does
        else:
            side.send(sent)
        if executed and side is self.server and how != "late":
            self.server.record()  # by its answer it is executed
        if how == "rst":
            self.client.close(reset=True)
            self.server.close(reset=True)
            return
        if how == "fin":
            self.server.close()
        if how in ("fin", "late"):
            with contextlib.suppress(OSError):
                self.client.sock.shutdown(socket.SHUT_WR)
        if how == "stall":
            self.lane.held.append(self.server)
        rest = self.client.rest()
        if how == "late":
            self.server.send(data[len(sent) :])
            self.server.record()
        if len(rest) > ALERT_MAX and not may_speak:
            self.lane.complaints.append(f"{cell}: {len(rest)} bytes came after the cut")

    def is_slow(self):
        return time.monotonic() - self.since > SLOW

    def note(self, cell, wanted, executed, slow=False):
        self.lane.passed.append(Passed(cell, frozenset(wanted.split()), executed, slow))

    # what passes

    def run(self):
        request = self.handshake()
        self.asked = request is not None
        number = 1
        while request is not None:
            request = self.exchange(request, number)
            number += 1

    def handshake(self):
        """@return the first request; None: there is none"""
        hello = self.client.record()
        self.resumes = len(hello) > self.lane.shape.plain_hello > 0  # it bears a session's ticket
        self.lane.saw("hello", self.kind, len(hello))
        cell = self.cell(*HANDSHAKE)
        mine = cell if cell and cell.kind == self.kind else None
        if mine and mine.part == "hello":
            return self.strike(mine, self.server, hello, "not_executed", False)
        self.server.send(hello)
        flight = self.unasked("flight", 1)
        if mine and mine.part == "flight":
            # With all of it the program may speak before it sees the end.
            whole = mine.offset >= len(flight)
            wanted = "not_executed in_doubt" if whole else "not_executed"
            return self.strike(mine, self.client, flight, wanted, False)
        self.client.send(flight)
        return self.finish(mine)

    def finish(self, mine):
        """The program sends its request right behind its Finished: both are there by now."""
        finished = self.client.record()
        while not self.ends_in_application_data(finished):
            finished += self.client.record()
        request = self.client.record()
        self.lane.saw("finished", self.kind, len(finished))
        if mine and mine.part == "finished":
            return self.strike(mine, self.server, finished, "in_doubt", False)
        self.server.send(finished)
        tickets = self.unasked("tickets", 0)
        if mine and mine.part == "tickets":
            return self.strike(mine, self.client, tickets, "in_doubt", False)
        self.client.send(tickets)
        return request

    def unasked(self, part, least):
        """What the gateway says by itself in this part: so many records as it did before, or, the
        first time, at least so many and until it is quiet."""
        known = self.lane.shape.records.get((part, self.kind))
        data, got = b"", 0
        while got < (least if known is None else known) or known is None and not self.quiet():
            data += self.server.record()
            got += 1
        self.lane.shape.records[(part, self.kind)] = got
        self.lane.saw(part, self.kind, len(data))
        return data

    def quiet(self):
        """The gateway has said nothing more for a while."""
        return not self.server.data and not select.select([self.server.sock], [], [], QUIET)[0]

    @staticmethod
    def ends_in_application_data(records):
        at = kind = 0
        while at < len(records):
            kind = records[at]
            at += 5 + int.from_bytes(records[at + 3 : at + 5], "big")
        return kind == APPLICATION_DATA

    def end_early(self, why):
        """The program gave up, as it may on a slow machine; no cell was struck."""
        if self.struck:
            self.lane.complaints.append(f"the gateway's end behind a cut: {why}")
        elif self.asked:
            self.note(None, "in_doubt placed", None, slow=True)
        else:
            self.note(None, "not_executed in_doubt", None, slow=True)
        self.lane.early.append(why)

    def exchange(self, request, number):
        """@return the next request on this connection; None: there is none"""
        kinds = ("fresh", "replayed") if number == 1 else ("reused",)
        self.lane.saw("request", kinds[0], len(request))
        cell = self.cell(*EXCHANGE)
        mine = cell if cell and cell.kind in kinds else None
        if mine and mine.part == "request":
            executed = mine.offset >= len(request) or mine.how == "late"
            self.strike(mine, self.server, request, "in_doubt", executed)
            if mine.kind == "replayed":
                self.expect_replay(executed)
            return None
        self.server.send(request)
        response = self.server.record()
        self.lane.saw("response", kinds[0], len(response))
        self.lane.need_good = False
        if mine:
            wanted = "placed" if mine.offset >= len(response) else "in_doubt"
            self.strike(mine, self.client, response, wanted, True)
            if mine.kind == "replayed" and mine.offset == 0:
                self.expect_replay(True)
            return None
        if idle := self.cell("idle"):
            return self.end_idle(idle, response)
        following = self.lane.plan[0] if self.lane.plan else None
        keep = following is None or following.kind == "reused"
        if keep:
            self.client.send(response)
        else:
            self.client.send_with_end(response)
        slow = self.is_slow()
        self.note(None, "placed in_doubt" if slow else "placed", True, slow)
        self.since = time.monotonic()
        if not keep:
            self.client.rest()
            return None
        try:
            following = self.client.record()
        except Gone:
            return None
        return following if len(following) > ALERT_MAX else None

    def expect_replay(self, executed):
        """The same bytes come next, and pass. What was executed is refused the second time."""
        passed = self.lane.passed[-1]
        passed.wanted = frozenset(["in_doubt" if executed else "placed"])
        passed.executed = True
        self.lane.need_good = True

    def end_idle(self, cell, response):
        """The connection ends behind a whole answer, while nothing is under way."""
        self.lane.plan.pop(0)
        self.note(cell, "placed", True)
        if cell.how == "fin":
            self.client.send_with_end(response)
            self.client.rest()
            return
        self.client.send(response)
        time.sleep(0.01)  # it is read by then, and the next row comes later
        if select.select([self.client.sock], [], [], 0)[0]:  # unless this machine slept
            self.note(None, "in_doubt", False, slow=True)
        self.client.close(reset=True)

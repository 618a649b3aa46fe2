"""Answers made to be misread: whatever a server sends, no row is given an OrderId that is not its
own, and a connection that is no longer understood is not used again.

A row's own OrderId is known (hostile.order_id_of); every other one in these bytes is smuggled.
Behind each hostile answer the next row is answered well, and over which connection it came tells
whether the last one was used again.
"""

import csv
import json

from cases import ProgramTest, run_at_terminal, said
from harness import IN_DOUBT, PATIENT
from hostile import Hostile, http, order_body, order_id_of, ordered

ONE_BY_ONE = ("--connections", "1", "--max-in-flight", "1")
SMUGGLED = "666000666"
EVIL_BODY = json.dumps({"OrderId": SMUGGLED, "SmartAGId": "sag-x", "RequestId": "R-x"}).encode()
EVIL = http(200, EVIL_BODY)
PLACED, DOUBT = "placed", "in_doubt"


def head(*fields, first="HTTP/1.1 200 OK", end="\r\n"):
    """A header by its lines."""
    return end.join([first, *fields, "", ""]).encode("latin-1")


def chunked(*pieces, extension="", trailer=b"", first="HTTP/1.1 200 OK"):
    body = b"".join(f"{len(each):x}{extension}\r\n".encode() + each + b"\r\n" for each in pieces)
    return head("Transfer-Encoding: chunked", first=first) + body + b"0\r\n" + trailer + b"\r\n"


def of_length(body, *fields, first="HTTP/1.1 200 OK"):
    return head(f"Content-Length: {len(body)}", *fields, first=first) + body


def two_lengths(body):
    """Both framings at once, and lengths that are given twice or are none."""
    length = f"Content-Length: {len(body)}"
    chunks = f"{len(body):x}\r\n".encode() + body + b"\r\n0\r\n\r\n"
    return {
        "length, then chunks": head(length, "Transfer-Encoding: chunked") + chunks,
        "chunks, then length": head("Transfer-Encoding: chunked", length) + chunks,
        "length of nothing, and chunks": head("Content-Length: 0", "Transfer-Encoding: chunked")
        + chunks,
        "two lengths, the right one first": head(length, "Content-Length: 3") + body,
        "two lengths, the right one last": head("Content-Length: 3", length) + body,
        "two lengths that agree": head(length, length) + body,
        "a list of lengths": head(length + f", {len(body)}") + body,
        "a list of lengths that differ": head(length + ", 3") + body,
        "length with a plus": head(f"Content-Length: +{len(body)}") + body,
        "length below nothing": head("Content-Length: -1") + body,
        "length in hexadecimal": head(f"Content-Length: {len(body):#x}") + body,
        "length with a blank inside": head("Content-Length: 1 0") + body,
        "length without a number": head("Content-Length:") + body,
        "length beyond numbers": head("Content-Length: 18446744073709551700") + body,
        "blank before the colon": head(f"Content-Length : {len(body)}") + body,
        "no length and no close": head() + body,
        "coding twice": head("Transfer-Encoding: chunked", "Transfer-Encoding: chunked") + chunks,
        "coding unknown": head("Transfer-Encoding: gzip, chunked") + chunks,
        "coding that is none": head("Transfer-Encoding: identity", length) + body,
        "coding misspelt": head("Transfer-Encoding: xchunked") + chunks,
        "coding under HTTP/1.0": head("Transfer-Encoding: chunked", first="HTTP/1.0 200 OK")
        + chunks,
    }


def bad_lines(body):
    """Lines that end or go on where different readers disagree."""
    length = f"Content-Length: {len(body)}"
    smuggled = f"Content-Length: {len(EVIL_BODY)}"
    return {
        "bare LF": head(length, end="\n") + body,
        "one bare LF": head(f"A: b\n{smuggled}", length) + body,
        "bare CR": head(f"A: b\r{smuggled}", length) + body,
        "a NUL": head("A: b\0c", length) + body,
        "a folded line": head("A: b", " c", length) + body,
        "a folded line by a tab": head("A: b", "\tc", length) + body,
        "a folded length": head("Content-Length:", f" {len(body)}") + body,
        "a folded coding": head("Transfer-Encoding:", " chunked")
        + f"{len(body):x}\r\n".encode()
        + body
        + b"\r\n0\r\n\r\n",
        "a field without a name": head(": b", length) + body,
        "a field without a colon": head("A", length) + body,
        "a blank before the first field": head(" A: b", length) + body,
        "line ends before the status": b"\r\n\r\n" + of_length(body),
    }


def bad_chunks(body):
    """Chunks whose end is in dispute."""
    size = f"{len(body):x}"
    first = head("Transfer-Encoding: chunked")

    def of(line, behind=b"\r\n"):
        return first + line.encode() + b"\r\n" + body + behind + b"0\r\n\r\n"

    return {
        "chunk size as C writes it": of("0x" + size),
        "chunk size below nothing": of("-" + size),
        "chunk size beyond numbers": of("1000000000000000" + size),
        "chunk without its end": of(size, behind=b""),
        "chunk that ends by LF": first + size.encode() + b"\n" + body + b"\n0\n\n",
        "chunk longer than it says": of(f"{len(body) - 5:x}"),
        "trailer with a length": chunked(body, trailer=b"Content-Length: 3\r\n"),
    }


def other_protocols(body):
    """What is not an answer in HTTP/1.1."""
    no_content = head("Connection: keep-alive", first="HTTP/1.1 204 No Content")
    return {
        "HTTP/0.9": body,
        "HTTP/0.9 with a page": b"<html>OrderId 1</html>",
        "HTTP/2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "HTTP/2 frame": b"\0\0\x06\x04\0\0\0\0\0\0\x03\0\0\0\x64" + body,
        "HTTP/2 status line": of_length(body, first="HTTP/2 200 OK"),
        "HTTP/2.0 status line": of_length(body, first="HTTP/2.0 200 OK"),
        "HTTP/1.9 status line": of_length(body, first="HTTP/1.9 200 OK"),
        "lower case": of_length(body, first="http/1.1 200 ok"),
        "no status": of_length(body, first="HTTP/1.1 OK"),
        "status of four digits": of_length(body, first="HTTP/1.1 2000 OK"),
        "status below 100": of_length(body, first="HTTP/1.1 020 OK"),
        "101": head("Upgrade: h2c", "Connection: Upgrade", first="HTTP/1.1 101 X"),
        "101, then the answer": head(first="HTTP/1.1 101 X") + of_length(body),
        "204": no_content,
        "204 with a body": of_length(body, first="HTTP/1.1 204 X"),
        "204, then an answer": no_content + EVIL,
        "205 with a body, cut": of_length(body + b" ", first="HTTP/1.1 205 X")[:-1],
        "304": head(first="HTTP/1.1 304 Not Modified"),
        "304 with a body": of_length(body, first="HTTP/1.1 304 X"),
        "interim with a body": of_length(EVIL, first="HTTP/1.1 100 X") + of_length(body),
        "interim with chunks": chunked(EVIL, first="HTTP/1.1 103 X") + of_length(body),
        "interim for ever": head(first="HTTP/1.1 100 X") * 20,
    }


def cut_short(body):
    """The connection ends before the answer does."""
    return {
        "cut in the header": of_length(body)[:20],
        "cut in the body": of_length(body)[:-1],
        "cut in the chunks": chunked(body)[:-3],
        "cut before the end that closes": head("Connection: close") + body,
        "the next answer within the length": of_length(body + EVIL)[:-1],
    }


def swallowed(body):
    """Whole by its length, and what is in it is not one answer."""
    return {
        "an answer behind the JSON": of_length(body + EVIL),
        "two bodies in one": of_length(body + EVIL_BODY),
    }


def right_and_kept(body):
    """Unusual and sound: the row is placed, and the connection may serve the next."""
    return {
        "chunks": chunked(body[:9], body[9:]),
        "chunk extensions": chunked(body, extension=';a=b;c="d e"'),
        "trailers": chunked(body, trailer=b"Date: x\r\n"),
        "continue": head(first="HTTP/1.1 100 Continue") + of_length(body),
        "early hints": head("Link: </x>", first="HTTP/1.1 103 X") * 3 + of_length(body),
        "no reason": of_length(body, first="HTTP/1.1 200 "),
    }


def right_and_left(body):
    """The row is placed by its own answer; what is behind it is nobody's."""
    good = of_length(body)
    return {
        "two answers in one write": good + EVIL,
        "the same answer twice": good + good,
        "an answer and a half": good + EVIL[:30],
        "a blank behind the answer": good + b" ",
        "an interim answer behind it": good + head(first="HTTP/1.1 100 Continue"),
        "chunks, and an answer behind them": chunked(body) + EVIL,
        "HTTP/1.0": of_length(body, first="HTTP/1.0 200 OK"),
        "connection: close": of_length(body, "Connection: close"),
    }


# Without their end they are waited for.
ENDED = ("205 with a body, cut", "chunk that ends by LF")


class Smuggling(ProgramTest):
    """One run for all: hostile answers at odd rows, good ones between them."""

    GROUPS = (
        (two_lengths, DOUBT, False),
        (bad_lines, DOUBT, False),
        (bad_chunks, DOUBT, False),
        (other_protocols, DOUBT, False),
        (cut_short, DOUBT, False),
        (swallowed, DOUBT, False),
        (right_and_kept, PLACED, True),
        (right_and_left, PLACED, False),
    )

    def names(self):
        """(group, name of its case, status of the row, whether the connection is used again)"""
        return [
            (group, name, status, kept)
            for group, status, kept in self.GROUPS
            for name in group(b"{}")
        ]

    def script(self, names):
        def answer(peer):
            while peer.read_request():
                at, is_control = divmod(peer.row - 1, 2)
                if is_control:
                    peer.send(ordered(peer.row))
                    continue
                group, name, _, _ = names[at]
                peer.send(group(order_body(peer.row))[name])
                if group is cut_short or name in ENDED:
                    peer.end()

        return answer

    def test_no_answer_is_another_rows(self):
        names = self.names()
        self.assertGreater(len(names), 75)
        server = self.enterContext(Hostile(self.script(names)))
        options = ("--request-timeout", "3s", *PATIENT, *ONE_BY_ONE)
        batch = self.batch(server, *options, rows=2 * len(names))
        self.assert_ended(batch.run(timeout=90), IN_DOUBT)
        self.assertNotIn(SMUGGLED, batch.output.read_text())
        for at, (group, name, status, kept) in enumerate(names):
            with self.subTest(group=group.__name__, case=name):
                self.expect(batch, server, 2 * at + 1, status, kept)

    def expect(self, batch, server, row, status, kept):
        line, control = batch.result(row), batch.result(row + 1)
        self.assertEqual(line["Status"], status, line)
        self.assertEqual(line["OrderId"], order_id_of(row) if status == PLACED else "", line)
        self.assertEqual(control["OrderId"], order_id_of(row + 1), control)
        ours, after = server.connections_of(row), server.connections_of(row + 1)
        self.assertEqual((len(ours), len(after)), (1, 1), "each row was sent once")
        self.assertEqual(ours == after, kept, "the connection was used again")


class Display(ProgramTest):
    """What a server sends acts on no terminal, log or spreadsheet, wherever it stands."""

    SEQUENCES = (
        *("\x1b]0;owned\x07", "\x1b[2J\x1b[1;1H", "\x9b31m"),
        *("\u009b2K", "\u202e\u2066", "\x08\x7f"),
    )
    HARMFUL = set("\x1b\x07\x08\x7f\x9b\u202e\u2066")
    FORMULAS = ('=HYPERLINK("http://x")', "+1+1", "-2+3", "@SUM(1)", "\t=1")

    def answers(self):
        for evil in self.SEQUENCES:
            named = evil.encode("latin-1", "replace")
            yield b"HTTP/1.1 400 " + named + b"\r\nContent-Length: 2\r\n\r\n{}"
            for field in ("Date", "Content-Type", "x-acs-retry-after", "X-RateLimit-User", named):
                line = field if isinstance(field, bytes) else field.encode()
                body = json.dumps({"Code": "Throttling.User", "Message": evil}).encode()
                yield b"HTTP/1.1 400 X\r\n%b: %b\r\nContent-Length: %d\r\n\r\n%b" % (
                    line,
                    named,
                    len(body),
                    body,
                )
            for code in ("InvalidParameter" + evil, evil, "InvalidParameter", "Unheard"):
                for named_id in ("R" + evil, "R"):
                    text = {"Code": code, "Message": "no " + evil, "RequestId": named_id}
                    yield http(400, json.dumps(text, ensure_ascii=False).encode())
            yield http(200, order_body(1, SmartAGId="sag" + evil))
            yield http(502, f"<html>{evil}</html>".encode())
            yield http(200, b"<Error><Message>" + named + b"</Message></Error>")

    def test_of_a_terminal(self):
        answers = list(self.answers())

        def script(peer):
            while peer.read_request():
                peer.send(answers[peer.row - 1])

        server = self.enterContext(Hostile(script))
        batch = self.batch(server, *PATIENT, *ONE_BY_ONE, rows=len(answers))
        command = batch.command()
        command[command.index("--progress") + 1] = "bar"
        code, shown = run_at_terminal(command, cwd=batch.folder, env=batch.env, timeout=60)
        self.assertEqual(code, IN_DOUBT, shown)
        # The bar's own: return to the line's begin, clear to its end.
        self.assert_tame(shown.replace("\x1b[K", "").replace("\r", ""), "terminal")
        for form in ("text", "json"):
            done = batch.run("--log-format", form)
            self.assert_tame(done.stdout + done.stderr, form)
        self.assert_tame(said(batch.sagorder("status", batch.output)), "status")
        self.assert_tame(batch.output.read_text(encoding="utf-8"), "results")
        self.assert_tame(batch.summary_path.read_text(encoding="utf-8"), "summary")
        self.assertEqual(len({line["Row"] for line in batch.results()}), len(batch.results()))

    def assert_tame(self, text, where):
        self.assertEqual(self.HARMFUL & set(text), set(), where)

    def test_of_a_spreadsheet(self):
        """A cell that begins a formula is text: in carried columns, and in what the server says."""

        def script(peer):
            while peer.read_request():
                formula = self.FORMULAS[peer.row - 1]
                text = {"Code": "InvalidParameter", "Message": formula, "RequestId": formula}
                peer.send(http(400, json.dumps(text).encode()))

        server = self.enterContext(Hostile(script))
        batch = self.batch(server, *PATIENT, *ONE_BY_ONE, "--carry", "Note")
        batch.write_orders(
            len(self.FORMULAS), columns={"Note": lambda row: self.FORMULAS[row - 1]}
        )
        done = batch.run()
        self.assertEqual(len(batch.results()), len(self.FORMULAS), said(done))
        with open(batch.output, newline="", encoding="utf-8") as file:
            cells = [cell for line in csv.reader(file) for cell in line]
        for cell in cells:
            self.assertNotIn(cell[:1], set("=+-@\t\r"), cells)
        self.assertIn("'" + self.FORMULAS[0], cells)

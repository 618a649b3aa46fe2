"""Input as people have it: other encodings, other delimiters, packed; and what is refused instead of
guessed. The encoders are Python's, so that a mistake of iconv's, or of its use, is not its own judge.
"""

import csv
import gzip
import re
import subprocess
import unittest

from cases import ProgramTest, said
from harness import ALL_PLACED, INPUT, USAGE, Batch

ROWS = 6
CITIES = ("上海", "北京", "广州", "深圳", "成都", "杭州")
MARKS = {"utf-16-le": b"\xff\xfe", "utf-16-be": b"\xfe\xff"}


def zstd(data):
    done = subprocess.run(["zstd", "-q", "-c"], input=data, stdout=subprocess.PIPE, check=True)
    return done.stdout


def as_it_is(data):
    return data


class Nowhere:
    """For commands that need no gateway."""

    endpoint = "https://127.0.0.1:1"
    ca = "/nonexistent"


class Encodings(ProgramTest):
    def text(self, batch, delimiter=","):
        """Orders with the name of a city in each; the file itself is left as UTF-8."""
        note = {"Note": lambda row: CITIES[row - 1]}
        batch.write_orders(ROWS, columns=note, period=12)
        return batch.input.read_text(encoding="utf-8").replace(",", delimiter)

    def checked(self, data, *options, carry=("--carry", "Note")):
        batch = self.enterContext(Batch(Nowhere()))
        batch.input.write_bytes(data)
        return batch.sagorder("check", "orders.csv", *carry, *options)

    def checked_text(self, encoding, *options, delimiter=",", pack=as_it_is):
        batch = self.enterContext(Batch(Nowhere()))
        data = self.text(batch, delimiter).encode(encoding)
        return self.checked(pack(MARKS.get(encoding, b"") + data), *options)

    def assert_read(self, done, read_as):
        self.assert_ended(done, ALL_PLACED, f"{ROWS} rows, 0 invalid")
        found = re.findall(r"recognised: (.*);", done.stderr)
        self.assertEqual(found, [read_as] if read_as else [], said(done))

    def test_are_recognised(self):
        for encoding, read_as in (
            ("utf-8", ""),
            ("utf-8-sig", ""),
            ("utf-16-le", "UTF-16LE"),
            ("utf-16-be", "UTF-16BE"),
            ("gb18030", "GB18030"),
            ("gbk", "GB18030"),
        ):
            for pack, name in ((as_it_is, ""), (gzip.compress, "gzip"), (zstd, "zstd")):
                with self.subTest(encoding=encoding, pack=name):
                    done = self.checked_text(encoding, pack=pack)
                    self.assert_read(done, ", ".join(part for part in (name, read_as) if part))

    def test_delimiters_are_recognised_by_the_header(self):
        for delimiter, read_as in ((";", "semicolons"), ("\t", "tabs")):
            done = self.checked_text("utf-8", delimiter=delimiter)
            self.assert_read(done, read_as + " between columns")
        # As Excel writes "Unicode text".
        done = self.checked_text("utf-16-le", delimiter="\t")
        self.assert_read(done, "UTF-16LE, tabs between columns")

    def test_are_named(self):
        for encoding in ("utf-16le", "utf-16be", "gb18030", "big5", "utf-32le"):
            batch = self.enterContext(Batch(Nowhere()))
            text = "".join(c if c.isascii() else "上" for c in self.text(batch))
            data = text.encode(encoding)
            self.assert_read(self.checked(data, "--encoding", encoding), "")
        self.assert_read(self.checked_text("utf-8", "--delimiter", "semicolon", delimiter=";"), "")

    def test_what_is_not_shown_is_asked_for(self):
        plain = "RegionId,Period,UserCount,Note\ncn-shanghai,1,5,Müller\n"
        header = "RegionId;Period,UserCount\n"
        for data, option in (
            (plain.encode("utf-16-le"), "--encoding UTF-16LE"),
            (plain.encode("utf-16-be"), "--encoding UTF-16LE or UTF-16BE"),
            (plain.encode("latin-1"), "orders.csv:2:18: error: not valid UTF-8"),
            (plain.encode("latin-1"), "--encoding GB18030"),
            (header.encode(), "--delimiter comma, semicolon or tab"),
        ):
            self.assert_ended(self.checked(data), INPUT, option)
        self.assert_ended(self.checked(b"", "--encoding", "no-such"), USAGE, "iconv -l")
        self.assert_ended(self.checked(b"", "--encoding", "UTF-8//IGNORE"), USAGE, "--encoding")
        self.assert_ended(self.checked(b"", "--delimiter", "|"), USAGE, "comma, semicolon, tab")

    def test_places_are_those_of_the_text(self):
        text = "RegionId;Period;UserCount\n\"cn-shanghai\";12;5\ncn-shanghai;13;5\n"
        data = gzip.compress(b"\xff\xfe" + text.encode("utf-16-le"))
        self.assert_ended(self.checked(data, carry=()), INPUT, "orders.csv:3:13: error: Period")
        cut = gzip.compress(text.encode())[:-9]
        self.assert_ended(self.checked(cut, carry=()), INPUT, "gzip data ends early")
        bad = "RegionId,Period,UserCount,Note\ncn-shanghai,12,5,上".encode("gb18030") + b"\xff\n"
        done = self.checked(bad, "--encoding", "GB18030")
        self.assert_ended(done, INPUT, "orders.csv:2:21: error: no character of GB18030")

    def test_carried_cells_are_utf8_in_the_results(self):
        for encoding in ("utf-16-le", "gb18030"):
            gateway = self.gateway()
            batch = self.batch(gateway, "--carry", "Note")
            data = MARKS.get(encoding, b"") + self.text(batch, ";").encode(encoding)
            batch.input.write_bytes(gzip.compress(data))
            done = batch.run()
            self.assert_ended(done, ALL_PLACED, "recognised: gzip")
            with open(batch.output, encoding="utf-8", newline="") as results:
                lines = list(csv.DictReader(results))
            notes = {line["Row"]: line["Note"] for line in lines}
            self.assertEqual(notes, {str(i + 1): city for i, city in enumerate(CITIES)})
            again = batch.run()
            self.assert_ended(again, ALL_PLACED)
            self.assertEqual(len(gateway.executed()), ROWS)

    def test_the_same_text_is_the_same_batch(self):
        """However it is written: ordered again under another output it is refused."""
        gateway = self.gateway()
        batch = self.batch(gateway, "--carry", "Note")
        text = self.text(batch)
        self.assert_ended(batch.run(), ALL_PLACED)
        for data in (
            gzip.compress(text.encode()),
            zstd(text.encode()),
            MARKS["utf-16-le"] + text.encode("utf-16-le"),
            gzip.compress(text.encode("gb18030")),
        ):
            other = batch.folder / "other.csv"
            other.write_bytes(data)
            command = batch.command()
            command[2] = str(other)
            command[4] = str(batch.folder / "other-results.csv")
            done = batch.sagorder(*command[1:])
            self.assert_ended(done, INPUT, "--again")
            self.assertEqual(len(gateway.executed()), ROWS)
        # And under its own output it is the batch that is finished.
        batch.input.write_bytes(zstd(text.encode("gb18030")))
        self.assert_ended(batch.run(), ALL_PLACED)
        self.assertEqual(len(gateway.executed()), ROWS)

    def test_the_same_bytes_read_otherwise_are_ordered_before(self):
        """Another encoding makes another text of them, and not other orders."""
        for first, second in (
            ((), ("--encoding", "BIG5")),
            (("--encoding", "BIG5"), ()),
            (("--encoding", "BIG5"), ("--encoding", "LATIN1")),
        ):
            gateway = self.gateway()
            batch = self.batch(gateway, "--carry", "Note")
            batch.write_orders(ROWS, columns={"Note": lambda row: "高雄"}, period=12)
            text = batch.input.read_text(encoding="utf-8")
            batch.input.write_bytes(text.encode("big5"))
            command = batch.command()
            self.assert_ended(batch.sagorder(*command[1:], *first), ALL_PLACED)
            command[4] = str(batch.folder / "other-results.csv")
            self.assert_ended(batch.sagorder(*command[1:], *second), INPUT, "--again")
            self.assertEqual(len(gateway.executed()), ROWS)
        # Plain UTF-8, then as something else.
        gateway = self.gateway()
        batch = self.batch(gateway, "--carry", "Note")
        batch.input.write_text(self.text(batch), encoding="utf-8")
        command = batch.command()
        self.assert_ended(batch.run(), ALL_PLACED)
        command[4] = str(batch.folder / "other-results.csv")
        again = batch.sagorder(*command[1:], "--encoding", "LATIN1")
        self.assert_ended(again, INPUT, "--again")
        self.assertEqual(len(gateway.executed()), ROWS)

    def test_a_run_resumes_and_rows_are_taken_out_of_it(self):
        gateway = self.gateway()
        batch = self.batch(gateway, "--carry", "Note", "--max-orders", "4")
        plain = self.text(batch)
        batch.input.write_bytes(plain.replace(",", ";").encode("utf-16-le"))  # without a mark
        told = ("--encoding", "UTF-16LE", "--delimiter", "semicolon")
        batch.run(*told)
        self.assertEqual(len(gateway.executed()), 4)
        done = batch.sagorder("rows", batch.output, "--status", "not_sent")
        self.assertEqual(done.stdout.split("\n")[1:], [*plain.split("\n")[5:7], ""], said(done))
        moved = batch.folder / "moved.csv.gz"
        moved.write_bytes(gzip.compress(plain.replace(",", ";").encode("gb18030")))
        as_moved = ("--input", moved, "--encoding", "GB18030")
        again = batch.sagorder("rows", batch.output, "--status", "not_sent", *as_moved)
        self.assertEqual(again.stdout, done.stdout, said(again))
        self.assert_ended(batch.run(*told), ALL_PLACED)
        self.assertEqual(len(gateway.executed()), ROWS)

    def test_standard_input(self):
        batch = self.enterContext(Batch(Nowhere()))
        packed = batch.folder / "packed"
        packed.write_bytes(zstd(MARKS["utf-16-be"] + self.text(batch).encode("utf-16-be")))
        with open(packed, "rb") as stdin:
            done = batch.sagorder("check", "-", "--carry", "Note", stdin=stdin)
        self.assert_read(done, "zstd, UTF-16BE")
        self.assertIn("standard input: recognised", done.stderr)


if __name__ == "__main__":
    unittest.main()

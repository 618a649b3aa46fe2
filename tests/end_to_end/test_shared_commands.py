"""The commands around a batch that hosts share through a database: what they say of its hosts, what
they refuse while one is alive, and the results of the whole.

A host's death is made by SIGKILL; how long ago it was heard of is set in the database, for nobody
waits half a minute in a test.
"""

import concurrent.futures
import csv
import json
import pathlib
import socket
import time
import unittest

from black_hole import WayToDatabase
from database import Server
from harness import ALL_PLACED, BUSY, IN_DOUBT, INPUT, UNWRITABLE, USAGE, Batch, Gateway
from test_database import DatabaseBatch, wait_for_orders

ALIVE = "left_at = NULL, heartbeat_at = clock_timestamp() + interval '1 hour'"
DEAD = "left_at = NULL, heartbeat_at = clock_timestamp() - interval '31 s'"


def setUpModule():
    SharedTest.server = unittest.enterModuleContext(Server())


class SharedTest(unittest.TestCase):
    server = None

    def batch(self, *options, gateway=None, **more):
        gateway = gateway or self.enterContext(Gateway(latency="2ms-20ms"))
        return self.enterContext(DatabaseBatch(self.server, gateway, *options, **more))

    def killed(self, *options, rows=12):
        """A batch whose host died with rows under way. @return it, the host's process, the rows"""
        batch = self.batch(*options, rows=rows, rate="200/s",
                           gateway=self.enterContext(Gateway(latency="400ms")))
        process = batch.start()
        wait_for_orders(batch, 2, process)
        process.kill()
        process.wait()
        open_rows = [int(row) for (row,) in self.server.sql(
            'SELECT "row" FROM sagorder.orders WHERE state = \'intended\' ORDER BY 1', batch.uri)]
        self.assertGreaterEqual(len(open_rows), 2)
        return batch, process.pid, open_rows

    def set_hosts(self, batch, what):
        self.server.sql(f"UPDATE sagorder.host SET {what}", batch.uri)

    def anywhere(self, batch, command, *arguments):
        """The command from a host that has no file of the batch."""
        return batch.sagorder(command, "--ledger", batch.uri, *arguments)


class StatusTest(SharedTest):
    def test_hosts_are_told_with_what_they_have_under_way(self):
        batch, process, rows = self.killed()
        self.set_hosts(batch, ALIVE)
        status = self.anywhere(batch, "status")
        self.assertEqual(status.returncode, ALL_PLACED, status.stderr)
        self.assertRegex(status.stdout, rf"under way +{len(rows)}\n")
        self.assertRegex(status.stdout, r"in doubt +0\n")
        self.assertRegex(
            status.stdout,
            rf"\n{socket.gethostname()} +{process}  alive +20\S+Z +{len(rows)}\n")
        self.assertIn("a run is going on\n", status.stdout)
        self.set_hosts(batch, DEAD)
        status = self.anywhere(batch, "status")
        self.assertRegex(status.stdout, rf"in doubt +{len(rows)}\n")
        self.assertRegex(status.stdout, rf" {process}  dead +20\S+Z +{len(rows)}\n")
        self.assertRegex(
            status.stdout,
            rf"{rows[0]}  20\S+Z  Interrupted +its host ended: {socket.gethostname()} "
            rf"\(process {process}, last heard of 20\S+Z\)")
        self.assertIn(f"sagorder resolve --ledger '{batch.uri}' --row N", status.stdout)
        told = json.loads(self.anywhere(batch, "status", "--json").stdout)
        (host,) = told["hosts"]
        self.assertEqual(
            (host["name"], host["process"], host["state"], host["under_way"]),
            (socket.gethostname(), process, "dead", len(rows)))
        self.assertEqual([each["row"] for each in told["doubts"]], rows)
        self.assertEqual(told["rows"]["under_way"], 0)
        self.assertFalse(told["running"])

    def test_a_batch_that_was_just_made(self):
        """Its run ended before it had written what the batch is about."""
        batch = self.batch(rows=3)
        self.assertEqual(batch.run().returncode, ALL_PLACED)
        self.server.sql("DELETE FROM sagorder.fact WHERE name = 'input_path'", batch.uri)
        self.assertEqual(self.anywhere(batch, "status").returncode, UNWRITABLE, "it has records")
        for table in ("attempt", "outcome", "fact", "range"):
            self.server.sql(f"DELETE FROM sagorder.{table}", batch.uri)
        for command in (("status",), ("results", "-o", "whole.csv"), ("report", "-o", "page.html"),
                        ("rows", "--status", "not_sent"), ("reconcile",),
                        ("resolve", "--row", "1", "--not-placed", "--because", "x")):
            told = self.anywhere(batch, *command)
            self.assertEqual(told.returncode, USAGE, told.stderr)
            self.assertIn("nothing was ordered", told.stderr)
            self.assertIn("give that run's command again", told.stderr)
        again = self.enterContext(Batch(batch.gateway, "--ledger", batch.uri, rows=3))
        self.assertEqual(again.run().returncode, ALL_PLACED)

    def test_again_on_a_finished_batch(self):
        batch = self.batch(rows=3)
        self.assertEqual(batch.run().returncode, ALL_PLACED)
        again = batch.run("--again")
        self.assertEqual(again.returncode, ALL_PLACED, again.stderr)
        self.assertIn("--again has nothing to order", again.stderr)
        self.assertEqual(len(batch.gateway.executed()), 3)

    def test_a_host_lives_by_what_its_run_was_told(self):
        batch, process, rows = self.killed("--host-life", "1h")
        self.set_hosts(batch, DEAD)
        self.assertIn(f" {process}  alive ", self.anywhere(batch, "status").stdout)
        refused = self.anywhere(
            batch, "resolve", "--row", rows[0], "--not-placed", "--because", "x")
        self.assertEqual(refused.returncode, BUSY, refused.stdout)
        self.assertIn("3600 seconds", refused.stderr)
        batch.options[batch.options.index("1h")] = "30s"
        elsewhere = batch.run()
        self.assertEqual(elsewhere.returncode, USAGE, elsewhere.stderr)
        self.assertIn("the same --host-life", elsewhere.stderr)
        self.set_hosts(batch, "heartbeat_at = clock_timestamp() - interval '61 min'")
        self.assertIn(f" {process}  dead ", self.anywhere(batch, "status").stdout)

    def test_which_batch_is_meant_has_to_be_said(self):
        batch = self.batch(rows=3)
        self.assertEqual(batch.run().returncode, ALL_PLACED)
        batch.write_orders(4)
        batch.output = batch.folder / "other.csv"
        self.assertEqual(batch.run().returncode, ALL_PLACED)
        which = self.anywhere(batch, "status")
        self.assertEqual(which.returncode, USAGE, which.stderr)
        self.assertIn("name one: --ledger 'ADDRESS#DIGITS'", which.stderr)
        digests = [digest for (digest,) in self.server.sql(
            "SELECT input_sha256 FROM sagorder.run ORDER BY id", batch.uri)]
        for digest, rows in zip(digests, (3, 4)):
            self.assertIn("#" + digest[:12], which.stderr)
            one = batch.sagorder("status", "--ledger", f"{batch.uri}#{digest[:12]}")
            self.assertRegex(one.stdout, rf"placed +{rows}\n")
        without = batch.sagorder("status")
        self.assertEqual(without.returncode, USAGE)
        self.assertIn("RESULTS is required", without.stderr)


class ResolveTest(SharedTest):
    def settle(self, batch, row):
        """What really became of it, said from a host that has no file of the batch."""
        order = [each for each in batch.gateway.executed() if each["user_count"] == row]
        how = ("--placed", order[0]["order_id"]) if order else (
            "--not-placed", "--because", "it is not in the console")
        return self.anywhere(batch, "resolve", "--row", row, *how)

    def test_what_a_host_is_at_is_its_own_while_it_lives(self):
        batch, process, rows = self.killed()
        self.set_hosts(batch, ALIVE)
        before = batch.ledger_records()
        refused = self.settle(batch, rows[0])
        self.assertEqual(refused.returncode, BUSY, refused.stdout)
        self.assertIn(
            f"row {rows[0]} is under way on {socket.gethostname()} (process {process}, last heard",
            refused.stderr)
        self.assertIn("30 seconds", refused.stderr)
        self.assertEqual(batch.ledger_records(), before)
        for command in (("reconcile",), ("reconcile", "--apply"),
                        ("rows", "--status", "not_sent")):
            busy = self.anywhere(batch, *command)
            self.assertEqual(busy.returncode, BUSY, busy.stdout)
            self.assertIn("a run is going on", busy.stderr)

    def test_a_dead_host_is_fenced_first(self):
        batch, _, rows = self.killed()
        self.set_hosts(batch, DEAD)
        for row in rows:
            settled = self.settle(batch, row)
            self.assertEqual(settled.returncode, ALL_PLACED, settled.stderr)
            self.assertIn("attempt begun 20", settled.stdout)
        self.assertIn("in doubt now: 0\n", settled.stdout)
        fenced = self.server.sql(
            "SELECT count(*) FROM sagorder.host WHERE fenced_at IS NOT NULL", batch.uri)
        self.assertEqual(fenced, [["1"]])
        self.assertIn("fenced", self.anywhere(batch, "status").stdout)
        again = self.settle(batch, rows[0])
        self.assertIn("already resolved", again.stdout, again.stderr)
        self.assertEqual(batch.run().returncode, ALL_PLACED)
        # What was settled from elsewhere is in no host's own file.
        whole = self.anywhere(batch, "results", "-o", batch.output)
        self.assertEqual(whole.returncode, ALL_PLACED, whole.stderr)
        self.assertEqual(batch.violations(), [])

    def put_under_way_on_another(self, batch, row):
        """A row of the dead host's, on one that is alive."""
        self.server.sql(
            "WITH live AS (INSERT INTO sagorder.host(run, name, process, heartbeat_at) "
            "SELECT id, 'another', 7, clock_timestamp() FROM sagorder.run RETURNING id) "
            f'UPDATE sagorder.attempt SET host = live.id FROM live WHERE "row" = {row}',
            batch.uri)

    def test_no_order_is_given_to_a_row_that_another_host_may_be_told_of(self):
        batch, _, rows = self.killed()
        self.set_hosts(batch, DEAD)
        self.put_under_way_on_another(batch, rows[0])
        placed = ("resolve", "--row", rows[1], "--placed", "813981303903437")
        refused = self.anywhere(batch, *placed)
        self.assertEqual(refused.returncode, BUSY, refused.stdout)
        self.assertIn(f"row {rows[0]} is under way on another (process 7", refused.stderr)
        self.assertIn("OrderId 813981303903437 may be that row's", refused.stderr)
        self.assertEqual(batch.ledger_rows()[rows[1]], "intended")
        self.set_hosts(batch, DEAD)
        self.assertEqual(self.anywhere(batch, *placed).returncode, ALL_PLACED)

    def test_nor_one_that_another_host_is_told_of_meanwhile(self):
        """Between the looks at what is placed and at what is under way, whichever comes first."""
        for behind in (b"kind <> 5 ORDER BY seq", b"AS h ON h.id = a.host"):
            with self.subTest(behind=behind):
                batch, _, rows = self.killed()
                self.set_hosts(batch, DEAD)
                self.put_under_way_on_another(batch, rows[0])
                way = self.enterContext(WayToDatabase(self.server))
                way.swallow_behind(behind)
                number = "813981303903437"
                with concurrent.futures.ThreadPoolExecutor() as others:
                    settling = others.submit(
                        batch.sagorder, "resolve", "--ledger", way.uri(batch.uri),
                        *("--row", rows[1], "--placed", number))
                    while not (way.swallows or settling.done()):
                        time.sleep(0.01)
                    self.server.sql(
                        'INSERT INTO sagorder.outcome(run, "row", seq, kind, attempt, host, at_ms, '
                        'order_id) SELECT run, "row", seq + 1000, 2, number, host, at_ms, '
                        f"'{number}' FROM sagorder.attempt WHERE \"row\" = {rows[0]}", batch.uri)
                    way.go_on()
                    refused = settling.result()
                self.assertIn(refused.returncode, (BUSY, USAGE), refused.stderr)
                self.assertEqual(batch.ledger_rows()[rows[1]], "intended")

    def test_a_range_is_given_out_again(self):
        batch, _, rows = self.killed()
        self.set_hosts(batch, DEAD)
        self.server.sql("DELETE FROM sagorder.range", batch.uri)
        self.server.sql('INSERT INTO sagorder.range(run, "first", "last", done) '
                        "SELECT id, 1, 100, true FROM sagorder.run", batch.uri)
        done = self.anywhere(batch, "resolve", "--row", rows[-1], "--not-placed", "--because",
                             "a test says so")
        self.assertEqual(done.returncode, ALL_PLACED, done.stderr)
        self.assertEqual(self.server.sql("SELECT done FROM sagorder.range", batch.uri), [["f"]])

    def test_results_of_another_batch_get_no_line(self):
        batch, _, rows = self.killed()
        self.set_hosts(batch, DEAD)
        other = self.enterContext(Batch(batch.gateway, rows=12))
        self.assertEqual(other.run().returncode, ALL_PLACED)
        lines = other.output.read_bytes()
        refused = batch.sagorder("resolve", other.output, "--ledger", batch.uri, "--row", rows[0],
                                 "--not-placed", "--because", "a slip")
        self.assertEqual(refused.returncode, USAGE, refused.stderr)
        self.assertIn("is none that this ledger knows; nothing was recorded", refused.stderr)
        self.assertEqual(other.output.read_bytes(), lines)
        self.assertEqual(batch.ledger_rows()[rows[0]], "intended")


class ResultsTest(SharedTest):
    def results(self, batch, *arguments):
        return self.anywhere(batch, "results", *arguments)

    def lines(self, path):
        with open(path, newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))

    def test_the_whole_batch_in_one_file(self):
        batch, _, rows = self.killed()
        self.set_hosts(batch, ALIVE)
        whole = batch.folder / "whole.csv"
        done = self.results(batch, "-o", whole)
        self.assertEqual(done.returncode, ALL_PLACED, done.stderr)
        self.assertIn(f"{len(rows)} under way", done.stdout)
        self.assertFalse({str(row) for row in rows} & {line["Row"] for line in self.lines(whole)})
        self.set_hosts(batch, DEAD)
        done = self.results(batch, "-o", whole)
        lines = self.lines(whole)
        doubts = [line for line in lines if line["Status"] == "in_doubt"]
        self.assertEqual([int(line["Row"]) for line in doubts], rows)
        self.assertEqual({line["Code"] for line in doubts}, {"Interrupted"})
        self.assertEqual([line["UserCount"] for line in lines], [line["Row"] for line in lines])
        self.assertRegex(done.stdout, rf"12 rows, \d+ placed, 0 rejected, {len(rows)} in doubt, ")
        settled = batch.sagorder("resolve", whole, "--ledger", batch.uri, "--row", rows[0],
                                 "--not-placed", "--because", "a test says so")
        self.assertEqual(settled.returncode, ALL_PLACED, settled.stderr)
        self.assertNotIn(str(rows[0]), [line["Row"] for line in self.lines(whole)])

    def test_it_is_what_the_run_wrote(self):
        batch = self.batch(rows=2_500, env={"SAGORDER_CARRY": "Note"})
        batch.write_orders(2_500, columns={"Note": lambda row: f"site {row}, \"north\""})
        self.assertEqual(batch.run().returncode, ALL_PLACED)
        written = sorted(batch.output.read_text(encoding="utf-8").splitlines())
        batch.output.unlink()
        done = self.results(batch, "-o", batch.output)
        self.assertEqual(done.returncode, ALL_PLACED, done.stderr)
        self.assertEqual(
            sorted(batch.output.read_text(encoding="utf-8").splitlines()), written)
        self.assertEqual(batch.violations(), [])
        self.assertEqual(batch.output.stat().st_mode & 0o777, 0o600)
        json_lines = batch.folder / "whole.jsonl"
        self.assertEqual(self.results(batch, "-o", json_lines).returncode, ALL_PLACED)
        self.assertEqual(
            len([json.loads(line) for line in json_lines.read_text().splitlines()]), 2_500)

    def test_the_input_says_which_batch_is_meant(self):
        batch = self.batch(rows=3)
        self.assertEqual(batch.run().returncode, ALL_PLACED)
        first = batch.input.rename(batch.folder / "first.csv")
        batch.write_orders(4)
        batch.output = batch.folder / "other.csv"
        self.assertEqual(batch.run().returncode, ALL_PLACED)
        which = self.results(batch, "-o", "whole.csv")
        self.assertEqual(which.returncode, USAGE, which.stderr)
        self.assertIn("has several batches", which.stderr)
        for path, rows in ((first, 3), (batch.input, 4)):
            whole = batch.folder / f"whole_{rows}.csv"
            done = self.results(batch, "--input", path, "-o", whole)
            self.assertEqual(done.returncode, ALL_PLACED, done.stderr)
            self.assertEqual(len(self.lines(whole)), rows)
        batch.write_orders(5)
        none = self.results(batch, "--input", batch.input, "-o", "whole.csv")
        self.assertEqual(none.returncode, USAGE, none.stderr)
        self.assertIn("no ledger of such a batch", none.stderr)

    def test_nothing_else_is_written_over(self):
        batch = self.batch(rows=3)
        self.assertEqual(batch.run().returncode, ALL_PLACED)
        for name, content in (("notes.csv", "a,b\n1,2\n"), ("orders.csv", None)):
            path = pathlib.Path(batch.folder, name)
            if content:
                path.write_text(content)
            before = path.read_text()
            refused = self.results(batch, "-o", path)
            self.assertEqual(refused.returncode, UNWRITABLE, refused.stderr)
            self.assertIn("not the results file of this batch", refused.stderr)
            self.assertEqual(path.read_text(), before)
        other = self.enterContext(Batch(batch.gateway, rows=3))
        self.assertEqual(other.run().returncode, ALL_PLACED)
        lines = other.output.read_bytes()
        refused = self.results(batch, "-o", other.output)
        self.assertEqual(refused.returncode, UNWRITABLE, refused.stderr)
        self.assertEqual(other.output.read_bytes(), lines)
        batch.input.write_text(batch.input.read_text().replace("cn-shanghai,1,1", "cn-beijing,1,1"))
        changed = self.results(batch, "-o", "whole.csv")
        self.assertEqual(changed.returncode, INPUT, changed.stderr)
        self.assertFalse(pathlib.Path(batch.folder, "whole.csv").exists())
        batch.input.unlink()
        gone = self.results(batch, "-o", "whole.csv")
        self.assertEqual(gone.returncode, INPUT, gone.stderr)
        self.assertIn("--input", gone.stderr)

    def test_of_a_ledger_in_a_file(self):
        gateway = self.enterContext(Gateway(faults="close-after@3"))
        batch = self.enterContext(Batch(gateway, "--max-doubts", "5", rows=12))
        self.assertEqual(batch.run().returncode, IN_DOUBT)
        written = sorted(batch.output.read_text(encoding="utf-8").splitlines())
        copy = batch.folder / "copy.csv"
        done = batch.sagorder("results", "--ledger", batch.ledger, "-o", copy)
        self.assertEqual(done.returncode, ALL_PLACED, done.stderr)
        self.assertEqual(sorted(copy.read_text(encoding="utf-8").splitlines()), written)
        batch.output.unlink()
        done = batch.sagorder("results", "-o", batch.output)
        self.assertEqual(done.returncode, ALL_PLACED, done.stderr)
        self.assertIn("12 rows, 11 placed, 0 rejected, 1 in doubt, 0 not sent", done.stdout)
        self.assertEqual(batch.violations(), [])


class ReadingTest(SharedTest):
    def test_from_a_host_that_has_no_file(self):
        batch, _, rows = self.killed()
        self.set_hosts(batch, DEAD)
        page = self.anywhere(batch, "report", "-o", "page.html")
        self.assertEqual(page.returncode, ALL_PLACED, page.stderr)
        self.assertIn(f"{len(rows)} in doubt", page.stdout)
        doubts = self.anywhere(batch, "rows", "--status", "in_doubt")
        self.assertEqual(doubts.returncode, ALL_PLACED, doubts.stderr)
        self.assertEqual(len(doubts.stdout.splitlines()), 1 + len(rows))
        early = self.anywhere(batch, "reconcile")
        self.assertEqual(early.returncode, IN_DOUBT, early.stderr)
        self.assertEqual(early.stdout.count("too early"), len(rows))


class SecrecyTest(SharedTest):
    PASSWORD = "geheim-0815"

    def commands(self, ledger):
        """Each command that takes a ledger, as it is given without a results file."""
        yield "status", "--ledger", ledger
        yield "status", "--json", "--ledger", ledger
        yield "results", "--ledger", ledger, "-o", "whole.csv"
        yield "report", "--ledger", ledger, "-o", "page.html"
        yield "rows", "--ledger", ledger, "--status", "rejected"
        yield "reconcile", "--ledger", ledger
        yield "resolve", "--ledger", ledger, "--row", "1", "--not-placed", "--because", "a test"

    def test_a_password_is_shown_nowhere(self):
        """Of a password file: the right one, a wrong one, and none."""
        batch = self.batch(rows=3, env={"PGPASSWORD": None})
        asked = self.server.ask_for(self.PASSWORD, batch.uri.split("/")[3].split("?")[0])
        batch.options[batch.options.index(batch.uri)] = batch.uri = asked
        passwords = batch.folder / "pgpass"
        passwords.touch(mode=0o600)
        for password, code in ((self.PASSWORD, ALL_PLACED), (self.PASSWORD + "x", UNWRITABLE),
                               (None, UNWRITABLE)):
            passwords.write_text(f"*:*:*:*:{password}\n" if password else "")
            outputs = [batch.run("--log-format", "json", env={"PGPASSFILE": passwords})]
            self.assertEqual(outputs[0].returncode, code, outputs[0].stderr)
            for command in self.commands(asked):
                outputs.append(batch.sagorder(*command, env={"PGPASSFILE": passwords}))
                self.assertEqual(outputs[-1].returncode == UNWRITABLE, code == UNWRITABLE,
                                 (command, outputs[-1].stderr))
            for done in outputs:
                self.assertNotIn(self.PASSWORD, done.stdout + done.stderr)
        passwords.unlink()
        for path in pathlib.Path(batch.folder).rglob("*"):
            if path.is_file():
                self.assertNotIn(self.PASSWORD.encode(), path.read_bytes(), path)

    def test_a_password_is_no_argument(self):
        batch = self.batch(rows=3)
        for uri in (f"postgresql://u:{self.PASSWORD}@localhost/x",
                    f"postgresql://localhost/x?password={self.PASSWORD}#12345678",
                    f"postgresql://localhost/x?sslpassword={self.PASSWORD}"):
            for command in (*self.commands(uri), ("reconcile", "--explained-by", uri, "r.csv")):
                done = batch.sagorder(*command)
                self.assertEqual(done.returncode, USAGE, done.stderr)
                self.assertNotIn(self.PASSWORD, done.stdout + done.stderr)
                self.assertIn("PGPASSWORD", done.stderr)


if __name__ == "__main__":
    unittest.main()

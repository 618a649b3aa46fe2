"""A batch whose ledger is in PostgreSQL: the same promises and the same commands as with a file.

The server is a real one of the tests' own (database.py). Chances come from one seed, printed at the
start; SAGORDER_SEED=N repeats it.
"""

import pathlib
import random
import signal
import subprocess
import time
import unittest

from database import Server, copy_ledger
from harness import (
    ALL_PLACED,
    IN_DOUBT,
    INPUT,
    INTERRUPTED,
    LIMIT,
    PATIENT,
    TIME_SCALE,
    UNWRITABLE,
    USAGE,
    Batch,
    Gateway,
    count_by,
    random_seed,
)

SEED = random_seed()
PASSWORD = "geheim-4711"
END_SECONDS = 8  # a run that was interrupted twice has ended by then, whatever the server does


def setUpModule():
    print(f"seed {SEED}")
    DatabaseTest.server = unittest.enterModuleContext(Server())


class DatabaseBatch(Batch):
    """A batch of a database of its own. Its records are looked at in a copy."""

    def __init__(self, server, gateway, *options, **more):
        self.server = server
        self.uri = server.new_database()
        more["env"] = {"PGPASSWORD": PASSWORD, **more.get("env", {})}
        super().__init__(gateway, "--ledger", self.uri, *options, **more)

    def ledger_records(self, *, live=False):
        copy_ledger(self.server, self.uri, self.ledger)
        return super().ledger_records()

    def violations(self, **more):
        copy_ledger(self.server, self.uri, self.ledger)
        return super().violations(**more)

    def look(self, command, *extra):
        return self.sagorder(command, self.output, "--ledger", self.uri, *extra)


class DatabaseTest(unittest.TestCase):
    server = None

    def batch(self, *options, gateway=None, **more):
        gateway = gateway or self.enterContext(Gateway(latency="2ms-20ms"))
        return self.enterContext(DatabaseBatch(self.server, gateway, *PATIENT, *options, **more))


def wait_for_orders(batch, count, process, seconds=30):
    deadline = time.monotonic() + seconds
    while len(batch.gateway.executed()) < count:
        if process.poll() is not None or time.monotonic() > deadline:
            raise AssertionError(f"the orders did not come: {batch.log.read_text()}")
        time.sleep(0.005)


def wait_for_words(batch, words, seconds=30):
    deadline = time.monotonic() + seconds * TIME_SCALE
    while words not in batch.log.read_text():
        if time.monotonic() > deadline:
            raise AssertionError(f"{words!r} was not said: {batch.log.read_text()}")
        time.sleep(0.02)


class PromisesTest(DatabaseTest):
    def test_killed_and_resumed(self):
        chance = random.Random(SEED)
        batch = self.batch(rows=400, rate="400/s")
        for _ in range(3):
            process = batch.start()
            wait_for_orders(batch, len(batch.gateway.executed()) + chance.randint(1, 80), process)
            process.kill()
            process.wait()
        done = batch.run()
        self.assertIn(done.returncode, (ALL_PLACED, IN_DOUBT), done.stderr)
        self.assertEqual(len(set(batch.executed_rows())), len(batch.executed_rows()))
        # What was under way when it was killed stays so, and has no line.
        self.assertEqual(batch.violations(finished=False, torn=True), [], f"seed {SEED}")
        states = batch.ledger_rows()
        self.assertEqual(set(states), set(range(1, 401)))
        self.assertLessEqual(set(states.values()), {"placed", "intended"})
        again = batch.run()
        self.assertEqual(again.returncode, done.returncode)
        self.assertEqual(len(batch.results()), count_by(states.values())["placed"])

    def test_the_server_crashes(self):
        """What was committed is kept; an unknown commit is looked up, and then the run goes on."""
        batch = self.batch(rows=300, rate="400/s")
        process = batch.start()
        wait_for_orders(batch, 100, process)
        self.server.crash()
        refused = batch.sagorder("status", "--ledger", batch.uri)
        self.assertEqual(refused.returncode, UNWRITABLE, refused.stderr)
        self.assertIn("cannot connect", refused.stderr)
        self.server.start()
        self.assertEqual(process.wait(60), ALL_PLACED, batch.log.read_text())
        self.assertEqual(len(set(batch.executed_rows())), 300)
        self.assertEqual(batch.violations(), [])

    def test_an_interrupt_twice_gives_an_unknown_commit_up(self):
        batch = self.batch(rows=300, rate="400/s")
        process = batch.start()
        wait_for_orders(batch, 50, process)
        self.server.crash()
        time.sleep(0.5)
        for _ in range(2):
            process.send_signal(signal.SIGINT)
            time.sleep(0.5)
        self.assertIn(process.wait(60), (UNWRITABLE, INTERRUPTED), batch.log.read_text())
        self.server.start()
        runs = batch.run_until_finished()
        self.assertIn(runs[-1].returncode, (ALL_PLACED, IN_DOUBT), runs[-1].stderr)
        self.assertEqual(len(set(batch.executed_rows())), len(batch.executed_rows()))

    def test_an_interrupt_twice_ends_it_while_the_server_stands_still(self):
        """Within seconds, and nothing that may have been ordered is passed over in silence."""
        gateway = self.enterContext(Gateway(latency="20ms-60ms"))
        batch = self.batch(rows=300, rate="200/s", gateway=gateway)
        process = batch.start()
        wait_for_orders(batch, 50, process)
        self.addCleanup(self.server.thaw)
        self.server.freeze()
        time.sleep(0.5)  # all answers are there, and nobody can record them
        process.send_signal(signal.SIGINT)
        wait_for_words(batch, "nothing more is sent; waiting for the ledger to record")
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(END_SECONDS * TIME_SCALE), UNWRITABLE, batch.log.read_text())
        said = batch.log.read_text()
        self.assertIn("interrupted again: waiting for the ledger to record", said)
        self.assertNotIn("nothing is under way", said)
        summary = batch.summary()
        not_known = summary["rows_not_known"]
        self.assertEqual(len(not_known), summary["batch"]["not_known"])
        self.assertRegex(said, rf"\n  not known +{len(not_known)}  begun")
        self.assertIn(f"not known: row", said)
        settled = {int(line["Row"]) for line in batch.results()}
        self.assertLessEqual(set(batch.executed_rows()) - settled, set(not_known))
        self.assertFalse(settled & set(not_known))
        self.assertEqual(summary["batch"]["not_sent"], 300 - len(settled) - len(not_known))
        self.server.thaw()
        runs = batch.run_until_finished()
        self.assertIn(runs[-1].returncode, (ALL_PLACED, IN_DOUBT), runs[-1].stderr)
        self.assertEqual(len(set(batch.executed_rows())), len(batch.executed_rows()))

    def idle_and_frozen(self, *options):
        """A run that waits for its next token, and a server that stands still."""
        batch = self.batch(*options, rows=30, rate="1/h")
        process = batch.start()
        wait_for_orders(batch, 1, process)
        time.sleep(0.5)  # its outcome is durable
        self.addCleanup(self.server.thaw)
        self.server.freeze()
        return batch, process

    def assert_ends_in_order(self, batch, process):
        self.assertEqual(process.wait(END_SECONDS * TIME_SCALE), UNWRITABLE)
        wait_for_words(batch, "what other hosts did could not be read")
        self.assertEqual(batch.summary()["exit_code"], UNWRITABLE)

    def test_the_end_of_grace_while_nothing_is_under_way_and_the_server_stands_still(self):
        batch, process = self.idle_and_frozen("--grace", "2s")
        process.send_signal(signal.SIGTERM)
        self.assert_ends_in_order(batch, process)

    def test_interrupts_far_apart_while_the_server_stands_still(self):
        """The goodbye is given up by then, and what other hosts did is asked for."""
        batch, process = self.idle_and_frozen()
        process.send_signal(signal.SIGINT)
        wait_for_words(batch, "nothing is under way; the database is told")
        time.sleep(8)
        process.send_signal(signal.SIGINT)
        wait_for_words(batch, "interrupted: the database is waited for 3 s more")
        self.assert_ends_in_order(batch, process)

    def test_an_interrupt_just_after_connections_were_cut(self):
        """They are made anew to look back."""
        for _ in range(3):
            batch = self.batch(rows=30, rate="1/h")
            process = batch.start()
            wait_for_orders(batch, 1, process)
            time.sleep(0.5)  # its outcome is durable
            self.server.sql(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = "
                "'sagorder'")
            process.send_signal(signal.SIGINT)
            self.assertEqual(process.wait(END_SECONDS * TIME_SCALE), LIMIT, batch.log.read_text())

    def test_an_interrupt_while_nothing_is_under_way_and_the_server_stands_still(self):
        batch, process = self.idle_and_frozen()
        for words in ("nothing is under way", "the database is waited for"):
            process.send_signal(signal.SIGINT)
            wait_for_words(batch, words)
        process.wait(END_SECONDS * TIME_SCALE)

    def test_the_same_content_is_the_same_batch(self):
        """From another place, with another output: nothing is ordered twice."""
        batch = self.batch(rows=20)
        self.assertEqual(batch.run().returncode, ALL_PLACED)
        elsewhere = self.enterContext(Batch(batch.gateway, "--ledger", batch.uri, rows=20))
        done = elsewhere.run()
        self.assertEqual(done.returncode, ALL_PLACED, done.stderr)
        self.assertEqual(len(batch.gateway.executed()), 20)
        self.assertEqual(elsewhere.results(), [], "their lines are in the file of who ordered them")
        digest = self.server.sql("SELECT input_sha256 FROM sagorder.run", batch.uri)[0][0]
        elsewhere.write_orders(10)
        elsewhere.options[elsewhere.options.index(batch.uri)] = f"{batch.uri}#{digest[:10]}"
        other = elsewhere.run()
        self.assertEqual(other.returncode, INPUT, other.stderr)
        self.assertEqual(len(batch.gateway.executed()), 20)


class CommandsTest(DatabaseTest):
    def test_doubts_are_seen_and_settled(self):
        gateway = self.enterContext(Gateway(faults="close-after@3"))
        batch = self.batch(gateway=gateway, rows=12, env={"SAGORDER_MAX_DOUBTS": "5"})
        done = batch.run()
        self.assertEqual(done.returncode, IN_DOUBT, done.stderr)
        (row,) = [line["Row"] for line in batch.results() if line["Status"] == "in_doubt"]
        status = batch.look("status")
        self.assertRegex(status.stdout, r"in doubt +1\n")
        self.assertIn(f"resolve {batch.output} --ledger '{batch.uri}'", status.stdout)
        rows = batch.look("rows", "--status", "in_doubt")
        self.assertEqual(rows.stdout.splitlines()[1].split(",")[2], row)
        page = batch.look("report", "-o", "page.html")
        self.assertIn("12 rows, 11 placed, 1 in doubt", page.stdout, page.stderr)
        early = batch.look("reconcile")
        self.assertEqual(early.returncode, IN_DOUBT, early.stderr)
        self.assertIn("too early", early.stdout)
        (order,) = [each for each in gateway.executed() if each["user_count"] == int(row)]
        settled = batch.look("resolve", "--row", row, "--placed", order["order_id"])
        self.assertEqual(settled.returncode, ALL_PLACED, settled.stderr)
        self.assertEqual(batch.statuses(), {"placed": 12})
        self.assertEqual(batch.violations(), [])
        self.assertEqual(
            self.server.sql("SELECT state, count(*) FROM sagorder.orders GROUP BY 1", batch.uri),
            [["placed", "12"]],
        )

    def test_what_is_not_there(self):
        batch = self.batch(rows=3)
        missing = batch.look("status")
        self.assertEqual(missing.returncode, USAGE, missing.stderr)
        self.assertIn("no ledger", missing.stderr)
        made = self.server.sql("SELECT 1 FROM pg_namespace WHERE nspname = 'sagorder'", batch.uri)
        self.assertEqual(made, [])

    def test_a_pooler_is_refused(self):
        pooler = self.server.start_pooler()
        batch = self.batch(rows=3)
        batch.options[batch.options.index(batch.uri)] = self.server.uri(folder=pooler)
        done = batch.run()
        self.assertEqual(done.returncode, UNWRITABLE, done.stderr)
        self.assertIn("pooler", done.stderr)
        self.assertEqual(batch.gateway.executed(), [])


class SecrecyTest(DatabaseTest):
    def test_a_password_is_shown_nowhere(self):
        """PGPASSWORD is asked for and used, and is in nothing that is written."""
        batch = self.batch(rows=20)
        name = batch.uri.split("/")[3].split("?")[0]
        asked = self.server.ask_for(PASSWORD, name)
        batch.options[batch.options.index(batch.uri)] = asked
        batch.uri = asked
        wrong = batch.run(env={"PGPASSWORD": "another"})
        self.assertEqual(wrong.returncode, UNWRITABLE, wrong.stderr)
        self.assertIn("password authentication failed", wrong.stderr)
        outputs = [
            batch.run("--log-format", "json"),
            batch.look("status"),
            batch.look("status", "--json"),
            batch.look("report", "-o", "page.html"),
            batch.sagorder("config", "show"),
        ]
        self.assertEqual(outputs[0].returncode, ALL_PLACED, outputs[0].stderr)
        for done in outputs:
            self.assertNotIn(PASSWORD, done.stdout + done.stderr)
        facts = subprocess.run(
            ["psql", "-XAtq", "-c", "SELECT value FROM sagorder.fact", batch.uri],
            env=batch.env,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        self.assertIn("orders.csv", facts)
        self.assertNotIn(PASSWORD, facts)
        for path in pathlib.Path(batch.folder).rglob("*"):
            if path.is_file():
                self.assertNotIn(PASSWORD.encode(), path.read_bytes(), path)

    def test_a_password_is_no_argument(self):
        batch = self.batch(rows=3)
        for uri in (
            f"postgresql://u:{PASSWORD}@localhost/x",
            f"postgresql://localhost/x?password={PASSWORD}",
            f"postgresql://u:{PASSWORD}@localhost:port/x",
        ):
            for arguments in (("--ledger", uri), (uri,), ("--ledgr", uri), (f"--ledgr={uri}",)):
                done = batch.sagorder("status", batch.output, *arguments)
                self.assertEqual(done.returncode, USAGE, done.stderr)
                self.assertNotIn(PASSWORD, done.stdout + done.stderr)


if __name__ == "__main__":
    unittest.main()

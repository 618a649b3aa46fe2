"""`run --metrics` and `--metrics-listen`: what a monitoring system reads, and what it cannot do."""

import http.client
import re
import shutil
import socket
import stat

from cases import end, wait_until
from command_cases import ONE_BY_ONE, ROWS, CommandTest
from harness import ALL_PLACED, IN_DOUBT, USAGE

SAMPLE = re.compile(r'([a-z_]+(?:\{(?:[a-z]+="(?:[^"\\]|\\.)*",?)+\})?) (\S+)')


def samples_of(text):
    """Sample to its number; every line that is none is a comment of the format."""
    samples = {}
    for line in text.splitlines():
        if not line.startswith(("# HELP ", "# TYPE ")):
            name, number = SAMPLE.fullmatch(line).groups()
            samples[name] = float(number)
    return samples


class MetricsFile(CommandTest):
    def written(self, batch):
        return samples_of((batch.folder / "m.prom").read_text())

    def test_at_the_end(self):
        faults = "close-after@2,code:QuotaExceeded@3"
        batch = self.quiet_batch(self.gateway(faults=faults), *ONE_BY_ONE)
        self.assert_ended(batch.run("--metrics", "m.prom"), IN_DOUBT)
        found = self.written(batch)
        for state, count in (("placed", 4), ("rejected", 1), ("in_doubt", 1), ("not_sent", 0)):
            self.assertEqual(found[f'sagorder_batch_rows{{state="{state}"}}'], count)
        wanted = {"sagorder_run_over": 1, "sagorder_run_exit_code": IN_DOUBT}
        wanted |= {"sagorder_requests_total": ROWS, "sagorder_requests_on_wire": 0}
        wanted['sagorder_outcomes_by_code_total{code="QuotaExceeded",outcome="rejected"}'] = 1
        self.assertEqual({name: found.get(name) for name in wanted}, wanted)
        waited = sum(v for k, v in found.items() if k.startswith("sagorder_waited_seconds_total"))
        self.assertAlmostEqual(waited, batch.summary()["run"]["elapsed_s"], delta=0.5)
        self.assertEqual(stat.S_IMODE((batch.folder / "m.prom").stat().st_mode), 0o600)
        self.assertEqual(batch.run("--metrics", "m.prom").returncode, IN_DOUBT)
        self.assertEqual(self.written(batch)["sagorder_requests_total"], 0, "a run of its own")

    def test_while_it_runs(self):
        batch = self.quiet_batch(self.gateway(latency="200ms"), *ONE_BY_ONE)
        process = self.started(batch, "--metrics", "m.prom")
        self.assertEqual(self.written(batch)["sagorder_run_over"], 0)
        self.assertEqual(process.wait(timeout=30), ALL_PLACED)
        self.assertEqual(self.written(batch)["sagorder_run_over"], 1)
        self.assertEqual([path.name for path in batch.folder.glob("m.prom*")], ["m.prom"])

    def test_that_cannot_be_written(self):
        """The orders do not depend on it."""
        batch = self.quiet_batch(self.gateway(latency="200ms"), *ONE_BY_ONE)
        place = batch.folder / "metrics"
        place.mkdir()
        process = self.started(batch, "--metrics", "metrics/m.prom")
        shutil.rmtree(place)
        self.assertEqual(process.wait(timeout=30), ALL_PLACED)
        self.assertEqual(batch.log.read_text().count("metrics/m.prom"), 1, "said once")
        self.assert_all_ordered_once(batch)

    def test_in_the_place_of_another_file(self):
        batch = self.quiet_batch(self.gateway())
        self.assert_ended(batch.run("--metrics", batch.input), USAGE, "same file")
        self.assert_ended(batch.run("--metrics", ""), USAGE, "--metrics needs a path")


class MetricsServed(CommandTest):
    def serving(self, *options, latency="100ms", rows=30):
        """A run that goes on, and the port of its metrics."""
        batch = self.quiet_batch(self.gateway(latency=latency), *ONE_BY_ONE, *options, rows=rows)
        process = self.started(batch, "--metrics-listen", "0")
        found = re.search(r"metrics are at http://127\.0\.0\.1:(\d+)/metrics", batch.log.read_text())
        return batch, process, int(found[1])

    def get(self, port, path="/metrics", method="GET"):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        connection.request(method, path)
        answer = connection.getresponse()
        return answer, answer.read().decode()

    def test_answers(self):
        batch, process, port = self.serving()
        answer, text = self.get(port)
        self.assertEqual(answer.status, 200)
        self.assertEqual(answer.headers["Content-Type"], "text/plain; version=0.0.4; charset=utf-8")
        self.assertGreaterEqual(samples_of(text)['sagorder_batch_rows{state="placed"}'], 0)
        self.assertEqual(samples_of(text)["sagorder_run_over"], 0)
        self.assertEqual(self.get(port, "/")[0].status, 404)
        self.assertEqual(self.get(port, method="POST")[0].status, 405)
        answer, text = self.get(port, method="HEAD")
        self.assertEqual((answer.status, text), (200, ""))
        self.assertEqual(process.wait(timeout=60), ALL_PLACED)
        self.assert_all_ordered_once(batch)
        with self.assertRaises(OSError):
            socket.create_connection(("127.0.0.1", port), timeout=5)

    def test_scrapers_that_are_slow_or_hostile(self):
        """Connections that say nothing, half a request, or too much; and one that reads nothing."""
        batch, process, port = self.serving()
        words = [b"", b"GET /met", b"GET / HTTP/1.1\r\nX: " + b"x" * 100_000, b"\0\xff" * 50]
        heard = 0
        for number in range(24):
            try:
                stream = socket.create_connection(("127.0.0.1", port), timeout=0.5)
                self.addCleanup(stream.close)
                stream.sendall(words[number % len(words)])
                heard += 1
            except OSError:
                pass  # it has to wait for its turn
        self.assertGreater(heard, 4)
        self.assertEqual(process.wait(timeout=60), ALL_PLACED, batch.log.read_text())
        self.assert_all_ordered_once(batch)

    def test_an_address_that_is_taken(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            batch = self.quiet_batch(self.gateway())
            done = batch.run("--metrics-listen", taken.getsockname()[1])
            self.assert_ended(done, USAGE, "--metrics-listen", "another port")
            self.assert_nothing_reached(batch.gateway, connections=0)
            self.assert_no_files(batch)

    def test_addresses_that_are_none(self):
        batch = self.quiet_batch(self.gateway())
        for address in (":9464", "*:9464", "example.com:9464", "::1:9464", "65536", "127.0.0.1"):
            self.assert_ended(batch.run("--metrics-listen", address), USAGE, "--metrics-listen")

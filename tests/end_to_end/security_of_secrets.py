"""A canary in place of the AccessKeySecret and of the security token: it stands nowhere afterwards.

Looked for in everything that the program says, in every file that it makes, and in its command
line; over every fault of the gateway, and against a server that repeats what it knows in every
place and every form. failures_of_credentials.Secrecy has the plain cases.
"""

import json
import pathlib
import urllib.parse

from cases import ProgramTest, replaced
from fault_cases import AT_REQUEST
from harness import IN_DOUBT, PATIENT
from hostile import Hostile, http, order_body, order_id_of

ONE_BY_ONE = ("--connections", "1", "--max-in-flight", "1")
ID = "canaryid"
SECRET = "CanarySecret0d1e2f3a4b"
INNER_TOKEN = "CanaryToken9b8c7d6e5f"
TOKEN = f"CAIS+/{INNER_TOKEN}=="
SIGNATURES = ("acs3-hmac-sha256", "hmac-sha1")


class Canary(ProgramTest):
    ENVIRONMENT = {
        "ALIBABA_CLOUD_ACCESS_KEY_ID": ID,
        "ALIBABA_CLOUD_ACCESS_KEY_SECRET": SECRET,
        "ALIBABA_CLOUD_SECURITY_TOKEN": TOKEN,
    }

    def canary(self, gateway, *options, **named):
        options = (*ONE_BY_ONE, *PATIENT, "--request-timeout", "1s", *options)
        return self.batch(gateway, *options, env=self.ENVIRONMENT, **named)

    def assert_silent(self, batch, *runs):
        """Whatever was said and made, and nothing was left out of the look."""
        for run in runs:
            self.assert_none(run.stdout + run.stderr, run.args)
        paths = [path for path in batch.folder.rglob("*") if path.is_file()]
        names = {path.name for path in paths}
        self.assertLessEqual({"results.csv", "results.csv.ledger", "summary.json"}, names)
        self.assertTrue([path for path in paths if path.parent.name == "batches"], names)
        for path in paths:
            self.assert_none(path.read_bytes().decode("latin-1"), path)
            self.assert_none(str(path), path)

    def assert_none(self, text, where):
        for secret in (SECRET, INNER_TOKEN):
            self.assertNotIn(secret, text, where)

    def commands(self, batch, *options):
        """Everything that can be asked of a batch, in every form of log and progress."""
        command = batch.command(*options)[1:]
        yield batch.run("--dry-run", *options)
        yield batch.sagorder(*replaced(command, progress="plain"))
        yield batch.sagorder(*replaced(command, progress="json"), "--log-format", "json")
        yield batch.sagorder("check", batch.input)
        yield batch.sagorder("status", batch.output)

    def test_over_all_faults(self):
        """Each fault once, a row each; under the older signature those that do not wait."""
        stopping = ("code:SignatureDoesNotMatch", "code:InvalidSecurityToken.Malformed")
        waiting = [kind for kind, case in AT_REQUEST.items() if case.attempts > 1]
        waiting += ["never-before", "never-after", "dribble"]
        for signature in SIGNATURES:
            with self.subTest(signature=signature):
                left_out = waiting if signature == SIGNATURES[1] else ()
                kinds = [kind for kind in (*AT_REQUEST, *stopping) if kind not in left_out]
                faults = ",".join(f"{kind}@{number}" for number, kind in enumerate(kinds, start=1))
                gateway = self.gateway("--access-key", f"{ID}:{SECRET}:{TOKEN}", faults=faults)
                batch = self.canary(gateway, "--signature", signature, rows=len(kinds))
                runs = [batch.run(), *self.commands(batch)]
                self.assertEqual(runs[-4].returncode, IN_DOUBT, runs[-4].stderr)
                self.assert_silent(batch, *runs)
                self.assertLessEqual(set(kinds), set(gateway.counts()["faults"]))

    def places(self, said):
        """Answers that say `said` in every place that an answer has."""
        text = json.dumps(said)[1:-1]
        plain = said.encode("latin-1")
        named = {"Message": said, "RequestId": "R", "HostId": said, "Recommend": said}
        for status in (400, 403, 500, 200):
            yield http(status, json.dumps({"Code": "InvalidParameter", **named}).encode())
            yield http(status, json.dumps({"Code": "Unheard", **named}).encode())
        for field in ("Code", "RequestId", "Message"):
            error = {"Code": "InvalidParameter", "Message": "m", "RequestId": "R", field: said}
            yield http(400, json.dumps(error).encode())
            xml = "".join(f"<{name}>{value}</{name}>" for name, value in error.items())
            yield http(400, f"<?xml version='1.0'?><Error>{xml}</Error>".encode())
        for field in ("SmartAGId", "RequestId", "Message"):
            yield http(200, order_body(1, **{field: said}))
        yield http(200, f'{{"OrderId":"{text}"}}'.encode())
        yield http(502, f"<html>{said}</html>".encode())
        yield http(200, b"x" * 490 + plain)  # across the end of what is kept
        for field in ("Date", "Content-Type", "x-acs-retry-after", "X-RateLimit-User", "Location"):
            yield http(302, b"{}", f"{field}: {said}")
        yield http(400, b"{}", reason=said)
        yield b"HTTP/1.1 400 X\r\n" + plain + b": x\r\n\r\n"
        yield plain

    def forms(self):
        for secret in (SECRET, TOKEN):
            once = urllib.parse.quote(secret, safe="")
            yield secret
            yield once
            yield urllib.parse.quote(once, safe="")
        yield f"SecurityToken={TOKEN}&AccessKeySecret={SECRET}"
        yield f"[{SECRET}{SECRET}{TOKEN}]"

    def test_against_an_echo(self):
        answers = [answer for said in self.forms() for answer in self.places(said)]

        def script(peer):
            while peer.read_request():
                answer = answers[peer.row - 1]
                whole = b"Content-Length" in answer
                peer.send(answer.replace(order_id_of(1).encode(), order_id_of(peer.row).encode()))
                if not whole:
                    return

        server = self.enterContext(Hostile(script))
        batch = self.canary(server, rows=len(answers))
        runs = list(self.commands(batch))
        self.assertEqual(runs[1].returncode, IN_DOUBT, runs[1].stderr)
        self.assertEqual(len(batch.results()), len(answers))
        self.assertGreater(batch.statuses()["placed"], 20)
        self.assert_silent(batch, *runs)

    def test_against_a_server_that_sends_the_request_back(self):
        """Header, query and body of what it was sent, the token in them."""
        for signature in SIGNATURES:
            with self.subTest(signature=signature):

                def script(peer):
                    while peer.read_request():
                        request = peer.request
                        text = request.decode("latin-1")
                        error = {"Code": "SignatureDoesNotMatch", "RequestId": "R"}
                        body = (
                            request,
                            json.dumps({**error, "Code": "Unheard", "Message": text}).encode(),
                            b"<html><pre>" + request + b"</pre></html>",
                            urllib.parse.quote(request).encode(),
                        )[peer.row % 4]
                        peer.send(http(400, body))

                server = self.enterContext(Hostile(script))
                batch = self.canary(server, "--signature", signature, rows=8)
                runs = list(self.commands(batch))
                self.assertEqual(len(server.requests), 8)
                self.assert_silent(batch, *runs)

    def test_of_the_running_process(self):
        gateway = self.gateway("--access-key", f"{ID}:{SECRET}:{TOKEN}", latency="30ms")
        batch = self.canary(gateway, rows=60)
        process = self.started(batch)
        folder = pathlib.Path("/proc", str(process.pid))
        for name in ("cmdline", "comm", "status", "maps"):
            self.assert_none((folder / name).read_bytes().decode("latin-1"), name)
        for path in batch.folder.rglob("*"):  # also what is there for a while only
            if path.is_file():
                self.assert_none(path.read_bytes().decode("latin-1"), path)
        self.assertEqual(process.wait(timeout=60), 0)
        self.assert_none(batch.log.read_text(), "log")

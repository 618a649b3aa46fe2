"""The canaries of security_of_secrets again, with a key that was fetched; and against places that
hand out keys and repeat what they were asked with.
"""

import http.server
import json
import pathlib
import threading

from harness import CREDENTIALS
from hostile import Hostile, http as http_answer
from key_cases import NO_KEY, ROLE
from security_of_secrets import ID, INNER_TOKEN, SECRET, TOKEN, Canary

OIDC_TOKEN = "eyCanary.OidcToken0a1b2c.w"


class KeyPlace(http.server.BaseHTTPRequestHandler):
    """A credentials URI whose key is the canary."""

    asked = 0

    def do_GET(self):
        KeyPlace.asked += 1
        names = ("AccessKeyId", "AccessKeySecret", "SecurityToken", "Expiration")
        body = json.dumps(dict(zip(names, (ID, SECRET, TOKEN, "2099-01-01T00:00:00Z")))).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *ignored):
        """Says nothing."""


class FetchedCanary(Canary):
    def setUp(self):
        KeyPlace.asked = 0
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), KeyPlace)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        uri = f"http://127.0.0.1:{server.server_port}/"
        self.ENVIRONMENT = {**NO_KEY, "ALIBABA_CLOUD_CREDENTIALS_URI": uri}

    def assert_silent(self, batch, *runs):
        self.assertGreater(KeyPlace.asked, 0, "another key was used")
        super().assert_silent(batch, *runs)

    def refused_by(self, script, *, oidc):
        """A run whose role is assumed at a server of that script."""
        server = self.enterContext(Hostile(script))
        batch = self.batch(server, rows=1, env=NO_KEY)
        if oidc:
            token = self.folder() / "token"
            token.write_text(OIDC_TOKEN)
            batch.env["ALIBABA_CLOUD_ROLE_ARN"] = ROLE
            batch.env["ALIBABA_CLOUD_OIDC_PROVIDER_ARN"] = "acs:ram::1:oidc-provider/p"
            batch.env["ALIBABA_CLOUD_OIDC_TOKEN_FILE"] = str(token)
        else:
            base = {"name": "base", "mode": "StsToken", "access_key_id": ID}
            base |= {"access_key_secret": SECRET, "sts_token": TOKEN}
            role = {"name": "role", "mode": "ChainableRamRoleArn", "source_profile": "base"}
            role["ram_role_arn"] = ROLE
            path = pathlib.Path(batch.env["HOME"], ".aliyun", "config.json")
            path.parent.mkdir()
            path.write_text(json.dumps({"current": "role", "profiles": [base, role]}))
            path.chmod(0o600)
        flags = ("--sts-endpoint", server.endpoint, "--log-format", "json")
        done = batch.run(*flags)
        self.assertEqual(done.returncode, CREDENTIALS, done.stderr)
        self.assertTrue(server.requests)
        for secret in (SECRET, INNER_TOKEN, "OidcToken0a1b2c"):
            self.assertNotIn(secret, done.stdout + done.stderr)
        self.assertFalse(batch.ledger.exists())

    def test_against_sts_that_sends_the_request_back(self):
        canary = {"AccessKeyId": ID, "AccessKeySecret": SECRET, "SecurityToken": TOKEN}

        def answers(request):
            text = request.decode("latin-1")
            error = {"Code": "AuthenticationFail", "RequestId": "R", "Message": text}
            yield http_answer(400, json.dumps(error).encode())
            yield http_answer(400, json.dumps({**error, "Code": text[-100:]}).encode())
            yield http_answer(200, request)
            yield http_answer(404, b"<html>" + request + b"</html>")
            yield http_answer(200, json.dumps({"Credentials": canary}).encode())  # no Expiration
            late = {**canary, "Expiration": "2001-01-01T00:00:00Z"}
            yield http_answer(200, json.dumps({"Credentials": late}).encode())
            yield b"HTTP/1.1 400 " + request[-60:].replace(b"\r\n", b" ") + b"\r\n\r\n"

        for oidc in (False, True):
            for number in range(7):
                with self.subTest(oidc=oidc, answer=number):

                    def script(peer, number=number):
                        if peer.read_request():
                            peer.send(list(answers(peer.request))[number])

                    self.refused_by(script, oidc=oidc)

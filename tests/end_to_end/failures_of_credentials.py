"""Who may order, and that nobody else learns the secret.

Of every refusal: the exit code, the words that a person needs, that nothing was sent where it says
so, and that the same command goes on once the cause is mended.
"""

import json
import os
import pathlib
import shutil
import stat
import subprocess

from cases import ProgramTest, end, replaced, said, wait_until
from harness import ALL_PLACED, CREDENTIALS, SAGORDER
from impostor import Listener, Server, answering, make_authority, make_certificate

ROWS = 6
ONE_BY_ONE = ("--connections", "1", "--max-in-flight", "1")
IS_ROOT = os.geteuid() == 0
NOBODY = 65534


class Credentials(ProgramTest):
    """Who may order, and where that is read from."""

    NONE = {"ALIBABA_CLOUD_ACCESS_KEY_ID": None, "ALIBABA_CLOUD_ACCESS_KEY_SECRET": None}

    def config(self, batch, profiles, mode=0o600, current="default"):
        """Writes ~/.aliyun/config.json."""
        path = pathlib.Path(batch.env["HOME"], ".aliyun", "config.json")
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps({"current": current, "profiles": profiles}))
        path.chmod(mode)
        return path

    @staticmethod
    def profile(name, secret="testsecret", **more):
        usual = {"name": name, "mode": "AK", "access_key_id": "testid"}
        return {**usual, "access_key_secret": secret, **more}

    def assert_rejected_by_the_gateway(self, batch, *words):
        """Stops at once: what meets one row meets all. Then the right ones place every row."""
        done = batch.run()
        self.assert_ended(done, CREDENTIALS, "stopped", *words)
        counts = batch.gateway.counts()
        self.assertGreaterEqual(counts["requests"], 1)
        self.assertLessEqual(counts["requests"], 2)
        self.assertEqual(batch.gateway.executed(), [])
        self.assertEqual(batch.summary()["batch"]["not_sent"], batch.rows)
        self.assertIn(batch.summary()["next_command"], done.stderr)
        batch.gateway.start()

    def test_wrong_secret(self):
        batch = self.batch(self.gateway(), rows=40)
        right = dict(batch.env)
        batch.env["ALIBABA_CLOUD_ACCESS_KEY_SECRET"] = "wrong"
        self.assert_rejected_by_the_gateway(batch, "SignatureDoesNotMatch", "credentials")
        batch.env = right
        self.assert_places_all(batch)

    def test_wrong_secret_of_the_older_signature(self):
        batch = self.batch(self.gateway(), "--signature", "hmac-sha1", rows=40)
        right = dict(batch.env)
        batch.env["ALIBABA_CLOUD_ACCESS_KEY_SECRET"] = "wrong"
        self.assert_rejected_by_the_gateway(batch, "SignatureDoesNotMatch")
        batch.env = right
        self.assert_places_all(batch)

    def test_unknown_access_key(self):
        batch = self.batch(self.gateway(), rows=40)
        right = dict(batch.env)
        batch.env["ALIBABA_CLOUD_ACCESS_KEY_ID"] = "nobody"
        self.assert_rejected_by_the_gateway(batch, "InvalidAccessKeyId")
        batch.env = right
        self.assert_places_all(batch)

    def test_none(self):
        batch = self.batch(self.gateway(), rows=ROWS, env=self.NONE)
        self.assert_mended(
            batch,
            lambda: self.config(batch, [self.profile("default")]),
            *(CREDENTIALS, "no access key", "ALIBABA_CLOUD_ACCESS_KEY_ID", "config.json"),
        )

    def test_half_of_the_environment(self):
        for missing in self.NONE:
            with self.subTest(missing=missing):
                batch = self.batch(self.gateway(), rows=ROWS)
                whole = dict(batch.env)
                self.config(batch, [self.profile("default")])  # must not be mixed in
                del batch.env[missing]

                def put_back(batch=batch, whole=whole):
                    batch.env = whole

                self.assert_mended(batch, put_back, CREDENTIALS, "half set", missing)

    def test_a_secret_with_a_line_end(self):
        batch = self.batch(self.gateway(), rows=ROWS)
        whole = dict(batch.env)
        batch.env["ALIBABA_CLOUD_ACCESS_KEY_SECRET"] = "testsecret\n"

        def put_back():
            batch.env = whole

        self.assert_mended(batch, put_back, CREDENTIALS, "line end", "copy it again")

    def test_a_config_that_others_may_read(self):
        batch = self.batch(self.gateway(), rows=ROWS, env=self.NONE)
        path = self.config(batch, [self.profile("default")], mode=0o644)
        done = self.assert_mended(
            batch, lambda: path.chmod(0o600), CREDENTIALS, "config.json", "chmod 600"
        )
        self.assertNotIn("testsecret", said(done))

    def test_choice_of_a_profile(self):
        """The flag goes before the environment, the variable before the file's `current`."""
        wrong, right = self.profile("wrong", "wrong"), self.profile("right")
        cases = (
            ({}, (), "wrong", CREDENTIALS),
            ({}, (), "right", ALL_PLACED),
            ({"ALIBABA_CLOUD_PROFILE": "right"}, (), "wrong", ALL_PLACED),
            ({"ALIBABA_CLOUD_PROFILE": "right"}, ("--profile", "wrong"), "right", CREDENTIALS),
            ({"ALIBABA_CLOUD_PROFILE": "wrong"}, ("--profile", "right"), "wrong", ALL_PLACED),
        )
        gateway = self.gateway()
        for env, flags, current, code in cases:
            with self.subTest(env=env, flags=flags, current=current):
                batch = self.batch(gateway, rows=1, env={**self.NONE, **env})
                self.config(batch, [wrong, right], current=current)
                self.assert_ended(batch.run(*flags), code)

    def test_a_profile_goes_before_the_environments_key(self):
        batch = self.batch(self.gateway(), rows=ROWS)
        batch.env["ALIBABA_CLOUD_ACCESS_KEY_SECRET"] = "wrong"
        self.config(batch, [self.profile("right")])
        self.assert_places_all(batch, "--profile", "right")

    def test_unknown_profile(self):
        batch = self.batch(self.gateway(), rows=ROWS)
        self.config(batch, [self.profile("default")])
        done = batch.run("--profile", "prod")
        self.assert_ended(done, CREDENTIALS, 'no profile "prod"')
        self.assert_nothing_reached(batch.gateway)

    def test_damaged_config(self):
        batch = self.batch(self.gateway(), rows=ROWS, env=self.NONE)
        path = self.config(batch, [self.profile("default")])
        whole = path.read_text()
        path.write_text(whole[:-9])
        done = self.assert_mended(
            batch, lambda: path.write_text(whole), CREDENTIALS, "config.json", "JSON"
        )
        self.assertNotIn("testsecret", said(done))

    def test_mode_that_is_not_supported(self):
        batch = self.batch(self.gateway(), rows=ROWS, env=self.NONE)
        self.config(batch, [self.profile("default", mode="CloudSSO")])
        self.assert_ended(batch.run(), CREDENTIALS, "CloudSSO", "not supported", "StsToken")
        self.assert_nothing_reached(batch.gateway)

    def test_temporary_credentials(self):
        """From a profile of mode StsToken, from the environment, and under both signatures."""
        gateway = self.gateway("--access-key", "testid:testsecret:testtoken")
        profile = self.profile("default", mode="StsToken", sts_token="testtoken")
        for signature in ("acs3-hmac-sha256", "hmac-sha1"):
            with self.subTest(signature=signature):
                options = ("--signature", signature)
                batch = self.batch(gateway, *options, rows=1, env=self.NONE)
                self.config(batch, [profile])
                self.assert_ended(batch.run(), ALL_PLACED)
                token = {"ALIBABA_CLOUD_SECURITY_TOKEN": "testtoken"}
                batch = self.batch(gateway, *options, rows=1, env=token)
                self.assert_ended(batch.run(), ALL_PLACED)
        self.assertEqual(len(gateway.executed()), 4)

    def test_expired_token(self):
        gateway = self.gateway("--access-key", "testid:testsecret:testtoken")
        batch = self.batch(gateway, rows=40, env={"ALIBABA_CLOUD_SECURITY_TOKEN": "old"})
        self.assert_rejected_by_the_gateway(batch, "InvalidSecurityToken")
        batch.env["ALIBABA_CLOUD_SECURITY_TOKEN"] = "testtoken"
        self.assert_places_all(batch)

    def test_permission_refused(self):
        gateway = self.gateway(faults="code:Forbidden.RAM:403@1-2")
        batch = self.batch(gateway, rows=40)
        self.assert_ended(batch.run(), CREDENTIALS, "Forbidden.RAM", "permission")
        self.assertEqual(batch.summary()["batch"]["not_sent"], batch.rows)
        gateway.stop()
        gateway.options = replaced(gateway.options, faults="throttle=0")
        gateway.start()
        self.assert_places_all(batch)

    def test_clock_that_is_wrong(self):
        gateway = self.gateway("--clock-offset", "40m")
        batch = self.batch(gateway, rows=40)
        done = batch.run()
        self.assert_ended(done, CREDENTIALS, "clock", "behind")
        self.assertEqual(batch.summary()["batch"]["not_sent"], batch.rows)
        gateway.stop()
        gateway.options = replaced(gateway.options, clock_offset="0s")
        gateway.start()
        self.assert_places_all(batch)


class Secrecy(ProgramTest):
    """A secret stands nowhere but where it was given, and nobody else reads what is written."""

    ID, SECRET, TOKEN = "canaryid", "CanarySecret0d1e2f3a", "CanaryToken9b8c7d6e"

    def secretive(self, **named):
        gateway = self.gateway("--access-key", f"{self.ID}:{self.SECRET}:{self.TOKEN}", **named)
        return self.batch(
            gateway,
            *ONE_BY_ONE,
            rows=ROWS,
            env={
                "ALIBABA_CLOUD_ACCESS_KEY_ID": self.ID,
                "ALIBABA_CLOUD_ACCESS_KEY_SECRET": self.SECRET,
                "ALIBABA_CLOUD_SECURITY_TOKEN": self.TOKEN,
            },
        )

    def assert_kept(self, text, where):
        for secret in (self.SECRET, self.TOKEN):
            self.assertNotIn(secret.encode(), text, where)

    def assert_kept_in_all(self, batch, *runs):
        for done in runs:
            self.assert_kept((done.stdout + done.stderr).encode(), done.args)
        files = [path for path in batch.folder.rglob("*") if path.is_file()]
        self.assertGreaterEqual(len(files), 4, files)
        for path in files:
            self.assert_kept(path.read_bytes(), path)

    def test_of_all_that_is_written(self):
        batch = self.secretive(faults="code:SignatureDoesNotMatch@4,close-after@2")
        loud = replaced(batch.command(), progress="json")
        runs = [
            batch.run("--dry-run"),
            batch.sagorder(*loud[1:], "--log-format", "json"),
            batch.run(),
            batch.run("--signature", "hmac-sha1"),
            batch.sagorder("status", batch.output),
            batch.sagorder("resolve", batch.output, "--row", "2", "--placed", "1"),
        ]
        self.assertEqual([run.returncode for run in runs], [0, 3, 3, 3, 0, 0])
        self.assertGreater(len(batch.gateway.executed()), 3)
        self.assert_kept_in_all(batch, *runs)

    def test_when_the_signature_does_not_match(self):
        """The server then repeats what it was told."""
        for signature in ("acs3-hmac-sha256", "hmac-sha1"):
            with self.subTest(signature=signature):
                batch = self.secretive()
                for name in ("SECRET", "TOKEN"):
                    key = "SECURITY_TOKEN" if name == "TOKEN" else "ACCESS_KEY_SECRET"
                    batch.env["ALIBABA_CLOUD_" + key] = getattr(self, name) + "x"
                done = batch.run("--signature", signature)
                self.assert_ended(done, CREDENTIALS)
                self.assert_kept_in_all(batch, done)

    def test_of_a_profile(self):
        batch = self.secretive()
        home = pathlib.Path(batch.env["HOME"])
        config = self.folder() / "config.json"
        profile = {"name": "p", "mode": "StsToken", "access_key_id": self.ID}
        profile |= {"access_key_secret": self.SECRET, "sts_token": self.TOKEN}
        config.write_text(json.dumps({"current": "p", "profiles": [profile]}))
        config.chmod(0o600)
        names = [name for name in batch.env if name.startswith("ALIBABA_CLOUD_")]
        for name in names:
            del batch.env[name]
        batch.env["ALIBABA_CLOUD_CONFIG_FILE"] = str(config)
        done = batch.run()
        self.assert_ended(done, ALL_PLACED)
        self.assertEqual(list(home.iterdir()), [])
        self.assert_kept_in_all(batch, done)

    def running(self, batch, **named):
        process = subprocess.Popen(
            batch.command(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=batch.folder,
            env=batch.env,
            **named,
        )
        self.addCleanup(end, process)
        self.assertTrue(wait_until(lambda: batch.gateway.executed()))
        return process

    def test_of_the_command_line(self):
        batch = self.secretive(latency="50ms")
        process = self.running(batch)
        proc = pathlib.Path("/proc", str(process.pid))
        self.assert_kept((proc / "cmdline").read_bytes(), "cmdline")
        self.assertIn(b"sagorder", (proc / "cmdline").read_bytes())
        limits = (proc / "limits").read_text().splitlines()
        core = next(line for line in limits if line.startswith("Max core file size"))
        self.assertEqual(core.split()[4:6], ["0", "0"], core)

    def test_of_the_process(self):
        """Not dumpable: what /proc shows of it belongs to root, and nobody may trace it."""
        batch = self.secretive(latency="50ms")
        named = {}
        if IS_ROOT:
            for path in (batch.folder, *batch.folder.rglob("*")):
                os.chown(path, NOBODY, NOBODY)
            ca = batch.folder / "ca.pem"
            shutil.copyfile(batch.gateway.ca, ca)
            ca.chmod(0o644)
            batch.gateway.ca = ca
            named = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
            if not runs_as_nobody():
                self.skipTest(f"{SAGORDER} cannot be run by another user")
        process = self.running(batch, **named)
        self.assertEqual(os.stat(f"/proc/{process.pid}/environ").st_uid, 0)
        self.assertEqual(os.stat(f"/proc/{process.pid}/mem").st_uid, 0)
        self.assertEqual(process.wait(timeout=30), ALL_PLACED)

    def test_modes(self):
        """0600 and 0700, whatever the umask; while it runs and afterwards."""
        batch = self.secretive(latency="50ms")
        process = self.running(batch, preexec_fn=lambda: os.umask(0))
        self.assert_private(batch, at_least={"results.csv.ledger", "results.csv.ledger-wal"})
        self.assertEqual(process.wait(timeout=30), ALL_PLACED)
        self.assert_private(batch, at_least={"results.csv", "results.csv.ledger", "summary.json"})

    def assert_private(self, batch, at_least):
        ours = [path for path in batch.folder.glob("*") if path.name not in ("orders.csv", "home")]
        ours += (batch.folder / "state").rglob("*")
        self.assertLessEqual(at_least, {path.name for path in ours})
        for path in ours:
            mode = stat.S_IMODE(path.stat().st_mode)
            self.assertEqual(mode, 0o700 if path.is_dir() else 0o600, path)

    def test_what_a_server_sends_does_not_drive_the_terminal(self):
        """Nor the results, the status or the log, in whatever field it stands."""
        evil = "\x1b]0;owned\x07\x1b[2J\u009b31m\u202e\r\n2,placed"
        bodies = (
            (400, {"Code": "SignatureDoesNotMatch", "Message": "no" + evil, "RequestId": evil}),
            (400, {"Code": "InvalidParameter", "Message": "no" + evil, "RequestId": evil}),
            (400, {"Code": "Unheard" + evil, "Message": "no" + evil, "RequestId": "1"}),
            (200, {"OrderId": "1" + evil, "SmartAGId": "sag-1" + evil, "RequestId": "1"}),
            (200, {"OrderId": "1", "SmartAGId": "sag-1" + evil, "RequestId": evil}),
        )
        folder = self.folder()
        make_authority(folder)
        make_certificate(folder, "IP:127.0.0.1")
        for status, body in bodies:
            with self.subTest(body=body):
                self.meet(folder, http_answer(status, json.dumps(body).encode()), evil)

    def meet(self, folder, answer, evil):
        with Listener(answering(folder, answer)) as listener:
            batch = self.batch(Server(listener.port, folder / "ca.pem"), *ONE_BY_ONE, rows=1)
            runs = [batch.run()]
        self.assertIn(b"SmartAccessGateway", listener.received)
        runs.append(batch.sagorder("status", batch.output))
        runs.append(batch.run("--quiet", "--log-format", "json"))
        texts = [run.stdout + run.stderr for run in runs]
        if batch.output.exists():
            texts.append(batch.output.read_text(encoding="utf-8"))
            self.assertLessEqual(len(batch.results()), 1)
        for text in texts:
            for harmful in set(evil) - set("]0;owned[2J31m\r\n,placed"):
                self.assertNotIn(harmful, text)


def http_answer(status, body):
    """The bytes of an answer in JSON."""
    head = f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    return head.encode() + b"\r\nConnection: close\r\n\r\n" + body


def runs_as_nobody():
    """Whether another user can start the program where it stands."""
    try:
        done = subprocess.run(
            [str(SAGORDER), "--version"],
            user=NOBODY,
            group=NOBODY,
            extra_groups=[],
            cwd="/",
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
        )
    except OSError:
        return False
    return done.returncode == 0

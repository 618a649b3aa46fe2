"""Keys that are renewed while a batch is under way: no row twice, none in doubt, and every request
signed with a key that was good.

Keys live for some seconds here; the rules are shares of their life, so all happens as it would
over hours.
"""

import re
import signal
import time

from cases import said, wait_until
from harness import ALL_PLACED, CREDENTIALS
from key_cases import ROLE, KeyTest

STS = ("--sts-endpoint",)


def keys_named(done):
    """The AccessKeyIds that were told of, in order."""
    return re.findall(r"AccessKeyId (STS\.\w+)", done.stderr)


class Renewed(KeyTest):
    def assert_renewed(self, batch, done, at_least, at_most=100):
        """All placed, once, and the keys that were told are as many as were handed out."""
        self.assert_ended(done, ALL_PLACED)
        self.assert_all_executed_once(batch)
        self.assertEqual(batch.statuses(), {"placed": batch.rows})
        counts = batch.gateway.counts()
        self.assertEqual(counts["refused"], {}, said(done))
        self.assertGreaterEqual(counts["keys_issued"], at_least)
        self.assertLessEqual(counts["keys_issued"], at_most)
        self.assertEqual(len(set(keys_named(done))), counts["keys_issued"], said(done))

    def test_from_the_instances_role(self):
        gateway = self.key_gateway("--key-life", "4s")
        batch = self.batch(gateway, rows=4000, rate="500/s", env=gateway.instance())
        self.assert_renewed(batch, batch.run(), at_least=3)

    def test_from_a_role_over_tls_and_with_threads(self):
        """The keys of a role: one for all connections and threads."""
        gateway = self.key_gateway("--key-life", "4s", latency="1ms-20ms")
        batch = self.configured(gateway, self.role_profile(), rows=2500, rate="400/s")
        done = batch.run(*STS, gateway.endpoint, "--threads", "2", "--connections", "32")
        self.assert_renewed(batch, done, at_least=2, at_most=5)

    def test_after_attempts_that_failed(self):
        """While the old key lives the batch goes on, and says why the new one is late."""
        gateway = self.key_gateway("--key-life", "8s", "--key-failures", "2-2")
        batch = self.batch(gateway, rows=750, rate="100/s", env=gateway.uri())
        done = batch.run()
        self.assert_renewed(batch, done, at_least=2)
        self.assertIn("the key was not renewed", done.stderr)
        self.assertIn("503", done.stderr)

    def test_never_again(self):
        """The old key dies, no other comes: exit 6, nothing in doubt, and the same command goes on
        when keys are to be had again."""
        gateway = self.key_gateway("--key-life", "4s", "--key-failures", "2-9")
        batch = self.batch(gateway, rows=1000, rate="200/s", env=gateway.uri())
        done = batch.run()
        self.assert_ended(done, CREDENTIALS, "the key signs no more", "503", "credentials URI")
        self.assertEqual(batch.statuses(), {"placed": len(gateway.executed())})
        self.assertEqual(batch.violations(finished=False), [])
        self.assertGreater(batch.summary()["batch"]["not_sent"], 0)
        self.assertEqual(gateway.counts()["refused"], {})
        failing = gateway.options.index("--key-failures")
        del gateway.options[failing : failing + 2]
        gateway.start()
        batch.env["ALIBABA_CLOUD_CREDENTIALS_URI"] = gateway.keys + "/credentials"
        self.assert_places_all(batch)


class Expired(KeyTest):
    """Keys that a server calls expired before their told end."""

    def test_is_renewed_and_goes_on(self):
        gateway = self.key_gateway("--key-life", "2s", "--key-told", "60s", latency="1ms-10ms")
        batch = self.batch(gateway, rows=2500, rate="500/s", env=gateway.uri())
        done = batch.run()
        self.assert_ended(done, ALL_PLACED, "InvalidSecurityToken.Expired", "another")
        self.assert_all_executed_once(batch)
        self.assertEqual(batch.statuses(), {"placed": batch.rows})
        counts = gateway.counts()
        self.assertEqual(set(counts["refused"]), {"InvalidSecurityToken.Expired"})
        self.assertGreaterEqual(counts["keys_issued"], 3)
        # One errand for all rows that were refused together.
        self.assertLessEqual(counts["keys_issued"], 2 + counts["elapsed_seconds"] / 2)

    def test_one_key_after_the_other(self):
        """A key that is refused from its first order on helps nobody: no third one is asked for."""
        gateway = self.key_gateway("--key-life", "0", "--key-told", "60s")
        batch = self.batch(gateway, rows=50, env=gateway.uri())
        done = batch.run()
        self.assert_ended(done, CREDENTIALS, "InvalidSecurityToken.Expired")
        self.assertEqual(gateway.executed(), [])
        self.assertEqual(batch.summary()["batch"]["not_sent"], 50)
        self.assertEqual(gateway.counts()["keys_issued"], 2)

    def test_of_the_environment_stops_the_run(self):
        gateway = self.key_gateway("--access-key", "sts:secret:token")
        env = {
            "ALIBABA_CLOUD_ACCESS_KEY_ID": "sts",
            "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "secret",
            "ALIBABA_CLOUD_SECURITY_TOKEN": "token",
        }
        gateway.stop()
        gateway.options += ["--faults", "code:InvalidSecurityToken.Expired@5-900"]
        gateway.start()
        batch = self.batch(gateway, rows=40, env=env)
        done = batch.run()
        self.assert_ended(done, CREDENTIALS, "InvalidSecurityToken.Expired")
        self.assertEqual(batch.violations(finished=False), [])


class Interrupted(KeyTest):
    def test_while_a_key_is_fetched(self):
        """The end of a run does not wait for a key that nobody needs any more."""
        gateway = self.key_gateway("--key-life", "4s", latency="5ms")
        batch = self.configured(gateway, self.role_profile(), rows=5000, rate="100/s")
        process = self.started(batch, *STS, gateway.endpoint)
        self.assertTrue(wait_until(lambda: "another key" in batch.log.read_text()))
        process.send_signal(signal.SIGINT)
        begun = time.monotonic()
        self.assertEqual(process.wait(timeout=20), 5)
        self.assertLess(time.monotonic() - begun, 10)
        self.assertEqual(batch.violations(finished=False), [])
        self.assertIn(ROLE, batch.log.read_text())

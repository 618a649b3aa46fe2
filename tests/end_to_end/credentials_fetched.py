"""Keys that are fetched before the first order, from every place that can give one."""

import pathlib

from cases import said
from harness import ACCESS_KEY_SECRET, ALL_PLACED, CREDENTIALS
from key_cases import NO_KEY, ROLE, KeyTest

ROWS = 6
NOBODY = "http://127.0.0.1:1"


class Fetched(KeyTest):
    def test_from_the_instances_role(self):
        gateway = self.key_gateway()
        batch = self.batch(gateway, rows=ROWS, env=gateway.instance())
        done = batch.run()
        self.assert_placed_with_fetched_keys(batch, done, "the role of this instance", "until 20")

    def test_from_a_named_role_of_the_older_metadata_service(self):
        gateway = self.key_gateway("--role", "orders", "--metadata-v1")
        env = gateway.instance(ALIBABA_CLOUD_ECS_METADATA="orders")
        batch = self.batch(gateway, rows=ROWS, env=env)
        done = batch.run()
        self.assert_placed_with_fetched_keys(batch, done, "the role orders of this instance")

    def test_from_a_uri(self):
        gateway = self.key_gateway()
        batch = self.batch(gateway, rows=ROWS, env=gateway.uri())
        self.assert_placed_with_fetched_keys(batch, batch.run(), "the credentials URI")

    def test_from_a_role_that_is_assumed(self):
        for signature in ("acs3-hmac-sha256", "hmac-sha1"):
            with self.subTest(signature=signature):
                gateway = self.key_gateway()
                batch = self.configured(gateway, self.role_profile(), rows=ROWS)
                done = batch.run("--sts-endpoint", gateway.endpoint, "--signature", signature)
                self.assert_placed_with_fetched_keys(batch, done, "profile role of", ROLE)
                self.assertNotIn(ACCESS_KEY_SECRET, said(done))

    def test_from_a_role_by_another_role(self):
        gateway = self.key_gateway()
        second = {"name": "second", "mode": "ChainableRamRoleArn", "source_profile": "role"}
        second["ram_role_arn"] = ROLE + "-2"
        batch = self.configured(gateway, self.role_profile(), second, rows=ROWS)
        done = batch.run("--sts-endpoint", gateway.endpoint, "--profile", "second")
        self.assert_placed_with_fetched_keys(batch, done, ROLE + "-2", issued=2)

    def test_from_an_oidc_token(self):
        gateway = self.key_gateway("--oidc-token", "ey.canary.w")
        token = self.folder() / "token"
        token.write_text("ey.canary.w\n")
        env = {
            "ALIBABA_CLOUD_ROLE_ARN": ROLE,
            "ALIBABA_CLOUD_OIDC_PROVIDER_ARN": "acs:ram::1:oidc-provider/p",
            "ALIBABA_CLOUD_OIDC_TOKEN_FILE": str(token),
        }
        batch = self.batch(gateway, rows=ROWS, env={**NO_KEY, **env})
        done = batch.run("--sts-endpoint", gateway.endpoint)
        self.assert_placed_with_fetched_keys(batch, done, "the OIDC token")
        self.assertNotIn("canary", said(done))

    def test_from_the_sdks_file(self):
        gateway = self.key_gateway()
        batch = self.batch(gateway, rows=ROWS, env=NO_KEY)
        path = pathlib.Path(batch.env["HOME"], ".alibabacloud", "credentials")
        path.parent.mkdir()
        path.write_text(
            "[default]\ntype = ram_role_arn\naccess_key_id = testid\n"
            f"access_key_secret = {ACCESS_KEY_SECRET}\nrole_arn = {ROLE}\nrole_session_name = s\n"
        )
        path.chmod(0o600)
        done = batch.run("--sts-endpoint", gateway.endpoint)
        self.assert_placed_with_fetched_keys(batch, done, ".alibabacloud/credentials")

    def test_from_the_uri_if_there_is_no_instance_and_no_role(self):
        for options, metadata in (((), NOBODY), (("--role", ""), None)):
            with self.subTest(options=options):
                gateway = self.key_gateway(*options)
                env = gateway.instance(
                    ALIBABA_CLOUD_CREDENTIALS_URI=gateway.keys + "/credentials"
                )
                if metadata:
                    env["SAGORDER_METADATA_ENDPOINT"] = metadata
                batch = self.batch(gateway, rows=ROWS, env=env)
                self.assert_placed_with_fetched_keys(batch, batch.run(), "the credentials URI")

    def test_not_from_elsewhere_if_a_key_is_nearer(self):
        """The chain's order: the environment, then the file, before anything is asked."""
        gateway = self.key_gateway()
        own = {"name": "own", "mode": "AK", "access_key_id": "testid"}
        own["access_key_secret"] = ACCESS_KEY_SECRET
        env = gateway.instance(ALIBABA_CLOUD_CREDENTIALS_URI=gateway.keys + "/credentials")
        batch = self.configured(gateway, own, env=env, rows=ROWS)
        done = batch.run()
        self.assert_ended(done, ALL_PLACED, "profile own of", "AccessKeyId testid")
        self.assertEqual(gateway.counts()["keys_issued"], 0)

    def test_once_more_if_it_failed_in_passing(self):
        gateway = self.key_gateway("--key-failures", "1-2")
        batch = self.batch(gateway, rows=ROWS, env=gateway.uri())
        self.assert_placed_with_fetched_keys(batch, batch.run())

    def test_not_for_a_dry_run(self):
        gateway = self.key_gateway()
        batch = self.batch(gateway, rows=ROWS, env=gateway.uri())
        done = batch.run("--dry-run")
        self.assert_ended(done, ALL_PLACED, "would fetch a key from the credentials URI")
        self.assertEqual(gateway.counts()["keys_issued"], 0)

    def test_for_doctor_and_reconcile(self):
        gateway = self.key_gateway()
        batch = self.batch(gateway, rows=ROWS, env=gateway.instance())
        flags = ("--endpoint", gateway.endpoint, "--ca-file", gateway.ca)
        done = batch.sagorder("doctor", "--region", "cn-shanghai", *flags)
        self.assert_ended(done, ALL_PLACED, "a temporary key from the role of this instance")
        self.assertIn("AccessKeyId STS.", done.stdout)


class Refused(KeyTest):
    """One clear sentence, exit 6, and nothing sent."""

    def assert_refused(self, batch, *words, flags=()):
        done = batch.run(*flags)
        self.assert_ended(done, CREDENTIALS, *words)
        self.assertNotIn(ACCESS_KEY_SECRET, said(done))
        self.assertEqual(batch.gateway.executed(), [])
        self.assertFalse(batch.ledger.exists(), "a ledger was made")
        return done

    def test_nobody_anywhere(self):
        gateway = self.key_gateway()
        batch = self.batch(gateway, rows=ROWS, env=gateway.instance())
        batch.env["SAGORDER_METADATA_ENDPOINT"] = NOBODY
        done = self.assert_refused(batch, "no access key", "looked, in this order")
        places = ("the environment", "OIDC", "config.json", "credentials.ini", "CREDENTIALS_URI")
        found = [done.stderr.index(place) for place in (*places, "metadata service at 127.0.0.1:1")]
        self.assertEqual(found, sorted(found), said(done))

    def test_a_named_role_is_not_gone_beyond(self):
        gateway = self.key_gateway()
        env = gateway.instance(
            ALIBABA_CLOUD_ECS_METADATA="orders",
            ALIBABA_CLOUD_CREDENTIALS_URI=gateway.keys + "/credentials",
        )
        batch = self.batch(gateway, rows=ROWS, env=env)
        self.assert_refused(batch, "the role orders is not attached")

    def test_tokens_only(self):
        gateway = self.key_gateway("--metadata-v1")
        env = gateway.instance(ALIBABA_CLOUD_IMDSV1_DISABLED="true")
        self.assert_refused(self.batch(gateway, rows=ROWS, env=env), "metadata service", "404")

    def test_a_role_that_may_not_be_assumed(self):
        gateway = self.key_gateway()
        flags = ("--sts-endpoint", gateway.endpoint)
        wrong = self.role_profile("wrong", secret="another")
        nobody = self.role_profile("nobody", ram_role_arn="nobody")
        for profile, word in ((wrong, "SignatureDoesNotMatch"), (nobody, "EntityNotExist.Role")):
            batch = self.configured(gateway, profile, rows=ROWS)
            self.assert_refused(batch, "profile " + profile["name"], "STS at", word, flags=flags)

    def test_sts_that_is_not_who_it_should_be(self):
        gateway = self.key_gateway()
        batch = self.configured(gateway, self.role_profile(), rows=ROWS)
        ours = gateway.ca
        gateway.ca = "/etc/ssl/certs/ca-certificates.crt"
        flags = ("--sts-endpoint", gateway.endpoint)
        self.assert_refused(batch, "certificate", "not trusted", flags=flags)
        gateway.ca = ours
        self.assertEqual(gateway.counts()["requests"], 0)

    def test_a_uri_over_the_network_in_plain_http(self):
        gateway = self.key_gateway()
        env = {**NO_KEY, "ALIBABA_CLOUD_CREDENTIALS_URI": "http://192.0.2.1/"}
        self.assert_refused(self.batch(gateway, rows=ROWS, env=env), "plain HTTP", "https://")

    def test_a_key_that_has_expired_already(self):
        gateway = self.key_gateway("--clock-offset", "-14m", "--key-life", "60s")
        batch = self.batch(gateway, rows=ROWS, env=gateway.uri())
        self.assert_refused(batch, "expired already", "clock")

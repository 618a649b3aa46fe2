"""`doctor`: what it says of credentials, TLS, clock, permission and quota. It sends no order."""

import re

from command_cases import NO_KEYS, CommandTest, Nowhere
from harness import ACCESS_KEY_SECRET, ALL_PLACED, CREDENTIALS, INPUT, LIMIT, USAGE


class DoctorTest(CommandTest):
    def examined(self, gateway, *flags, region="cn-shanghai", env=None):
        batch = self.batch(gateway, env=env)
        options = ["--endpoint", gateway.endpoint, "--ca-file", gateway.ca]
        if region:
            options += ["--region", region]
        done = batch.sagorder("doctor", *flags, *options)
        self.assertNotIn(ACCESS_KEY_SECRET, done.stdout + done.stderr)
        self.assert_no_files(batch)
        return done

    def grades(self, done):
        """What was looked at, to how it was found: the worst of several."""
        order = ["ok", "warning", "error"]
        found = {}
        for grade, what in re.findall(r"^(ok|warning|error) +(\w+)", done.stdout, re.MULTILINE):
            found[what] = max(found.get(what, "ok"), grade, key=order.index)
        return found


class Doctor(DoctorTest):
    ALL_WELL = {
        name: "ok"
        for name in ("credentials", "trust", "certificate", "TLS", "clock", "permission", "quota")
    }

    def test_all_is_well(self):
        gateway = self.gateway()
        for scheme in ("acs3-hmac-sha256", "hmac-sha1"):
            done = self.examined(gateway, "--signature", scheme)
            self.assert_ended(done, ALL_PLACED, "0 of 500 instances are bought, 500 are left")
            self.assertEqual(self.grades(done), self.ALL_WELL)
            self.assertIn("issued by", done.stdout)
        counts = gateway.counts()
        self.assertEqual((counts["executed"], counts["inquiries"]), (0, 2))

    def test_no_credentials(self):
        done = self.examined(self.gateway(), env=NO_KEYS)
        self.assert_ended(done, CREDENTIALS, "ALIBABA_CLOUD_ACCESS_KEY_ID", "do: ")
        self.assertEqual(self.grades(done)["credentials"], "error")
        self.assertEqual(self.grades(done)["TLS"], "ok")

    def test_a_wrong_secret(self):
        env = {"ALIBABA_CLOUD_ACCESS_KEY_SECRET": "another"}
        done = self.examined(self.gateway(), env=env)
        self.assert_ended(done, CREDENTIALS, "SignatureDoesNotMatch")
        self.assertEqual(self.grades(done)["permission"], "error")
        self.assertNotIn("another", done.stdout)

    def test_no_permission(self):
        done = self.examined(self.gateway("--query-faults", "code:Forbidden.RAM:403"))
        self.assert_ended(done, CREDENTIALS, "Forbidden.RAM")

    def test_the_clock(self):
        for offset, grade, code in (("-3m", "warning", ALL_PLACED), ("-20m", "error", CREDENTIALS)):
            done = self.examined(self.gateway("--clock-offset", offset))
            self.assert_ended(done, code, "ahead of the server", "synchronise it")
            self.assertEqual(self.grades(done)["clock"], grade)

    def test_an_authority_that_is_not_trusted(self):
        gateway = self.gateway()
        gateway.ca = "/etc/ssl/certs/ca-certificates.crt"
        done = self.examined(gateway)
        self.assert_ended(done, CREDENTIALS, "not trusted")
        self.assertEqual(self.grades(done)["TLS"], "error")
        self.assertIn("certificate", self.grades(done), "what it showed is shown")
        self.assertNotIn("permission", self.grades(done))
        self.assert_nothing_reached(gateway)

    def test_nobody_listens(self):
        gateway = self.gateway()
        gateway.stop()
        self.assert_ended(self.examined(gateway), LIMIT, "cannot connect to 127.0.0.1")

    def test_what_passes_is_asked_again(self):
        done = self.examined(self.gateway("--query-faults", "503-before@1,throttle@2,cut@3"))
        self.assert_ended(done, ALL_PLACED)

    def test_a_service_that_stays_away(self):
        done = self.examined(self.gateway("--query-faults", "503-before"))
        self.assert_ended(done, LIMIT, "ServiceUnavailable", "try again later")

    def test_a_region_that_nobody_knows(self):
        done = self.examined(self.gateway(), region="cn-nope")
        self.assert_ended(done, INPUT, "cn-nope is not known there", "InvalidRegionId")
        self.assertNotIn("try again later", done.stdout)

    def test_the_quota(self):
        self.assert_ended(self.examined(self.gateway("--use-limit", "0")), LIMIT, "0 are left")

    def test_the_regions_of_a_file(self):
        batch = self.batch(self.gateway("--use-limit", "1"))
        regions = ["cn-shanghai", "eu-central-1", "cn-shanghai"]
        batch.write_orders(3, columns={"RegionId": lambda row: regions[row - 1], "UserCount": 5})
        done = self.examined(batch.gateway, batch.input, region=None)
        self.assert_ended(done, ALL_PLACED, "eu-central-1 at", "the file has 2 orders here")
        self.assertEqual(self.grades(done)["quota"], "warning")
        self.assertEqual(done.stdout.count("chain and name verified"), 1, "one endpoint, one look")
        batch.input.write_text("RegionId,Period,UserCount\ncn-shanghai,1,x\n")
        self.assert_ended(
            self.examined(batch.gateway, batch.input), INPUT, "1 error\n", "2:15: error: UserCount"
        )

    def test_the_regions_of_a_file_together(self):
        """Each region has room for its own orders, and the quota may be the account's."""
        batch = self.batch(self.gateway("--use-limit", "3"))
        regions = ["cn-shanghai", "eu-central-1", "cn-shanghai", "eu-central-1"]
        batch.write_orders(4, columns={"RegionId": lambda row: regions[row - 1], "UserCount": 5})
        done = self.examined(batch.gateway, batch.input, region=None)
        self.assert_ended(done, ALL_PLACED, "4 orders in all its regions, and 3 are left in one")
        self.assertEqual(self.grades(done)["quota"], "warning")
        batch = self.batch(self.gateway("--use-limit", "4"))
        batch.write_orders(4, columns={"RegionId": lambda row: regions[row - 1], "UserCount": 5})
        done = self.examined(batch.gateway, batch.input, region=None)
        self.assertEqual(self.grades(done)["quota"], "ok")

    def test_usage(self):
        batch = self.batch(Nowhere())
        self.assert_ended(batch.sagorder("doctor"), USAGE, "--region")
        self.assert_ended(batch.sagorder("doctor", "--region", "x/y"), USAGE, "RegionId")
        self.assert_ended(batch.sagorder("doctor", "--replay", "never"), USAGE, "--replay")

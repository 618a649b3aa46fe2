"""What the tests of keys share: a gateway that hands keys out, and the environments that name it.

Its metadata service and its credentials URI are plain HTTP on loopback; STS is its TLS side.
"""

import json
import pathlib

from cases import ProgramTest, said
from harness import Gateway

# Nothing of the harness's own: the key has to be found elsewhere.
NO_KEY = {
    "ALIBABA_CLOUD_ACCESS_KEY_ID": None,
    "ALIBABA_CLOUD_ACCESS_KEY_SECRET": None,
}
ROLE = "acs:ram::1234567890123456:role/orders"


class KeyGateway(Gateway):
    """A gateway that also hands out keys in plain HTTP."""

    def __init__(self, *options, **named):
        super().__init__(*options, **named)
        self.key_port_file = self.folder / "key-port"
        self.options += ["--key-listen", "127.0.0.1:0"]
        self.options += ["--key-port-file", str(self.key_port_file)]

    @property
    def keys(self):
        return f"http://127.0.0.1:{self.key_port_file.read_text().strip()}"

    def instance(self, **changes):
        """An environment in which the instance's role is what there is."""
        here = {"SAGORDER_METADATA_ENDPOINT": self.keys}
        return {**NO_KEY, "ALIBABA_CLOUD_ECS_METADATA_DISABLED": None, **here, **changes}

    def uri(self, **changes):
        """One in which the credentials URI is."""
        return {**NO_KEY, "ALIBABA_CLOUD_CREDENTIALS_URI": self.keys + "/credentials", **changes}


class KeyTest(ProgramTest):
    def key_gateway(self, *options, **named):
        return self.enterContext(KeyGateway(*options, **named))

    def configured(self, gateway, *profiles, env=None, current=None, **named):
        """A batch whose ~/.aliyun/config.json has these profiles, the first one current."""
        batch = self.batch(gateway, env={**NO_KEY, **(env or {})}, **named)
        path = pathlib.Path(batch.env["HOME"], ".aliyun", "config.json")
        path.parent.mkdir(exist_ok=True)
        path.write_text(
            json.dumps({"current": current or profiles[0]["name"], "profiles": profiles})
        )
        path.chmod(0o600)
        return batch

    @staticmethod
    def role_profile(name="role", secret="testsecret", **more):
        usual = {"name": name, "mode": "RamRoleArn", "access_key_id": "testid"}
        return {**usual, "access_key_secret": secret, "ram_role_arn": ROLE, **more}

    def assert_placed_with_fetched_keys(self, batch, done, *words, issued=1):
        self.assert_ended(done, 0, *words, "AccessKeyId STS.")
        self.assert_all_executed_once(batch)
        counts = batch.gateway.counts()
        self.assertEqual(counts["keys_issued"], issued, said(done))
        self.assertEqual(counts["refused"], {}, said(done))

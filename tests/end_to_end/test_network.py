"""The ways to a server: through a proxy, by --resolve, over IPv6, with a certificate of one's own.

Whatever ends before the server has the first byte of a request is certain: nothing was executed,
every row stays pending, and the same command places all of them once the way is free.
"""

import os
import shutil
import stat
import unittest

from cases import ProgramTest
from harness import ACCESS_KEY_SECRET, ALL_PLACED, CREDENTIALS, LIMIT, USAGE, Gateway
from impostor import Listener, make_authority, make_client_certificate, openssl, shared_ca
from proxy import Proxy, free_port

ROWS = 5
PASSWORD = "s3cret-of-the-proxy"
PASSPHRASE = "open-sesame"


class NetworkTest(ProgramTest):
    def assert_refused(self, batch, code, *words, env=None, options=()):
        done = batch.run(*options, env=env)
        self.assert_ended(done, code, *words)
        self.assertEqual(batch.summary()["batch"]["not_sent"], batch.rows)
        self.assertEqual(set(batch.ledger_rows().values()) | {"pending"}, {"pending"})
        self.assertEqual(batch.results(), [])
        return done

    def assert_nowhere(self, batch, done, secret):
        """A secret stands in nothing that the program said or kept."""
        self.assertNotIn(secret, done.stdout + done.stderr)
        for path in batch.folder.rglob("*"):
            if path.is_file():
                self.assertNotIn(secret.encode(), path.read_bytes(), path)


class ThroughAProxy(NetworkTest):
    def proxy(self, *settings, **named):
        return self.enterContext(Proxy(*settings, **named))

    def test_of_the_environment(self):
        proxy = self.proxy()
        for name in ("HTTPS_PROXY", "https_proxy"):
            gateway = self.gateway()
            batch = self.batch(gateway, rows=ROWS, env={name: proxy.url()})
            done = batch.run()
            self.assert_ended(done, ALL_PLACED, f"through the proxy {proxy.address}")
            self.assert_all_executed_once(batch)
            self.assertEqual(set(proxy.tunnels()), {f"127.0.0.1:{gateway.port}"})
            proxy.log.write_text("")

    def test_of_the_option_stands_before_the_environment(self):
        proxy = self.proxy()
        nowhere = {"HTTPS_PROXY": f"http://127.0.0.1:{free_port()}", "NO_PROXY": "*"}
        batch = self.batch(self.gateway(), "--proxy", proxy.url(), rows=ROWS, env=nowhere)
        self.assert_places_all(batch)
        self.assertTrue(proxy.tunnels())
        batch = self.batch(self.gateway(), "--proxy", "none", rows=ROWS, env=nowhere)
        self.assert_places_all(batch)

    def test_but_for_hosts_without_one(self):
        proxy = self.proxy()
        for hosts in ("*", "127.0.0.1", "example.com, 127.0.0.0/8"):
            env = {"HTTPS_PROXY": proxy.url(), "NO_PROXY": hosts}
            self.assert_places_all(self.batch(self.gateway(), rows=ROWS, env=env))
        self.assertEqual(proxy.tunnels(), [])

    def test_with_a_password(self):
        proxy = self.proxy(user="me", password=PASSWORD)
        batch = self.batch(self.gateway(), rows=ROWS, env={"HTTPS_PROXY": proxy.url()})
        self.assert_nowhere(batch, batch.run(), PASSWORD)
        self.assert_all_executed_once(batch)

    def test_with_a_wrong_password(self):
        proxy = self.proxy(user="me", password=PASSWORD)
        batch = self.batch(self.gateway(), rows=ROWS)
        for url, words in (
            (proxy.url(password="another"), "does not accept this user and password"),
            (proxy.url(user=""), "wants a user and a password (407)"),
        ):
            done = self.assert_refused(batch, CREDENTIALS, words, env={"HTTPS_PROXY": url})
            self.assert_nowhere(batch, done, "another")
        self.assert_nothing_reached(batch.gateway, connections=0)
        batch.env["HTTPS_PROXY"] = proxy.url()
        self.assert_places_all(batch)

    def test_with_a_password_as_an_argument(self):
        batch = self.batch(self.gateway(), "--proxy", f"http://me:{PASSWORD}@localhost:1", rows=1)
        done = batch.run()
        self.assert_ended(done, USAGE, "never an argument", "HTTPS_PROXY")
        self.assert_nowhere(batch, done, PASSWORD)

    def test_that_is_no_url(self):
        for url, words in (
            ("socks5://127.0.0.1:1", "plain HTTP"),
            ("https://127.0.0.1:1", "plain HTTP"),
            ("http://127.0.0.1", "names no port"),
            (f"http://me:{PASSWORD}%zz@127.0.0.1:1", "two hex digits"),
            (f"http://me:{PASSWORD}@:1", "must be http://HOST:PORT"),
        ):
            batch = self.batch(self.gateway(), rows=1, env={"HTTPS_PROXY": url})
            done = batch.run()
            self.assert_ended(done, USAGE, "HTTPS_PROXY: ", words)
            self.assert_nowhere(batch, done, PASSWORD)

    def test_that_two_variables_name(self):
        env = {"HTTPS_PROXY": "http://a:1", "https_proxy": "http://b:1"}
        batch = self.batch(self.gateway(), rows=1, env=env)
        self.assert_ended(batch.run(), USAGE, "HTTPS_PROXY and https_proxy", "--proxy none")

    def test_that_refuses(self):
        proxy = self.proxy("ConnectPort 1")
        batch = self.batch(self.gateway(), rows=ROWS, env={"HTTPS_PROXY": proxy.url()})
        self.assert_refused(batch, LIMIT, "unreachable", "does not allow connections", "(403)")
        self.assert_nothing_reached(batch.gateway, connections=0)
        batch.env["HTTPS_PROXY"] = self.proxy().url()
        self.assert_places_all(batch)

    def test_to_a_server_that_is_down(self):
        proxy = self.proxy()
        batch = self.batch(self.gateway(), rows=ROWS, env={"HTTPS_PROXY": proxy.url()})
        batch.gateway.stop()
        done = batch.run()
        self.assert_ended(done, LIMIT, "unreachable", "the proxy", "cannot reach 127.0.0.1")
        self.assertEqual(batch.summary()["batch"]["not_sent"], ROWS)
        batch.gateway.start()
        self.assert_places_all(batch)

    def test_that_is_down(self):
        url = f"http://127.0.0.1:{free_port()}"
        batch = self.batch(self.gateway(), rows=ROWS, env={"HTTPS_PROXY": url})
        self.assert_refused(batch, LIMIT, "unreachable", "cannot be reached: Connection refused")

    def test_that_cuts(self):
        self.against(lambda _: b"", "closed the connection when it was asked for")

    def test_that_says_half_an_answer(self):
        self.against(lambda _: b"HTTP/1.1 200 OK\r\nX: y", "closed the connection")

    def test_that_is_none(self):
        self.against(lambda _: b"220 mail.example ESMTP\r\n\r\n", "is it a proxy?")

    def test_that_sends_bytes_behind_its_answer(self):
        said = b"HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
        self.against(lambda _: said, "bytes behind its answer")

    def test_that_answers_at_great_length(self):
        self.against(lambda _: b"HTTP/1.1 200 OK\r\nX: " + b"y" * 20000, "great a length")

    def test_that_cuts_the_handshake(self):
        """What the proxy answers is right, and then it ends with the client's hello unread."""

        def serve(connection):
            asked = connection.recv(65536)
            connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            connection.recv(65536)
            return asked

        self.through(serve, "TLS handshake")

    def against(self, answer, *words):
        def serve(connection):
            asked = connection.recv(65536)
            connection.sendall(answer(asked))
            return asked

        self.through(serve, *words)

    def through(self, serve, *words):
        listener = self.enterContext(Listener(serve))
        url = f"http://127.0.0.1:{listener.port}"
        batch = self.batch(self.gateway(), rows=ROWS, env={"HTTPS_PROXY": url})
        self.assert_refused(batch, LIMIT, "unreachable", f"127.0.0.1:{listener.port}", *words)
        self.assertIn(b"CONNECT 127.0.0.1:%d HTTP/1.1\r\n" % batch.gateway.port, listener.received)
        self.assertNotIn(b"POST", listener.received)
        self.assert_nothing_reached(batch.gateway, connections=0)
        del batch.env["HTTPS_PROXY"]
        self.assert_places_all(batch)

    def test_of_calls_that_only_read(self):
        proxy = self.proxy(user="me", password=PASSWORD)
        gateway = self.gateway(faults="close-after@1")
        batch = self.batch(gateway, rows=2, env={"HTTPS_PROXY": proxy.url()})
        batch.run()
        proxy.log.write_text("")
        network = ("--endpoint", gateway.endpoint, "--ca-file", gateway.ca)
        done = batch.sagorder("doctor", "--region", "cn-shanghai", *network)
        self.assert_ended(done, ALL_PLACED, f"ok       proxy        {proxy.address}")
        self.assert_nowhere(batch, done, PASSWORD)
        asked = len(proxy.tunnels())
        self.assertGreaterEqual(asked, 2)  # the handshake that is looked at, and the call
        done = batch.sagorder("doctor", "--region", "cn-shanghai", "--proxy", "none", *network)
        self.assert_ended(done, ALL_PLACED)
        self.assertNotIn("proxy", done.stdout)
        self.assertEqual(len(proxy.tunnels()), asked)


class Names(NetworkTest):
    """--resolve and several addresses; no file of the system is touched."""

    NAME = "smartag.cn-shanghai.aliyuncs.com"  # one that the gateway's certificate bears

    def placed_at(self, gateway, host, addresses, *options):
        batch = self.batch(gateway, *options, rows=ROWS)
        pinned = Pinned(gateway, f"https://{host}:{gateway.port}")
        batch.gateway = pinned
        done = batch.run("--resolve", f"{host}:{gateway.port}:{addresses}")
        self.assert_ended(done, ALL_PLACED)
        self.assert_all_executed_once(batch)
        return done

    def test_a_name_at_an_address(self):
        self.placed_at(self.gateway(), self.NAME, "127.0.0.1")

    def test_the_first_that_listens(self):
        """Of several addresses, in both families, only the last but one is the gateway's."""
        self.placed_at(self.gateway(), self.NAME, "[::1],127.0.0.2,127.0.0.1,127.0.0.3")

    def test_an_address_of_ipv6(self):
        self.placed_at(self.gateway(address="[::1]"), self.NAME, "127.0.0.2,[::1]")

    def test_for_another_port_says_nothing(self):
        gateway = self.gateway()
        batch = self.batch(gateway, rows=ROWS)
        batch.gateway = Pinned(gateway, f"https://localhost:{gateway.port}")
        self.assert_ended(batch.run("--resolve", "localhost:1:127.0.0.9"), ALL_PLACED)

    def test_nobody_listens(self):
        batch = self.batch(self.gateway(), rows=ROWS)
        pinned = Pinned(batch.gateway, f"https://{self.NAME}:{batch.gateway.port}")
        batch.gateway = pinned
        pin = f"{self.NAME}:{pinned.port}:127.0.0.2,[::1]"
        self.assert_refused(
            batch, LIMIT, "unreachable", "Connection refused", options=("--resolve", pin)
        )

    def test_of_the_proxy(self):
        gateway = self.gateway()
        with Proxy() as proxy:
            batch = self.batch(gateway, "--proxy", f"http://proxy.example:{proxy.port}", rows=ROWS)
            done = batch.run("--resolve", f"proxy.example:{proxy.port}:127.0.0.1")
            self.assert_ended(done, ALL_PLACED, "through the proxy proxy.example")
            self.assertTrue(proxy.tunnels())

    def test_what_is_no_pin(self):
        batch = self.batch(self.gateway(), rows=1)
        for pin in (
            *("localhost", "localhost:1", "localhost:1:", "localhost:1:host", ":1:127.0.0.1"),
            *("localhost::127.0.0.1", "localhost:0:127.0.0.1", "localhost:1:127.0.0.1,"),
        ):
            self.assert_ended(batch.run("--resolve", pin), USAGE, "--resolve", "HOST:PORT:ADDRESS")

    def test_an_endpoint_of_ipv6(self):
        gateway = self.gateway(address="[::1]")
        self.assertEqual(gateway.endpoint, f"https://[::1]:{gateway.port}")
        batch = self.batch(gateway, rows=ROWS)
        self.assert_places_all(batch)
        with Proxy() as proxy:
            batch = self.batch(gateway, "--proxy", proxy.url(), rows=1)
            batch.run()
            self.assertEqual(set(proxy.tunnels()), {f"[::1]:{gateway.port}"})


class Pinned:
    """A gateway that is asked for by another URL."""

    def __init__(self, gateway, endpoint):
        self.endpoint = endpoint
        self.ca = gateway.ca
        self.port = gateway.port
        self.executed_path = gateway.executed_path
        self.executed = gateway.executed


class TrustAnchors(NetworkTest):
    def test_of_the_environment(self):
        folder = self.folder()
        hashed = folder / "hashed"
        hashed.mkdir()
        shutil.copyfile(shared_ca(), hashed / "ca.pem")
        openssl("rehash", hashed)
        for env in ({"SSL_CERT_FILE": str(shared_ca())}, {"SSL_CERT_DIR": str(hashed)}):
            gateway = self.gateway()
            batch = self.batch(gateway, rows=ROWS, env=env)
            command = batch.command()
            at = command.index("--ca-file")
            done = batch.sagorder(*command[1:at], *command[at + 2 :])
            self.assert_ended(done, ALL_PLACED)
            self.assert_all_executed_once(batch)
            examined = batch.sagorder(
                "doctor", "--region", "cn-shanghai", "--endpoint", gateway.endpoint
            )
            name, value = next(iter(env.items()))
            self.assert_ended(examined, ALL_PLACED, f"anchors from {name}={value}")

    def test_of_the_environment_that_are_missing(self):
        batch = self.batch(self.gateway(), rows=1, env={"SSL_CERT_FILE": "/no/such.pem"})
        command = batch.command()
        at = command.index("--ca-file")
        done = batch.sagorder(*command[1:at], *command[at + 2 :])
        self.assert_ended(done, USAGE, "trust anchors from SSL_CERT_FILE=/no/such.pem")


class OwnCertificate(NetworkTest):
    """A gateway that wants to know who calls. Not a row comes into doubt, over TLS 1.3 neither."""

    def setUp(self):
        self.own = self.folder()
        make_authority(self.own)
        make_client_certificate(self.own)
        self.certificate = self.own / "client.pem"
        self.key = self.own / "client-key.pem"
        self.asking = self.gateway("--client-ca", self.own / "ca.pem")

    def identity(self, certificate=None, key=None):
        return ("--client-cert", certificate or self.certificate, "--client-key", key or self.key)

    def test_is_accepted(self):
        batch = self.batch(self.asking, *self.identity(), rows=40)
        self.assert_places_all(batch)

    def test_is_missing(self):
        batch = self.batch(self.asking, rows=ROWS)
        self.assert_refused(batch, CREDENTIALS, "wants a client certificate", "--client-cert")
        self.assert_nothing_reached(self.asking)
        self.assert_ended(batch.run(*self.identity()), ALL_PLACED)
        self.assert_all_executed_once(batch)

    def test_is_of_another_authority(self):
        other = self.folder()
        make_authority(other)
        make_client_certificate(other)
        batch = self.batch(self.asking, rows=ROWS)
        wrong = self.identity(other / "client.pem", other / "client-key.pem")
        self.assert_refused(
            batch, CREDENTIALS, "does not accept the client certificate", options=wrong
        )
        self.assert_nothing_reached(self.asking)
        self.assert_ended(batch.run(*self.identity()), ALL_PLACED)
        self.assert_all_executed_once(batch)

    def test_is_told_of_by_doctor(self):
        batch = self.batch(self.asking, rows=1)
        network = ("--endpoint", self.asking.endpoint, "--ca-file", self.asking.ca)
        asked = ("doctor", "--region", "cn-shanghai", *network)
        done = batch.sagorder(*asked)
        self.assert_ended(done, CREDENTIALS, "error    TLS          the server wants a client")
        self.assert_ended(batch.sagorder(*asked, *self.identity()), ALL_PLACED, "ok       quota")

    def test_has_a_key_that_others_may_read(self):
        self.key.chmod(stat.S_IRUSR | stat.S_IRGRP)
        if os.geteuid() == 0:  # a file of root's that a group may read was handed over on purpose
            self.key.chmod(0o644)
        self.refused("others may read", "chmod 600")

    def test_has_an_encrypted_key(self):
        locked = self.own / "locked.pem"
        encrypt = ("-aes256", "-passout", f"pass:{PASSPHRASE}")
        openssl("pkey", "-in", self.key, *encrypt, "-out", locked)
        locked.chmod(0o600)
        name = "SAGORDER_CLIENT_KEY_PASSPHRASE"
        self.refused("encrypted", name, key=locked)
        done = self.refused("does not open it", key=locked, env={name: "another"})
        self.assertNotIn("another", done.stderr)
        env = {name: PASSPHRASE}
        batch = self.batch(self.asking, *self.identity(key=locked), rows=ROWS, env=env)
        self.assert_nowhere(batch, batch.run(), PASSPHRASE)
        self.assert_all_executed_once(batch)

    def test_is_no_certificate(self):
        self.refused("client certificate from", certificate=self.own / "missing.pem")
        self.refused("no private key", key=self.certificate_0600())
        other = self.folder()
        make_authority(other)
        make_client_certificate(other)
        self.refused("is not the key of the certificate", key=other / "client-key.pem")

    def test_goes_with_its_key(self):
        batch = self.batch(self.asking, "--client-cert", self.certificate, rows=1)
        self.assert_ended(batch.run(), USAGE, "go together")

    def certificate_0600(self):
        self.certificate.chmod(0o600)
        return self.certificate

    def refused(self, *words, certificate=None, key=None, env=None):
        batch = self.batch(self.asking, *self.identity(certificate, key), rows=1, env=env)
        done = batch.run()
        self.assert_ended(done, USAGE, *words)
        self.assertNotIn(ACCESS_KEY_SECRET, done.stderr)
        self.assertFalse(batch.ledger.exists())
        return done


if __name__ == "__main__":
    unittest.main()

"""A real HTTP proxy on loopback (tinyproxy), as long as the `with` block."""

import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


class Proxy:
    """`user` and `password`: who it asks for. `settings` are more lines of its configuration."""

    def __init__(self, *settings, user="", password=""):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="sagorder-proxy-"))
        self.log = self.folder / "log"
        self.user = user
        self.password = password
        self.settings = list(settings)
        if user:
            self.settings.append(f"BasicAuth {user} {password}")
        self.process = None
        self.port = 0

    def __enter__(self):
        self.port = free_port()
        configuration = self.folder / "tinyproxy.conf"
        lines = [
            f"Port {self.port}",
            "Listen 127.0.0.1",
            "Timeout 30",
            "LogLevel Connect",
            f'LogFile "{self.log}"',
            *self.settings,
        ]
        configuration.write_text("\n".join(lines) + "\n")
        self.process = subprocess.Popen(
            ["tinyproxy", "-d", "-c", str(configuration)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            process_group=0,
        )
        deadline = time.monotonic() + 20
        while not self.is_listening():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.__exit__()
                raise RuntimeError("tinyproxy did not start")
            time.sleep(0.02)
        return self

    def __exit__(self, *ignored):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def is_listening(self):
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except OSError:
            return False
        return True

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def url(self, user=None, password=None):
        """With the right user and password, or with others."""
        user = self.user if user is None else user
        password = self.password if password is None else password
        return f"http://{user}:{password}@{self.address}" if user else f"http://{self.address}"

    def tunnels(self):
        """The hosts and ports that it was asked for, in their order."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return re.findall(r"Request .*: CONNECT (\S+)", text)

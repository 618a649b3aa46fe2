"""nginx as the server of the comparison: answers every POST at once, with an OrderId of its own.

One process, without a master, pinned to one core; its files are in a temporary folder and none of
the system's own is read. TLS 1.3, keep-alive without a limit on requests.
"""

import os
import pathlib
import signal
import socket
import ssl
import subprocess
import time
import urllib.request

START_SECONDS = 10.0
DIGITS = 9  # of a connection's requests, in an OrderId

CONFIGURATION = """\
daemon off;
master_process off;
pid {work}/nginx.pid;
error_log {work}/nginx.log warn;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  default_type application/json;
  keepalive_requests 1000000000;
  client_body_temp_path {work}/body;
  proxy_temp_path {work}/proxy;
  fastcgi_temp_path {work}/fastcgi;
  uwsgi_temp_path {work}/uwsgi;
  scgi_temp_path {work}/scgi;
  # The request's number on its connection, to a fixed length: put behind the connection's number it
  # makes decimal digits that no other answer of this server has.
  map $connection_requests $request_digits {{
{paddings}
  }}
  server {{
    listen 127.0.0.1:{port} ssl;
    ssl_certificate {work}/cert.pem;
    ssl_certificate_key {work}/key.pem;
    ssl_protocols TLSv1.3;
    location = /handled {{ stub_status; }}
    location / {{
      return 200 '{answer}';
    }}
  }}
}}
"""
ANSWER = ('{"RequestId":"00000000-0000-4000-8000-000000000000",'
          '"OrderId":"$connection$request_digits","SmartAGId":"sag-$connection$request_digits"}')


def cores():
    """The core of the client, and that of the server. On one core they share it."""
    usable = sorted(os.sched_getaffinity(0))
    return usable[0], usable[1 % len(usable)]


def pinned(core):
    """For a child, before it begins."""
    return lambda: os.sched_setaffinity(0, {core})


def paddings():
    """Lines of a map, the commonest lengths first."""
    lengths = sorted(range(1, DIGITS + 1), key=lambda length: abs(length - 4))
    return "\n".join(f'    "~^[0-9]{{{length}}}$" {"0" * (DIGITS - length)}$connection_requests;'
                     for length in lengths)


def make_certificates(work):
    """A CA (ca.pem), and a certificate for localhost that it signed (cert.pem, key.pem)."""
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    (work / "names").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
    for arguments in (
            ["req", "-x509", *key, "-keyout", "ca-key.pem", "-out", "ca.pem", "-days", "2",
             "-subj", "/CN=bench"],
            ["req", *key, "-keyout", "key.pem", "-out", "request.pem", "-subj", "/CN=localhost"],
            ["x509", "-req", "-in", "request.pem", "-CA", "ca.pem", "-CAkey", "ca-key.pem",
             "-CAcreateserial", "-out", "cert.pem", "-days", "2", "-extfile", "names"]):
        subprocess.run(["openssl", *arguments], cwd=work, check=True, capture_output=True)


def free_port():
    """One that nobody listened on a moment ago."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


class Nginx:
    """Runs within a `with`."""

    def __init__(self, work):
        self.work = work
        self.port = free_port()
        self.url = f"https://localhost:{self.port}"
        self.process = None
        self.asked = 0  # how often for the number of requests

    def __enter__(self):
        make_certificates(self.work)
        path = self.work / "nginx.conf"
        path.write_text(CONFIGURATION.format(work=self.work, port=self.port, answer=ANSWER,
                                             paddings=paddings()))
        # Debian keeps it where an ordinary user's PATH does not lead.
        search = os.environ["PATH"] + ":/usr/sbin"
        self.process = subprocess.Popen(
            ["nginx", "-p", self.work, "-c", path, "-e", self.work / "nginx.log"],
            env={"PATH": search}, preexec_fn=pinned(cores()[1]))
        self.wait_until_it_answers()
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()

    def wait_until_it_answers(self):
        """Or ends the program with what nginx said."""
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end and self.process.poll() is None:
            try:
                self.handled()
                return
            except OSError:
                time.sleep(0.05)
        self.process.kill()
        self.process.wait()
        raise SystemExit("compare: nginx did not start: " + (self.work / "nginx.log").read_text())

    def handled(self):
        """How many requests it has answered, without those that ask for this number."""
        trust = ssl.create_default_context(cafile=self.work / "ca.pem")
        with urllib.request.urlopen(self.url + "/handled", context=trust) as answer:
            # accepts, handled connections, requests: the third line
            requests = int(answer.read().split(b"\n")[2].split()[2])
        self.asked += 1
        return requests - self.asked

    def cpu_s(self):
        """User and system, since it began."""
        stat = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text(encoding="ascii")
        fields = stat.rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

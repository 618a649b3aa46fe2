"""Servers of the tests' own, and certificates made by the openssl command.

A server here says what no gateway would: it stalls, speaks plain text, shows a wrong certificate,
or answers with what should not reach a terminal.
"""

import contextlib
import pathlib
import socket
import ssl
import subprocess
import threading
import time

from harness import Gateway, shared_pki


def openssl(*arguments):
    """Runs the openssl command."""
    done = subprocess.run(
        ["openssl", *(str(argument) for argument in arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"openssl {arguments}: {done.stdout}")


NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")


def make_authority(folder):
    """A CA as folder/ca.pem and ca-key.pem."""
    openssl(
        *("req", "-x509", *NEW_KEY, "-keyout", folder / "ca-key.pem", "-out", folder / "ca.pem"),
        *("-subj", "/CN=test CA", "-days", "3"),
        *("-addext", "keyUsage=critical,keyCertSign,cRLSign"),
    )


def make_certificate(folder, names, days=3):
    """A certificate of folder's CA for `names`, as folder/server.pem and server-key.pem."""
    extensions = folder / "extensions"
    extensions.write_text(f"basicConstraints=critical,CA:FALSE\nsubjectAltName={names}\n")
    issue(folder, "server", "-extfile", extensions, "-days", days)


def make_client_certificate(folder, days=3):
    """A certificate of folder's CA for a client, as folder/client.pem and client-key.pem."""
    issue(folder, "client", "-days", days)


def issue(folder, name, *options):
    request = folder / "request.pem"
    openssl(
        *("req", *NEW_KEY, "-keyout", folder / f"{name}-key.pem", "-out", request),
        *("-subj", f"/CN=test {name}"),
    )
    openssl(
        *("x509", "-req", "-in", request, "-CA", folder / "ca.pem"),
        *("-CAkey", folder / "ca-key.pem", "-CAcreateserial", *options),
        *("-out", folder / f"{name}.pem"),
    )


def make_self_signed(folder):
    """A certificate that vouches for itself, as folder/server.pem and server-key.pem."""
    openssl(
        *("req", "-x509", *NEW_KEY, "-keyout", folder / "server-key.pem"),
        *("-out", folder / "server.pem", "-subj", "/CN=127.0.0.1", "-days", "3"),
        *("-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=CA:FALSE"),
    )


class Listener:
    """A server of the test's own on loopback. `serve(socket)` is called for each connection, and
    what it returns, bytes of the application, is kept in `received`."""

    def __init__(self, serve):
        self.serve = serve
        self.received = b""
        self.connections = 0
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.closing = threading.Event()
        self.threads = [threading.Thread(target=self.accept)]

    def __enter__(self):
        self.threads[0].start()
        return self

    def __exit__(self, *ignored):
        self.closing.set()
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        for thread in self.threads:
            thread.join(timeout=10)

    def accept(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            self.connections += 1
            self.threads.append(threading.Thread(target=self.meet, args=(connection,)))
            self.threads[-1].start()

    def meet(self, connection):
        with connection:
            connection.settimeout(5)
            with contextlib.suppress(OSError):
                self.received += self.serve(connection) or b""


class Stall:
    """Stands before a gateway's port and keeps every connection that begins during the stall from
    saying anything until its end: their TLS handshakes end together. `begin` and `end` are seconds
    from the first connection on."""

    def __init__(self, port, begin, end):
        self.port = port
        self.begin = begin
        self.end = end
        self.first = None
        self.stalled = 0

    def serve(self, connection):
        now = time.monotonic()
        self.first = self.first or now
        if self.begin <= now - self.first < self.end:
            self.stalled += 1
            time.sleep(self.first + self.end - now)
        with socket.create_connection(("127.0.0.1", self.port)) as beyond:
            for one in (connection, beyond):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                one.settimeout(None)
            back = threading.Thread(target=self.pump, args=(beyond, connection))
            back.start()
            self.pump(connection, beyond)
            back.join()

    @staticmethod
    def pump(source, sink):
        with contextlib.suppress(OSError):
            while piece := source.recv(65536):
                sink.sendall(piece)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_WR)


class Server:
    """In a gateway's place for a batch: where to go, and whom to trust."""

    def __init__(self, port, ca=None):
        self.endpoint = f"https://127.0.0.1:{port}"
        self.ca = ca or shared_ca()
        self.executed_path = pathlib.Path("/nonexistent")


def tls_context(folder):
    """For a server that shows the certificate in `folder`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem", folder / "server-key.pem")
    return context


def answering(folder, answer):
    """For a Listener: answers the first request of a connection with the bytes `answer`, over TLS,
    and keeps the request."""
    context = tls_context(folder)

    def serve(connection):
        with context.wrap_socket(connection, server_side=True) as stream:
            request = stream.recv(65536)
            stream.sendall(answer)
            return request

    return serve


def shared_ca():
    """The CA of the gateways of this process, which the first of them makes."""
    path = shared_pki() / "ca.pem"
    if not path.exists():
        with Gateway():
            pass
    return path

"""Chromium without a screen, as a page meets it: what it shows, logs and asks of the network.

    with Browser(width=1280, dark=True) as browser:
        browser.open(page)
        ...
        self.assertEqual(browser.errors(), [])
        self.assertEqual(browser.requests(), [])

It is driven over WebDriver by its own driver, on loopback. Profile and driver are made here and end
with the block.
"""

import base64
import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

from harness import TIME_SCALE

# Of Debian's packages chromium and chromium-driver.
CHROMIUM = "/usr/bin/chromium"
DRIVER = "/usr/bin/chromedriver"
SECONDS_MOST = 30 * TIME_SCALE


class Driver:
    """The program that drives the browser, and one session with it."""

    def __init__(self, folder):
        self.folder = folder
        self.log = folder / "driver.log"
        self.session = ""
        environment = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "HOME": str(folder)}
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [DRIVER, "--port=0"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=folder,
                env=environment,
            )
        self.server = f"http://127.0.0.1:{self.port()}"

    def port(self):
        deadline = time.monotonic() + SECONDS_MOST
        while self.process.poll() is None and time.monotonic() < deadline:
            found = re.search(r"successfully on port (\d+)", self.log.read_text())
            if found:
                return int(found[1])
            time.sleep(0.01)
        raise RuntimeError("the browser's driver did not start: " + self.log.read_text())

    def ask(self, method, path, body=None):
        """@return the value of the answer"""
        request = urllib.request.Request(
            self.server + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=SECONDS_MOST) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise RuntimeError(f"{method} {path}: {error.read().decode()}") from error

    def begin(self, capabilities):
        value = self.ask("POST", "/session", {"capabilities": {"alwaysMatch": capabilities}})
        self.session = f"/session/{value['sessionId']}"

    def do(self, what, **body):
        return self.ask("POST", f"{self.session}/{what}", body)

    def quit(self):
        try:
            if self.session:
                self.ask("DELETE", self.session)
        finally:
            self.process.terminate()
            self.process.wait()


class Browser:
    """One window of a browser. Sizes are in CSS pixels; at phone widths it has a touch screen's
    pixels, too."""

    def __init__(self, width=1280, height=900, dark=False):
        self.width, self.height, self.dark = width, height, dark
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="sagorder-browser-"))
        self.driver = None
        self.page = ""

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *ignored):
        if self.driver is not None:
            self.driver.quit()
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self):
        arguments = [
            "--headless=new",
            "--no-sandbox",  # root has none; the page is our own
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-background-networking",
            "--no-first-run",
            f"--user-data-dir={self.folder / 'profile'}",
        ]
        self.driver = Driver(self.folder)
        self.driver.begin(
            {
                "browserName": "chrome",
                "goog:chromeOptions": {"binary": CHROMIUM, "args": arguments},
                "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
            }
        )
        self.show(self.width, self.height, self.dark)

    def command(self, name, **parameters):
        """Any command of the DevTools protocol."""
        return self.driver.do("goog/cdp/execute", cmd=name, params=parameters)

    def show(self, width, height, dark):
        """Another window, or another preference for colours."""
        self.width, self.height, self.dark = width, height, dark
        phone = width < 600
        self.command(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=2 if phone else 1,
            mobile=phone,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.command("Emulation.setEmulatedMedia", features=[scheme])

    def open(self, path):
        """Opens a file, and forgets what was logged before."""
        self.logged("browser")
        self.logged("performance")
        self.page = pathlib.Path(path).resolve().as_uri()
        self.driver.do("url", url=self.page)

    def logged(self, kind):
        """What came into this log since it was asked for last."""
        return self.driver.do("se/log", type=kind)

    def run(self, script, *arguments):
        """The body of a function, in the page. @return what it returns"""
        return self.driver.do("execute/sync", script=script, args=list(arguments))

    def errors(self):
        """Everything that the page logged since it was opened: of a good page, nothing."""
        return [entry["message"] for entry in self.logged("browser")]

    def requests(self):
        """What was asked for since the page was opened, but for the page itself."""
        events = [json.loads(entry["message"])["message"] for entry in self.logged("performance")]
        asked = [
            event["params"]["request"]["url"]
            for event in events
            if event["method"] == "Network.requestWillBeSent"
        ]
        return [url for url in asked if url != self.page]

    def screenshot(self, path=None, whole=False):
        """PNG of the window, or of the whole page. @return its bytes"""
        more = {"captureBeyondViewport": True, "clip": self.whole_page()} if whole else {}
        shot = self.command("Page.captureScreenshot", format="png", **more)
        data = base64.b64decode(shot["data"])
        if path is not None:
            pathlib.Path(path).write_bytes(data)
        return data

    def whole_page(self):
        size = self.command("Page.getLayoutMetrics")["cssContentSize"]
        return {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}

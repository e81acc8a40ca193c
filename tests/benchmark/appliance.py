"""The server that is measured, as its users run it: the executable, a configuration file, and commands."""
import json
import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor

from . import load, measure

CONFIG = """
[server]
listen = "127.0.0.1:{port}"
public_url = "{scheme}://localhost:{port}"
data_dir = "{data}"
{tls}
[outbound]
allow = ["localhost", "127.0.0.1"]
{ca}
[vcs]
file_roots = ["{roots}"]
[log]
level = "warn"
"""


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Appliance:
    """One instance with one organization, `acme`, and one token that sees all of it."""

    def __init__(self, program, folder, roots, certificates=None, tls=False):
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
        self.program, self.folder, self.port = program, folder, free_port()
        self.data, self.config = os.path.join(folder, "data"), os.path.join(folder, "config.toml")
        self.base = "%s://localhost:%d" % ("https" if tls else "http", self.port)
        self.repo = "/repo/acme"
        keys = certificates and "[server.tls]\ncertificate = \"%s\"\nprivate_key = \"%s\"\n" % certificates.leaf
        with open(self.config, "w") as config:
            config.write(CONFIG.format(
                port=self.port, scheme="https" if tls else "http", data=self.data, roots=roots,
                tls=keys if tls else "", ca="ca_bundle = \"%s\"" % certificates.ca if certificates else ""))
        self.certificates, self.process, self.token = certificates, None, None

    def start(self, cpu=None):
        """Starts it; seconds until it answered a request for `packages.json`, or where there is no token yet, at all."""
        command = [self.program, "--config", self.config, "serve"]
        if cpu is not None:
            command = ["taskset", "-c", str(cpu)] + command
        self.log = open(os.path.join(self.folder, "log"), "a")
        started = time.monotonic()
        self.process = subprocess.Popen(command, stdout=self.log, stderr=self.log)
        while not self._answers():
            if self.process.poll() is not None:
                raise RuntimeError("the server ended: see " + self.log.name)
            time.sleep(0.002)
        return time.monotonic() - started

    def _answers(self):
        try:
            self.get("/packages.json" if self.token else "/packages.json", expect=(200,) if self.token else (200, 401))
        except (OSError, urllib.error.URLError):
            return False
        return True

    @property
    def pid(self):
        return self.process.pid

    def stop(self):
        if self.process:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait()
            self.log.close()
            self.process = None

    def command(self, *arguments):
        """Runs a command beside the server; what it printed."""
        done = subprocess.run([self.program, "--config", self.config, *arguments], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True)
        if done.returncode:
            raise RuntimeError("%s: %s" % (" ".join(arguments[:2]), done.stderr.strip()))
        return done.stdout.strip()

    def prepare(self):
        """The organization and the token."""
        self.command("org", "add", "acme")
        self.token = self.command("token", "add", "--access", "read")

    def add(self, urls):
        """Adds packages without waiting, as a script would: a command each, four at once."""
        with ThreadPoolExecutor(4) as pool:
            return list(pool.map(lambda url: self.command("package", "add", url), urls))

    def settle(self, deadline=3600):
        """Waits until no job waits or runs."""
        until = time.monotonic() + deadline
        while time.monotonic() < until:
            waiting = [job for job in json.loads(self.command("job", "list", "--json")) if job["state"] in ("ready", "running")]
            if not waiting:
                return
            # Listing many jobs is work for the server as well.
            time.sleep(min(3, 0.02 + len(waiting) / 500))
        raise RuntimeError("jobs did not end")

    def headers(self, token=None):
        return load.basic("token", token or self.token or "none")

    def get(self, path, expect=(200,), headers=None):
        """Body and headers of an answer below the organization's repository; bytes as they came over the wire."""
        request = urllib.request.Request(self.base + self.repo + path, headers=headers or self.headers())
        context = self.certificates and self.certificates.context()
        try:
            with urllib.request.urlopen(request, timeout=30, context=context) as answer:
                return answer.read(), answer.headers
        except urllib.error.HTTPError as error:
            if error.code not in expect:
                raise
            return error.read(), error.headers

    def gzipped(self, path):
        """The same, compressed."""
        return self.get(path, headers={**self.headers(), "Accept-Encoding": "gzip"})

    def rss(self):
        return measure.rss(self.pid)

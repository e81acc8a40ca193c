"""Load from `wrk` (HTTP/1.1) and `h2load` (HTTP/2), and what it cost the server."""
import base64
import os
import re
import shutil
import subprocess
import tempfile

from . import measure

SCRIPT = os.path.join(os.path.dirname(__file__), "requests.lua")


def basic(user, password):
    return {"Authorization": "Basic " + base64.b64encode(("%s:%s" % (user, password)).encode()).decode()}


class Requests:
    """What is asked, one after the other: (path, headers)."""

    def __init__(self, requests, gzip=True):
        always = {"Accept-Encoding": "gzip"} if gzip else {}
        self.requests = [(path, {**always, **headers}) for path, headers in requests]

    def write(self, file):
        for path, headers in self.requests:
            file.write("\t".join([path] + ["%s: %s" % pair for pair in headers.items()]) + "\n")
        file.flush()


def wrk(base, pid, requests, connections, seconds, pin=None):
    """One run: a dictionary of figures. `pid`: whose processor time is counted."""
    with tempfile.NamedTemporaryFile("w", suffix=".requests") as file:
        requests.write(file)
        command = ["wrk", "-t1", "-c%d" % connections, "-d%ss" % seconds, "--timeout", "30s", "--latency",
                   "-s", SCRIPT, base]
        if pin is not None:
            command = ["taskset", "-c", str(pin)] + command
        before = measure.cpu(pid)
        done = subprocess.run(command, env={**os.environ, "REQUESTS": file.name}, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True)
        used = measure.cpu(pid) - before
    match = re.search(r"^FIGURES (.*)$", done.stdout, re.M)
    if not match:
        raise RuntimeError("wrk failed: " + done.stdout)
    figures = {key: float(value) for key, value in (pair.split("=") for pair in match.group(1).split())}
    figures["cpu_us"] = used * 1e6 / max(1, figures["requests"])
    figures["rss_mb"] = sum(measure.rss(process) for process in measure.children(pid))
    return figures


def h2load(base, pid, path, headers, connections, streams, seconds, http1=False, pin=None):
    """One run over TLS."""
    with tempfile.NamedTemporaryFile() as log:
        command = ["h2load", "-t1", "-c%d" % connections, "-m%d" % streams, "-D%d" % seconds, "--warm-up-time=1",
                   "--log-file=" + log.name]
        command += ["--h1"] if http1 else []
        for pair in {"accept-encoding": "gzip", **headers}.items():
            command += ["-H", "%s: %s" % pair]
        if pin is not None:
            command = ["taskset", "-c", str(pin)] + command
        before = measure.cpu(pid)
        done = subprocess.run(command + [base + path], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        used = measure.cpu(pid) - before
        with open(log.name) as lines:
            entries = [line.split() for line in lines]
    # Those that the end of the run cut off have no status.
    entries = [entry for entry in entries if int(entry[1]) > 0]
    # The warm-up's requests cost as well: all that were answered are counted.
    times = sorted(int(entry[2]) for entry in entries)
    if not times:
        raise RuntimeError("h2load failed: " + done.stdout)
    at = lambda share: times[min(len(times) - 1, int(len(times) * share))] / 1000  # noqa: E731
    return {"requests": len(times), "rps": len(times) / (seconds + 1), "p50": at(0.5), "p99": at(0.99),
            "p999": at(0.999), "cpu_us": used * 1e6 / len(times),
            "failed": sum(1 for entry in entries if entry[1] not in ("200", "304")),
            "rss_mb": sum(measure.rss(process) for process in measure.children(pid))}


def installed(program):
    return shutil.which(program) is not None

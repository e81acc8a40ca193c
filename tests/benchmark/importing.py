"""Working: imports, refreshes, webhooks, starts, and memory."""
import json
import os
import subprocess
import threading
import time
import urllib.request

from . import load, measure, repositories
from .appliance import Appliance
from .load import Requests
from .measure import TreePeak, middle
from .peers import GitHttps, Satis

# Packages with which a webhook is measured, and tags of the one that is pushed to.
INSTALLED, TAGS = 1000, 500


def measure_import(bench, count, tags):
    """A new instance that imports so many repositories; it runs on, on all processors."""
    report = bench.report
    paths = bench.repositories(count, tags)
    appliance = Appliance(bench.program, bench.folder("appliance"), bench.roots)
    appliance.start()
    appliance.prepare()
    idle, used, started = appliance.rss(), measure.cpu(appliance.pid), time.monotonic()
    with TreePeak(appliance.pid) as tree:
        appliance.add(paths)
        added = time.monotonic() - started
        appliance.settle()
    wall, used = time.monotonic() - started, measure.cpu(appliance.pid) - used
    served = len(json.loads(appliance.get("/packages.json")[0])["available-packages"])
    if served != count:
        raise RuntimeError("%d of %d packages are served" % (served, count))
    report.row("Import", packages=count, versions=count * (tags + 1), **{
        "s": wall, "of it adding s": added, "cpu s": used, "idle MB": idle, "peak MB": measure.peak(appliance.pid),
        "peak with workers MB": tree.most, "after MB": appliance.rss()})
    return appliance, wall, used


def measure_refresh(bench, appliance, count):
    """All packages looked at again, with nothing new."""
    walls, costs = [], []
    for _ in range(3 if count <= 1000 else 1):
        used, started = measure.cpu(appliance.pid), time.monotonic()
        appliance.command("package", "update", "--all", "--wait")
        walls.append(time.monotonic() - started)
        costs.append(measure.cpu(appliance.pid) - used)
    bench.report.row("Refresh with nothing new", packages=count, **{"from": "files", "s": middle(walls), "cpu s": middle(costs)})
    return middle(walls), middle(costs)


def measure_start(bench, appliance, count, tags):
    """Stop and start: until the first answer; and what it takes then."""
    times = []
    for _ in range(3):
        appliance.stop()
        times.append(appliance.start())
    time.sleep(1)
    idle = appliance.rss()
    bench.report.row("Start and memory", packages=count, versions=count * (tags + 1), **{
        "first answer s": middle(times), "slowest s": max(times), "then MB": idle, "peak MB": measure.peak(appliance.pid)})
    if count >= 10_000:
        bench.report.budget("start with %d packages" % count, middle(times), 2.0, "s")
        bench.report.budget("memory with %d packages" % count, measure.peak(appliance.pid), 1024, "MB")
    elif count == 1000:
        bench.report.budget("memory with %d packages" % count, measure.peak(appliance.pid), 150, "MB")


def measure_satis(bench, count, tags, ours):
    """The same repositories built by Satis; `ours`: ((wall, cpu) of the import, (wall, cpu) of the refresh)."""
    program = Satis.find()
    if not program:
        bench.report.skip("comparison with Satis, %d packages" % count, "Satis ($SATIS_BIN, or `satis` on the path)")
        return
    satis = Satis(program, bench.folder("satis"), bench.repositories(count, tags))
    for what, (wall, used) in zip(("import", "refresh"), ours):
        seconds, cost = satis.build()
        bench.report.row("Satis", packages=count, what=what, **{
            "ours s": wall, "satis s": seconds, "times faster": seconds / wall,
            "ours cpu s": used, "satis cpu s": cost, "times less cpu": cost / used})
        if count == 200:
            bench.report.budget("%s of %d repositories against Satis" % (what, count), seconds / wall,
                                10 if what == "import" else 30, "x", least=True)


def measure_https(bench, count, tags):
    """Import and refresh over HTTPS."""
    paths = bench.repositories(count, tags)
    host = GitHttps(bench.roots, bench.certificates)
    appliance = Appliance(bench.program, bench.folder("https"), bench.roots, bench.certificates)
    try:
        urls = [path.replace(bench.roots, host.base) for path in paths]
        appliance.start()
        appliance.prepare()
        started = time.monotonic()
        appliance.add(urls)
        appliance.settle()
        first = time.monotonic() - started
        started, used = time.monotonic(), measure.cpu(appliance.pid)
        appliance.command("package", "update", "--all", "--wait")
        wall, used = time.monotonic() - started, measure.cpu(appliance.pid) - used
        bench.report.row("Refresh with nothing new", packages=count, **{"from": "HTTPS", "s": wall, "cpu s": used})
        program = Satis.find()
        # Each of its repositories takes it seconds.
        if program and count <= 20:
            satis = Satis(program, bench.folder("satis"), urls, bench.certificates.ca)
            for what, mine in (("import, HTTPS", first), ("refresh, HTTPS", wall)):
                seconds, cost = satis.build()
                bench.report.row("Satis", packages=count, what=what, **{
                    "ours s": mine, "satis s": seconds, "times faster": seconds / mine,
                    "ours cpu s": None, "satis cpu s": cost, "times less cpu": None})
    finally:
        appliance.stop()
        host.stop()


def measure_webhook(bench, tags):
    """A push, its webhook, and the new version in a client's hands: over HTTPS, with many packages installed."""
    name = "acme/pushed"
    roots = bench.folder("pushed")
    path = repositories.make(roots, name, 0, TAGS)
    host = GitHttps(roots, bench.certificates)
    appliance = Appliance(bench.program, bench.folder("webhook"), bench.roots, bench.certificates)
    try:
        appliance.start()
        appliance.prepare()
        installed = INSTALLED if not bench.quick else 20
        appliance.add(bench.repositories(installed, tags))
        appliance.add([path.replace(roots, host.base)])
        appliance.settle()
        hook, times = appliance.command("package", "hook", name), []
        for number in range(4 if bench.quick else 12):
            # Events within two seconds of each other are worked on together, which is not what is asked here.
            time.sleep(2.5)
            version = "90.%d.0" % number
            commit = repositories.release(path, name, version)
            body = json.dumps({"ref": "refs/tags/v" + version, "after": commit}).encode()
            started = time.monotonic()
            urllib.request.urlopen(urllib.request.Request(hook, body, {"Content-Type": "application/json"})).read()
            while commit.encode() not in appliance.get("/p2/%s.json" % name)[0]:
                time.sleep(0.005)
            times.append(time.monotonic() - started)
        bench.report.row("Webhook to served", packages=installed, tags=TAGS, **{
            "median s": middle(times), "slowest s": max(times), "pushes": len(times)})
        bench.report.budget("webhook to served, %d tags, HTTPS" % TAGS, middle(times), 1.0, "s")
    finally:
        appliance.stop()
        host.stop()


def measure_hammered(bench, count, tags):
    """What clients notice of an import, and it of them."""
    if not load.installed("wrk"):
        return
    paths = bench.repositories(count, tags)
    appliance = Appliance(bench.program, bench.folder("hammered"), bench.roots)
    try:
        appliance.start()
        appliance.prepare()
        appliance.add([repositories.make(bench.roots, "acme/document-30kb", 0, 62)])
        appliance.settle()
        asked = Requests([(appliance.repo + "/p2/acme/document-30kb.json", appliance.headers())])

        def clients(seconds):
            return load.wrk(appliance.base, appliance.pid, asked, 8, seconds)
        alone = clients(bench.seconds * 2)
        started = time.monotonic()
        adding = threading.Thread(target=lambda: appliance.add(paths))
        adding.start()
        runs = []
        while adding.is_alive() or not _is_settled(appliance):
            runs.append(clients(bench.seconds))
        adding.join()
        wall = time.monotonic() - started
        if any(run["failed"] for run in runs):
            raise RuntimeError("clients met errors during the import")
        for when, found in (("alone", [alone]), ("during the import of %d, which took %.1f s" % (count, wall), runs)):
            bench.report.row("Clients during an import (8 connections, document of 30 KB)", when=when, **{
                "req/s": middle([run["rps"] for run in found]), "p50 ms": middle([run["p50"] for run in found]),
                "p99 ms": middle([run["p99"] for run in found]), "p99.9 ms": middle([run["p999"] for run in found])})
    finally:
        appliance.stop()


def _is_settled(appliance):
    return not any(job["state"] in ("ready", "running") for job in json.loads(appliance.command("job", "list", "--json")))


def measure_allocations(bench):
    """Allocations a request, counted by a build of the library that counts them."""
    done = subprocess.run([os.environ.get("CARGO", "cargo"), "bench", "--quiet", "--bench", "allocations"], stdout=subprocess.PIPE, text=True,
                          cwd=bench.source)
    if done.returncode:
        bench.report.skip("allocations a request", "a working cargo")
        return
    for line in done.stdout.splitlines():
        if line.startswith("{"):
            bench.report.row("Allocations a request", **json.loads(line))

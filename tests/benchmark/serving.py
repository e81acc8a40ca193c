"""Answering: each case beside nginx with the same bytes, in alternating rounds."""
import json
import os
import random
import shutil

from . import load, repositories
from .appliance import Appliance
from .load import Requests
from .measure import middle
from .peers import PASSWORD, USER, Nginx, publish

# Tags that make documents of about 14, 30 and 300 KB.
DOCUMENTS = {"14 KB": 24, "30 KB": 62, "300 KB": 720}
ARCHIVES = {"55 KB": 55_000, "5 MB": 5_000_000}
NGINX_AUTH = load.basic(USER, PASSWORD)


def special(roots):
    """Repositories whose documents and archives have the sizes that are measured; (label, name, path)."""
    made = []
    for kind, sizes in (("document", DOCUMENTS), ("archive", ARCHIVES)):
        for label, size in sizes.items():
            name = "acme/%s-%s" % (kind, label.replace(" ", "").lower())
            tags, payload = (size, 0) if kind == "document" else (1, size)
            made.append((kind, label, name, repositories.make(roots, name, 0, tags, payload)))
    return made


class Pair:
    """The server and nginx on one processor, the load on another: each side is alone while it is measured."""

    def __init__(self, bench, ours, folder, certificates=None):
        self.bench, self.ours, self.root = bench, ours, os.path.join(folder, "files")
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(self.root)
        self.peers = {auth: Nginx(os.path.join(folder, auth), self.root, auth, certificates, bench.server_cpu)
                      for auth in (("none",) if certificates else ("none", "apr1", "bcrypt"))}

    def stop(self):
        for peer in self.peers.values():
            peer.stop()

    def publish(self, path):
        """Has nginx serve what the server answers there; with the headers that both need for a 304."""
        packed, headers = self.ours.gzipped(path)
        publish(self.root, path, packed)
        return packed, headers

    def run(self, side, requests, connections):
        server = self.ours if side == "ours" else self.peers[side]
        return load.wrk(server.base, server.pid, requests, connections, self.bench.seconds, self.bench.load_cpu)

    def compare(self, table, case, ours, nginx, connections, auth="none", expect_failures=False, rounds=None):
        """Rounds of both in turn; medians, and the ratio of processor time with its spread."""
        mine, theirs = [], []
        for _ in range(rounds or self.bench.rounds):
            mine.append(self.run("ours", ours, connections))
            theirs.append(self.run(auth, nginx, connections))
        for name, runs in (("ours", mine), ("nginx", theirs)):
            if not expect_failures and any(run["failed"] for run in runs):
                raise RuntimeError("%s: %s answered with errors: %s" % (case, name, runs))
        return self.note(table, case, connections, auth, mine, theirs)

    def note(self, table, case, connections, auth, mine, theirs):
        ratios = sorted(a["cpu_us"] / b["cpu_us"] for a, b in zip(mine, theirs))
        of = lambda runs, key: middle([run[key] for run in runs])  # noqa: E731
        row = {
            "case": case, "connections": connections, "nginx auth": auth,
            "cpu us": of(mine, "cpu_us"), "nginx cpu us": of(theirs, "cpu_us"),
            "cpu ratio": middle(ratios), "from": ratios[0], "to": ratios[-1],
            "req/s": of(mine, "rps"), "nginx req/s": of(theirs, "rps"),
            "p50 ms": of(mine, "p50"), "p99 ms": of(mine, "p99"), "p99.9 ms": of(mine, "p999"),
            "nginx p99 ms": of(theirs, "p99"), "rss MB": of(mine, "rss_mb")}
        self.bench.report.row(table, **row)
        return row


def measure_cases(bench, appliance, packages):
    """Documents, 304, packages.json, archives, refusals; then many tokens."""
    report, table = bench.report, "Serving, %d packages (CPU in microseconds a request; ratio to nginx)" % packages
    pair = Pair(bench, appliance, bench.folder("nginx"))
    try:
        own = appliance.headers()
        for label in DOCUMENTS:
            path = appliance.repo + "/p2/acme/document-%s.json" % label.replace(" ", "").lower()
            _documents(pair, table, label, path, own)
        path = appliance.repo + "/packages.json"
        pair.publish(path[len(appliance.repo):])
        pair.compare(table, "packages.json", Requests([(path, own)]), Requests([("/packages.json", {})]), 32)
        for label in ARCHIVES:
            _archive(pair, table, label, own)
        _refusals(pair, table, own)
    finally:
        pair.stop()
    worst = [row for row in report.tables[table] if row["case"] == "document 30 KB" and row["connections"] == 32]
    plain = next(row for row in worst if row["nginx auth"] == "none")
    report.budget("document of 30 KB, CPU against nginx without authentication", plain["cpu ratio"], 1.0, "x")
    report.budget("document of 30 KB, p99 at 32 connections", plain["p99 ms"], 5.0, "ms")
    unchanged = next(row for row in report.tables[table] if row["case"] == "304" and row["connections"] == 32)
    report.budget("304, CPU against nginx without authentication", unchanged["cpu ratio"], 1.25, "x")


def _documents(pair, table, label, path, own):
    ours = pair.ours
    short = path[len(ours.repo):]
    packed, headers = pair.publish(short)
    asked, plain = Requests([(path, own)]), Requests([(short, {})])
    main = label == "30 KB"
    for connections in (1, 32, 256) if main else (32,):
        pair.compare(table, "document " + label, asked, plain, connections)
    if not main:
        return
    authenticated = Requests([(short, NGINX_AUTH)])
    pair.compare(table, "document " + label, asked, authenticated, 32, "apr1", rounds=2)
    pair.compare(table, "document " + label, asked, authenticated, 32, "bcrypt", rounds=1, expect_failures=True)
    since = {"If-Modified-Since": headers["Last-Modified"]}
    changed = os.stat(os.path.join(pair.root, short.lstrip("/") + ".gz")).st_mtime
    theirs = {"If-Modified-Since": http_date(changed)}
    for connections in (1, 32, 256):
        pair.compare(table, "304", Requests([(path, {**own, **since})]), Requests([(short, theirs)]), connections)


def http_date(seconds):
    from email.utils import formatdate
    return formatdate(seconds, usegmt=True)


def _archive(pair, table, label, own):
    name = "acme/archive-" + label.replace(" ", "").lower()
    document, _ = pair.ours.get("/p2/%s.json" % name)
    version = json.loads(document)["packages"][name][0]
    path = "/dists/%s/%s.zip" % (name, version["dist"]["reference"])
    body, _ = pair.ours.get(path)
    target = os.path.join(pair.root, path.lstrip("/"))
    os.makedirs(os.path.dirname(target), exist_ok=True)
    with open(target, "wb") as file:
        file.write(body)
    pair.compare(table, "archive " + label, Requests([(pair.ours.repo + path, own)]), Requests([(path, {})]), 32)


def _refusals(pair, table, own):
    repo = pair.ours.repo
    nothing = Requests([("/p2/acme/absent.json", {})])
    wrong = pair.ours.token[:-1] + ("0" if pair.ours.token[-1] != "0" else "1")
    unknown = "pksh_ort_" + "0" * 60 + "89e9ca05"
    for case, path, headers in (
            ("absent name, vendor not ours", "/p2/symfony/console.json", own),
            ("absent name, vendor ours", "/p2/acme/absent.json", own),
            ("mistyped token", "/p2/acme/absent.json", load.basic("token", wrong)),
            ("unknown token", "/p2/acme/absent.json", load.basic("token", unknown))):
        pair.compare(table, case, Requests([(repo + path, headers)]), nothing, 32, expect_failures=True)


def measure_many_tokens(bench, appliance, names, count):
    """Tokens that each see another tenth of the packages, asking for documents that they see."""
    table = "Many tokens and names"
    chosen = random.Random(1)
    tokens = []
    for _ in range(count):
        seen = chosen.sample(names, max(1, min(20, len(names) // 10)))
        options = [word for name in seen for word in ("--package", name)]
        tokens.append((appliance.command("token", "add", "--access", "read", *options), seen))
    pair = Pair(bench, appliance, bench.folder("nginx"))
    try:
        for path in {"/p2/%s.json" % name for _, seen in tokens for name in seen}:
            pair.publish(path)
        asked = [(name, token) for token, seen in tokens for name in seen]
        chosen.shuffle(asked)
        asked = asked[:5000]
        ours = Requests([("%s/p2/%s.json" % (appliance.repo, name), appliance.headers(token)) for name, token in asked])
        nginx = Requests([("/p2/%s.json" % name, {}) for name, _ in asked])
        pair.compare(table, "%d tokens, %d packages" % (count, len(names)), ours, nginx, 32)
        roots = Requests([(appliance.repo + "/packages.json", appliance.headers(token)) for token, _ in tokens])
        pair.publish("/packages.json")
        pair.compare(table, "packages.json of %d tokens" % count, roots, Requests([("/packages.json", {})]), 32)
    finally:
        pair.stop()


def measure_mixed(bench, appliance, names):
    """Documents of up to a thousand packages in turn: what a request costs with so many packages."""
    pair = Pair(bench, appliance, bench.folder("nginx"))
    chosen = random.Random(2).sample(names, min(1000, len(names)))
    try:
        for name in chosen:
            pair.publish("/p2/%s.json" % name)
        ours = Requests([("%s/p2/%s.json" % (appliance.repo, name), appliance.headers()) for name in chosen])
        nginx = Requests([("/p2/%s.json" % name, {}) for name in chosen])
        row = pair.compare("Many tokens and names", "1 token, %d packages" % len(names), ours, nginx, 32)
        return row["cpu ratio"]
    finally:
        pair.stop()


def measure_tls(bench, roots):
    """The same document over TLS, HTTP/1.1 and HTTP/2."""
    report = bench.report
    if not load.installed("h2load"):
        report.skip("TLS and HTTP/2 to clients", "h2load (Debian: nghttp2-client)")
        return
    table = "TLS to clients, document of 30 KB (with h2load)"
    ours = Appliance(bench.program, bench.folder("tls"), roots, bench.certificates, tls=True)
    pair = None
    try:
        ours.start(bench.server_cpu)
        ours.prepare()
        ours.add([repositories.make(roots, "acme/document-30kb", 0, DOCUMENTS["30 KB"])])
        ours.settle()
        pair = Pair(bench, ours, bench.folder("nginx"), bench.certificates)
        path = "/p2/acme/document-30kb.json"
        pair.publish(path)
        for protocol, http1, connections, streams in (("HTTP/1.1", True, 32, 1), ("HTTP/2", False, 32, 1), ("HTTP/2", False, 8, 12)):
            mine, theirs = [], []
            for _ in range(bench.rounds):
                mine.append(load.h2load(ours.base, ours.pid, ours.repo + path, ours.headers(), connections, streams,
                                        bench.seconds, http1, bench.load_cpu))
                peer = pair.peers["none"]
                theirs.append(load.h2load(peer.base, peer.pid, path, {}, connections, streams, bench.seconds, http1,
                                          bench.load_cpu))
            if any(run["failed"] for run in mine + theirs):
                raise RuntimeError("answers over TLS with errors")
            pair.note(table, "%s, %d at once each" % (protocol, streams), connections, "none", mine, theirs)
    finally:
        ours.stop()
        if pair:
            pair.stop()

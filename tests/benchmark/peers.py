"""Whom the server is compared with, and what it reads from: nginx, Satis, and Git over HTTPS."""
import gzip
import http.server
import json
import os
import shutil
import ssl
import subprocess
import threading
import time

from . import measure
from .appliance import free_port

USER, PASSWORD = "bench", "bench-secret"

NGINX = """
daemon off;
{user}
worker_processes 1;
pid {folder}/pid;
error_log {folder}/error.log warn;
events {{ worker_connections 2048; }}
http {{
    types {{ application/json json; application/zip zip; }}
    access_log off;
    sendfile on; tcp_nopush on; tcp_nodelay on;
    keepalive_timeout 75; keepalive_requests 100000000;
    open_file_cache max=50000 inactive=60s; open_file_cache_valid 30s;
    client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
    uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
    server {{
        listen 127.0.0.1:{port} {tls} backlog=1024;
        {keys}
        root {root};
        gzip_static on;
        {auth}
        location / {{ try_files $uri =404; }}
    }}
}}
"""


class Nginx:
    """nginx at its best for files: one worker, no log, open files remembered, compressed beforehand."""

    def __init__(self, folder, root, auth="none", certificates=None, cpu=None):
        os.makedirs(folder, exist_ok=True)
        self.port = free_port()
        self.base = "%s://localhost:%d" % ("https" if certificates else "http", self.port)
        keys = certificates and "ssl_certificate %s; ssl_certificate_key %s; ssl_session_cache shared:a:1m;" % certificates.leaf
        with open(os.path.join(folder, "nginx.conf"), "w") as config:
            config.write(NGINX.format(
                folder=folder, port=self.port, root=root, tls="ssl http2" if certificates else "", keys=keys or "",
                auth=self._auth(folder, auth), user="user root;" if os.getuid() == 0 else ""))
        command = ["nginx", "-p", folder, "-e", folder + "/error.log", "-c", config.name]
        if cpu is not None:
            command = ["taskset", "-c", str(cpu)] + command
        self.process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        for _ in range(500):
            if os.path.exists(folder + "/pid") and measure.children(self.process.pid)[1:]:
                return
            time.sleep(0.01)
        raise RuntimeError("nginx did not start: see %s/error.log" % folder)

    @staticmethod
    def _auth(folder, kind):
        if kind == "none":
            return ""
        hashed = subprocess.run(
            ["openssl", "passwd", "-apr1", PASSWORD] if kind == "apr1"
            else ["htpasswd", "-nbB", "-C", "5", USER, PASSWORD], check=True, capture_output=True, text=True).stdout.strip()
        with open(folder + "/htpasswd", "w") as file:
            file.write(hashed if ":" in hashed else "%s:%s\n" % (USER, hashed))
        return "auth_basic bench; auth_basic_user_file %s/htpasswd;" % folder

    @property
    def pid(self):
        return self.process.pid

    def stop(self):
        self.process.terminate()
        self.process.wait()


def publish(root, path, packed):
    """Puts a compressed body where nginx finds it, and what it expands to beside it; its path."""
    target = os.path.join(root, path.lstrip("/"))
    os.makedirs(os.path.dirname(target), exist_ok=True)
    with open(target + ".gz", "wb") as file:
        file.write(packed)
    with open(target, "wb") as file:
        file.write(gzip.decompress(packed))
    return path


class Certificates:
    """A private authority, and a certificate of it for localhost."""

    def __init__(self, folder):
        os.makedirs(folder, exist_ok=True)
        self.ca, self.leaf = folder + "/ca.pem", (folder + "/leaf.pem", folder + "/leaf.key")

        def openssl(*arguments):
            subprocess.run(["openssl", *arguments], check=True, capture_output=True, cwd=folder)
        ec = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        openssl("req", "-x509", *ec, "-keyout", "ca.key", "-out", "ca.pem", "-days", "30", "-subj", "/CN=Benchmark")
        openssl("req", *ec, "-keyout", "leaf.key", "-out", "leaf.csr", "-subj", "/CN=localhost")
        with open(folder + "/names", "w") as names:
            names.write("subjectAltName=DNS:localhost,IP:127.0.0.1\nbasicConstraints=CA:FALSE\n")
        openssl("x509", "-req", "-in", "leaf.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
                "-out", "leaf.pem", "-days", "30", "-extfile", "names")

    def context(self):
        return ssl.create_default_context(cafile=self.ca)


class GitHttps:
    """`git http-backend` behind HTTPS, as a small Git host would be."""

    def __init__(self, root, certificates):
        def make(*arguments):
            return _GitHandler(root, *arguments)
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), make)
        self.server.daemon_threads = True
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificates.leaf)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.base = "https://localhost:%d" % self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


class _GitHandler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, root, *arguments):
        self.root = root
        super().__init__(*arguments)

    def log_message(self, *_):
        pass

    def do_GET(self):
        self._answer(b"")

    def do_POST(self):
        if self.headers.get("Transfer-Encoding") == "chunked":
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self._answer(body)

    def _answer(self, body):
        path, _, query = self.path.partition("?")
        environment = {
            "PATH": os.environ["PATH"], "GIT_PROJECT_ROOT": self.root, "GIT_HTTP_EXPORT_ALL": "1", "PATH_INFO": path,
            "QUERY_STRING": query, "REQUEST_METHOD": self.command, "CONTENT_LENGTH": str(len(body)),
            "CONTENT_TYPE": self.headers.get("Content-Type", ""), "REMOTE_ADDR": "127.0.0.1",
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*"}
        done = subprocess.run(["git", "http-backend"], input=body, stdout=subprocess.PIPE, env=environment)
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        headers = [line.split(": ", 1) for line in head.decode().split("\r\n") if ": " in line]
        status = next((int(value.split()[0]) for name, value in headers if name == "Status"), 200)
        self.send_response(status)
        for name, value in headers:
            if name != "Status":
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


class Satis:
    """Satis, where it is installed: $SATIS_BIN, or `satis` on the path."""

    def __init__(self, program, folder, urls, ca=None):
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
        self.program, self.folder = program, folder
        with open(folder + "/satis.json", "w") as file:
            json.dump({"name": "bench/satis", "homepage": "http://localhost", "require-all": True, "output-html": False,
                       "repositories": [{"type": "git" if ca else "vcs", "url": url} for url in urls]}, file)
        self.environment = {
            "PATH": os.environ["PATH"], "HOME": folder, "COMPOSER_HOME": folder + "/home", "LC_ALL": "C.UTF-8",
            "COMPOSER_CACHE_DIR": folder + "/cache", "COMPOSER_ALLOW_SUPERUSER": "1", "SATIS_MEMORY_LIMIT": "-1",
            "COMPOSER_PROCESS_TIMEOUT": "3600", "GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory",
            "GIT_CONFIG_VALUE_0": "*", **({"GIT_SSL_CAINFO": ca} if ca else {})}

    @staticmethod
    def find():
        return os.environ.get("SATIS_BIN") or shutil.which("satis")

    def build(self):
        """One build: seconds, and processor seconds of all its processes."""
        before, started = os.times(), time.monotonic()
        done = subprocess.run([self.program, "build", "--no-interaction", "--minify", self.folder + "/satis.json",
                               self.folder + "/out"], env=self.environment, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True)
        if done.returncode:
            raise RuntimeError("Satis failed: " + done.stdout[-2000:])
        after = os.times()
        used = after.children_user + after.children_system - before.children_user - before.children_system
        return time.monotonic() - started, used

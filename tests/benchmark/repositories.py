"""Git repositories to import: the same on every machine, made by `git fast-import` in milliseconds each."""
import hashlib
import json
import os
import subprocess
from concurrent.futures import ProcessPoolExecutor

EPOCH = 1_500_000_000
VENDORS = ["acme", "globex", "initech", "umbra"]
WORDS = ("account batch billing bridge cache catalog channel client command config counter currency device document "
         "event export filter format gateway import index invoice journal label ledger listener market mapper message "
         "metric module notify order parser payment policy price queue refund report router schedule search").split()
AUTHOR = "Ada Example <ada@example.org>"


def name_of(number):
    return "%s/package-%05d" % (VENDORS[number % len(VENDORS)], number)


def _word(*key):
    return WORDS[hashlib.sha256(repr(key).encode()).digest()[0] % len(WORDS)]


def versions(count):
    """1.0.0, 1.0.1, 1.0.2, 1.1.0 and so on, ten minors a major."""
    return ["%d.%d.%d" % (1 + i // 30, i % 30 // 3, i % 3) for i in range(count)]


def manifest(name, number, line):
    """A composer.json as companies have them; it changes with each minor version."""
    short = "".join(part.title() for part in name.replace("/", "-").split("-"))
    earlier = [name_of(n) for n in {number * 7 // 11, number * 3 // 5} if 0 < n < number]
    return json.dumps({
        "name": name,
        "description": " ".join(_word(name, "about", n) for n in range(9)).capitalize() + ", line " + line,
        "type": "library",
        "keywords": sorted({_word(name, "key", n) for n in range(4)}),
        "homepage": "https://git.example.org/" + name,
        "license": "proprietary",
        "authors": [{"name": "Ada Example", "email": "ada@example.org", "role": "Developer"}],
        "support": {"issues": "https://git.example.org/%s/issues" % name, "source": "https://git.example.org/" + name},
        "require": {"php": "^8.1", "ext-json": "*", **{other: ">=1.0" for other in sorted(earlier)}},
        "require-dev": {"phpunit/phpunit": "^10." + line.split(".")[1]},
        "autoload": {"psr-4": {short + "\\": "src/"}},
        "autoload-dev": {"psr-4": {short + "\\Tests\\": "tests/"}},
        "extra": {"branch-alias": {"dev-main": "9.x-dev"}},
    }, indent=4).encode() + b"\n"


class Stream:
    """The commands of one fast-import."""

    def __init__(self, start=EPOCH):
        self.out, self.mark, self.time = [], 0, start

    def commit(self, files, message, parent=None):
        self.mark += 1
        self.time += 3607
        who = "%s %d +0000" % (AUTHOR, self.time)
        self.out.append(("commit refs/heads/main\nmark :%d\nauthor %s\ncommitter %s\ndata %d\n%s\n"
                         % (self.mark, who, who, len(message), message)).encode())
        if parent:
            self.out.append(b"from %s\n" % parent.encode())
        for path, data in files.items():
            self.out.append(b"M 100644 inline %s\ndata %d\n%s\n" % (path.encode(), len(data), data))
        return self.mark

    def run(self, repository, marks):
        subprocess.run(["git", "-c", "fastimport.unpackLimit=0", "-c", "core.compression=1", "--git-dir", repository,
                        "fast-import", "--quiet", "--force", "--export-marks=" + marks],
                       input=b"".join(self.out), check=True)


def make(directory, name, number, tags, payload=0):
    """One bare repository with so many tags; `payload`: bytes in it that do not compress."""
    path = os.path.join(directory, name + ".git")
    if os.path.exists(os.path.join(path, "packed-refs")):
        return path
    os.makedirs(os.path.join(path, "refs", "heads"), exist_ok=True)
    os.makedirs(os.path.join(path, "objects"), exist_ok=True)
    with open(os.path.join(path, "HEAD"), "w") as head:
        head.write("ref: refs/heads/main\n")
    with open(os.path.join(path, "config"), "w") as config:
        config.write("[core]\n\trepositoryformatversion = 0\n\tbare = true\n")
    stream, marks, line = Stream(), {}, None
    source = b"<?php\n\n// " + b" ".join(_word(name, n).encode() for n in range(120)) + b"\n"
    for version in versions(tags):
        files = {"src/Version.php": b"<?php\n\nconst VERSION = '%s';\n" % version.encode()}
        if line is None:
            files["src/Main.php"] = source
            if payload:
                files["data.bin"] = hashlib.shake_256(name.encode()).digest(payload)
        if version.rsplit(".", 1)[0] != line:
            line = version.rsplit(".", 1)[0]
            files["composer.json"] = manifest(name, number, line)
        marks["refs/tags/v" + version] = stream.commit(files, "Release " + version)
    marks["refs/heads/main"] = stream.mark
    stream.run(path, os.path.join(path, "marks"))
    with open(os.path.join(path, "marks")) as lines:
        commits = dict(line.split() for line in lines)
    # One file instead of a file for each ref: what `git pack-refs --all` would leave.
    os.unlink(os.path.join(path, "refs", "heads", "main"))
    with open(os.path.join(path, "packed-refs"), "w") as packed:
        packed.write("# pack-refs with: peeled fully-peeled sorted \n")
        for ref in sorted(marks):
            packed.write("%s %s\n" % (commits[":%d" % marks[ref]], ref))
    return path


def _make(job):
    return make(*job)


def make_many(directory, count, tags):
    """`count` repositories; those that an earlier run made are kept."""
    jobs = [(directory, name_of(number), number, tags) for number in range(count)]
    with ProcessPoolExecutor() as pool:
        return list(pool.map(_make, jobs, chunksize=16))


def release(path, name, version):
    """One more commit on main, and a tag on it."""
    git = ["git", "--git-dir", path]
    head = subprocess.run(git + ["rev-parse", "refs/heads/main"], check=True, capture_output=True, text=True).stdout.strip()
    stream = Stream(EPOCH + 200_000_000)
    stream.commit({"composer.json": manifest(name, 0, version.rsplit(".", 1)[0])}, "Release " + version, head)
    marks = os.path.join(path, "marks")
    stream.run(path, marks)
    with open(marks) as lines:
        commit = lines.read().split()[1]
    subprocess.run(git + ["update-ref", "refs/tags/v" + version, commit], check=True)
    return commit

"""What processes cost, read from /proc: processor time, memory; and the machine they ran on."""
import os
import platform
import shutil
import statistics
import subprocess
import threading
import time

TICK = os.sysconf("SC_CLK_TCK")


def _read(path):
    try:
        with open(path) as file:
            return file.read()
    except OSError:
        return ""


def children(pid):
    """The process and all below it."""
    found = [pid]
    for parent in found:
        for task in _list("/proc/%d/task" % parent):
            found += [int(child) for child in _read("/proc/%d/task/%s/children" % (parent, task)).split()]
    return found


def _list(path):
    try:
        return os.listdir(path)
    except OSError:
        return []


def cpu(pid):
    """Seconds of processor time that the process, those below it, and those of them that ended have used, to the tick.
    Threads that ended are in it, which a sum over threads would lose."""
    total = 0
    for process in children(pid):
        fields = _read("/proc/%d/stat" % process).rpartition(")")[2].split()
        total += sum(int(fields[at]) for at in (11, 12, 13, 14)) if fields else 0
    return total / TICK


def rss(pid):
    """Megabytes of memory of one process."""
    return _status(pid, "VmRSS")


def peak(pid):
    """The most megabytes that one process ever had."""
    return _status(pid, "VmHWM")


def _status(pid, key):
    for line in _read("/proc/%d/status" % pid).splitlines():
        if line.startswith(key + ":"):
            return int(line.split()[1]) / 1024
    return 0.0


class TreePeak:
    """The most memory that a process's tree had meanwhile, sampled."""

    def __init__(self, pid):
        self.pid, self.most, self.done = pid, 0.0, threading.Event()
        self.thread = threading.Thread(target=self._watch, daemon=True)

    def _watch(self):
        while not self.done.wait(0.05):
            self.most = max(self.most, sum(rss(process) for process in children(self.pid)))

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.done.set()
        self.thread.join()


def middle(values):
    return statistics.median(values)


def priority(realtime=False):
    """Raises this process and all it starts above ordinary work, where that is permitted; to what."""
    try:
        if realtime:
            os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
            return "realtime: latencies are not to be quoted"
        os.setpriority(os.PRIO_PROCESS, 0, -20)
        return "nice -20"
    except OSError:
        return "ordinary"


def _first_line(*command):
    if not shutil.which(command[0]):
        return "not installed"
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return (done.stdout.strip().splitlines() or ["?"])[0]


def machine():
    """What a figure means nothing without."""
    model = [line.split(":", 1)[1].strip() for line in _read("/proc/cpuinfo").splitlines() if line.startswith("model name")]
    memory = int(_read("/proc/meminfo").split()[1]) / 1024 / 1024
    return {
        "processor": "%d x %s" % (len(os.sched_getaffinity(0)), model[0] if model else platform.machine()),
        "memory_gib": round(memory, 1),
        "kernel": platform.release(),
        "load_average": os.getloadavg()[0],
        "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "nginx": _first_line("nginx", "-v"),
        "wrk": _first_line("wrk", "-v"),
        "h2load": _first_line("h2load", "--version"),
        "git": _first_line("git", "--version"),
        "php": _first_line("php", "-v"),
    }

"""Network namespaces on one machine: a host for each rank, as far as the network goes. Needs root and iproute2."""
import os
import shutil
import subprocess


def why_not(limited=False):
    """Why namespaces cannot be made here, in one line, or None. limited: with links of a given rate."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    for tool in ["ip", *(["tc"] if limited else [])]:
        if shutil.which(tool) is None:
            return f"{tool} is not installed (the package iproute2)"
    return None


class Namespaces:
    """One network namespace a rank, on a bridge; in each, eth0 leads to the others."""

    def __init__(self, count):
        self.names = [f"spanforge{os.getpid() % 1000}x{i}" for i in range(count)]
        self.bridge = f"sfb{os.getpid() % 10000}"
        self.links = [f"sfl{os.getpid() % 10000}x{i}" for i in range(count)]
        try:
            self.make()
        except BaseException:
            self.remove()
            raise

    def make(self):
        self.must("ip", "link", "add", self.bridge, "type", "bridge")
        self.must("ip", "link", "set", self.bridge, "up")
        for i, (name, link) in enumerate(zip(self.names, self.links)):
            self.must("ip", "netns", "add", name)
            self.must("ip", "link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", name)
            self.must("ip", "link", "set", link, "master", self.bridge, "up")
            self.must("ip", "-n", name, "addr", "add", f"10.77.{os.getpid() % 250}.{i + 1}/24", "dev", "eth0")
            self.must("ip", "-n", name, "link", "set", "eth0", "up")
            self.must("ip", "-n", name, "link", "set", "lo", "up")

    def must(self, *words):
        done = subprocess.run(words, capture_output=True, text=True)
        if done.returncode != 0:
            raise OSError(f"{' '.join(words)}: {done.stderr.strip()}")

    def limit(self, rate):
        """Both directions of every link carry at most `rate`, in tc's words: 100mbit, 1gbit."""
        for name, link in zip(self.names, self.links):
            shape = ["root", "tbf", "rate", rate, "burst", "256kb", "latency", "50ms"]
            self.must("tc", "qdisc", "replace", "dev", link, *shape)
            self.must("tc", "-n", name, "qdisc", "replace", "dev", "eth0", *shape)

    def wrapper(self, rank):
        return ["ip", "netns", "exec", self.names[rank]]

    def cut(self, rank):
        self.must("ip", "link", "set", self.links[rank], "down")

    def restore(self, rank):
        self.must("ip", "link", "set", self.links[rank], "up")

    def remove(self):
        for name in self.names:
            subprocess.run(["ip", "netns", "del", name], capture_output=True)
        subprocess.run(["ip", "link", "del", self.bridge], capture_output=True)

"""Read what pip says while it installs, and show of it what a reader wants to know."""

import re
import time

from gptlib.instruments.install.venv import installed_since

FILE = re.compile(  # Downloading torch-2.13.0-cp313-cp313-win_amd64.whl (110.9 MB), with a path or an address perhaps
    r"\s*(?P<how>Downloading|Using cached|Processing) (?:.*[/\\])?"
    r"(?P<name>[\w.]+?)-(?P<version>\d[^-\s]*?)(?:-[^\s/\\]*)?\.(?:whl|tar\.gz|zip)(?: \((?P<note>.*)\))?$"
)
HOW = {"Using cached": ", kept from before", "Processing": ", from this disk"}
SIZE = re.compile(r"\d[\d.]* (bytes|[kMG]B)")


class Reader:
    """Called with each line that pip says while it fills venv, or with None while it says nothing; tells screen."""

    def __init__(self, screen, venv):
        self.screen, self.venv = screen, venv
        self.doing, self.percent = "pip gets ready", ""
        self.there = set()
        self.wanted, self.since = [], 0.0  # the names of what is being installed, since when

    def __call__(self, line):
        if line is not None:
            self.read(line)
        if self.wanted:
            done = installed_since(self.venv, self.since)
            self.doing = "%d of %d installed" % (done, len(self.wanted))
            if done < len(self.wanted):  # pip keeps to its list
                self.doing += ", next " + self.wanted[done]
        self.screen.status(self.doing + self.percent)

    def read(self, line):
        """Take in one line."""
        file = FILE.match(line)
        words = line.split()
        if words[:1] == ["Progress"]:  # "Progress 262144 of 649819", bytes of the file named last
            self.percent = ", %d %%" % (100 * int(words[1]) // max(1, int(words[3])))
            return
        self.percent = ""
        if file:
            size = ", " + file["note"] if SIZE.fullmatch(file["note"] or "") else ""
            name = file["name"].replace("_", "-") + " " + file["version"]
            self.screen.line("  " + name + size + HOW.get(file["how"], ""))
            self.doing = "fetching " + name
        elif words[:1] == ["Collecting"]:
            self.doing = "looking up " + package(words[1])
        elif words[:3] == ["Building", "wheel", "for"]:
            self.doing = "building " + words[3]
        elif words[:3] == ["Requirement", "already", "satisfied:"]:
            self.there.add(package(words[3]))
        elif line.startswith("Installing collected packages: "):
            self.wanted = line.split(": ")[1].split(", ")
            self.since = time.time() - 2  # some file systems count in steps of 2 s
            there = " (%d are there already)" % len(self.there) if self.there else ""
            self.screen.line("  now installing %d packages%s" % (len(self.wanted), there))


def package(requirement):
    """The name in a requirement such as pytest>=7."""
    return re.split(r"[^\w.-]", requirement)[0]

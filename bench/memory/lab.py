# SPDX-License-Identifier: GPL-3.0-or-later
"""What the parts of bench/memory share: guests and their sessions, images, intervals, tables and results."""
import json, math, os, re, shutil, socket, statistics, subprocess, sys, tempfile, time

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
PAGE = 4096
REPORT_NONE = 11  # an order that no free block of the guest has
# Quantiles of Student's distribution, two-sided 95 %, by degrees of freedom.
T95 = [0, 12.71, 4.30, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26, 2.23, 2.20, 2.18, 2.16, 2.14, 2.13]


def say(text):
    print("bench: " + text, file=sys.stderr, flush=True)


def mean_and_interval(values):
    """The mean and half the width of its 95 % interval."""
    if len(values) < 2:
        return (values[0] if values else math.nan), math.nan
    t = T95[min(len(values) - 1, len(T95) - 1)]
    return statistics.mean(values), t * statistics.stdev(values) / math.sqrt(len(values))


class Session:
    """A control socket: commands in, rows out (docs/control.md)."""

    def __init__(self, path, patience=30):
        end = time.monotonic() + patience
        while True:
            self.sock = socket.socket(socket.AF_UNIX)
            try:
                self.sock.connect(path)
                break
            except OSError:
                self.sock.close()
                if time.monotonic() > end:
                    raise
                time.sleep(0.05)
        self.sock.settimeout(900)
        self.lines = self.sock.makefile("r", encoding="utf-8", errors="replace")
        self.last = 0

    def __call__(self, command):
        self.last += 1
        self.sock.sendall(json.dumps({"id": self.last, "command": command}).encode() + b"\n")
        for line in self.lines:
            answer = json.loads(line)
            if answer.get("id") == self.last:
                if not answer["ok"]:
                    raise RuntimeError("%s: %s" % (command, answer["error"]))
                return answer.get("results", [])
        raise RuntimeError("%s: the session has ended" % command)


class Guest:
    """A VM with a shell on its serial line: commands typed there, and those of its session."""

    def __init__(self, lab, memory, *options, initrd=None, append="", log=None, host=None, name=None, boot=True):
        self.lab, self.name = lab, name
        self.dir = tempfile.mkdtemp(dir=lab.tmp)
        self.path = self.dir + "/control"
        place = ["--control", "unix:" + self.path]
        if host:
            self.path = "%s/vitrine/%s.%s.control" % (lab.tmp, host.name, name)
            place = ["--host", host.name, "--name", name]
        self.log = log or self.dir + "/serial"
        self.process = subprocess.Popen(
            [lab.a.vitrine, "run", *place, "--memory", "%dM" % memory, "--serial", "file:" + self.log, "--kernel", lab.kernel, "--initrd", initrd or lab.initrd, "--append",
             ("console=ttyS0 quiet panic=-1 " + append).strip(), *options],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=open(self.dir + "/err", "w"), env=lab.env)
        lab.guests.append(self)
        self.turn = 0
        if not boot:
            return
        try:
            self.attach()
            self.wait("vitrine: shell ready", 120)
        except (OSError, RuntimeError) as e:
            sys.exit("bench: a guest does not boot: %s\n%s" % (e, self.tail()))

    def attach(self):
        self.session = Session(self.path)

    def tail(self):
        out = ""
        for name in self.log, self.dir + "/err":
            if os.path.exists(name):
                with open(name, errors="replace") as f:
                    out += f.read()[-1500:]
        return out

    def __call__(self, command):
        return self.session(command)

    def counters(self, view):
        """A view of names and values."""
        return {r["name"]: r.get("value") for r in self("info " + view)}

    def said(self):
        if not os.path.exists(self.log):
            return ""
        with open(self.log, "rb") as f:
            return f.read().decode(errors="replace").replace("\r", "")

    def wait(self, text, seconds=60):
        self('wait "%s" %g' % (text, seconds))

    def resume(self):
        """Waiting leaves it stopped, unless it was running."""
        try:
            self("continue &")
        except RuntimeError as e:
            if "is running" not in str(e):
                raise

    def type(self, line):
        self('serial "%s\\n"' % line.replace("\\", "\\\\").replace('"', '\\"'))

    def run(self, line, seconds=120):
        """Execute LINE in the guest's shell; return what it printed."""
        self.turn += 1
        begin = len(self.said())
        self.type("%s; echo 'done' %d" % (line, self.turn))
        self.wait("\\ndone %d" % self.turn, seconds)
        end = time.monotonic() + 10
        while "\ndone %d\n" % self.turn not in self.said()[begin:] and time.monotonic() < end:
            time.sleep(0.02)  # the file is written behind the session's back
        text = self.said()[begin:]
        return text[text.find("\n") + 1:text.rfind("done %d" % self.turn)]

    def timed(self, line, seconds=300):
        """Execute a program that prints "end BYTES MICROSECONDS"."""
        out = self.run(line, seconds)
        for word in out.splitlines():
            if word.startswith("end "):
                n, us = word.split()[1:3]
                return int(n), int(us) / 1e6
        sys.exit("bench: %s printed\n%s" % (line, out))

    def meminfo_kb(self, what):
        return int(re.search(what + r": *(\d+)", self.run("cat /proc/meminfo")).group(1))

    def free_mb(self):
        return self.meminfo_kb("MemFree") // 1024

    def balloon(self):
        """Start the driver of the balloon that the VM was made with."""
        if self.lab.a.driver == "vmware":
            # On a 32-bit kernel it does nothing before its count of ticks, which begins at -300 s, is positive.
            while float(self.run("sleep 5; cat /proc/uptime").split()[-2]) < 301:
                pass
            self.run("insmod /modules/vmw_vmci.ko; insmod /modules/vmw_balloon.ko")
            return
        # Free pages would be reported: what a guest has used and does not use any more would not be idle.
        order = "/sys/module/page_reporting/parameters/page_reporting_order"
        out = self.run("insmod /modules/virtio_balloon.ko; echo %d >%s; cat %s" % (REPORT_NONE, order, order))
        if str(REPORT_NONE) not in out.split():
            sys.exit("bench: the guest reports free pages all the same: " + out)

    def end(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        if self in self.lab.guests:
            self.lab.guests.remove(self)
        shutil.rmtree(self.dir, ignore_errors=True)


class Host:
    """The process that owns machine memory for several VMs, and its session."""
    name = "lab"

    def __init__(self, lab, machine_mb, *options):
        self.lab = lab
        self.err = lab.tmp + "/host.err"
        self.path = "%s/vitrine/%s.control" % (lab.tmp, self.name)
        self.process = subprocess.Popen(
            [lab.a.vitrine, "host", "--no-rc", "--machine-memory", "%dM" % machine_mb, *options, self.name],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=open(self.err, "w"), env=lab.env)
        lab.guests.append(self)
        try:
            self.session = Session(self.path)
        except OSError as e:
            with open(self.err) as f:
                sys.exit("bench: no host: %s\n%s" % (e, f.read()))

    def __call__(self, command):
        return self.session(command)

    def end(self):
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait()
        if self in self.lab.guests:
            self.lab.guests.remove(self)


class Lab:
    """Directories, images, results."""

    def __init__(self, a):
        self.a = a
        self.cache = os.environ.get("VITRINE_CACHE", TOP + "/cache")
        self.kernel = self.cache + "/linux-686"
        if not os.path.exists(self.kernel):
            sys.exit("bench: no guest in %s: run guests/fetch first" % self.cache)
        os.makedirs(a.out, exist_ok=True)
        self.tmp = tempfile.mkdtemp(prefix="vitrine.", dir=a.dir)
        self.env = dict(os.environ, XDG_RUNTIME_DIR=self.tmp)
        self.guests = []
        self.results = []
        self.initrd = self.tmp + "/initrd"
        self.make_initrd(self.initrd, a.toucher + ":toucher")

    def close(self):
        for g in reversed(self.guests[:]):
            g.end()
        shutil.rmtree(self.tmp, ignore_errors=True)

    def make_initrd(self, out, *files, disk=True):
        subprocess.run([TOP + "/guests/mkinitramfs", *(["-d"] if disk else []), "-f", "686", "-o", out, self.cache, *files],
                       check=True)

    def image(self):
        """A Debian root file system with dbench, made once."""
        out = self.cache + "/rootfs-dbench-686.img"
        if not os.path.exists(out):
            say("making %s" % out)
            subprocess.run([TOP + "/guests/mkrootfs", "-s", "768M", "-p", "dbench libpopt0", "-o", out, self.cache],
                           check=True, stdout=subprocess.DEVNULL)
        return out

    def random_file(self, mb):
        """Incompressible, and the same at every run."""
        out = self.tmp + "/random-%d" % mb
        if not os.path.exists(out):
            import random
            r = random.Random(mb)
            with open(out, "wb") as f:
                for _ in range(mb):
                    f.write(r.randbytes(1 << 20))
        return out

    def result(self, key, value):
        self.results.append((key, value))

    def save(self, name, rows):
        """Rows for programs and for plots. An interval of one value is none."""
        rows = [{k: None if isinstance(v, float) and math.isnan(v) else v for k, v in r.items()} for r in rows]
        with open("%s/%s.json" % (self.a.out, name), "w") as f:
            json.dump(rows, f, indent=1)
            f.write("\n")
        if rows:
            keys = list(rows[0])
            with open("%s/%s.tsv" % (self.a.out, name), "w") as f:
                f.write("#" + "\t".join(keys) + "\n")
                for r in rows:
                    f.write("\t".join("-" if r.get(k) is None else str(r[k]) for k in keys) + "\n")

    def plot(self, name):
        """bench/memory/NAME.gp with the data in the output directory, if gnuplot is there."""
        if not shutil.which("gnuplot"):
            say("no gnuplot: no plot of %s" % name)
            return
        subprocess.run(["gnuplot", "-e", "out='%s'; here='%s'" % (os.path.abspath(self.a.out), HERE),
                        "%s/%s.gp" % (HERE, name)], check=False)


def shown(form, value):
    """A number as text; "-" for none."""
    return "-" if math.isnan(value) else form % value


def table(title, head, rows, widths=None):
    print("\n%s\n" % title)
    widths = widths or [max(len(str(r[i])) for r in [head] + rows) + 2 for i in range(len(head))]
    for r in [head] + rows:
        print("".join(str(c).ljust(w) if i == 0 else str(c).rjust(w) for i, (c, w) in enumerate(zip(r, widths))))
    sys.stdout.flush()

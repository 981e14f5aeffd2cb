# SPDX-License-Identifier: GPL-3.0-or-later
# Random keys, mouse and terminal sizes for the dashboard: fuzz.py SECONDS SEED FOLDER COMMAND...
# Prints what was sent and exits 0 when the dashboard answered to the end; else 1 with the last keys, the status and
# standard error. A dashboard that was quit (q y) is started again.
import fcntl, os, pty, random, select, signal, struct, sys, termios, time

KEYS = [c.encode() for c in "?hz/\\ csnfbaJgZrVoO+-x=0123456789<>IjkGpvwmt:qRy&N"] + [
    b"\t", b"\r", b"\033", b"\x03", b"\x0c", b"\x1d", b"\x7f", b"\x15", b"\x17", b"\033[Z", b"\033OA", b"\033OB",
    b"\033OC", b"\033OD", b"\033[5~", b"\033[6~", b"\033OH", b"\033OF", b"\033[3~", b"\033OP", b"\033OQ", b"\033OR",
    b"\033OS", b"\033[15~", b"\033[17~", b"\033[18~", b"\033[19~", b"\033[20~", b"\033[21~", b"\033[23~", b"\033[24~"]
LINES = [b":info traps\r", b":help\r", b":info ccf\r", b"/io\r", b"\\io\r", b"\\\r", b"g$esp\r", b"gcheck_v86\r",
    b"g\r", b":step 100\r", b":bt\r", b":x/20i $eip\r", b":info br\t\t\r", b":break check_v86\r", b":delete all\r",
    b":print 1/0\r", b":ps\r", b":share all\r", b":hosted-io combine off\r", b":reset\r", b"Ry", b"c"]

def size(fd):
    w, h = random.choice([(80, 24), (120, 40), (200, 60), (1, 1), (30, 8), (20, 90), (300, 9),
                          (random.randint(1, 300), random.randint(1, 100))])
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", h, w, 0, 0))

def mouse():
    x, y, button = random.randint(1, 220), random.randint(1, 70), random.choice([0, 0, 0, 64, 65])
    return b"\033[<%d;%d;%dM" % (button, x, y) + (b"\033[<%d;%d;%dm" % (button, x, y)) * (button == 0)

def event():
    n = random.random()
    if n < 0.6:
        return random.choice(KEYS)
    if n < 0.8:
        return mouse()
    if n < 0.95:
        return random.choice(LINES)
    return bytes(random.randrange(256) for _ in range(random.randint(1, 12)))

class Dashboard:
    def __init__(self, folder, argv):
        self.err = os.path.join(folder, "err")
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.dup2(os.open(self.err, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), 2)
            os.chdir(folder)
            os.environ["TERM"] = "xterm-256color"
            os.environ["ASAN_OPTIONS"] = "exitcode=99"
            os.execvp(argv[0], argv)

    def read(self, seconds):
        """The bytes that come within SECONDS; None: it has ended."""
        got, until = 0, time.time() + seconds
        while True:
            ready, _, _ = select.select([self.fd], [], [], max(0, until - time.time()))
            if not ready:
                return got
            try:
                data = os.read(self.fd, 65536)
            except OSError:
                data = b""
            if not data:
                return None
            got += len(data)

    def begin(self):
        """Wait until it draws: before, Ctrl-C is the terminal's, and ends it."""
        for _ in range(120):
            if self.read(0.5) != 0:
                return

    def send(self, data):
        try:
            os.write(self.fd, data)
        except OSError:
            pass

    def status(self):
        os.close(self.fd)
        return os.waitpid(self.pid, 0)[1]

def main():
    seconds, seed, folder, argv = float(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4:]
    random.seed(seed)
    until, sent, starts, last, d = time.time() + seconds, 0, 0, [], None
    bad = ""
    while time.time() < until and not bad:
        if d is None:
            d, starts = Dashboard(folder, argv), starts + 1
            size(d.fd)
            d.begin()
        if random.random() < 0.04:
            size(d.fd)
            last.append(b"(size)")
        what = event()
        last = (last + [what])[-60:]
        d.send(what)
        sent += 1
        got = d.read(random.choice([0, 0, 0.01, 0.1]))
        if got is not None and sent % 200 == 0:  # does it still draw? at a size it has not
            d.send(b"\x1d\033\x1d\033\x03\033")  # whoever has the keyboard
            fcntl.ioctl(d.fd, termios.TIOCSWINSZ, struct.pack("HHHH", 25, 91 + sent // 200 % 2, 0, 0))
            waits = 0
            while got is not None and waits < 40 and (waits == 0 or not got):
                got = d.read(0.5)
                waits += 1
            bad = "it does not draw any more" if got == 0 else ""
        if got is None:
            status, d = d.status(), None
            if not os.WIFEXITED(status) or os.WEXITSTATUS(status) not in (0, 1):
                bad = "it ended with status %#x" % status
    if d is not None:
        os.kill(d.pid, signal.SIGTERM)
        until = time.time() + 20
        while time.time() < until and d.read(0.5) is not None:
            pass
        os.kill(d.pid, signal.SIGKILL)
        d.status()
    err = open(os.path.join(folder, "err"), errors="replace").read()
    if "Sanitizer" in err or "runtime error" in err:
        bad = bad or "a sanitizer has spoken"
    print("seed %d: %d events, %d starts%s" % (seed, sent, starts, bad and ": " + bad))
    if bad:
        print("last: %r" % last)
        print(err[-6000:])
    return bool(bad)

sys.exit(main())

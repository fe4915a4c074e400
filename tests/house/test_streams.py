"""RTSP from the daemon to clients of any number and any manners."""
import os
import random
import re
import resource
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from house import SLOW, Daemon, Skip, check, config, ended_itself, need, run_tests, wait_for  # noqa: E402
from rtsp_client import IDR, PPS, SPS, Client, holes, shown  # noqa: E402

SMALL = "width=160\nheight=120\nfps=29\nanalyse=no"
PASSWORD = "p@ss:w#rd/%?&x é=+!"


class Service(Daemon):
    """Ends with a look at its log: nothing there may come from GLib or GStreamer."""

    def __init__(self, rtsp="port=0", sections="", more=SMALL, **options):
        super().__init__(config(more=more, rtsp=rtsp, sections=sections), **options)

    def __exit__(self, kind, value, trace):
        text = "" if self.starved else self.log()
        super().__exit__(kind, value, trace)
        if not kind:
            check("CRITICAL" not in text and "GStreamer-W" not in text, text)

    # Of memory: GLib and GStreamer then say CRITICAL lines and abort, as they are made to; what is looked at
    # instead is that the recording is whole and the process comes back.
    starved = False

    def worker(self):
        found = subprocess.run(["pgrep", "-P", str(self.process.pid), "-f", "rtsp-process"], capture_output=True,
                               text=True, check=False).stdout.split()
        return int(found[0]) if found else 0

    def viewers(self):
        return self.camera()["rtsp_viewers"]

    def open(self, path="", **options):
        return Client(self.rtsp() + path, **options)


class Watcher:
    """A viewer that reads beside everything else."""

    def __init__(self, daemon, udp=False):
        self.client, self.got, self.reading = daemon.open(), [], True
        self.info = self.client.play(udp)
        self.began = time.monotonic()
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self):
        while self.reading:
            try:
                self.got += self.client.pictures(0.2)
            except (OSError, EOFError):
                return

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.reading = False
        self.thread.join()
        self.client.close()

    def check_whole(self, rate=20):
        seconds, got = time.monotonic() - self.began, list(self.got)
        check(self.thread.is_alive(), "the viewer's connection ended")
        check(holes(got) == 0, f"{holes(got)} packets missing")
        check(shown(got) > rate * (seconds - 1), f"{shown(got)} pictures in {seconds:.1f} s")


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def threads(pid):
    return len(os.listdir(f"/proc/{pid}/task"))


def resident(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return int(re.search(r"VmRSS:\s+(\d+)", file.read()).group(1))


def silent(daemon):
    host, port = re.match(r"rtsp://(.*):(\d+)/", daemon.rtsp()).groups()
    return socket.create_connection((host, int(port)), timeout=10)


def refused_connections_leave_nothing():
    """Two thousand connections that say nothing, half a request or nonsense leave nothing, and the next one plays"""
    with Service() as daemon:
        with daemon.open() as client:
            check(isinstance(client.play(), tuple), "does not play")
        worker = daemon.worker()
        wait_for(lambda: daemon.viewers() == 0, 5, "nobody")
        time.sleep(2.5)
        before = descriptors(daemon.process.pid), threads(daemon.process.pid), descriptors(worker), threads(worker)
        held = [silent(daemon) for _ in range(300)]
        for number in range(1700):
            one = silent(daemon)
            one.sendall((b"", b"OPT", b"\x16\x03\x01", b"$\0\0\1x", b"GET / HTTP/1.1\r\n\r\n")[number % 5])
            if number % 3 == 0:
                one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            one.close()
        with daemon.open() as client:
            check(isinstance(client.play(), tuple), "the next one does not play")
        for one in held:
            one.close()
        def after():
            return (descriptors(daemon.process.pid), threads(daemon.process.pid), descriptors(worker),
                    threads(worker))
        wait_for(lambda: after() == before, 20, f"descriptors and threads {before}")
        check(daemon.worker() == worker, "another process serves")


def silent_connections_end():
    """A connection that says nothing, or a line every second, or nothing after its first request, is closed in seconds"""
    with Service() as daemon:
        quiet, slow, polite = silent(daemon), silent(daemon), daemon.open()
        check(polite.ask("OPTIONS")[0] == 200, "OPTIONS")
        began = time.monotonic()
        slow.sendall(b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n")
        ended = {}
        while time.monotonic() - began < 25 * SLOW and len(ended) < 3:
            for name, one in (("quiet", quiet), ("slow", slow), ("polite", polite.socket)):
                one.settimeout(0.3)
                try:
                    if name not in ended and one.recv(10) == b"":
                        ended[name] = time.monotonic() - began
                except (socket.timeout, TimeoutError):
                    if name == "slow":
                        slow.sendall(b"X: y\r\n")
                except OSError:
                    ended[name] = time.monotonic() - began
        print("#", {name: round(at, 1) for name, at in ended.items()})
        check(len(ended) == 3, f"only {list(ended)} were closed")
        check(ended["quiet"] < 8 * SLOW and ended["slow"] < 8 * SLOW, ended)
        polite.close()


def crowds_lock_nobody_out():
    """600 silent connections and 100 that only ask do not keep a player waiting, before any password"""
    with Service() as daemon:
        crowd = [silent(daemon) for _ in range(300)]
        for _ in range(100):
            one = silent(daemon)
            one.sendall(b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n")
            crowd.append(one)
        crowd += [silent(daemon) for _ in range(300)]
        began = time.monotonic()
        with daemon.open() as client:
            check(isinstance(client.play(), tuple), "does not play")
            check(shown(client.pictures(5, most=5)) >= 4, "no pictures")
        check(time.monotonic() - began < 3 * SLOW, "it took long")
        for one in crowd:
            one.close()


def a_place_is_free_at_once():
    """Forty viewers that close or reset without TEARDOWN, over TCP and UDP, never meet a taken place"""
    with Service(rtsp="port=0\nclients=2") as daemon:
        for number in range(40):
            client = daemon.open()
            got = client.play(udp=number % 2 == 1)
            check(isinstance(got, tuple), f"viewer {number} got {got}")
            client.pictures(2, most=1)
            (client.close, client.reset)[number // 2 % 2]()
            time.sleep(0.02)
        wait_for(lambda: daemon.viewers() == 0, 3, "nobody")
        with daemon.open() as a, daemon.open() as b, daemon.open() as c:
            check(isinstance(a.play(), tuple) and isinstance(b.play(udp=True), tuple), "two play")
            check(c.play() == 503, "a third was let in")


def one_stream_whatever_the_query():
    """A second player with a query, slashes or another host name leaves the first one's pictures whole"""
    with Service() as daemon:
        with daemon.open() as first:
            first.play()
            got = []
            for path, right in (("?unicast=true&proto=Onvif", 200), ("/", 200), ("?", 200), ("/x", 404)):
                with daemon.open(path) as other:
                    status = other.play()
                    check(isinstance(status, tuple) if right == 200 else status == right, f"{path}: {status}")
                    if right == 200:
                        check(shown(other.pictures(3, most=5)) >= 4, f"{path}: no pictures")
                got += first.pictures(0.4)
            check(holes(got) == 0 and shown(got) > 20, f"{shown(got)} pictures, {holes(got)} packets missing")


def a_description_encodes_nothing():
    """DESCRIBE alone, twenty times, encodes no picture and counts no viewer"""
    with Service() as daemon:
        wait_for(lambda: daemon.camera()["frames"] > 10, 5, "frames")
        for _ in range(20):
            with daemon.open() as client:
                check(client.describe() == 200, "DESCRIBE")
        held = daemon.open()
        check(held.describe() == 200, "DESCRIBE")
        time.sleep(0.5)
        check(daemon.camera()["encoded"] == 0 and daemon.viewers() == 0, daemon.camera())
        for line in ("m=video 0 RTP/AVP 96", "a=framerate:29", "profile-level-id=64", "sprop-parameter-sets=Z",
                     "a=control:stream=0", "c=IN IP4"):
            check(line in held.sdp, f"{line} is not in {held.sdp}")
        held.close()


def begins(client, info, got):
    check(isinstance(info, tuple), info)
    check(got, "nothing came")
    check((got[0]["seq"], got[0]["rtptime"]) == info, f"{got[0]} is not what RTP-Info says: {info}")
    kinds = [p["nal"] for p in got[:6]]
    check(kinds[0] == SPS and PPS in kinds and IDR in kinds, f"begins with {kinds}, not with a key picture")
    check(holes(got) == 0, f"{holes(got)} packets missing")


def play_begins_with_a_key_picture():
    """PLAY, and PLAY after PAUSE, begin with the newest key picture at the packet that RTP-Info names"""
    with Service() as daemon:
        for udp in (False, True):
            for company in (False, True):
                other = daemon.open() if company else None
                if other:
                    other.play()
                with daemon.open() as client:
                    begins(client, client.play(udp), client.pictures(0.5))
                    for pause in (0.3, 1.2):
                        check(client.ask("PAUSE")[0] == 200, "PAUSE")
                        client.pictures(pause)
                        before = daemon.camera()["last_frame"]
                        info = client.resume()
                        got = client.pictures(0.5)
                        begins(client, info, got)
                        check(daemon.camera()["last_frame"] > before, "frames")
                if other:
                    seen = other.pictures(0.2)
                    check(holes(seen) == 0, f"the other one misses {holes(seen)} packets")
                    other.close()


def nobody_misses_the_last_ones_end():
    """A player that comes at the moment when the last one leaves is served, thirty times"""
    with Service() as daemon:
        last = daemon.open()
        last.play()
        for number in range(30):
            following = daemon.open()
            thread = threading.Thread(target=lambda: (time.sleep(random.random() * 0.004), last.close()))
            thread.start()
            info = following.play(udp=number % 3 == 0)
            thread.join()
            begins(following, info, following.pictures(3, most=2))
            last = following
        last.close()


def passwords(folder):
    path = f"{folder}/credentials"
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"lab:{PASSWORD}")
    os.chmod(path, 0o600)
    return path


def nothing_without_a_password():
    """Without the password every path answers 401; odd characters pass; a wrong one is slow and its secret unsaid"""
    with tempfile.TemporaryDirectory() as folder:
        path = passwords(folder)
        with Service(rtsp=f"port=0\naddress=::1\ncredentials={path}") as daemon:
            check("rtsp://[::1]:" in daemon.log(), daemon.log())
            for name in ("", "x", "?a=b", "/stream=0"):
                for method in ("DESCRIBE", "SETUP", "PLAY", "GET_PARAMETER", "TEARDOWN"):
                    with daemon.open(name) as client:
                        check(client.ask(method)[0] == 401, f"{method} {name}")
            with daemon.open() as client:
                check(client.ask("OPTIONS")[0] == 200, "OPTIONS")
            with daemon.open(user="lab", password=PASSWORD) as client:
                begins(client, client.play(), client.pictures(3, most=3))
                again = client.challenge
            with daemon.open(user="lab", password=PASSWORD) as client:
                client.send(client.text("DESCRIBE", authorization=client.basic()))
                status, headers, _ = client.answer()
                check(status == 401 and headers["www-authenticate"].startswith("Digest"), "basic over plain RTSP")
                client.challenge = again
                client.send(client.text("DESCRIBE", authorization=client.digest("DESCRIBE", client.url)))
                status, headers, _ = client.answer()
                check(status == 401 and "stale" in headers["www-authenticate"], headers)
            with daemon.open(user="lab", password="geheim-wrong") as client:
                began = time.monotonic()
                check(client.describe() == 401, "a wrong password")
                check(time.monotonic() - began > 0.4, "a wrong password is answered at once")
                check(client.ask("DESCRIBE")[0] == 401, "a wrong password")
            wait_for(lambda: "a login failed: [::1]" in daemon.log(), 3, "the log says so")
            check("geheim" not in daemon.log() and PASSWORD not in daemon.log(), daemon.log())
            check("may be read by everybody" not in daemon.log(), daemon.log())
        os.chmod(path, 0o644)
        with Service(rtsp=f"port=0\ncredentials={path}") as daemon:
            check(f"{path} may be read by everybody" in daemon.log(), daemon.log())


def a_session_belongs_to_its_connection():
    """A session named from a second connection is not found there, and the first one goes on"""
    with Service() as daemon:
        with daemon.open() as first:
            first.play()
            with daemon.open() as thief:
                thief.session = first.session
                for method in ("PAUSE", "TEARDOWN", "PLAY", "GET_PARAMETER"):
                    check(thief.ask(method)[0] == 454, method)
            got = first.pictures(1)
            check(holes(got) == 0 and shown(got) > 20, f"{shown(got)} pictures, {holes(got)} packets missing")
            check(first.ask("GET_PARAMETER")[0] == 200, "GET_PARAMETER")
            check(first.ask("TEARDOWN")[0] == 200, "TEARDOWN")


def a_busy_machine_ends_nobody():
    """Where the process that serves did not get to run for a second, who has spoken meanwhile gets its answers"""
    with Service() as daemon:
        with daemon.open() as client:
            client.play()
            for _ in range(8):
                os.kill(daemon.worker(), signal.SIGSTOP)
                try:
                    client.send(client.text("GET_PARAMETER"))
                    time.sleep(0.8)
                finally:
                    os.kill(daemon.worker(), signal.SIGCONT)
                check(client.answer()[0] == 200, "GET_PARAMETER")


def odd_requests():
    """Pipelined, repeated, wrong and endless requests get their answers in order and disturb nobody"""
    with Service() as daemon:
        with Watcher(daemon) as good:
            worker = daemon.worker()
            before = resident(worker)
            with daemon.open() as client:
                client.base = client.url
                stream = client.url + "/stream=0"
                client.send(client.text("OPTIONS") + client.text("DESCRIBE") + client.text(
                    "SETUP", stream, {"Transport": "RTP/AVP/TCP;unicast;interleaved=0-1"}))
                answers = [client.answer() for _ in range(3)]
                check([a[0] for a in answers] == [200] * 3, answers)
                client.session = answers[2][1]["session"].split(";")[0]
                client.send(client.text("PLAY") + client.text("GET_PARAMETER") + client.text("PAUSE")
                            + client.text("PLAY") + client.text("TEARDOWN"))
                answers = [client.answer() for _ in range(5)]
                check([(a[0], int(a[1]["cseq"])) for a in answers] == [(200, n) for n in range(4, 9)], answers)
            with daemon.open() as client:
                client.describe()
                for wrong in ("RTP/AVP;unicast;client_port=0-1", "RTP/AVP;multicast", "RTP/AVP;unicast",
                              "RAW/RAW/UDP", "RTP/AVP;unicast;client_port=70000-70001", "nonsense"):
                    check(client.setup(transport=wrong) in (400, 461), f"{wrong}: {client.headers}")
                check(client.setup() == 200 and client.setup() == 200, "SETUP twice")
                check(isinstance(client.resume(), tuple), "PLAY")
                check(shown(client.pictures(2, most=3)) >= 2, "pictures")
            for method, right in (("RECORD", 405), ("ANNOUNCE", 405), ("PLAY", 454), ("NONSENSE", 400)):
                with daemon.open() as client:
                    status = client.ask(method)[0]
                    check(status == right, f"{method}: {status}")
            with daemon.open() as client:
                client.send(b"DESCRIBE " + client.url.encode() + b" RTSP/1.0\r\n\r\n")
                check(client.answer()[0] in (200, 400), "without CSeq")
            for begin in (b"OPTIONS * RTSP/1.0\r\n", b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\nOPTIONS * RTSP/1.0\r\n"):
                with daemon.open() as client:
                    client.socket.settimeout(10 * SLOW)
                    ended, sent, began = False, 0, time.monotonic()
                    try:
                        client.send(begin)
                        while time.monotonic() - began < 10 * SLOW:
                            client.send(b"X-Long: y\r\n" * 5000)
                            sent += 55000
                    except OSError:
                        ended = True
                    check(ended, f"{sent} bytes of headers were taken")
            good.check_whole()
            check(daemon.worker() == worker, "another process serves")
            grown = resident(worker) - before
            check(grown < 65536 * SLOW, f"{grown} KiB more memory")


def a_stopped_viewer_stops_nobody():
    """Viewers that stop reading are ended in seconds; one over UDP and one over TCP beside them miss nothing"""
    with Service(more="width=320\nheight=240\nfps=30\nanalyse=no\n[overlay]\nlines=240",
                 rtsp="port=0\nbitrate=4M") as daemon:
        stopped = [daemon.open() for _ in range(4)]
        for one in stopped:
            one.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            one.play()
        with Watcher(daemon, udp=True) as udp, Watcher(daemon) as tcp:
            time.sleep(6)
            udp.check_whole()
            tcp.check_whole()
        wait_for(lambda: daemon.viewers() == 0, 15, "the stopped ones are ended")
        check("does not keep up" in daemon.log(), daemon.log())
        for one in stopped:
            one.close()


def recording(folder):
    return f"[recording]\ndirectory={folder}\nfree-space-min=1\nsegment=5s"


def record(daemon, action, body=b"{}"):
    import urllib.request  # pylint: disable=import-outside-toplevel
    request = urllib.request.Request(f"{daemon.http()}/record/{action}", data=body,
                                     headers={"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=10 * SLOW) as answer:
        return answer.read().decode()


def whole_after(daemon, what):
    """Records, lets `what` happen, and finds the recording complete."""
    record(daemon, "start", b'{"subject":"7","task":"streams"}')
    time.sleep(0.5)
    what()
    check(daemon.get("/healthz").strip(), "/healthz")
    time.sleep(0.5)
    text = record(daemon, "stop")
    check('"state":"complete"' in text and '"rows_lost":0' in text, text)


def no_crowd_touches_a_recording():
    """With 1024 descriptors for the service and 1500 connections, a recording in segments stays whole"""
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    with tempfile.TemporaryDirectory() as folder:
        with Limited(["-n", "1024"], sections=recording(folder)) as daemon:
            def crowd():
                held = []
                end = time.monotonic() + 7
                while time.monotonic() < end:
                    if len(held) < 1500:
                        held += [silent(daemon) for _ in range(50)]
                    else:
                        time.sleep(0.1)
                with daemon.open() as client:
                    check(isinstance(client.play(), tuple), "does not play")
                for one in held:
                    one.close()
            whole_after(daemon, crowd)


class Limited(Service):
    """Under a limit of the shell's."""

    def __init__(self, limit, **options):
        import house  # pylint: disable=import-outside-toplevel
        program = house.DAEMON
        self.script = tempfile.NamedTemporaryFile("w", suffix=".sh", delete=False)  # pylint: disable=consider-using-with
        self.script.write(f'#!/bin/sh\nulimit {" ".join(limit)}\nexec "{program}" "$@"\n')
        self.script.close()
        os.chmod(self.script.name, 0o755)
        house.DAEMON = self.script.name
        try:
            super().__init__(**options)
        finally:
            house.DAEMON = program
            os.unlink(self.script.name)


def out_of_memory_touches_no_recording():
    """Where the process that serves viewers runs out of memory, it is started again and a recording stays whole"""
    if SLOW > 1:
        raise Skip("sanitizers reserve more memory than any limit")
    with tempfile.TemporaryDirectory() as folder:
        with Service(sections=recording(folder)) as daemon:
            worker, daemon.starved = daemon.worker(), True
            with open(f"/proc/{worker}/status", encoding="ascii") as file:
                size = int(re.search(r"VmSize:\s+(\d+)", file.read()).group(1)) * 1024
            def starve():
                resource.prlimit(worker, resource.RLIMIT_AS, (size + (1 << 20), size + (1 << 20)))
                for _ in range(20):
                    try:
                        with daemon.open() as client:
                            client.play(udp=True)
                    except OSError:
                        pass
                    except EOFError:
                        pass
                    if daemon.worker() != worker:
                        break
                os.kill(worker, signal.SIGKILL) if daemon.worker() == worker else None
                def plays():
                    try:
                        with daemon.open() as client:
                            return isinstance(client.play(), tuple)
                    except (OSError, EOFError):
                        return False
                wait_for(plays, 20, "RTSP is back", every=0.2)
            whole_after(daemon, starve)
            check("it is started again" in daemon.log(), daemon.log())


def the_process_may_be_killed():
    """Killed, the process that serves viewers is back within seconds; records and viewers' count are right"""
    with Service() as daemon:
        with daemon.open() as client:
            client.play()
            wait_for(lambda: daemon.viewers() == 1, 3, "a viewer")
            os.kill(daemon.worker(), signal.SIGKILL)
            wait_for(lambda: daemon.viewers() == 0, 3, "nobody")
        def plays():
            try:
                with daemon.open() as again:
                    info = again.play()
                    got = again.pictures(3, most=2)
                    return isinstance(info, tuple) and got and (got[0]["seq"], got[0]["rtptime"]) == info
            except (OSError, EOFError):
                return False
        wait_for(plays, 20, "RTSP is back", every=0.2)
        code, _ = daemon.stop()
        check(code == 0, daemon.log())


def received(one):
    try:
        return one.recv(100)
    except ConnectionResetError:
        return b""


def make_certificate(folder, name, days=30):
    need("openssl")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days",
                    str(days), "-keyout", f"{folder}/key.pem", "-out", f"{folder}/certificate.pem", "-subj",
                    f"/CN={name}", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"], check=True,
                   capture_output=True)


def over_tls():
    """rtsps with a password, digest and basic; a new certificate on SIGHUP, a bad one refused and the old one kept"""
    with tempfile.TemporaryDirectory() as folder:
        make_certificate(folder, "first")
        first = f"{folder}/first.pem"
        with open(f"{folder}/certificate.pem", encoding="ascii") as file, open(first, "w", encoding="ascii") as copy:
            copy.write(file.read())
        with Service(rtsp=f"port=0\ncredentials={passwords(folder)}\ntls-certificate={folder}/certificate.pem\n"
                          f"tls-key={folder}/key.pem") as daemon:
            url = wait_for(lambda: re.search(r"rtsps://\S+", daemon.log()), 5, "rtsps://").group(0)
            def client(cafile):
                return Client(url, user="lab", password=PASSWORD, cafile=cafile)
            with client(first) as one:
                begins(one, one.play(), one.pictures(3, most=3))
                with client(first) as two:
                    two.send(two.text("DESCRIBE", authorization=two.basic()))
                    check(two.answer()[0] == 200, "basic over TLS")
                with socket.create_connection(one.socket.getpeername()[:2], timeout=10) as plain:
                    plain.sendall(b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n")
                    check(received(plain) == b"", "served without TLS")
                with open(f"{folder}/certificate.pem", "w", encoding="ascii") as file:
                    file.write("-----BEGIN CERTIFICATE-----\nnonsense\n")
                daemon.process.send_signal(signal.SIGHUP)
                wait_for(lambda: "the certificate that is used stays" in daemon.log(), 5, "a refusal")
                with client(first) as two:
                    check(two.describe() == 200, "the old certificate")
                make_certificate(folder, "second")
                daemon.process.send_signal(signal.SIGHUP)
                wait_for(lambda: 'rtsp: certificate for "localhost"' in daemon.log().split("stays")[-1], 5, "taken")

                def renewed():
                    # The process that serves hears of it a moment after the journal.
                    try:
                        with client(f"{folder}/certificate.pem") as two:
                            return two.describe() == 200
                    except ssl.SSLError:
                        return False

                wait_for(renewed, 5, "the new certificate")
                check(holes(one.pictures(0.3)) == 0, "the viewer of before lost packets")


def players():
    """mpv and python3-opencv read pictures; GStreamer reads them through an HTTP tunnel"""
    tried = 0
    with Service() as daemon:
        url = daemon.rtsp()
        commands = []
        if subprocess.run(["which", "mpv"], capture_output=True, check=False).returncode == 0:
            commands.append(["mpv", "--no-config", "--vo=null", "--ao=null", "--frames=10", "--rtsp-transport=tcp", url])
        if subprocess.run(["/usr/bin/python3", "-c", "import cv2"], capture_output=True, check=False).returncode == 0:
            commands.append(["/usr/bin/python3", "-c", "import cv2,sys;c=cv2.VideoCapture(sys.argv[1],cv2.CAP_FFMPEG)\n"
                             "sys.exit(0 if all(c.read()[0] for _ in range(10)) else 1)", url])
        if subprocess.run(["which", "gst-launch-1.0"], capture_output=True, check=False).returncode == 0:
            commands.append(["gst-launch-1.0", "-q", "rtspsrc", f"location={url.replace('rtsp:', 'rtsph:')}", "!",
                             "rtph264depay", "!", "h264parse", "!", "fakesink", "num-buffers=10"])
        for command in commands:
            done = subprocess.run(command, capture_output=True, text=True, timeout=30 * SLOW, check=False)
            check(done.returncode == 0 or ended_itself(done),
                  f"{command[0]}: {done.returncode}\n{done.stdout}{done.stderr}")
            print(f"# {command[0]}")
            tried += 1
        if not tried:
            raise Skip("none of mpv, python3-opencv and gst-launch-1.0 is installed")
        wait_for(lambda: daemon.viewers() == 0, 5, "nobody")


if __name__ == "__main__":
    crowds = [refused_connections_leave_nothing, silent_connections_end, crowds_lock_nobody_out, a_place_is_free_at_once,
              a_stopped_viewer_stops_nobody, no_crowd_touches_a_recording, out_of_memory_touches_no_recording,
              the_process_may_be_killed]
    manners = [one_stream_whatever_the_query, a_description_encodes_nothing, play_begins_with_a_key_picture,
               nobody_misses_the_last_ones_end, nothing_without_a_password, a_session_belongs_to_its_connection,
               a_busy_machine_ends_nobody, odd_requests,
               over_tls, players]
    # On a busy machine all of them take as long as meson gives one test.
    tests = {"crowds": crowds, "manners": manners}.get(sys.argv[1] if len(sys.argv) > 1 else "", crowds + manners)
    named = [test for test in tests if test.__name__ in sys.argv[1:]]
    run_tests(named or tests)

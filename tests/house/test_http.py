"""HTTP as strangers use it: odd requests, slow and silent clients, crowds, and marks that must not wait."""
import concurrent.futures
import contextlib
import ctypes
import http.client
import json
import os
import socket
import sys
import threading
import time
import urllib.error
import urllib.request

sys.path.insert(0, __file__.rsplit("/", 1)[0])
from house import SLOW, Daemon, Records, check, config, run_tests, wait_for  # noqa: E402

SMALL = "width=160\nheight=120\nfps=9"
HOST = b"Host: localhost\r\n"
JSON = b"Content-Type: application/json\r\n"
CLOSE = b"Connection: close\r\n"


class Raw:
    """A bare connection."""

    def __init__(self, daemon, data=b"", timeout=10, receive=0):
        host, port = daemon.http().split("//")[1].rsplit(":", 1)
        self.socket = socket.socket()
        if receive:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive)
        self.socket.settimeout(timeout * SLOW)
        self.socket.connect((host, int(port)))
        if data:
            self.socket.sendall(data)

    def send(self, data):
        self.socket.sendall(data)

    def all(self, limit=1 << 20):
        """What comes until the server closes."""
        data = b""
        try:
            while len(data) < limit:
                piece = self.socket.recv(65536)
                if not piece:
                    break
                data += piece
        except ConnectionResetError:
            pass
        return data

    def closed_after(self, limit):
        """Seconds until the server closes, or None."""
        began = time.monotonic()
        self.socket.settimeout(limit * SLOW)
        try:
            while self.socket.recv(65536):
                pass
        except ConnectionResetError:
            pass
        except socket.timeout:
            return None
        return time.monotonic() - began

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def ask(daemon, data, **more):
    """Status, header text, body of one request that ends with its connection."""
    with Raw(daemon, data, **more) as raw:
        answer = raw.all()
    head, _, body = answer.partition(b"\r\n\r\n")
    check(head.startswith(b"HTTP/1."), f"{data[:60]!r}: {answer[:200]!r}")
    return int(head.split()[1]), head.decode("latin1"), body


def status_of(daemon, path, timeout=3):
    """Status of a GET on a connection of its own; None when there is no answer in time."""
    try:
        with urllib.request.urlopen(daemon.http() + path, timeout=timeout * SLOW) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return None


def post(daemon, path, body, headers=None, timeout=10):
    request = urllib.request.Request(daemon.http() + path, data=json.dumps(body).encode(), method="POST",
                                     headers={"Content-Type": "application/json", **(headers or {})})
    try:
        with urllib.request.urlopen(request, timeout=timeout * SLOW) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def get(target, version=b"1.1", more=HOST):
    return b"GET " + target + b" HTTP/" + version + b"\r\n" + more + CLOSE + b"\r\n"


def odd_requests():
    """Odd requests get what RFC 9110 and 9112 say, as JSON"""
    chunks = b"5\r\n{\"tex\r\n7\r\nt\":\"x\"}\r\n0\r\n\r\n"
    mark = b"POST /mark HTTP/1.1\r\n"
    cases = (
        (get(b"/healthz"), 200),
        (get(b"/%68ealthz"), 200),
        (get(b"http://localhost/healthz"), 200),
        (get(b"http://LOCALHOST:80/healthz?x=1"), 200),
        (get(b"https://127.0.0.1/healthz", more=b"Host: evil.example\r\n"), 200),  # the target's host counts
        (get(b"http://evil.example/healthz"), 403),
        (get(b"http://user@localhost/healthz"), 400),
        (get(b"http:///healthz"), 400),
        (get(b"ftp://localhost/healthz"), 400),
        (get(b"healthz"), 400),
        (get(b"*"), 400),
        (get(b"/healthz#top"), 400),
        (get(b"/heal thz"), 400),
        (get(b"/healthz/"), 404),
        (get(b"//healthz"), 404),
        (get(b"/healthz?"), 200),
        (get(b"/%zz"), 400), (get(b"/%"), 400), (get(b"/%1"), 400), (get(b"/%00"), 400), (get(b"/healthz%0a"), 400),
        (get(b"/healthz\x00x"), 400),
        (get(b"/%c0%af"), 400), (get(b"/%e0%80%af"), 400), (get(b"/%ed%a0%80"), 400), (get(b"/%f4%90%80%80"), 400),
        (get(b"/%ff"), 400), (get(b"/%c3"), 400), (get(b"/%c3%a9"), 404),
        (get(b"/snapshot.jpg?camera=cam%00x"), 400), (get(b"/snapshot.jpg?camera=%ff%fe"), 400),
        (get(b"/snapshot.jpg?camera=no&camera=cam"), 400), (get(b"/snapshot.jpg?camera="), 400),
        (get(b"/snapshot.jpg?camera"), 400), (get(b"/snapshot.jpg?pair"), 400), (get(b"/snapshot.jpg?x=%zz"), 400),
        (get(b"/snapshot.jpg?camera=cam&pair=cam"), 400),
        (get(b"/snapshot.jpg?camera=" + b"c" * 5000), 404),
        (get(b"/snapshot.jpg?pair=nobody"), 404),
        (get(b"/snapshot.jpg?t=1&camera=cam&u=2"), 200), (get(b"/snapshot.png?%63amera=c%61m"), 200),
        (get(b"/healthz", more=b""), 400),
        (get(b"/healthz", b"1.0", b""), 200),
        (get(b"/healthz", more=HOST + HOST), 400),
        (get(b"/healthz", more=b"Host: localhost, localhost\r\n"), 400),
        (get(b"/healthz", more=b"Host: \r\n"), 400),
        (get(b"/healthz", more=b"Host: [::1]:99\r\n"), 200),
        (get(b"/healthz", more=b"Host: [::1]evil.example\r\n"), 400),
        (get(b"/healthz", more=b"Host: [::1\r\n"), 400),
        (get(b"/healthz", more=b"Host: localhost:99999\r\n"), 400),
        (get(b"/healthz", more=b"Host: localhost:8a\r\n"), 400),
        (get(b"/healthz", more=b"Host: local/host\r\n"), 400),
        (get(b"/healthz", more=b"Host: 127.1\r\n"), 403),
        (get(b"/healthz", more=HOST + b"X Y: 1\r\n"), 400),
        (get(b"/healthz", more=HOST + b"Content-Length : 5\r\n"), 400),
        (get(b"/healthz", more=HOST + b"X: a\x01b\r\n"), 400),
        (get(b"/healthz", more=HOST + b"Authorization: Basic eDp5\r\n" * 2), 400),
        (b"POST /state HTTP/1.1\r\n" + HOST + CLOSE + b"Content-Length: 2\r\n\r\n{}", 405),
        (b"DELETE /state HTTP/1.1\r\n" + HOST + CLOSE + b"\r\n", 405),
        (b"OPTIONS /mark HTTP/1.1\r\n" + HOST + CLOSE + b"Origin: http://x\r\n\r\n", 405),
        (b"TRACE /state HTTP/1.1\r\n" + HOST + CLOSE + b"\r\n", 405),
        (b"FROB /state HTTP/1.1\r\n" + HOST + CLOSE + b"\r\n", 405),
        (mark + HOST + JSON + CLOSE + b"Transfer-Encoding: chunked\r\n\r\n" + chunks, 409),
        (mark + HOST + JSON + CLOSE + b"Content-Length: 12\r\n\r\n{\"text\":\"x\"}", 409),
        (mark + HOST + JSON + CLOSE + b"\r\n", 409),
        (mark + HOST + JSON + CLOSE + b"Expect: 100-continue\r\nContent-Length: 20000\r\n\r\n", 413),
        (mark + HOST + JSON + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (mark + HOST + JSON + b"Content-Length: 2\r\nContent-Length: 5\r\n\r\n{}", 400),
        (mark + HOST + JSON + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}", 400),
        (mark + HOST + JSON + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
        (mark + HOST + JSON + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 501),
        (b"POST /mark HTTP/1.0\r\n" + JSON + b"Transfer-Encoding: chunked\r\n\r\n" + chunks, 400),
        (mark + HOST + JSON + CLOSE + b"Content-Length: 17000\r\n\r\n" + b" " * 17000, 413),
        (mark + HOST + JSON + CLOSE + b"Content-Length: 4000000000\r\n\r\n" + b" " * 100, 413),
        (mark + HOST + JSON + CLOSE + b"Content-Length: 0\r\n\r\n", 409),
    )
    with Daemon(config(more=SMALL)) as daemon:
        wait_for(lambda: status_of(daemon, "/snapshot.jpg") == 200, 10, "a picture")
        for request, want in cases:
            status, head, body = ask(daemon, request)
            check(status == want, f"{request[:90]!r}: {status} {body[:100]!r}")
            if status >= 400:
                check("application/json" in head and json.loads(body)["error"], f"{request[:90]!r}: {head} {body!r}")
            if status == 405:
                check("\r\nAllow: " in head, head)
            check("Cross-Origin-Resource-Policy: same-origin" in head, head)
        # What libmicrohttpd answers by itself (docs/http.md): an error and a closed connection.
        for request, want in ((get(b"/" + b"a" * 60000), 414), (get(b"/", more=HOST + b"X: " + b"a" * 60000 + b"\r\n"), 431),
                              (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
                              (mark + HOST + JSON + b"Content-Length: -5\r\n\r\n{}", 400),
                              (mark + HOST + JSON + b"Content-Length: 5, 5\r\n\r\n{}", 400)):
            check(ask(daemon, request)[0] == want, f"{request[:60]!r}")
        # Thousands of names in the query cost nothing; what is longer than 32 KiB is too long.
        for number, want in ((64, 200), (65, 400), (2000, 400), (10000, 414)):
            many = b"&".join(b"k%d=%d" % (i, i) for i in range(number))
            status = ask(daemon, get(b"/healthz?" + many))[0]
            check(status == want, f"{number} names: {status}")
        check(status_of(daemon, "/healthz") == 200, "not healthy")


def connections_are_reused():
    """Pipelining, keep-alive, HEAD: each request its own answer, nothing of one in the next"""
    with Daemon(config(more=SMALL)) as daemon:
        wait_for(lambda: status_of(daemon, "/snapshot.jpg") == 200, 10, "a picture")
        one = b"GET /healthz HTTP/1.1\r\n" + HOST + b"\r\n"
        with Raw(daemon, one * 5 + get(b"/state")) as raw:
            answer = raw.all()
        check(answer.count(b"HTTP/1.1 200 OK") == 6 and answer.count(b"ok\n") == 5, f"{answer!r}")
        for path in (b"/", b"/landmarks", b"/state", b"/metrics", b"/healthz", b"/clock", b"/snapshot.png",
                     b"/snapshot.jpg", b"/record", b"/nothing", b"/mark"):
            with Raw(daemon, b"HEAD " + path + b" HTTP/1.1\r\n" + HOST + CLOSE + b"\r\n") as raw:
                head, _, body = raw.all().partition(b"\r\n\r\n")
            want = b"404" if path == b"/nothing" else b"405" if path == b"/mark" else b"200"
            check(head.split()[1] == want and body == b"", f"{path}: {head!r} {body[:50]!r}")
        # A pipelined request behind one whose answer is made elsewhere, and behind a refused body.
        with Raw(daemon, b"GET /record HTTP/1.1\r\n" + HOST + b"\r\n" + b"POST /state HTTP/1.1\r\n" + HOST +
                 b"Content-Length: 26\r\n\r\nGET /mark HTTP/1.1\r\nX: y\r\n" + get(b"/healthz")) as raw:
            answer = raw.all()
        check(answer.count(b"HTTP/1.1 ") == 3 or (answer.count(b"HTTP/1.1 ") == 2 and b"ok\n" not in answer), f"{answer!r}")
        check(b'"idle"' in answer and b" 405 " in answer, f"{answer!r}")
        check(not daemon.http().startswith("https"), "plain")


def crowds_keep_nobody_out():
    """Readers, silent and dripping sockets, slow bodies, clients that never read: the service still answers"""
    always = ("/healthz", "/metrics", "/record", "/clock", "/state")
    with Daemon(config(more=SMALL)) as daemon:
        wait_for(lambda: status_of(daemon, "/snapshot.png") == 200, 10, "a picture")

        def all_answer(what):
            for path in always:
                began = time.monotonic()
                status = status_of(daemon, path)
                check(status == 200, f"{what}: {path} gives {status}")
                check(time.monotonic() - began < 1 * SLOW, f"{what}: {path} took {time.monotonic() - began:.2f} s")
            status, answer = post(daemon, "/mark", {"text": "x"})
            check(status == 409, f"{what}: a mark gives {status} {answer}")

        crowd = [Raw(daemon, b"GET /landmarks HTTP/1.1\r\n" + HOST + b"\r\n") for _ in range(40)]
        wait_for(lambda: b"thermoface_http_readers 32" in daemon.get("/metrics"), 5, "32 readers")
        all_answer("40 readers")
        check(status_of(daemon, "/landmarks") == 503, "a 33rd reader")
        for one in crowd:
            one.close()
        wait_for(lambda: b"thermoface_http_readers 0" in daemon.get("/metrics"), 5, "the readers' end")

        silent = [Raw(daemon) for _ in range(300)]
        all_answer("300 silent sockets")
        closed = [one.closed_after(8) for one in silent[-3:]]
        check(all(seconds is not None for seconds in closed), f"silent sockets stay: {closed}")
        for one in silent:
            one.close()

        stop = threading.Event()
        drip = [Raw(daemon, b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n") for _ in range(150)]

        def dripping():
            number = 0
            while not stop.wait(1):
                for one in drip:
                    number += 1
                    try:
                        one.send(b"X-%d: y\r\n" % number)
                    except OSError:
                        pass

        thread = threading.Thread(target=dripping)
        thread.start()
        all_answer("150 dripping sockets")
        check(drip[-1].closed_after(10) is not None, "a dripping socket stays")
        stop.set()
        thread.join()
        for one in drip:
            one.close()

        # After a first good request, too.
        late = Raw(daemon, b"GET /healthz HTTP/1.1\r\n" + HOST + b"\r\nGET /healthz HTTP/1.1\r\n")
        bodies = [Raw(daemon, b"POST /mark HTTP/1.1\r\n" + HOST + JSON + b"Content-Length: 1000\r\n\r\n{")
                  for _ in range(150)]
        all_answer("150 slow bodies")
        check(late.closed_after(10) is not None, "a second request that never ends stays")
        check(bodies[-1].closed_after(15) is not None, "a body that never ends stays")
        for one in bodies + [late]:
            one.close()

        deaf = [Raw(daemon, b"GET /snapshot.png HTTP/1.1\r\n" + HOST + b"\r\n" + b"GET /metrics HTTP/1.1\r\n" + HOST +
                    b"\r\n", receive=2048) for _ in range(150)]
        all_answer("150 clients that do not read")
        for one in deaf:
            one.close()
        metrics = daemon.get("/metrics").decode()
        check("thermoface_http_expired_total 0" not in metrics, metrics)
        check("thermoface_http_displaced_total 0" not in metrics, metrics)


def marks_do_not_wait():
    """Marks are stamped when they come, whoever reads pictures and records"""
    import tempfile
    with tempfile.TemporaryDirectory() as folder:
        text = config(more="width=640\nheight=512\nfps=30\nanalyse=no",
                      sections=f"[recording]\ndirectory={folder}\nfree-space-min=1\n")
        with Daemon(text) as daemon:
            wait_for(lambda: status_of(daemon, "/snapshot.png") == 200, 10, "a picture")
            status, answer = post(daemon, "/record/start", {"subject": "1", "task": "t"})
            check(status == 200, answer)
            end = threading.Event()

            def look():
                while not end.is_set():
                    status_of(daemon, "/snapshot.png", 20)

            readers = [Raw(daemon, b"GET /landmarks HTTP/1.1\r\n" + HOST + b"\r\n") for _ in range(34)]
            with concurrent.futures.ThreadPoolExecutor(4) as pool:
                for _ in range(4):
                    pool.submit(look)
                late = []
                try:
                    for _ in range(40):
                        time.sleep(0.02)
                        sent = time.monotonic_ns()
                        status, answer = post(daemon, "/mark", {"text": "m"})
                        check(status == 200, answer)
                        late.append((answer["t_mono_ns"] - sent) / 1e6)
                finally:
                    end.set()
            for one in readers:
                one.close()
            late.sort()
            print(f"# a mark's stamp after its request: median {late[20]:.2f} ms, longest {late[-1]:.2f} ms")
            check(late[0] >= 0, f"stamped before it was sent: {late[0]} ms")
            check(late[20] < 20 * SLOW, f"median {late[20]} ms")
            # A mark may carry its own time.
            start = json.loads(daemon.get("/record"))["t_start_mono_ns"]
            now = time.monotonic_ns()
            status, answer = post(daemon, "/mark", {"text": "own", "t_mono_ns": now - 123456789})
            check(status == 200 and answer["t_mono_ns"] == now - 123456789, f"{status} {answer}")
            sent = time.monotonic_ns()
            status, answer = post(daemon, "/mark", {"text": "old", "age_ms": 250.5})
            check(status == 200 and 0 <= answer["t_mono_ns"] + 250500000 - sent < 50e6 * SLOW, f"{status} {answer} {sent}")
            for body, part in (({"t_mono_ns": now + 3600 * 10**9}, "future"), ({"t_mono_ns": start - 1}, "before the session"),
                               ({"age_ms": 3600000}, "before the session"), ({"age_ms": -1}, "from 0"),
                               ({"age_ms": 1, "t_mono_ns": now}, "exclude"), ({"t_mono_ns": 1.5}, "whole number"),
                               ({"t_mono_ns": "1"}, "whole number"), ({"t_mono_ns": -5}, "from 0"), ({"age_ms": True}, "number")):
                status, answer = post(daemon, "/mark", {"text": "x", **body})
                check(status == 400 and part in answer["error"], f"{body}: {status} {answer}")
            check(post(daemon, "/record/stop", {})[1]["state"] == "complete", "not complete")


def pictures_are_shared():
    """JPEG and PNG of the same picture; those who ask together get one"""
    with Daemon(config(more=SMALL + "\nanalyse=no")) as daemon:
        wait_for(lambda: status_of(daemon, "/snapshot.jpg") == 200, 10, "a picture")
        for path, kind, signature in (("/snapshot.jpg", "image/jpeg", b"\xff\xd8\xff"),
                                      ("/snapshot.png", "image/png", b"\x89PNG\r\n")):
            with urllib.request.urlopen(daemon.http() + path, timeout=5 * SLOW) as answer:
                check(answer.headers["Content-Type"] == kind, str(answer.headers))
                check(answer.read().startswith(signature), path)
        with concurrent.futures.ThreadPoolExecutor(20) as pool:
            got = list(pool.map(lambda _: daemon.get("/snapshot.png"), range(20)))
        check(len(set(got)) < 10, f"{len(set(got))} different pictures for 20 who asked together")


def kernel_clock():
    """Whether adjtimex(2) says that the clock is synchronised, and its bound in microseconds; None where it says nothing."""
    timex = (ctypes.c_long * 64)()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.adjtimex(timex) < 0:
        return None
    # modes, offset, freq, maxerror, esterror, status …: modes and status are ints, padded.
    return not timex[5] & 0x40, timex[3]


def clocks_are_compared():
    """GET /clock: an offset and its uncertainty, as docs/http.md computes them"""
    with Daemon(config(more=SMALL)) as daemon:
        best = None
        for _ in range(20):
            sent = time.monotonic_ns()
            clock = json.loads(daemon.get("/clock"))
            received = time.monotonic_ns()
            check(sent <= clock["receive_t_mono_ns"] <= clock["send_t_mono_ns"] <= received, f"{sent} {clock} {received}")
            wait = (received - sent) - (clock["send_t_mono_ns"] - clock["receive_t_mono_ns"])
            offset = ((clock["receive_t_mono_ns"] - sent) + (clock["send_t_mono_ns"] - received)) / 2
            best = min(best or (wait, offset), (wait, offset))
        check(abs(best[1]) < best[0] / 2 + 1, f"{best}")  # one machine has one clock
        told = kernel_clock()
        check(set(clock) >= {"host", "clock"} and clock["host"] == socket.gethostname(), str(clock))
        check((clock["clock"] is None) == (told is None), f"{clock} {told}")
        if told:
            check(clock["clock"]["synchronised"] == told[0] and abs(clock["clock"]["max_error_us"] - told[1]) < 1_000_000,
                  f"{clock} {told}")
            state = json.loads(daemon.get("/state"))["clock"]
            check(state["synchronised"] == told[0], str(state))
            check(f"thermoface_clock_synchronised {int(told[0])}\n" in daemon.get("/metrics").decode(), "metrics")
            records = Records(daemon)
            wait_for(lambda: records.records, 5, "a record")
            check(records.records[0]["clock"]["synchronised"] == told[0], str(records.records[0]["clock"]))
        check(abs(clock["utc_offset_ns"] - (time.time_ns() - time.monotonic_ns())) < 50_000_000, str(clock))


def the_end_is_asked():
    """Until the server ends, /state and /metrics name the triggers and MQTT, and nothing is asked that is gone"""
    sections = "".join(f"[trigger t{i}]\nkind=serial\ndevice=/dev/not-there-{i}\n" for i in range(8))
    if os.environ["TF_HAVE_MQTT"] == "1":
        sections += "[mqtt]\nhost=127.0.0.1\nport=9\n"
    if "TF_LSL_LIBRARY" in os.environ:
        sections += f"[lsl]\nenabled=yes\nlibrary={os.environ['TF_LSL_LIBRARY']}\n"

    def ask_on(daemon, path, answers):
        host, port = daemon.http().split("//")[1].rsplit(":", 1)
        connection = http.client.HTTPConnection(host, int(port), timeout=5 * SLOW)
        with contextlib.suppress(OSError, http.client.HTTPException):
            while True:
                connection.request("GET", path)
                answers.append((path, connection.getresponse().read()))

    for _ in range(5):
        answers = []
        with Daemon(config(more=SMALL + "\nanalyse=no", sections=sections)) as daemon:
            asking = [threading.Thread(target=ask_on, args=(daemon, path, answers)) for path in ("/state", "/metrics") * 2]
            for thread in asking:
                thread.start()
            wait_for(lambda: len(answers) >= 8, 10, "answers", 0.01)
            code, _ = daemon.stop()
            for thread in asking:
                thread.join()
            check(code == 0 and "Sanitizer" not in daemon.log(), f"{code}")
        for path, answer in answers:
            state = json.loads(answer) if path == "/state" else None
            check(len(state["triggers"]) == 8 if state else b"trigger=\"t7\"" in answer, f"{path}: {answer!r}")
            if os.environ["TF_HAVE_MQTT"] == "1":
                check(state["mqtt"] if state else b"thermoface_mqtt_connected 0" in answer, f"{path}: {answer!r}")


if __name__ == "__main__":
    run_tests([odd_requests, connections_are_reused, crowds_keep_nobody_out, marks_do_not_wait, pictures_are_shared,
               clocks_are_compared, the_end_is_asked])

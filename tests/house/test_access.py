"""Who may ask over HTTP: TLS, roles, tokens, origins, failed logins; openssl, curl and promtool as judges."""
import base64
import concurrent.futures
import contextlib
import http.client
import json
import os
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request

sys.path.insert(0, __file__.rsplit("/", 1)[0])
from house import DAEMON, SLOW, Daemon, check, config, need, run_tests, wait_for  # noqa: E402
from rtsp_client import Client, shown  # noqa: E402

SMALL = "width=160\nheight=120\nfps=9"
TOKEN = "0123456789abcdef0123456789abcdef"
CONTROL, WATCH = "lab:se:cret", "eye:look/%?"


class Place(tempfile.TemporaryDirectory):
    """A folder with secrets and certificates."""

    def __enter__(self):
        return self

    def write(self, name, text, mode=0o600):
        path = f"{self.name}/{name}"
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(path, mode)
        return path

    def certificate(self, name, days=30, key=True):
        need("openssl")
        more = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", f"{self.name}/{name}.key"]
        subprocess.run(["openssl", "req", "-x509", *(more if key else ["-key", f"{self.name}/{name}.key"]), "-out",
                        f"{self.name}/{name}.crt", "-days", str(days), "-subj", f"/CN={name}", "-addext",
                        "subjectAltName=DNS:localhost,IP:127.0.0.1"], check=True, capture_output=True)

    def copy(self, name):
        for end in ("crt", "key"):
            shutil.copyfile(f"{self.name}/{name}.{end}", f"{self.name}/used.{end}")
        os.chmod(f"{self.name}/used.key", 0o600)

    def text(self, tls=True, more=""):
        self.write("control", CONTROL + "\n")
        self.write("watch", WATCH + "\n")
        self.write("tokens", f"# Prometheus\n{TOKEN}\n\n{'z' * 64}\r\n")
        lines = f"port=0\ncredentials={self.name}/control\nwatch-credentials={self.name}/watch\ntokens={self.name}/tokens\n"
        if tls:
            lines += f"tls-certificate={self.name}/used.crt\ntls-key={self.name}/used.key\n"
        return config(more=SMALL + "\nanalyse=no", http=lines + more)


def basic(login):
    return {"Authorization": "Basic " + base64.b64encode(login.encode()).decode()}


def bearer(token):
    return {"Authorization": "Bearer " + token}


def ask(url, headers=None, body=None, cafile=None, timeout=10):
    """Status and answer."""
    context = ssl.create_default_context(cafile=cafile) if cafile else None
    headers = {**({"Content-Type": "application/json"} if body is not None else {}), **(headers or {})}
    request = urllib.request.Request(url, data=None if body is None else json.dumps(body).encode(), headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=timeout * SLOW, context=context) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def roles(url, cafile=None):
    """What each login may."""
    look, mark = url + "/metrics", url + "/mark"
    cases = ((basic(CONTROL), 200, 409), (basic(WATCH), 200, 403), (bearer(TOKEN), 200, 403), (bearer("z" * 64), 200, 403),
             ({}, 401, 401), (basic("lab:se:cre"), 401, 401), (basic("eye:se:cret"), 401, 401), (bearer(TOKEN[:-1]), 401, 401),
             (bearer(TOKEN + "0"), 401, 401), (bearer(""), 401, 401), (bearer("se:cret"), 401, 401),
             (basic(f"x:{TOKEN}"), 401, 401), ({"Authorization": "Basic ="}, 401, 401), ({"Authorization": "Frob x"}, 401, 401))
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        got = list(pool.map(lambda case: (ask(look, case[0], cafile=cafile), ask(mark, case[0], {"text": "x"}, cafile)), cases))
    for (headers, want_look, want_mark), (looked, marked) in zip(cases, got):
        check(looked[0] == want_look, f"{headers}: looking gives {looked[0]}")
        check(marked[0] == want_mark, f"{headers}: marking gives {marked[0]} {marked[1]}")
        for status, body in (looked, marked):
            check(status < 400 or json.loads(body)["error"], f"{body}")
    for path in ("/", "/nothing", "/healthz", "/camera/cam/ffc"):
        check(ask(url + path, cafile=cafile)[0] == 401, f"{path} without a login")


def roles_in_the_clear():
    """On a loopback address: control, watch and token by Basic and Bearer; nothing of it in the log"""
    with Place() as place:
        folder = place.name
        with Daemon(place.text(tls=False)) as daemon:
            roles(daemon.http())
            metrics = ask(daemon.http() + "/metrics", bearer(TOKEN))[1].decode()
            failed = next(int(line.split()[1]) for line in metrics.splitlines()
                          if line.startswith("thermoface_http_logins_failed_total "))
            check(failed == 18, f"{failed} failed logins counted")
            wait_for(lambda: "failed logins" in daemon.log(), 5, "a word in the log")
            for secret in ("se:cret", "look/%", TOKEN, "zzzz", "se:cre"):
                check(secret not in daemon.log(), f"{secret} is in the log")


def over_tls():
    """https: certificates are verified, roles hold, plain HTTP and old TLS are refused; curl and openssl agree"""
    need("curl", "openssl")
    with Place() as place:
        folder = place.name
        place.certificate("one")
        place.copy("one")
        with Daemon(place.text()) as daemon:
            url, ca = daemon.address("https"), f"{folder}/one.crt"
            roles(url, ca)
            try:
                ask(url + "/metrics", bearer(TOKEN), cafile=None)
                check(False, "an unknown certificate was taken")
            except urllib.error.URLError:
                pass
            port = url.rsplit(":", 1)[1]
            for version, want in (("-tls1_2", 0), ("-tls1_3", 0), ("-tls1_1", 1)):
                done = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-CAfile", ca, "-verify_return_error",
                                       version], input=b"", capture_output=True, timeout=20 * SLOW, check=False)
                check((done.returncode != 0) == want, f"{version}: {done.returncode} {done.stderr[-300:]}")
            done = subprocess.run(["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", f"http://127.0.0.1:{port}/healthz"],
                                  capture_output=True, text=True, timeout=20 * SLOW, check=False)
            check(done.stdout == "000", f"plain HTTP: {done.stdout}")
            stream = subprocess.run(["curl", "-sN", "-m", "2", "--cacert", ca, "-H", f"Authorization: Bearer {TOKEN}",
                                     f"{url}/landmarks"], capture_output=True, text=True, timeout=20 * SLOW, check=False)
            check(len([json.loads(line) for line in stream.stdout.splitlines()[:-1]]) > 5, f"records: {stream.stdout[:200]}")
            metrics = subprocess.run(["curl", "-s", "--cacert", ca, "-H", f"Authorization: Bearer {TOKEN}", f"{url}/metrics"],
                                     capture_output=True, timeout=20 * SLOW, check=True).stdout
            if shutil.which("promtool"):
                done = subprocess.run(["promtool", "check", "metrics"], input=metrics, capture_output=True, check=False)
                check(done.returncode == 0, f"promtool: {done.stderr.decode()}")
            else:
                print("# promtool is not installed: the metrics' form was not checked")


def certificate_is_renewed():
    """SIGHUP takes a new certificate; a mismatched, missing or unreadable one is refused and the old one kept"""
    with Place() as place:
        folder = place.name
        for name in ("one", "two", "three"):
            place.certificate(name)
        place.copy("one")
        with Daemon(place.text()) as daemon:
            url = daemon.address("https")

            def serves(name):
                try:
                    return ask(url + "/metrics", bearer(TOKEN), cafile=f"{folder}/{name}.crt")[0] == 200
                except urllib.error.URLError:
                    return False

            def reload():
                said = daemon.log().count("certificate that is used stays")
                daemon.process.send_signal(signal.SIGHUP)
                return said

            check(serves("one"), "the first")
            place.copy("two")
            reload()
            wait_for(lambda: serves("two"), 5, "the second certificate")
            check(not serves("one"), "the first is served still")
            for spoil in (lambda: shutil.copyfile(f"{folder}/three.key", f"{folder}/used.key"),
                          lambda: os.unlink(f"{folder}/used.crt"),
                          lambda: place.write("used.crt", "nonsense\n")):
                place.copy("two")
                spoil()
                said = reload()
                wait_for(lambda: daemon.log().count("certificate that is used stays") > said, 5, "the refusal in the log")
                check(serves("two"), "the second is not served any more")
            place.copy("three")
            reload()
            wait_for(lambda: serves("three"), 5, "the third certificate")


class Reader(threading.Thread):
    """Reads /landmarks with a login until it is ended."""

    def __init__(self, url, headers):
        super().__init__(daemon=True)
        self.answer = urllib.request.urlopen(urllib.request.Request(url + "/landmarks", headers=headers), timeout=20 * SLOW)
        self.lines, self.ended = 0, False
        self.start()

    def run(self):
        with contextlib.suppress(OSError, http.client.HTTPException):
            for _ in self.answer:
                self.lines += 1
        self.ended = True


def logins_are_renewed():
    """SIGHUP reads credentials and tokens again: who is none any more is cut off, others go on; a bad file changes nothing"""
    with Place() as place:
        place.write("rtsp", "lab:one\n")
        text = place.text(tls=False).replace("[rtsp]\n", f"[rtsp]\ncredentials={place.name}/rtsp\n")
        with Daemon(text) as daemon:
            url, video = daemon.http(), daemon.rtsp()

            def status(headers):
                return ask(url + "/metrics", headers)[0]

            def played(password):
                with Client(video, user="lab", password=password) as client:
                    return client.describe()

            def counted():
                state = json.loads(ask(url + "/state", basic(CONTROL))[1])["logins_failed"]
                metrics = ask(url + "/metrics", basic(CONTROL))[1].decode()
                for kind in ("http", "rtsp"):
                    check(f"\nthermoface_{kind}_logins_failed_total {state[kind]}\n" in metrics, f"{kind}: {state} {metrics[-600:]}")
                return state

            check(counted() == {"http": 0, "rtsp": 0}, f"{counted()}")
            check(played("two") == 401, "a wrong password over RTSP")
            wait_for(lambda: counted() == {"http": 0, "rtsp": 1}, 5, "a count of it")
            readers = {name: Reader(url, headers) for name, headers in
                       (("token", bearer(TOKEN)), ("kept", bearer("z" * 64)), ("watch", basic(WATCH)), ("control", basic(CONTROL)))}
            with Client(video, user="lab", password="one") as viewer:
                check(isinstance(viewer.play(), tuple), "the first password over RTSP")
                check(shown(viewer.pictures(10 * SLOW, most=3)) >= 2, "no pictures")
                for name, reader in readers.items():
                    wait_for(lambda r=reader: r.lines > 2, 10, f"records for {name}")
                place.write("tokens", f"{'n' * 32}\n{'z' * 64}\n")
                place.write("watch", "eye:another\n")
                place.write("rtsp", "lab:two\n")
                daemon.process.send_signal(signal.SIGHUP)
                wait_for(lambda: readers["token"].ended and readers["watch"].ended, 5, "the end of removed readers")
                try:
                    viewer.pictures(10 * SLOW)
                    check(False, "the viewer with the old password was not ended")
                except (EOFError, ConnectionError):
                    pass
            for headers, want in ((bearer(TOKEN), 401), (basic(WATCH), 401), (bearer("n" * 32), 200), (basic("eye:another"), 200),
                                  (bearer("z" * 64), 200), (basic(CONTROL), 200)):
                check(status(headers) == want, f"{headers}: not {want}")
            check((played("one"), played("two")) == (401, 200), "the passwords over RTSP")
            for name in ("watch", "rtsp"):
                place.write(name, "nonsense\n")
            daemon.process.send_signal(signal.SIGHUP)
            wait_for(lambda: "HTTP's logins that are used stay" in daemon.log() and "RTSP's login that is used stays" in daemon.log(),
                     5, "the refusals in the log")
            check(status(basic("eye:another")) == 200 and played("two") == 200, "a bad file took the logins away")
            for name in ("kept", "control"):
                before = readers[name].lines
                wait_for(lambda b=before, r=readers[name]: r.lines > b + 5, 10, f"more records for {name}")
            for secret in ("another", "nonsense", "n" * 32):
                check(secret not in daemon.log(), f"{secret} is in the log")


def pages_of_others_do_nothing():
    """Forms, foreign origins and rebinding: a web page elsewhere can start, stop and mark nothing"""
    types = ("application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/plain", "text/plain; application/json",
             "application/jsonx", "", "application/xml")
    hosts = ("evil.example", "evil.example:8080", "127.0.0.1.evil.example", "localhost.evil.example", "192.0.2.1", "10.0.0.1:80",
             "127.1", "2130706433", "0.0.0.0", "[2001:db8::1]:80", "0x7f.1")
    origins = ("http://evil.example", "https://evil.example", "null", "http://127.0.0.1.evil.example", "http://localhost:1",
               "file://", "chrome-extension://x", "http://user@localhost", "http://", "localhost")
    with Daemon(config(more=SMALL + "\nanalyse=no")) as daemon:
        url = daemon.http()
        host = url.split("//")[1]
        for path in ("/record/start", "/record/stop", "/mark"):
            for kind in types:
                check(ask(url + path, {"Content-Type": kind}, {})[0] == 415, f"{path}: {kind}")
            for name in hosts:
                check(ask(url + path, {"Host": name}, {})[0] == 403, f"{path}: Host {name}")
            for origin in origins:
                check(ask(url + path, {"Origin": origin}, {})[0] == 403, f"{path}: Origin {origin}")
            for site in ("cross-site", "same-site", "frob"):
                check(ask(url + path, {"Sec-Fetch-Site": site}, {})[0] == 403, f"{path}: Sec-Fetch-Site {site}")
            check(ask(url + path, {"Origin": "http://evil.example", "Sec-Fetch-Site": "none"}, {})[0] == 403, f"{path}: an origin that is none")
            # A proxy in front has sent its own Host, and the browser says that the page is the address's own.
            for headers in ({}, {"Origin": f"http://{host}"}, {"Sec-Fetch-Site": "same-origin"}, {"Sec-Fetch-Site": "none"},
                            {"Origin": "https://lab.example", "Sec-Fetch-Site": "same-origin"}):
                check(ask(url + path, headers, {})[0] in (400, 409), f"{path}: {headers}")
        check(ask(url + "/snapshot.jpg", {"Host": "evil.example"})[0] == 403, "a picture by rebinding")
        for site, kind, expected in (("cross-site", "image", 403), ("same-site", "video", 403), ("cross-site", "iframe", 403), ("cross-site", "empty", 403),
                                     ("cross-site", "document", 200), ("same-origin", "image", 200), ("none", "document", 200), ("same-origin", "empty", 200)):
            for path in ("/", "/state", "/snapshot.jpg"):
                check(ask(url + path, {"Sec-Fetch-Site": site, "Sec-Fetch-Dest": kind})[0] == expected, f"{path}: {site} {kind}")
        check(ask(url + "/mjpeg", {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "image"})[0] == 403, "a viewer's place for a page elsewhere")


def failed_logins_are_slow():
    """A failed login waits, those that come at once wait in a row, and a good one does not wait for them"""
    with Place() as place:
        folder = place.name
        with Daemon(place.text(tls=False)) as daemon:
            url = daemon.http() + "/state"
            began = time.monotonic()
            check(ask(url, basic("lab:wrong"))[0] == 401, "let in")
            check(time.monotonic() - began > 0.4, "a failed login does not wait")

            def guess(number):
                try:
                    return ask(url, basic(f"lab:{number}"))[0]
                except OSError:
                    return None  # too many: closed without an answer

            with concurrent.futures.ThreadPoolExecutor(30) as pool:
                began = time.monotonic()
                guesses = [pool.submit(guess, number) for number in range(30)]
                time.sleep(0.3)
                good = time.monotonic()
                check(ask(url, basic(CONTROL))[0] == 200, "not let in")
                check(time.monotonic() - good < 0.4 * SLOW, f"a good login waits {time.monotonic() - good:.2f} s")
                answered = [guess.result() for guess in guesses].count(401)
                check(answered <= 2 * (time.monotonic() - began) + 2, f"{answered} guesses answered")


def secrets_are_checked():
    """Secrets that are no secrets, and access that is none, are refused at the start with file and line"""
    with Place() as place:
        folder = place.name
        place.text()
        good = f"port=0\ncredentials={folder}/control\n"
        for text, lines, part in (("short\n", good, "tokens:1"), ("ok-ok-ok-ok-ok-ok\nbad token with blanks\n", good, "tokens:2"),
                                  ("# none\n", good, "none in it"), (f"{TOKEN}\n" * 65, good, "more than 64"),
                                  (f"{TOKEN}\n", "port=0\n", "nobody who may control"),
                                  (f"{TOKEN}\n", good + "address=0.0.0.0\n", "in the clear"),
                                  (f"{TOKEN}\n", good + "proxies=gateway\n", "proxies"),
                                  (f"{TOKEN}\n", good + f"watch-credentials={folder}/control\n", "one user")):
            place.write("tokens", text)
            path = place.write("conf", config(more=SMALL, http=lines + f"tokens={folder}/tokens\n"))
            done = subprocess.run([DAEMON, "--config", path], capture_output=True, text=True, timeout=20 * SLOW, check=False)
            check(done.returncode == 1 and part in done.stderr, f"{part}: {done.returncode} {done.stderr}")
            check(TOKEN not in done.stderr and "blanks" not in done.stderr, done.stderr)
        os.chmod(f"{folder}/control", 0o644)
        with Daemon(config(more=SMALL, http=good)) as daemon:
            check("control may be read by everybody" in daemon.log(), daemon.log())


if __name__ == "__main__":
    run_tests([roles_in_the_clear, over_tls, certificate_is_renewed, logins_are_renewed, pages_of_others_do_nothing, failed_logins_are_slow,
               secrets_are_checked])

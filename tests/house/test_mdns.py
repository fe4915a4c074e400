"""What the service announces by mDNS, as avahi-browse sees it: a real bus and avahi-daemon in a network of their own."""
import os
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, __file__.rsplit("/", 1)[0])
from house import DAEMON, SLOW, Daemon, Skip, check, config, need, run_tests, wait_for  # noqa: E402

INSIDE = "TF_MDNS_INSIDE"
FOLDER = os.environ.get(INSIDE, "")
ADDRESS, OTHER = "192.0.2.1", "198.51.100.1"
SMALL = "width=160\nheight=120\nfps=9\nanalyse=no"
BUS = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>custom</type><listen>unix:path=%s/bus</listen><auth>EXTERNAL</auth>
<policy context="default"><allow user="*"/><allow own="*"/><allow send_destination="*"/><allow receive_sender="*"/></policy>
</busconfig>
"""


def quiet(*command, **more):
    return subprocess.run(command, capture_output=True, text=True, check=False, **more)


class Network:
    """The bus and avahi-daemon, each of which can go and come back."""

    def __init__(self, bus=True, avahi=True):
        self.bus = self.avahi = None
        if bus:
            self.start_bus()
        if avahi:
            self.start_avahi()

    def start_bus(self):
        with open(f"{FOLDER}/bus.conf", "w", encoding="utf-8") as file:
            file.write(BUS % FOLDER)
        self.bus = subprocess.Popen(["dbus-daemon", f"--config-file={FOLDER}/bus.conf", "--nofork", "--nopidfile"],
                                    stderr=subprocess.DEVNULL)
        wait_for(lambda: os.path.exists(f"{FOLDER}/bus"), 5, "a message bus")

    def start_avahi(self):
        with open(f"{FOLDER}/avahi.conf", "w", encoding="utf-8") as file:
            file.write("[server]\nhost-name=labpc\n[wide-area]\nenable-wide-area=no\n[publish]\npublish-workstation=no\n")
        self.avahi = subprocess.Popen(["avahi-daemon", "-f", f"{FOLDER}/avahi.conf", "--no-chroot", "--no-drop-root",
                                       "--no-rlimits"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for(lambda: quiet("avahi-browse", "-pt", "_none._tcp").returncode == 0, 10, "avahi-daemon", every=0.2)

    def stop(self, which):
        process = getattr(self, which)
        if process:
            process.send_signal(signal.SIGCONT)
            process.terminate()
            process.wait(10)
        setattr(self, which, None)
        if which == "bus" and os.path.exists(f"{FOLDER}/bus"):
            os.unlink(f"{FOLDER}/bus")

    def __enter__(self):
        return self

    def __exit__(self, *what):
        self.stop("avahi")
        self.stop("bus")


def found(kind):
    """Instances of a type: {name: (interfaces, host, port, text)}."""
    services = {}
    for line in quiet("avahi-browse", "-rptk", kind, timeout=20 * SLOW).stdout.splitlines():
        part = line.split(";")
        if part[0] != "=":
            continue
        name = part[3].replace("\\032", " ").replace("\\035", "#").replace("\\040", "(").replace("\\041", ")")
        networks = services.get(name, (set(),))[0] | {part[1]}
        services[name] = (networks, part[6], int(part[8]), part[9])
    return services


def will_be(kind, names, seconds=15):
    """Waits until just these instances are there."""
    seen = {}

    def look():
        seen["now"] = found(kind)
        return sorted(seen["now"]) == sorted(names)

    try:
        wait_for(look, seconds, "", every=0.3)
    except AssertionError:
        raise AssertionError(f"{kind}: {seen['now']}, not {names}") from None
    return seen["now"]


def secret():
    path = f"{FOLDER}/secret"
    with open(path, "w", encoding="utf-8") as file:
        file.write("lab:secret\n")
    os.chmod(path, 0o600)
    return path


def text(address=ADDRESS, rtsp="mdns=yes", http="mdns=yes", sections=""):
    listen = f"port=0\naddress={address}\ncredentials={secret()}\n"
    return config(camera="thermal", more=SMALL, rtsp=listen + rtsp, http=listen + http, sections=sections)


def port(daemon, scheme):
    return int(daemon.address(scheme).rsplit(":", 1)[1])


def announced():
    """Each camera's and pair's video, and HTTP, with path and port, on the network they listen on; gone at the end"""
    more = (f"[camera face]\nsource=synthetic\n{SMALL}\n[camera blind]\nsource=synthetic\n{SMALL}\npictures=no\n"
            "[pair rig]\nthermal=thermal\nvisible=face\n")
    with Network(), Daemon(text(sections=more)) as daemon:
        videos = will_be("_rtsp._tcp", [f"thermoface {name} on labpc" for name in ("thermal", "face", "rig")])
        for name in ("thermal", "face", "rig"):
            networks, host, where, what = videos[f"thermoface {name} on labpc"]
            check(networks == {"cam0"}, f"{name}: announced on {networks}")
            check((host, where, what) == ("labpc.local", port(daemon, "rtsp"), f'"path=/{name}"'), f"{videos}")
        pages = will_be("_http._tcp", ["thermoface on labpc"])
        check(pages["thermoface on labpc"] == ({"cam0"}, "labpc.local", port(daemon, "http"), '"path=/"'), f"{pages}")
        wait_for(lambda: 'mDNS: announced as "thermoface rig on labpc" (_rtsp._tcp' in daemon.log(), 5, "a word in the log")
        daemon.stop()
        will_be("_rtsp._tcp", [])
        will_be("_http._tcp", [])


def every_network():
    """Listening on 0.0.0.0 it is announced on each network; one server alone, if the other is not to be"""
    with Network(), Daemon(text(address="0.0.0.0", rtsp="mdns=no")) as daemon:
        pages = will_be("_http._tcp", ["thermoface on labpc"])
        check({"cam0", "other0"} <= pages["thermoface on labpc"][0], f"{pages}")
        check(found("_rtsp._tcp") == {}, "RTSP is announced though it was not asked for")
        daemon.stop()


def nothing_to_announce():
    """A loopback address: said once, and nobody is asked; off, the bus is not even opened"""
    with Network():
        local = config(camera="thermal", more=SMALL, rtsp="port=0\nmdns=yes", http="port=0")
        with Daemon(local) as daemon:
            check(daemon.log().count("there is nothing to announce") == 1, daemon.log())
            check(found("_rtsp._tcp") == {}, "announced")
            daemon.stop()
        with Daemon(text(rtsp="", http="")) as daemon:
            check("mDNS" not in daemon.log(), daemon.log())
            threads = [open(f"/proc/{daemon.process.pid}/task/{task}/comm", encoding="utf-8").read().strip()
                       for task in os.listdir(f"/proc/{daemon.process.pid}/task")]
            check("mdns" not in threads, f"{threads}")
            check(found("_http._tcp") == {}, "announced")
            daemon.stop()


def comes_and_goes():
    """avahi-daemon absent: said once; announced when it comes, again when it comes back; the bus likewise"""
    with Network(avahi=False) as network, Daemon(text()) as daemon:
        wait_for(lambda: "avahi-daemon does not run" in daemon.log(), 10, "a word in the log")
        time.sleep(3)
        check(daemon.log().count("avahi-daemon does not run") == 1, daemon.log())
        for _ in range(2):
            network.start_avahi()
            will_be("_rtsp._tcp", ["thermoface thermal on labpc"])
            network.stop("avahi")
        network.stop("bus")
        wait_for(lambda: "message bus" in daemon.log(), 15, "a word about the bus")
        frames = daemon_frames(daemon)
        wait_for(lambda: daemon_frames(daemon) > frames + 9, 10, "frames go on without the bus")
        network.start_bus()
        network.start_avahi()
        will_be("_http._tcp", ["thermoface on labpc"], 25)
        check(daemon.log().count("message bus") == 1, daemon.log())
        daemon.stop()


def daemon_frames(daemon):
    lines = quiet("curl", "-s", "--digest", "-u", "lab:secret", f"{daemon.http()}/metrics").stdout.splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith("thermoface_frames_total"))


def names_in_use():
    """A name that another has is passed over: the second service on a machine is #2"""
    with Network(), Daemon(text()) as first:
        will_be("_rtsp._tcp", ["thermoface thermal on labpc"])
        with Daemon(text()) as second:
            both = will_be("_rtsp._tcp", ["thermoface thermal on labpc", "thermoface thermal on labpc #2"])
            check(both["thermoface thermal on labpc #2"][2] == port(second, "rtsp"), f"{both}")
            second.process.kill()
            second.process.wait()
        will_be("_rtsp._tcp", ["thermoface thermal on labpc"])
        first.stop()


def avahi_hangs():
    """An avahi-daemon that does not answer holds up neither frames nor the end"""
    with Network() as network, Daemon(text()) as daemon:
        will_be("_rtsp._tcp", ["thermoface thermal on labpc"])
        network.avahi.send_signal(signal.SIGSTOP)
        daemon.stop()
        with Daemon(text()) as other:
            wait_for(lambda: daemon_frames(other) > 9, 10, "frames")
            other.stop()


def over_tls():
    """With a certificate the types are those of TLS: _rtsps._tcp, _https._tcp"""
    need("openssl")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout",
                    f"{FOLDER}/key", "-out", f"{FOLDER}/crt", "-days", "30", "-subj", "/CN=labpc"], check=True, capture_output=True)
    os.chmod(f"{FOLDER}/key", 0o600)
    tls = f"mdns=yes\ntls-certificate={FOLDER}/crt\ntls-key={FOLDER}/key"
    with Network(), Daemon(text(rtsp=tls, http=tls)) as daemon:
        will_be("_rtsps._tcp", ["thermoface thermal on labpc"])
        will_be("_https._tcp", ["thermoface on labpc"])
        check(found("_rtsp._tcp") == {} and found("_http._tcp") == {}, "announced as plain")
        daemon.stop()


TESTS = [announced, every_network, nothing_to_announce, comes_and_goes, names_in_use, avahi_hangs, over_tls]
PREPARE = f"""mount -t tmpfs tmpfs /run && mkdir -p /run/avahi-daemon && ip link set lo up || exit 77
ip link add cam0 type veth peer name far0 && ip link add other0 type veth peer name far1 || exit 77
ip addr add {ADDRESS}/24 dev cam0 && ip addr add {OTHER}/24 dev other0 || exit 77
for link in cam0 far0 other0 far1; do ip link set $link up || exit 77; done
"""


def why_not():
    for program in ("unshare", "ip", "dbus-daemon", "avahi-daemon", "avahi-browse", "curl"):
        try:
            need(program)
        except Skip as why:
            return str(why)
    if os.geteuid() != 0:
        return "avahi-daemon in a network of its own needs root"
    tried = quiet("unshare", "-n", "-m", "sh", "-c", PREPARE)
    return f"no network of its own: {tried.stderr.strip()[-200:]}" if tried.returncode else None


def main():
    if FOLDER:
        run_tests(TESTS)
    why = why_not()
    if why:
        print(f"1..0 # SKIP {why}")
        return
    with tempfile.TemporaryDirectory(prefix="tf-mdns-") as folder:
        environment = dict(os.environ, **{INSIDE: folder, "DBUS_SYSTEM_BUS_ADDRESS": f"unix:path={folder}/bus"})
        inside = subprocess.run(["unshare", "-n", "-m", "sh", "-c", PREPARE + 'exec "$@"', "sh", sys.executable, __file__],
                                env=environment, check=False)
    sys.exit(inside.returncode)


if __name__ == "__main__":
    main()

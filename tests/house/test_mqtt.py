"""What the service publishes over MQTT, as mosquitto's own clients read it from a real broker."""
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request

sys.path.insert(0, __file__.rsplit("/", 1)[0])
from broker import MOSQUITTO, Broker, Gate, Messages, free_port, retained  # noqa: E402
from house import DAEMON, MODELS, SLOW, Daemon, Records, Skip, check, config, have_models, need, run_tests, wait_for  # noqa: E402

SMALL = "synthetic:seed=3,size=160x120,fps=9"
QUIET = "pictures=no"
NO_RTSP = "enabled=no"


def text(broker, url=SMALL, camera="cam", more=QUIET, mqtt="", sections=""):
    return config(url=url, camera=camera, more=more, rtsp=NO_RTSP,
                  sections=f"[mqtt]\nhost=127.0.0.1\nport={broker.port}\ntopic=lab/box1\ninterval=500ms\n{mqtt}\n{sections}")


def told(daemon):
    return json.loads(daemon.get("/state"))["mqtt"]


def post(daemon, path, body):
    request = urllib.request.Request(daemon.http() + path, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=20 * SLOW) as answer:
        return json.load(answer)


def frames(daemon):
    return daemon.camera()["frames"]


def nothing_lost(daemon):
    dropped = daemon.camera()["dropped"]
    check(dropped["driver"] == dropped["capture"] == 0, f"frames were lost: {dropped}")


def go_on(daemon, count=9):
    before = frames(daemon)
    wait_for(lambda: frames(daemon) >= before + count, 10, "frames go on")


def secret(folder, line, mode=0o600):
    path = f"{folder}/login"
    with open(path, "w", encoding="utf-8") as file:
        file.write(line + "\n")
    os.chmod(path, mode)
    return path


def states():
    """online, box and states are retained, region means are not; at the end the broker keeps "offline\""""
    with Broker() as broker, Messages(broker) as seen:
        with Daemon(text(broker)) as daemon:
            wait_for(lambda: len(seen.at("cam/regions")) >= 3, 15, "means of regions")
            wait_for(lambda: seen.json("cam/state") and seen.json("cam/state")[-1]["state"] == "running", 5, "a state")
            kept = retained(broker)
            check(set(kept) == {"lab/box1/status", "lab/box1/box", "lab/box1/cam/state"}, f"{sorted(kept)}")
            check(kept["lab/box1/status"] == "online", kept["lab/box1/status"])
            box = json.loads(kept["lab/box1/box"])
            check(box["cameras"] == ["cam"] and box["interval_s"] == 0.5, f"{box}")
            state = json.loads(kept["lab/box1/cam/state"])
            for key, value in (("unit", "celsius"), ("width", 160), ("height", 120), ("recording", False), ("message", "")):
                check(state[key] == value, f"{key}: {state}")
            check(told(daemon)["connected"] and told(daemon)["topic"] == "lab/box1", f"{told(daemon)}")
            metrics = daemon.get("/metrics").decode()
            published = int(re.search(r"^thermoface_mqtt_published_total (\d+)$", metrics, re.M).group(1))
            check("thermoface_mqtt_connected 1\n" in metrics and published >= 5, metrics)
            check(daemon.log().count("MQTT") == 1, daemon.log())
            daemon.stop()
        wait_for(lambda: seen.last("box1/status") == "offline", 5, "offline")
        check(retained(broker)["lab/box1/status"] == "offline", "offline is not retained")


def means():
    """Means are those of the records of that interval, with their number; intervals lie on the clock's seconds"""
    if not have_models():
        raise Skip("no networks")
    with Broker() as broker, Messages(broker) as seen, Daemon(text(broker)) as daemon:
        records = Records(daemon)
        wait_for(lambda: records.records, 10, "records")
        began = len(seen.at("cam/regions"))
        wait_for(lambda: len(seen.at("cam/regions")) >= began + 6, 20, "means of regions")
        intervals, rows = seen.json("cam/regions")[began + 1:], list(records.records)
        daemon.stop()
    check(len(intervals) >= 4, f"{len(intervals)} intervals")
    for a, b in zip(intervals, intervals[1:]):
        check(b["t_mono_ns"] - a["t_mono_ns"] == 500000000, "intervals are not of steady length")
    compared = 0
    for each in intervals:
        off = int(each["t_utc"][20:26]) % 500000  # microseconds
        check(min(off, 500000 - off) < 20000, f"an interval ends at {each['t_utc']}")
        own = [r for r in rows if each["t_mono_ns"] - 500000000 <= r["t_mono_ns"] < each["t_mono_ns"]]
        check(each["frames"] == len(own), f"{each['frames']} frames, {len(own)} records")
        check(each["faces"] == sum(bool(r["faces"]) for r in own), "faces")
        for name, told_mean in each["regions"].items():
            values = [r["faces"][0]["regions"][name]["mean"] for r in own if r["faces"] and r["faces"][0]["regions"][name]["valid"]]
            check(told_mean["n"] == len(values), f"{name}: {told_mean}, {len(values)} values")
            if values:
                check(abs(told_mean["mean"] - sum(values) / len(values)) < 0.002, f"{name}: {told_mean}, {values}")
                compared += 1
            else:
                check(told_mean["mean"] is None, f"{name}: a mean of nothing: {told_mean}")
    check(compared >= 20, f"only {compared} means had a value")


def absent():
    """Where nobody is, and while the camera is away, messages go on at their rate, without values: null and n 0"""
    with Broker() as broker, Messages(broker) as seen:
        with Daemon(text(broker, url="synthetic:size=160x120,fps=9,empty=1")) as daemon:
            wait_for(lambda: len(seen.at("cam/regions")) >= 4, 15, "messages")
            daemon.stop()
        last = seen.json("cam/regions")[-1]
        check(last["faces"] == 0 and all(v == {"mean": None, "n": 0} for v in last["regions"].values()), f"{last}")
    with Broker() as broker, Messages(broker) as seen:
        with Daemon(text(broker, url="synthetic:size=160x120,fps=9,gone=2", more=QUIET + "\nanalyse=no")) as daemon:
            wait_for(lambda: [e for e in seen.json("cam/event") if e["event"] == "camera_back"], 30, "the camera back")
            daemon.stop()
        kinds = [e["event"] for e in seen.json("cam/event")]
        check(kinds[:2] == ["camera_lost", "camera_back"], f"{kinds}")
        lost = seen.json("cam/event")[0]
        check(lost["message"], f"no reason: {lost}")
        check([s for s in seen.json("cam/state") if s["state"] == "lost"], "no state says lost")
        stamps = [m["t_mono_ns"] for m in seen.json("cam/regions")]
        check(all(b - a == 500000000 for a, b in zip(stamps, stamps[1:])), f"{stamps}")


def own_regions():
    """Own regions are among the means and in discovery; their change while the service runs, too"""
    if not have_models():
        raise Skip("no networks")
    own = "[region spot]\nshape=rectangle 10,10,20,20\n"
    with Broker() as broker, Messages(broker) as seen, Daemon(text(broker, mqtt="discovery=yes", sections=own)) as daemon:
        wait_for(lambda: [m for m in seen.json("cam/regions") if m["own_regions"].get("spot", {}).get("n")], 15, "a mean of spot")
        wait_for(lambda: seen.at("cam-region_spot/config"), 5, "spot's description")
        request = urllib.request.Request(daemon.http() + "/regions", method="PUT", headers={"Content-Type": "application/json"},
                                         data=json.dumps({"regions": [{"name": "patch", "coordinates": "pixels", "circle": [60, 60, 8]}]}).encode())
        with urllib.request.urlopen(request, timeout=10 * SLOW) as answer:
            check(answer.status == 200, "regions are not taken")
        wait_for(lambda: [m for m in seen.json("cam/regions") if m["own_regions"].get("patch", {}).get("n")], 10, "a mean of patch")
        wait_for(lambda: seen.last("cam-region_spot/config") == "" and seen.last("cam-region_patch/config"), 5, "a new description")
        daemon.stop()


def events():
    """Marks, taken back, sessions' start and end, and the shutter are events with their own times"""
    with Broker() as broker, Messages(broker, "lab/box1/#") as seen, tempfile.TemporaryDirectory() as folder:
        where = f"[recording]\ndirectory={folder}\nannotated=no\nfree-space-min=0\n"
        with Daemon(text(broker, url=SMALL + ",ffc=5", sections=where)) as daemon:
            post(daemon, "/record/start", {"subject": "07", "task": "stroop"})
            mark = post(daemon, "/mark", {"text": "Reiz \u00e4", "value": 3})
            post(daemon, "/mark/undo", {"mark": 1, "text": "better"})
            wait_for(lambda: any(s["recording"] for s in seen.json("cam/state")[-1:]), 5, "a state that says recording")
            wait_for(lambda: {"shutter_closed", "shutter_open"} <= {e["event"] for e in seen.json("cam/event")}, 15, "the shutter")
            post(daemon, "/record/stop", {})
            wait_for(lambda: len(seen.at("box1/event")) >= 5, 5, "five events")
            post(daemon, "/record/start", {"subject": "07", "task": "rest"})
            daemon.stop()
        all_events = seen.json("box1/event")
        kinds = [e["event"] for e in all_events]
        check(kinds == ["record_start", "mark", "mark_undone", "mark", "record_stop", "record_start", "record_stop"], f"{kinds}")
        check(all_events[0]["task"] == "stroop" and all_events[0]["name"] == "sub-07_task-stroop_run-1", f"{all_events[0]}")
        check(all_events[1]["text"] == "Reiz \u00e4" and all_events[1]["t_mono_ns"] == mark["t_mono_ns"], f"{all_events[1]} {mark}")
        check(all_events[1]["value"] == "3" and all_events[1]["mark"] == 1, f"{all_events[1]}")
        check(all_events[2]["t_mono_ns"] == mark["t_mono_ns"] and all_events[3]["text"] == "better", f"{all_events[2:4]}")
        check(all_events[4]["state"] == "complete" and all_events[6]["task"] == "rest", f"{all_events}")
        check(not [m for m in seen.list if m[1].endswith("/event") and m[0]], "an event is retained")


def descriptions(broker):
    return {topic: json.loads(body) for topic, body in retained(broker, "homeassistant/#").items()}


def discovery():
    """Home Assistant gets a device and its sensors: °C for temperatures, counts for counts, and what it needs of each"""
    sections = f"[camera raw]\nsource=synthetic:kind=counts,size=160x120,fps=9\n{QUIET}\n"
    with Broker() as broker, Daemon(text(broker, mqtt="discovery=yes", sections=sections)) as daemon:
        wait_for(lambda: len(descriptions(broker)) >= 32, 15, "32 descriptions")
        found = descriptions(broker)
        daemon.stop()
    check(len(found) == 32, f"{sorted(found)}")
    check(len({d["unique_id"] for d in found.values()}) == 32, "unique_id is not unique")
    for topic, d in found.items():
        prefix, component, node, name, last = topic.split("/")
        check((prefix, last) == ("homeassistant", "config") and component in ("sensor", "binary_sensor"), topic)
        check(re.fullmatch(r"[a-zA-Z0-9_-]+", node) and re.fullmatch(r"[a-zA-Z0-9_-]+", name), f"HA takes no such topic: {topic}")
        check(d["availability_topic"] == "lab/box1/status" and d["expire_after"] > 0 and d["origin"]["name"], f"{d}")
        check(d["device"]["identifiers"] and d["device"]["name"].endswith((" cam", " raw")) and d["name"], f"{d}")
        check(d["state_topic"].startswith("lab/box1/") and d["value_template"].startswith("{{"), f"{d}")
        check((component == "sensor") == (d.get("state_class") == "measurement"), f"{d}")
        check(d.get("device_class") != "temperature" or d["unit_of_measurement"] == "\u00b0C", f"{d}")
    nose = {t.split("/")[3].split("-")[0]: d for t, d in found.items() if t.endswith("region_nose_tip/config")}
    check(nose["cam"]["device_class"] == "temperature" and nose["cam"]["expire_after"] == 6, f"{nose['cam']}")
    check("device_class" not in nose["raw"] and nose["raw"]["unit_of_measurement"] == "counts", f"{nose['raw']}")
    check(nose["cam"]["value_template"] == "{{ value_json.regions.nose_tip.mean }}", f"{nose['cam']}")
    check({d["device"]["identifiers"][0] for d in found.values()} == {d["device"]["identifiers"][0] for d in nose.values()}, "devices")


def undiscovered():
    """What is no longer there is taken away, with discovery=no everything; what others describe stays"""
    other = json.dumps({"name": "other", "state_topic": "lab/box2/cam/state", "availability_topic": "lab/box2/status"})
    with Broker() as broker:
        with Daemon(text(broker, camera="old", mqtt="discovery=yes")) as daemon:
            wait_for(lambda: len(descriptions(broker)) == 16, 15, "descriptions")
            node = next(iter(descriptions(broker))).split("/")[2]
            daemon.process.kill()
            daemon.process.wait()
        broker.publish("homeassistant/sensor/foreign/x/config", other, "-r")
        broker.publish(f"homeassistant/sensor/{node}/mine/config", other, "-r")
        broker.publish(f"homeassistant/sensor/{node}/odd/config", "{no JSON", "-r")
        kept = 3
        with Daemon(text(broker, camera="new", mqtt="discovery=yes")) as daemon:
            wait_for(lambda: not [t for t in retained(broker, "homeassistant/#") if "/old-" in t], 15, "the old camera gone")
            wait_for(lambda: len([t for t in retained(broker, "homeassistant/#") if "/new-" in t]) == 16, 5, "the new one")
            daemon.stop()
        with Daemon(text(broker, camera="new")) as daemon:
            wait_for(lambda: len(retained(broker, "homeassistant/#")) == kept, 15, "none of ours")
            daemon.stop()


def goes_and_comes():
    """A broker that is not there yet, is killed and comes back: each said once; frames and events lose nothing"""
    with Broker() as broker, Gate(broker) as gate, tempfile.TemporaryDirectory() as folder:
        where = f"[recording]\ndirectory={folder}\nannotated=no\nfree-space-min=0\n"
        with Daemon(text(gate, sections=where)) as daemon:
            wait_for(lambda: "Connection refused" in daemon.log(), 5, "a word in the log")
            post(daemon, "/record/start", {"subject": "01", "task": "x"})
            time.sleep(2.5)
            check(daemon.log().count("MQTT") == 1, daemon.log())
            check(not told(daemon)["connected"] and "refused" in told(daemon)["message"], f"{told(daemon)}")
            check(told(daemon)["dropped"] > 0, "means that found no broker are not counted")
            with Messages(broker, "lab/box1/#") as seen:
                seen.listens(broker)
                gate.open()
                wait_for(lambda: seen.json("box1/event"), 15, "the event that waited")
                check(seen.json("box1/event")[0]["event"] == "record_start", f"{seen.json('box1/event')}")
                wait_for(lambda: seen.at("cam/regions"), 10, "means")
            gate.shut()
            broker.kill()
            wait_for(lambda: daemon.log().count("MQTT") == 3, 5, "the loss in the log")
            post(daemon, "/mark", {"text": "while away"})
            go_on(daemon)
            broker.start()
            with Messages(broker, "lab/box1/#") as seen:
                seen.listens(broker)
                gate.open()
                wait_for(lambda: [e for e in seen.json("box1/event") if e.get("text") == "while away"], 20, "the mark")
                wait_for(lambda: seen.last("box1/status") == "online" and seen.json("cam/state"), 5, "retained again")
            nothing_lost(daemon)
            check(told(daemon)["connections"] == 2, f"{told(daemon)}")
            lines = [line for line in daemon.log().splitlines() if "MQTT" in line]
            check(len(lines) <= 4 and sum("connected to" in line for line in lines) in (1, 2), "\n".join(lines))
            daemon.stop()


def last_will():
    """A service that is killed is offline at once, by its last will"""
    with Broker() as broker, Messages(broker, "lab/box1/status") as seen, Daemon(text(broker)) as daemon:
        wait_for(lambda: seen.last("status") == "online", 10, "online")
        daemon.process.send_signal(signal.SIGKILL)
        wait_for(lambda: seen.last("status") == "offline", 5, "offline")
        check(retained(broker)["lab/box1/status"] == "offline", "not retained")


def hangs():
    """A broker that stops reading holds up neither frames nor the end; messages are dropped and counted"""
    with Broker() as broker, Daemon(text(broker, mqtt="queue=16"
                                         ).replace("interval=500ms", "interval=100ms")) as daemon:
        wait_for(lambda: told(daemon)["published"] > 5, 10, "messages")
        broker.pause(True)
        wait_for(lambda: told(daemon)["dropped"] > 5, 30, "dropped messages")
        check(told(daemon)["queued"] <= 16, f"{told(daemon)}")
        go_on(daemon, 18)
        nothing_lost(daemon)
        published = told(daemon)["published"]
        broker.pause(False)
        wait_for(lambda: told(daemon)["published"] > published + 10, 10, "messages again")
        broker.pause(True)
        time.sleep(0.5)
        daemon.stop()


def wrong_password():
    """A refused login is said without the password; a corrected file is taken on SIGHUP; an open file is said"""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        subprocess.run(["mosquitto_passwd", "-b", "-c", f"{folder}/users", "box1", "right:Secret"], check=True, stderr=subprocess.DEVNULL)
        os.chmod(f"{folder}/users", 0o644)
        with Broker(f"allow_anonymous false\npassword_file {folder}/users") as broker:
            path = secret(folder, "box1:wrongSecret", 0o644)
            for protocol in ("3.1.1", "5"):
                secret(folder, "box1:wrongSecret", 0o644)
                with Daemon(text(broker, mqtt=f"credentials={path}\nprotocol={protocol}")) as daemon:
                    wait_for(lambda: re.search("refuses: .*[Nn]ot authori", daemon.log()), 10, "a refusal in the log")
                    check("may be read by everybody" in daemon.log(), daemon.log())
                    time.sleep(1.5)
                    check(daemon.log().count("MQTT: ") == 1, daemon.log())
                    secret(folder, "box1:right:Secret")
                    daemon.process.send_signal(signal.SIGHUP)
                    wait_for(lambda: told(daemon)["connected"], 10, "a connection")
                    everything = daemon.log() + daemon.get("/state").decode() + daemon.get("/metrics").decode()
                    check("Secret" not in everything, "the password is told")
                    daemon.stop()


def credential():
    """The systemd credential "mqtt" is used without being named"""
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as given:
        os.chmod(folder, 0o755)
        subprocess.run(["mosquitto_passwd", "-b", "-c", f"{folder}/users", "box1", "pw"], check=True, stderr=subprocess.DEVNULL)
        os.chmod(f"{folder}/users", 0o644)
        with open(f"{given}/mqtt", "w", encoding="utf-8") as file:
            file.write("box1:pw\n")
        with Broker(f"allow_anonymous false\npassword_file {folder}/users") as broker:
            with Daemon(text(broker), environment={"CREDENTIALS_DIRECTORY": given}) as daemon:
                wait_for(lambda: told(daemon)["connected"], 10, "a connection")
                daemon.stop()


def certificate(folder, name, ca=None, subject="/CN=localhost", extra="subjectAltName=IP:127.0.0.1"):
    signed = ["-CA", f"{folder}/{ca}.crt", "-CAkey", f"{folder}/{ca}.key"] if ca else ["-x509"]
    command = ["openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", f"{folder}/{name}.key",
               "-subj", subject, "-addext", extra]
    if ca:
        subprocess.run([*command, "-out", f"{folder}/{name}.csr"], check=True, capture_output=True)
        with open(f"{folder}/{name}.ext", "w", encoding="utf-8") as file:
            file.write(extra + "\n")
        subprocess.run(["openssl", "x509", "-req", "-in", f"{folder}/{name}.csr", *signed, "-CAcreateserial", "-days", "30", "-extfile",
                        f"{folder}/{name}.ext", "-out", f"{folder}/{name}.crt"], check=True, capture_output=True)
    else:
        subprocess.run([*command, "-x509", "-days", "30", "-out", f"{folder}/{name}.crt"], check=True, capture_output=True)
    os.chmod(f"{folder}/{name}.key", 0o644)  # the broker may run as another user


def tls():
    """TLS with an authority of one's own and a certificate for us; another authority or another name is refused"""
    need("openssl")
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        certificate(folder, "ca", subject="/CN=lab authority", extra="keyUsage=critical,keyCertSign")
        certificate(folder, "stranger", subject="/CN=another", extra="keyUsage=critical,keyCertSign")
        certificate(folder, "broker", "ca")
        certificate(folder, "elsewhere", "ca", subject="/CN=elsewhere", extra="subjectAltName=DNS:elsewhere.lab")
        certificate(folder, "box1", "ca", subject="/CN=box1", extra="extendedKeyUsage=clientAuth")
        serve = "allow_anonymous true\ncafile {0}/ca.crt\ncertfile {0}/{1}.crt\nkeyfile {0}/{1}.key\n"
        trust = f"tls=yes\ntls-ca={folder}/ca.crt\n"
        own = f"tls-certificate={folder}/box1.crt\ntls-key={folder}/box1.key\n"
        with Broker(serve.format(folder, "broker") + "require_certificate true") as broker:
            with Daemon(text(broker, mqtt=trust + own)) as daemon:
                wait_for(lambda: told(daemon)["connected"] and told(daemon)["published"] > 2, 10, "a connection")
                daemon.stop()
            for wrong in (f"tls=yes\ntls-ca={folder}/stranger.crt\n" + own, trust, "tls=yes\n" + own, ""):
                with Daemon(text(broker, mqtt=wrong)) as daemon:
                    wait_for(lambda: "it is tried again" in daemon.log(), 10, f"a refusal with {wrong}")
                    check(not told(daemon)["connections"], f"connected with {wrong}")
                    go_on(daemon, 2)
                    daemon.stop()
                    if "stranger" in wrong or wrong.startswith("tls=yes\ntls-cert"):
                        check("certificate verify failed" in daemon.log(), daemon.log())
        with Broker(serve.format(folder, "elsewhere")) as broker, Daemon(text(broker, mqtt=trust)) as daemon:
            wait_for(lambda: "it is tried again" in daemon.log(), 10, "a refusal of another's certificate")
            check(not told(daemon)["connections"], "connected to another")
            daemon.stop()


def version_5():
    """With MQTT 5 and QoS 0 the same is published; what the broker's access list refuses is counted and said once"""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        with open(f"{folder}/acl", "w", encoding="utf-8") as file:
            file.write("topic read #\ntopic write lab/box1/status\ntopic write lab/box1/cam/state\n")
        os.chmod(f"{folder}/acl", 0o644)
        with Broker() as broker, Messages(broker, more=("-V", "5")) as seen, Daemon(text(broker, mqtt="protocol=5\nqos=0")) as daemon:
            wait_for(lambda: len(seen.at("cam/regions")) >= 2 and seen.last("status") == "online", 10, "messages")
            wait_for(lambda: told(daemon)["published"] >= 3, 5, "their count")
            daemon.stop()
        with Broker(f"allow_anonymous true\nacl_file {folder}/acl") as broker, Daemon(text(broker, mqtt="protocol=5")) as daemon:
            wait_for(lambda: told(daemon)["dropped"] > 3, 10, "refused messages")
            check(daemon.log().count("the broker takes no message at") == 1, daemon.log())
            check(told(daemon)["published"] > 0, f"{told(daemon)}")
            daemon.stop()


def many_boxes():
    """Boxes share a broker by their topics; two with the same topic are told so; unset, it is the machine's name"""
    with Broker() as broker, Messages(broker) as seen:
        host = os.uname().nodename
        plain = text(broker).replace("topic=lab/box1\n", "")
        with Daemon(text(broker)) as first, Daemon(text(broker).replace("lab/box1", "lab/box2")) as second, Daemon(plain) as third:
            wait_for(lambda: {f"{b}/status" for b in ("lab/box1", "lab/box2", f"thermoface/{host}")} <= {m[1] for m in seen.list},
                     10, "three boxes")
            check("another service" not in first.log() + second.log() + third.log(), first.log())
            with Daemon(text(broker)) as twin:
                wait_for(lambda: "another service publishes below lab/box1" in first.log(), 10, "a word about the twin")
                twin.stop()
            first.stop()
            second.stop()
            third.stop()


def thrown_out():
    """Two services of one client-id throw each other out: said once by each, not at every turn; frames go on"""
    with Broker() as broker:
        with Daemon(text(broker, mqtt="client-id=same")) as first, \
                Daemon(text(broker, mqtt="client-id=same").replace("lab/box1", "lab/box2")) as second:
            wait_for(lambda: told(first)["connections"] + told(second)["connections"] >= 5, 30, "five connections")
            for daemon in (first, second):
                lines = [line for line in daemon.log().splitlines() if "MQTT" in line]
                check(len(lines) <= 3, "\n".join(lines))
                nothing_lost(daemon)
            first.stop()
            second.stop()


def together():
    """Intervals of a box's cameras are the same ones"""
    sections = f"[camera two]\nsource={SMALL}\n{QUIET}\nanalyse=no\n"
    with Broker() as broker, Messages(broker) as seen, Daemon(text(broker, sections=sections)) as daemon:
        wait_for(lambda: len(seen.at("cam/regions")) >= 3 and len(seen.at("two/regions")) >= 3, 15, "means")
        daemon.stop()
        one, two = ({m["t_mono_ns"] for m in seen.json(f"{name}/regions")} for name in ("cam", "two"))
        check(len(one & two) >= 3, f"{one} {two}")


def mistakes():
    """Mistakes in [mqtt] are errors with file and line; without the section nothing of it runs"""
    cases = [("topic=a\nqos=0", "[mqtt] names no broker: set host", 1), ("host=mqtt://broker", "without mqtt://", 1), ("host=b\ntopic=a/+/b", "has + or #", 2),
             ("host=b\ntopic=/a", "empty level", 2), ("host=b\ntopic=$SYS/a", "begins with $", 2), ("host=b\ntopic=a b", "has a blank", 2),
             ("host=b\nqos=2", "qos", 2), ("host=b\ninterval=10ms", "interval", 2), ("host=b\ntls-ca=/nowhere", "set tls=yes", 2),
             ("host=b\ntls=yes\ntls-key=/x", "tls-key alone", 3), ("host=b\ncredentials=/nowhere/login", "credentials /nowhere/login: No such file", 2),
             ("host=b\ntls=yes\ntls-ca=/dev/null", "not a regular file", 3), (f"host=b\ntls=yes\ntls-ca={__file__}", "no certificate in it", 3),
             ("host=b\nkeepalive=1s", "keepalive", 2), ("host=b\ndiscovery-prefix=#", "discovery-prefix", 2)]
    with tempfile.TemporaryDirectory() as folder:
        for body, words, line in cases:
            path = f"{folder}/test.conf"
            with open(path, "w", encoding="utf-8") as file:
                file.write(f"[camera cam]\nsource=synthetic\n[inference]\nmodels={MODELS}\n[mqtt]\n{body}\n")
            r = subprocess.run([DAEMON, "--config", path, "--check-config"], capture_output=True, text=True, check=False)
            check(r.returncode == 1 and words in r.stderr, f"{body!r}: {r.returncode} {r.stderr}")
            check(f"{path}:{5 + line}: " in r.stderr, f"{body!r}: not line {5 + line}: {r.stderr}")
    with Daemon(config(url=SMALL, more=QUIET, rtsp=NO_RTSP)) as daemon:
        check(told(daemon) is None and "thermoface_mqtt" not in daemon.get("/metrics").decode(), "MQTT is told")
        tasks = os.listdir(f"/proc/{daemon.process.pid}/task")
        names = [open(f"/proc/{daemon.process.pid}/task/{t}/comm", encoding="utf-8").read().strip() for t in tasks]
        check(not [n for n in names if n.startswith("tf-mqtt")], f"{names}")
        daemon.stop()


def no_network():
    """A broker that never answers: frames go on, and the service ends in time"""
    port = free_port()
    import socket  # pylint: disable=import-outside-toplevel
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", port))
        deaf.listen(1)  # takes a connection and says nothing
        broker = type("Deaf", (), {"port": port})
        with Daemon(text(broker)) as daemon:
            go_on(daemon)
            nothing_lost(daemon)
            daemon.stop()
        with Daemon(text(broker).replace("host=127.0.0.1", "host=no-such-broker.invalid")) as daemon:
            wait_for(lambda: "MQTT: no-such-broker.invalid" in daemon.log(), 30, "a word about the name")
            go_on(daemon)
            daemon.stop()


TESTS = {"publishes": [states, means, absent, own_regions, events, discovery, undiscovered, version_5, together],
         "broker": [goes_and_comes, last_will, hangs, wrong_password, credential, tls, many_boxes, thrown_out, mistakes, no_network]}


def main():
    which = sys.argv[1] if len(sys.argv) > 1 else ""
    tests = TESTS.get(which) or [t for group in TESTS.values() for t in group if which in ("", t.__name__)]
    if not os.access(MOSQUITTO, os.X_OK):
        print("1..0 # SKIP mosquitto is not installed")
        return
    try:
        need("mosquitto_sub", "mosquitto_pub", "mosquitto_passwd")
    except Skip as why:
        print(f"1..0 # SKIP {why}")
        return
    run_tests(tests)


if __name__ == "__main__":
    main()

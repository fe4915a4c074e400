"""What share/ has for Prometheus and Grafana is true of the service: its rules, its dashboard, its example."""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, __file__.rsplit("/", 1)[0])
from broker import free_port  # noqa: E402
from house import MODELS, Daemon, Skip, check, run_tests, wait_for  # noqa: E402
from test_mqtt import post  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
SHARE = f"{HERE}/../../share"
RULES, UNIT = f"{SHARE}/prometheus/thermoface.rules.yml", f"{HERE}/thermoface.rules.test.yml"
DASHBOARD = f"{SHARE}/grafana/thermoface.json"
# Prometheus' own metric, and the labels that it or the listing of targets adds.
OTHERS = {"up": {"instance": None, "job": {"thermoface"}}}
ADDED = {"instance", "job"}
# Words of its language that are followed by a bracket, as metrics and functions are.
BY = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)")


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def rules():
    """{alert: expression} of the rules, read as text: there is no YAML in Python's own library."""
    found, name, folded = {}, None, False
    for line in read(RULES).splitlines():
        alert = re.match(r"\s*- alert: (\w+)", line)
        expression = re.match(r"\s*expr: (.*)", line)
        if alert:
            name = alert.group(1)
            check(name not in found, f"{name} stands twice")
        elif expression:
            folded = expression.group(1) == ">-"
            found[name] = "" if folded else expression.group(1)
        elif folded and re.match(r"\s*(for|labels|annotations):", line):
            folded = False
        elif folded:
            found[name] += " " + line.strip()
    check(len(found) >= 10, f"{sorted(found)}")
    return found


def dashboard():
    """[(title, expression)] of all panels and variables."""
    d = json.loads(read(DASHBOARD))
    found = [(p["title"], t["expr"]) for p in d["panels"] for t in p.get("targets", [])]
    for v in d["templating"]["list"]:
        if v["type"] == "query":
            inside = re.fullmatch(r"label_values\((.*), (\w+)\)", v["definition"])
            check(inside and v["query"]["query"] == v["definition"], f"{v['definition']}")
            found.append((v["name"], f"sum by ({inside.group(2)}) ({inside.group(1)})"))
    return found


def selectors(expression):
    """[(metric, {label: (operator, value)})] and the labels that it groups by."""
    expression = expression.replace("$__rate_interval", "1m")
    groups = {label.strip() for group in BY.findall(expression) for label in group.split(",") if label.strip()}
    bare = BY.sub(" ", expression)
    found = []
    for name, matchers in re.findall(r"\b([a-zA-Z_:][\w:]*)(\{[^}]*\})?(?!\w|\s*\()", bare):
        if name.startswith("thermoface") or name in OTHERS:
            found.append((name, {label: (operator, value) for label, operator, value in
                                 re.findall(r'(\w+)\s*(=~|!~|!=|=)\s*"([^"]*)"', matchers)}))
    return found, groups


def told(text):
    """{metric: {label: values}} of what /metrics says."""
    metrics = {}
    for line in text.splitlines():
        match = re.match(r"(\w+)(?:\{(.*)\})? \S+$", line)
        if line.startswith("#") or not match:
            continue
        labels = metrics.setdefault(match.group(1), {})
        for label, value in re.findall(r'(\w+)="([^"]*)"', match.group(2) or ""):
            labels.setdefault(label, set()).add(value)
    return metrics


def everything():
    """/metrics of a service that has all that makes metrics: a pair, a file, a session, a trigger, a broker (away)."""
    with tempfile.TemporaryDirectory() as folder:
        os.mkdir(f"{folder}/sessions")
        small = "size=160x120,fps=9"
        text = (f"[camera thermal]\nsource=synthetic:seed=3,clock=1,{small}\n[camera face]\nsource=synthetic:kind=visible,seed=3,clock=1,{small}\n"
                f"[pair rig]\nthermal=thermal\nvisible=face\n[inference]\nmodels={MODELS}\n[rtsp]\nenabled=no\n[http]\nport=0\n"
                f"[trigger button]\ndevice={folder}/nothing\n[mqtt]\nhost=127.0.0.1\nport={free_port()}\n"
                f"[recording]\ncsv={folder}/%n.csv\ndirectory={folder}/sessions\nfree-space-min=0\n")
        with Daemon(text) as daemon:
            post(daemon, "/record/start", {"subject": "01", "task": "x"})
            for each in ("thermoface_camera_drift_ppm", "thermoface_region_celsius", "thermoface_recording_free_bytes"):
                wait_for(lambda name=each: name + "{" in daemon.get("/metrics").decode(), 20, each)
            metrics = daemon.get("/metrics").decode()
            daemon.stop()
    return metrics


def check_expressions(metrics, expressions):
    used = set()
    for where, expression in expressions:
        found, groups = selectors(expression)
        check(found, f"{where}: no metric in {expression}")
        for name, matchers in found:
            labels = OTHERS.get(name, metrics.get(name))
            check(labels is not None, f"{where}: the service has no metric {name}")
            used.add(name)
            for label, (operator, value) in matchers.items():
                check(label in labels or label in ADDED, f"{where}: {name} has no label {label}")
                if operator in ("=", "=~") and label not in ADDED and not value.startswith("$"):
                    for each in value.split("|"):
                        check(each in labels[label], f"{where}: {name} has no {label}=\"{each}\"")
            for label in groups - ADDED:
                check(label in labels, f"{where}: {name} has no label {label} to group by")
    return used


METRICS = {}


def names():
    """Every metric, label and value that rules and dashboard name is one of the service's"""
    METRICS["text"] = everything()
    metrics = told(METRICS["text"])
    check(len(metrics) > 40, f"{sorted(metrics)}")
    used = check_expressions(metrics, list(rules().items())) | check_expressions(metrics, dashboard())
    check(len(used) >= 25, f"{sorted(used)}")
    # The check itself: what is not there is found.
    for wrong in ("thermoface_upp == 0", 'rate(thermoface_dropped_total{plase="driver"}[5m])', 'thermoface_dropped_total{place=~"driver|captur"}',
                  "sum by (kamera) (thermoface_up)", "1 > 0"):
        try:
            check_expressions(metrics, [("wrong", wrong)])
        except AssertionError:
            continue
        raise AssertionError(f"not found: {wrong}")


def page():
    """docs/http.md lists every metric"""
    text = read(f"{HERE}/../../docs/http.md")
    for base in {re.sub(r"_(bucket|sum|count)$", "", n) if "latency" in n else n for n in told(METRICS.get("text") or everything())}:
        parts = re.search(rf"`{base}\b", text) or re.search("…" + base[base.rindex("_", 0, base.rindex("_")):], text)
        check(parts, f"docs/http.md does not have {base}")


def template_labels():
    """Labels in legends and annotations are those that the expression gives"""
    for p in json.loads(read(DASHBOARD))["panels"]:
        for t in p.get("targets", []):
            found, groups = selectors(t["expr"])
            metrics = told(METRICS.get("text") or everything())
            given = groups or set().union(*(OTHERS.get(n, metrics.get(n, {})) for n, _ in found)) | ADDED
            wanted = set(re.findall(r"\{\{(\w+)\}\}", t["legendFormat"]))
            check(wanted <= given, f"{p['title']}: no {wanted - given} in {t['expr']}")


def panels():
    """The dashboard is one that Grafana can place: ids once, nothing over another, one data source, which is chosen"""
    d = json.loads(read(DASHBOARD))
    ids = [p["id"] for p in d["panels"]]
    check(len(ids) == len(set(ids)) and len(ids) > 20, f"{ids}")
    taken = {}
    for p in d["panels"]:
        g = p["gridPos"]
        check(g["x"] + g["w"] <= 24, f"{p['title']} is too wide")
        for x in range(g["x"], g["x"] + g["w"]):
            for y in range(g["y"], g["y"] + g["h"]):
                check((x, y) not in taken, f"{p['title']} lies over {taken.get((x, y))}")
                taken[x, y] = p["title"]
        for t in p.get("targets", []):
            check(t["datasource"] == p["datasource"] == {"type": "prometheus", "uid": "${datasource}"}, p["title"])
            for variable in re.findall(r"\$(\w+)", t["expr"]):
                check(variable in ("instance", "camera", "__rate_interval"), f"{p['title']}: ${variable}")
    variables = {v["name"] for v in d["templating"]["list"]}
    check(variables == {"datasource", "instance", "camera"}, f"{variables}")


def promtool(*arguments, **more):
    if not shutil.which("promtool"):
        raise Skip("promtool is not installed (Debian's prometheus: scripts/install-packages rules)")
    r = subprocess.run(["promtool", *arguments], capture_output=True, text=True, check=False, **more)
    check(r.returncode == 0, f"promtool {' '.join(arguments)}: {r.stdout} {r.stderr}")
    return r.stdout + r.stderr


def unit_tests_name_all():
    """The unit tests of the rules have every alert firing"""
    text = read(UNIT)
    for alert in rules():
        check(f'ALERTS{{alertname="{alert}"' in text, f"{alert} fires in no test")


def by_promtool():
    """promtool: the rules do what they say, on made-up boxes"""
    promtool("check", "rules", RULES)
    promtool("test", "rules", UNIT)
    with tempfile.TemporaryDirectory() as folder:  # a rule that never fires would be found
        changed = read(RULES).replace("thermoface_turn_wrong == 1", "thermoface_turn_wrong == 2")
        with open(f"{folder}/thermoface.rules.yml", "w", encoding="utf-8") as file:
            file.write(changed)
        with open(f"{folder}/test.yml", "w", encoding="utf-8") as file:
            file.write(read(UNIT).replace("../../share/prometheus/", ""))
        r = subprocess.run(["promtool", "test", "rules", f"{folder}/test.yml"], capture_output=True, text=True, check=False)
        check(r.returncode != 0, "promtool takes a rule that never fires")


def metrics_by_promtool():
    """promtool: /metrics is what Prometheus reads, without a complaint"""
    promtool("check", "metrics", input=METRICS.get("text") or everything())


def example_by_promtool():
    """promtool: the example of a configuration, with its files beside it, is valid"""
    with tempfile.TemporaryDirectory() as folder:
        for name in ("thermoface-prometheus.yml", "thermoface.rules.yml", "thermoface-targets.yml"):
            shutil.copy(f"{SHARE}/prometheus/{name}", folder)
        for name in ("thermoface.token", "lab-ca.pem"):
            with open(f"{folder}/{name}", "w", encoding="utf-8") as file:
                file.write("x\n")
        out = promtool("check", "config", f"{folder}/thermoface-prometheus.yml")
        check("rules found" in out, out)


if __name__ == "__main__":
    run_tests([names, page, template_labels, panels, unit_tests_name_all, by_promtool, metrics_by_promtool, example_by_promtool])

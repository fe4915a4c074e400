"""A real MQTT broker for the tests: mosquitto, its clients, and what they read."""
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

from house import SLOW, check, wait_for

MOSQUITTO = shutil.which("mosquitto") or "/usr/sbin/mosquitto"


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Broker:
    """mosquitto on a port of its own, which can be killed, stopped and started again on the same port."""

    def __init__(self, more="allow_anonymous true", start=True):
        self.folder = tempfile.mkdtemp(prefix="tf-broker-")
        os.chmod(self.folder, 0o755)  # it may run as another user
        self.port = free_port()
        self.config = f"{self.folder}/broker.conf"
        self.process = None
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(f"listener {self.port} 127.0.0.1\n{more.format(folder=self.folder)}\n")
        if start:
            self.start()

    def start(self):
        def answers():
            with socket.socket() as s:
                return s.connect_ex(("127.0.0.1", self.port)) == 0

        self.process = subprocess.Popen([MOSQUITTO, "-c", self.config], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for(lambda: answers() or self.process.poll() is not None, 10, "a broker")
        check(self.process.poll() is None, "mosquitto ended at once")

    def kill(self):
        if self.process:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
            self.process.wait()
        self.process = None

    def pause(self, paused):
        self.process.send_signal(signal.SIGSTOP if paused else signal.SIGCONT)

    def publish(self, topic, text, *more):
        subprocess.run(["mosquitto_pub", "-p", str(self.port), "-t", topic, "-m", text, *more], check=True, timeout=20 * SLOW)

    def __enter__(self):
        return self

    def __exit__(self, *what):
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


class Gate:
    """A port that leads to a broker while it is open: who listens there already misses nothing of what comes through."""

    def __init__(self, broker):
        self.broker, self.port = broker, free_port()
        self.listener, self.ends = None, []

    def open(self):
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(("127.0.0.1", self.port))
        self.listener.listen()
        threading.Thread(target=self._let_in, args=(self.listener,), daemon=True).start()

    def _let_in(self, listener):
        while True:
            try:
                inside = listener.accept()[0]
                outside = socket.create_connection(("127.0.0.1", self.broker.port))
            except OSError:
                return
            self.ends += [inside, outside]
            for a, b in ((inside, outside), (outside, inside)):
                threading.Thread(target=self._pass_on, args=(a, b), daemon=True).start()

    @staticmethod
    def _pass_on(a, b):
        try:
            while data := a.recv(65536):
                b.sendall(data)
        except OSError:
            pass
        for end in (a, b):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def shut(self):
        for end in [self.listener, *self.ends]:
            if end:
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
                end.close()
        self.listener, self.ends = None, []

    def __enter__(self):
        return self

    def __exit__(self, *what):
        self.shut()


class Messages(threading.Thread):
    """mosquitto_sub: every message, as (retained, topic, text, time)."""

    def __init__(self, broker, *filters, more=(), user=None):
        super().__init__(daemon=True)
        self.list = []
        command = ["mosquitto_sub", "-p", str(broker.port), "-F", "%r %t\t%p", *more]
        if user:
            command += ["-u", user[0], "-P", user[1]]
        for each in filters or ("#",):
            command += ["-t", each]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, encoding="utf-8")
        self.start()

    def run(self):
        for line in self.process.stdout:
            head, text = line.rstrip("\n").split("\t", 1)
            self.list.append((head[0] == "1", head[2:], text, time.monotonic()))

    def listens(self, broker):
        """Until it does: what is published from now on is seen."""
        def seen():
            broker.publish("lab/box1/probe", "")
            return any(topic == "lab/box1/probe" for _, topic, _, _ in list(self.list))

        wait_for(seen, 10, "the subscription")

    def at(self, end):
        """Texts at topics that end so."""
        return [text for _, topic, text, _ in list(self.list) if topic.endswith(end)]

    def json(self, end):
        return [json.loads(text) for text in self.at(end) if text]

    def last(self, end):
        texts = self.at(end)
        return texts[-1] if texts else None

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.join()

    def __enter__(self):
        return self

    def __exit__(self, *what):
        self.stop()


def retained(broker, *filters, more=()):
    """What the broker keeps: {topic: text}."""
    command = ["mosquitto_sub", "-p", str(broker.port), "--retained-only", "-W", "1", "-F", "%t\t%p", *more]
    for each in filters or ("#",):
        command += ["-t", each]
    out = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=False, timeout=20 * SLOW).stdout
    return dict(line.split("\t", 1) for line in out.splitlines())

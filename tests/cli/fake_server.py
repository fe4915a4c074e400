#!/usr/bin/env python3
"""A stand-in for thermofaced's /landmarks, to see how `watch` meets what a real one seldom does.

Writes its port to the file named; the camera's name picks the behaviour.
"""
import json
import os
import ssl
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

served = {}


def record(frame, camera="c"):
    region = {"mean": 33.25, "median": 33.2, "min": 32, "max": 34, "sd": 0.1, "n": 21, "valid": True}
    face = {"id": 1, "regions": {"nose_tip": region, "forehead": dict(region, valid=False)}}
    return json.dumps({"camera": camera, "frame": frame, "state": "ok", "unit": "celsius", "latency_us": 1830,
                       "dropped": {"driver": 1, "capture": 2, "inference": 3}, "faces": [face]}) + "\n"


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *args):
        pass

    def do_GET(self):
        # Servers with several cameras: /old/… wants to be told which, /new/… sends all, /going/…'s come and go.
        kind, _, rest = self.path[1:].partition("/")
        served[self.path] = served.get(self.path, 0) + 1
        if kind == "new" and rest == "landmarks":
            self.send_response(200)
            self.end_headers()
            for i in range(1000):
                for name in ("thermal", "room"):
                    if name == "thermal" or i < 10:
                        self.wfile.write(record(i, name).encode())
                time.sleep(0.05)
            return
        if kind in ("old", "eight", "going") and rest == "landmarks":
            body = b"say which camera: ?camera=NAME\n"
            self.send_response(400)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            return
        if kind in ("old", "eight", "going") and rest.startswith("landmarks"):
            name = rest.split("camera=")[-1]
            if kind == "going" and name == "room" and served[self.path] > 1:
                self.send_error(404, "Not Found")
                return
            self.send_response(200)
            self.end_headers()
            for i in range(10 if kind == "going" and name == "room" else 1000):
                self.wfile.write(record(i, name).encode())
                time.sleep(0.05)
            return
        if self.path == "/state" or rest == "state":
            names = ["thermal", "room", "face_1"]
            if kind == "old":
                names = ["thermal", "room"]
            if kind == "eight":
                names = ["cam%d" % i for i in range(8)]
            if kind == "going":
                names = ["thermal", "room" if served[self.path] < 2 else "late"]
            body = json.dumps({"cameras": [{"camera": c} for c in names]}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            return
        camera = self.path.split("camera=")[-1]
        served[camera] = served.get(camera, 0) + 1
        if camera == "nobody" or self.path == "/record":
            self.send_error(404, "Not Found")
            return
        if camera == "secret" and "Authorization" not in self.headers:
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="thermoface"')
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(200)
        self.end_headers()
        if camera == "endless":
            for _ in range(40):
                self.wfile.write(b"x" * 65536)
            return
        if camera == "odd":
            self.wfile.write(b"this is not JSON\n[1,2]\n")
        first = 0
        if camera == "drops":  # goes away after every third record, and frames go on
            first = 100 * served[camera]
        for i in range(3 if camera == "drops" else 1000):
            text = record(first + i * (2 if camera == "gaps" else 1))
            half = len(text) // 2
            self.wfile.write(text[:half].encode())
            self.wfile.flush()
            self.wfile.write(text[half:].encode())
            self.wfile.flush()
            time.sleep(0.05)


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.daemon_threads = True
if len(sys.argv) > 3:  # certificate and key: the same over TLS
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[2], sys.argv[3])
    server.socket = context.wrap_socket(server.socket, server_side=True)
with open(sys.argv[1] + ".new", "w", encoding="ascii") as f:
    f.write(str(server.server_address[1]))
os.rename(sys.argv[1] + ".new", sys.argv[1])
server.serve_forever()

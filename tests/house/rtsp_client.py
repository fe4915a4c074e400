"""An RTSP client for the tests: raw requests, interleaved and UDP packets, digest and basic, nothing polite."""
import base64
import hashlib
import re
import socket
import ssl
import struct
import time

SPS, PPS, IDR, FU = 7, 8, 5, 28


def packet(data):
    marker, seq, stamp, ssrc = struct.unpack(">xBHII", data[:12])
    kind = data[12] & 31
    return {"marker": marker >> 7, "seq": seq, "rtptime": stamp, "ssrc": ssrc,
            "nal": data[13] & 31 if kind == FU else kind}


class Client:
    def __init__(self, url, user=None, password=None, timeout=10, cafile=None, source=None):
        scheme, host, port, path = re.match(r"(rtsps?)://(\[[^]]*\]|[^:/]*):(\d+)(.*)", url).groups()
        self.url, self.path, self.user, self.password = url, path, user, password
        address = (host.strip("[]"), int(port))
        self.socket = socket.create_connection(address, timeout=timeout, source_address=source)
        if scheme == "rtsps":
            context = ssl.create_default_context(cafile=cafile)
            self.socket = context.wrap_socket(self.socket, server_hostname=host.strip("[]"))
        self.number, self.rest, self.session, self.challenge = 0, b"", None, None
        self.packets, self.udp, self.sdp, self.base, self.channel = [], None, "", url, 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()
        if self.udp:
            for one in self.udp:
                one.close()
            self.udp = None

    def reset(self):
        """Ends it with RST, as a machine that was switched off and on does."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def send(self, data):
        self.socket.sendall(data)

    def _fill(self):
        data = self.socket.recv(65536)
        if not data:
            raise EOFError("closed")
        self.rest += data

    def item(self):
        """(channel, data) of a packet or (status, headers, body) of an answer."""
        while True:
            if self.rest[:1] == b"$":
                if len(self.rest) >= 4:
                    size = struct.unpack(">H", self.rest[2:4])[0]
                    if len(self.rest) >= 4 + size:
                        channel, data = self.rest[1], self.rest[4:4 + size]
                        self.rest = self.rest[4 + size:]
                        return channel, data
            elif b"\r\n\r\n" in self.rest:
                head, rest = self.rest.split(b"\r\n\r\n", 1)
                lines = head.decode("latin1").split("\r\n")
                headers = {}
                for line in lines[1:]:
                    name, _, value = line.partition(":")
                    headers.setdefault(name.strip().lower(), value.strip())
                size = int(headers.get("content-length", 0))
                if len(rest) >= size:
                    self.rest = rest[size:]
                    return int(lines[0].split()[1]), headers, rest[:size]
            self._fill()

    def answer(self):
        while True:
            item = self.item()
            if len(item) == 3:
                return item
            self.packets.append(item)

    def text(self, method, url=None, headers=(), body=b"", authorization=None):
        self.number += 1
        lines = [f"{method} {url or self.url} RTSP/1.0", f"CSeq: {self.number}"]
        if self.session:
            lines.append(f"Session: {self.session}")
        lines += [f"{name}: {value}" for name, value in dict(headers).items()]
        if authorization:
            lines.append(f"Authorization: {authorization}")
        if body:
            lines.append(f"Content-Length: {len(body)}")
        return ("\r\n".join(lines) + "\r\n\r\n").encode() + body

    def digest(self, method, url):
        def md5(text):
            return hashlib.md5(text.encode()).hexdigest()
        realm, nonce = self.challenge
        right = md5(f"{md5(f'{self.user}:{realm}:{self.password}')}:{nonce}:{md5(f'{method}:{url}')}")
        return (f'Digest username="{self.user}", realm="{realm}", nonce="{nonce}", uri="{url}", '
                f'response="{right}"')

    def basic(self):
        return "Basic " + base64.b64encode(f"{self.user}:{self.password}".encode()).decode()

    def ask(self, method, url=None, headers=(), body=b""):
        """Status, headers, body; answers one 401 when there is a password."""
        url = url or self.url
        for _ in range(2):
            authorization = self.digest(method, url) if self.challenge else None
            self.send(self.text(method, url, headers, body, authorization))
            status, got, text = self.answer()
            if status != 401 or self.user is None or self.challenge:
                break
            self.challenge = re.search(r'realm="([^"]*)", nonce="([^"]*)"', got["www-authenticate"]).groups()
        if "session" in got:
            self.session = got["session"].split(";")[0]
        return status, got, text

    def describe(self):
        status, headers, body = self.ask("DESCRIBE", headers={"Accept": "application/sdp"})
        if status == 200:
            self.sdp = body.decode()
            self.base = headers["content-base"]
        return status

    def setup(self, udp=False, transport=None):
        if udp:
            self.udp = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2)]
            for one in self.udp:
                one.bind(("127.0.0.1", 0))
            self.udp[0].setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
            ports = "-".join(str(one.getsockname()[1]) for one in self.udp)
            transport = f"RTP/AVP;unicast;client_port={ports}"
        status, self.headers, _ = self.ask("SETUP", self.base.rstrip("/") + "/stream=0",
                                           {"Transport": transport or "RTP/AVP/TCP;unicast;interleaved=0-1"})
        found = re.search(r"interleaved=(\d+)", self.headers.get("transport", ""))
        self.channel = int(found.group(1)) if found else 0
        return status

    def play(self, udp=False):
        """DESCRIBE, SETUP, PLAY; the first status that is not 200, or PLAY's RTP-Info as (seq, rtptime)."""
        for step in (self.describe, lambda: self.setup(udp)):
            status = step()
            if status != 200:
                return status
        return self.resume()

    def resume(self):
        self.packets = []
        status, headers, _ = self.ask("PLAY", headers={"Range": "npt=0.000-"})
        if status != 200:
            return status
        return tuple(int(n) for n in re.search(r";seq=(\d+);rtptime=(\d+)", headers["rtp-info"]).groups())

    def pictures(self, seconds, most=None):
        """Packets of the video for so long, those kept while an answer was awaited first."""
        found = [packet(data) for channel, data in self.packets if channel == self.channel]
        self.packets = []
        end = time.monotonic() + seconds
        source = self.udp[0] if self.udp else self.socket
        while time.monotonic() < end and (most is None or sum(p["marker"] for p in found) < most):
            source.settimeout(max(0.01, end - time.monotonic()))
            try:
                if self.udp:
                    found.append(packet(source.recv(65536)))
                else:
                    item = self.item()
                    if len(item) == 2 and item[0] == self.channel:
                        found.append(packet(item[1]))
            except (socket.timeout, TimeoutError):
                break
        self.socket.settimeout(10)
        return found


def holes(packets):
    """How many packets are missing between them."""
    return sum((b["seq"] - a["seq"] - 1) & 0xFFFF for a, b in zip(packets, packets[1:]))


def shown(packets):
    """How many whole pictures."""
    return sum(p["marker"] and p["nal"] not in (SPS, PPS) for p in packets)

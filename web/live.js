// Pictures: MP4 through Media Source Extensions, JPEG where that is missing, stills where connections run out.
import { address, mono, now } from "./api.js";
import { Boxes, codec, time } from "./mp4.js";

const forced = new URLSearchParams(location.search).get("pictures"); // jpeg, still
const STALL_S = 5;        // a stream that brings nothing for so long is opened anew
const BACKOFF_S = [0.25, 0.5, 1, 2, 5];

// Browsers open six connections to one server, for all its pages together: each has one for records, and one
// is left for questions. What remains is shared by the pages that say that they are there.
const me = Math.random().toString(36).slice(2);
const others = new Map();
let channel = null;
try {
  channel = new BroadcastChannel("thermoface" + new URL("..", import.meta.url).pathname);
  channel.onmessage = event => event.data.gone ? others.delete(event.data.id) : others.set(event.data.id, performance.now());
  setInterval(() => channel.postMessage({ id: me }), 1000);
  channel.postMessage({ id: me });
  addEventListener("pagehide", () => channel.postMessage({ id: me, gone: true }));
} catch { /* one page, then */ }

export function streamsAllowed() {
  const t = performance.now();
  for (const [id, at] of others) if (t - at > 5000) others.delete(id);
  const pages = 1 + others.size;
  return Math.max(0, Math.floor((5 - pages) / pages));
}

export function waitSeconds(tries) {
  return BACKOFF_S[Math.min(tries, BACKOFF_S.length - 1)];
}

const pause = (seconds, signal) => new Promise(done => {
  const timer = setTimeout(done, seconds * 1000);
  signal.addEventListener("abort", () => { clearTimeout(timer); done(); }, { once: true });
});

export class Picture {
  // `source` is {camera: NAME} or {pair: NAME}.
  constructor(source, place) {
    this.source = source;
    this.name = source.camera || source.pair;
    this.place = place;
    this.shown = NaN;   // capture time of the picture on the screen
    this.pictures = 0;
    this.noH264 = false;
    this.decoderFailures = 0;
    this.kind = "";
    this.build();
    this.running = false;
  }

  build() {
    const figure = document.createElement("figure");
    figure.className = "picture";
    figure.dataset.camera = this.name;
    this.screen = document.createElement("div");
    this.screen.className = "screen";
    this.veil = document.createElement("p");
    this.veil.className = "veil";
    this.veil.textContent = "Connecting …";
    this.screen.append(this.veil);
    const caption = document.createElement("figcaption");
    const title = document.createElement("b");
    title.textContent = this.name;
    this.mode = document.createElement("span");
    this.mode.className = "mode";
    this.age = document.createElement("span");
    this.age.className = "age";
    this.age.title = "From capture to this screen";
    const full = document.createElement("button");
    full.type = "button";
    full.textContent = "Full screen";
    full.setAttribute("aria-label", `${this.name}: full screen`);
    full.hidden = !document.fullscreenEnabled;
    full.addEventListener("click", () => this.toggleFull());
    caption.append(title, this.mode, this.age, full);
    figure.append(this.screen, caption);
    this.figure = figure;
    this.place.append(figure);
  }

  toggleFull() {
    if (document.fullscreenElement) document.exitFullscreen();
    else this.figure.requestFullscreen().catch(() => {});
  }

  start() {
    if (this.running) return;
    this.running = true;
    this.run();
  }

  stop() {
    this.running = false;
    this.abort?.abort();
  }

  remove() {
    this.stop();
    this.figure.remove();
  }

  // How old the picture on the screen is, in seconds.
  ageSeconds() {
    return mono() - this.shown;
  }

  tick() {
    const age = this.ageSeconds(), known = Number.isFinite(age);
    this.age.textContent = known ? `${Math.max(0, age).toFixed(2)} s` : "";
    this.age.classList.toggle("late", known && age > 1);
    this.mode.textContent = { mp4: "", jpeg: "JPEG", still: "stills" }[this.kind] ?? "";
    this.figure.dataset.age = known ? age.toFixed(3) : "";
    this.figure.dataset.pictures = this.pictures;
    this.figure.dataset.kind = this.kind;
    if (known && age > 3 && !this.veiled) this.say(`No new picture for ${age.toFixed(0)} s`, true);
  }

  say(text, soft) {
    this.veil.textContent = text;
    this.veil.hidden = !text;
    this.veiled = !!text && !soft;
  }

  saw(t) {
    this.shown = t;
    this.pictures++;
    if (!this.veil.hidden) this.say("");
  }

  put(element) {
    this.screen.querySelector("video, canvas")?.remove();
    this.screen.prepend(element);
  }

  chooseKind() {
    if (forced === "still" || (this.limit ?? Infinity) < 1) return "still";
    if (forced === "jpeg" || this.noH264 || !("MediaSource" in window)) return "jpeg";
    return "mp4";
  }

  // Another mode when connections become few, or are there again.
  allow(stream) {
    this.limit = stream ? Infinity : 0;
    if (this.running && this.kind && this.chooseKind() !== this.kind) this.abort?.abort();
  }

  async run() {
    let tries = 0;
    while (this.running) {
      const before = this.pictures;
      this.abort = new AbortController();
      this.kind = this.chooseKind();
      try {
        await this["play_" + this.kind](this.abort.signal);
      } catch (error) {
        if (this.running && !this.abort.signal.aborted) this.say(now.alive && error.message ? this.reason(error) : "Connecting …");
      }
      this.abort.abort();
      if (!this.running) break;
      tries = this.pictures > before ? 0 : tries + 1;
      await pause(waitSeconds(tries), new AbortController().signal);
    }
    this.say("Paused");
  }

  reason(error) {
    return error.name === "TypeError" || error.name === "AbortError" ? "Connecting …" : error.message;
  }

  // The bytes of an answer, with an end when nothing comes.
  async *read(path, query, signal) {
    const response = await fetch(address(path, query), { signal, cache: "no-store" });
    if (!response.ok) {
      const answer = await response.json().catch(() => null);
      throw new Error(answer?.error ?? `the service answers ${response.status}`);
    }
    const reader = response.body.getReader();
    try {
      for (;;) {
        let timer;
        const late = new Promise((_, fail) => { timer = setTimeout(() => fail(new TypeError("nothing comes")), STALL_S * 1000); });
        const piece = await Promise.race([reader.read(), late]).finally(() => clearTimeout(timer));
        if (piece.done) return;
        yield piece.value;
      }
    } finally {
      reader.cancel().catch(() => {});
    }
  }

  // --- MP4 ---

  async play_mp4(signal) {
    const boxes = new Boxes();
    let player = null, header = [], fragment = [], t = NaN;
    try {
      for await (const chunk of this.read("video.mp4", this.source, signal)) {
        for (const box of boxes.push(chunk)) {
          if (box.type === "ftyp" || box.type === "moov") {
            header.push(box.bytes.slice());
            if (box.type !== "moov") continue;
            const mime = `video/mp4; codecs="${codec(box.bytes)}"`;
            if (!MediaSource.isTypeSupported(mime)) {
              this.noH264 = true;
              return;
            }
            player = new Player(this, mime);
            await player.open();
            player.append(header, NaN);
            header = [];
            continue;
          }
          fragment.push(box.bytes.slice());
          if (box.type === "moof") t = time(box.bytes);
          if (box.type === "mdat" && player) {
            player.append(fragment, t);
            fragment = [];
          }
        }
        if (player?.failed) {
          // What plays elsewhere and not here is a decoder that is missing.
          if (++this.decoderFailures >= 2 || !this.pictures) this.noH264 = true;
          return;
        }
      }
    } finally {
      player?.close();
    }
  }

  // --- JPEG ---

  async play_jpeg(signal) {
    const canvas = document.createElement("canvas"), context = canvas.getContext("2d");
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", `Live picture of ${this.name}`);
    this.put(canvas);
    let busy = false;
    for await (const part of parts(this.read("mjpeg", this.source, signal))) {
      if (busy) continue; // the next one is newer
      busy = true;
      createImageBitmap(new Blob([part.bytes], { type: "image/jpeg" })).then(image => {
        if (canvas.width !== image.width || canvas.height !== image.height) {
          canvas.width = image.width;
          canvas.height = image.height;
        }
        context.drawImage(image, 0, 0);
        image.close();
        this.saw(part.t);
      }).catch(() => {}).finally(() => { busy = false; });
    }
  }

  // --- stills: one after the other, over the connection that all questions share ---

  async play_still(signal) {
    const canvas = document.createElement("canvas"), context = canvas.getContext("2d");
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", `Picture of ${this.name}`);
    this.put(canvas);
    while (!signal.aborted) {
      const asked = mono();
      const response = await fetch(address("snapshot.jpg", this.source), { signal, cache: "no-store" });
      if (!response.ok) throw new Error((await response.json().catch(() => null))?.error ?? "no picture");
      const image = await createImageBitmap(await response.blob());
      if (canvas.width !== image.width || canvas.height !== image.height) {
        canvas.width = image.width;
        canvas.height = image.height;
      }
      context.drawImage(image, 0, 0);
      image.close();
      this.saw(Number(response.headers.get("X-T-Mono-Ns")) / 1e9 || asked);
      await pause(0.4, signal);
    }
  }
}

// A video element that stays at the newest picture.
class Player {
  constructor(picture, mime) {
    this.picture = picture;
    this.mime = mime;
    this.queue = [];
    this.newest = this.appending = this.appended = NaN; // capture times: come, given, taken
    this.failed = false;
    const video = document.createElement("video");
    video.muted = true;
    video.autoplay = true;
    video.playsInline = true;
    video.disablePictureInPicture = true;
    video.setAttribute("aria-label", `Live picture of ${picture.name}`);
    video.addEventListener("error", () => { this.failed = true; });
    this.video = video;
    picture.put(video);
    this.watch();
  }

  open() {
    this.media = new MediaSource();
    this.url = URL.createObjectURL(this.media);
    return new Promise((done, fail) => {
      this.media.addEventListener("sourceopen", () => {
        try {
          this.buffer = this.media.addSourceBuffer(this.mime);
          this.buffer.addEventListener("updateend", () => this.next());
          this.timer = setInterval(() => this.follow(), 40);
          this.buffer.addEventListener("error", () => { this.failed = true; });
          done();
        } catch (error) {
          fail(error);
        }
      }, { once: true });
      this.video.src = this.url;
    });
  }

  append(pieces, t) {
    this.queue.push(...pieces);
    if (Number.isFinite(t)) this.newest = t;
    this.next();
  }

  next() {
    if (this.failed || !this.buffer || this.buffer.updating || this.media.readyState !== "open") return;
    this.appended = this.appending;
    this.follow();
    const ranges = this.buffer.buffered;
    try {
      if (ranges.length && ranges.start(0) < this.newest - 20) {
        this.buffer.remove(0, this.newest - 8);
      } else if (this.queue.length) {
        const size = this.queue.reduce((n, piece) => n + piece.length, 0), whole = new Uint8Array(size);
        let at = 0;
        for (const piece of this.queue) {
          whole.set(piece, at);
          at += piece.length;
        }
        this.queue = [];
        this.appending = this.newest;
        this.buffer.appendBuffer(whole);
      }
    } catch {
      this.failed = true; // it is opened anew
    }
  }

  // The newest picture is shown when the clock of the element has reached it. Nobody knows when the next one
  // will come, so the clock waits at it, and runs a little faster when it has fallen behind.
  follow() {
    const video = this.video, ranges = this.buffer.buffered;
    if (!ranges.length || !Number.isFinite(this.appended)) return;
    const lag = this.appended - video.currentTime;
    if (!video.seeking && (video.currentTime < ranges.start(0) || lag > 0.8 || lag < -0.4)) {
      video.currentTime = Math.max(this.appended - 0.01, ranges.start(ranges.length - 1));
      this.seeks = (this.seeks || 0) + 1;
    }
    const rate = lag > 0.3 ? 1.5 : lag > 0.1 ? 1.15 : lag > -0.04 ? 1 : 0;
    if (video.playbackRate !== rate) video.playbackRate = rate;
    if (video.paused) video.play().catch(() => {});
  }

  watch() {
    const video = this.video;
    if (!video.requestVideoFrameCallback) {
      video.addEventListener("timeupdate", () => this.picture.saw(video.currentTime));
      return;
    }
    const shown = (_, about) => {
      if (this.closed) return;
      this.picture.saw(about.mediaTime);
      video.requestVideoFrameCallback(shown);
    };
    video.requestVideoFrameCallback(shown);
  }

  close() {
    this.closed = true;
    clearInterval(this.timer);
    if (this.url) URL.revokeObjectURL(this.url);
  }
}

// Parts of multipart/x-mixed-replace, as {t, bytes}.
async function* parts(chunks) {
  const text = new TextDecoder("latin1");
  let rest = new Uint8Array(0), head = null;
  for await (const chunk of chunks) {
    const bytes = new Uint8Array(rest.length + chunk.length);
    bytes.set(rest);
    bytes.set(chunk, rest.length);
    rest = bytes;
    for (;;) {
      if (!head) {
        const sight = text.decode(rest.subarray(0, 1024)), end = sight.indexOf("\r\n\r\n");
        if (end < 0) break;
        const fields = sight.slice(0, end), field = name => new RegExp(`^${name}: *(\\d+)`, "im").exec(fields)?.[1];
        head = { at: end + 4, size: Number(field("Content-Length")), t: Number(field("X-T-Mono-Ns")) / 1e9 };
        if (!(head.size > 0)) throw new Error("these are no pictures");
      }
      if (rest.length < head.at + head.size) break;
      const part = { t: head.t, bytes: rest.slice(head.at, head.at + head.size) };
      rest = rest.slice(head.at + head.size);
      head = null;
      yield part;
    }
  }
}

// The records of all cameras over one connection, kept as curves for the last hour.
import { address, mono, now } from "./api.js";
import { waitSeconds } from "./live.js";

export const REGIONS = ["forehead", "periorbital_right", "periorbital_left", "canthus_right", "canthus_left", "nose_tip", "nostrils",
  "perinasal", "cheek_right", "cheek_left", "chin", "mouth"];
// Time shown, and seconds that become one place of a curve: at most 1200 places, whatever the camera's rate.
export const SPANS = [{ seconds: 120, bucket: 0.1 }, { seconds: 600, bucket: 0.5 }, { seconds: 3600, bucket: 3 }];

// Least and greatest value of each bucket; NaN where nothing valid was measured.
class Level {
  constructor({ seconds, bucket }) {
    this.bucket = bucket;
    this.size = Math.round(seconds / bucket) + 20;
    this.low = new Float32Array(this.size).fill(NaN);
    this.high = new Float32Array(this.size).fill(NaN);
    this.last = -1;
  }

  // Up to a moment nothing has come.
  advance(t) {
    const number = Math.floor(t / this.bucket);
    if (this.last < 0 || number - this.last >= this.size) {
      this.low.fill(NaN);
      this.high.fill(NaN);
      this.last = number;
    }
    for (; this.last < number; ) {
      const at = ++this.last % this.size;
      this.low[at] = this.high[at] = NaN;
    }
    return number;
  }

  add(t, value) {
    const number = this.advance(t);
    if (number <= this.last - this.size) return;
    const at = number % this.size;
    if (!(this.low[at] <= value)) this.low[at] = value;
    if (!(this.high[at] >= value)) this.high[at] = value;
  }

  get first() { return this.last - this.size + 1; }
}

export class Series {
  constructor(camera, name) {
    this.camera = camera;
    this.name = name;
    this.levels = SPANS.map(span => new Level(span));
    this.value = NaN;
    this.t = NaN;
  }

  add(t, value) {
    this.t = t;
    this.value = value;
    if (Number.isFinite(value)) for (const level of this.levels) level.add(t, value);
  }
}

export const data = {
  series: new Map(),   // "camera/region", "camera/difference", "camera/breathing"
  regions: [...REGIONS],
  units: new Map(),    // camera: celsius or counts
  shutters: [],        // {camera, from, to}
  latest: new Map(),   // camera: record
  newest: NaN,
  records: 0,
  connected: false,
};

export function series(camera, name) {
  const key = `${camera}/${name}`;
  let s = data.series.get(key);
  if (!s) data.series.set(key, s = new Series(camera, name));
  return s;
}

// The largest face is the subject's.
export function subject(record) {
  let largest = null;
  for (const face of record.faces || []) if (!largest || face.box[2] * face.box[3] > largest.box[2] * largest.box[3]) largest = face;
  return largest;
}

const trusted = region => region && region.valid && region.mean !== null ? region.mean : NaN;

function shutter(record, t) {
  const closed = record.flags.includes("ffc");
  const last = data.shutters.findLast(s => s.camera === record.camera);
  if (closed && last && !last.over) last.to = t;
  else if (closed) data.shutters.push({ camera: record.camera, from: t, to: t, over: false });
  else if (last) last.over = true;
  while (data.shutters.length && data.shutters[0].to < t - 3700) data.shutters.shift();
}

function take(record) {
  const t = record.t_mono_ns / 1e9, camera = record.camera;
  data.records++;
  data.latest.set(camera, record);
  data.units.set(camera, record.unit);
  if (!(data.newest >= t)) data.newest = t;
  shutter(record, t);
  const face = subject(record);
  for (const name of face ? Object.keys(face.regions) : []) if (!data.regions.includes(name)) data.regions.push(name);
  for (const name of data.regions) {
    if (!face && !data.series.has(`${camera}/${name}`)) continue;
    series(camera, name).add(t, face ? trusted(face.regions[name]) : NaN);
  }
  if (face) {
    series(camera, "difference").add(t, trusted(face.regions.nose_tip) - trusted(face.regions.forehead));
    const b = face.breathing;
    series(camera, "breathing").add(t, b && b.rate !== null && b.quality >= 0.5 ? b.rate : NaN);
  } else {
    for (const name of ["difference", "breathing"]) data.series.get(`${camera}/${name}`)?.add(t, NaN);
  }
}

async function follow(signal) {
  const response = await fetch(address("landmarks"), { signal, cache: "no-store" });
  if (!response.ok) throw new Error(String(response.status));
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  data.connected = true;
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const lines = (rest + value).split("\n");
    rest = lines.pop();
    for (const line of lines) if (line) take(JSON.parse(line));
  }
}

// Goes on for ever; a connection that brings nothing although cameras run is made anew.
export async function records() {
  let tries = 0;
  for (;;) {
    const abort = new AbortController(), before = data.records;
    let seen = data.records, since = performance.now();
    const watch = setInterval(() => {
      if (data.records !== seen || !(now.state?.cameras || []).some(c => c.state === "running")) {
        seen = data.records;
        since = performance.now();
      } else if (performance.now() - since > 5000) abort.abort();
    }, 1000);
    await follow(abort.signal).catch(() => {});
    clearInterval(watch);
    abort.abort();
    data.connected = false;
    tries = data.records > before ? 0 : tries + 1;
    await new Promise(done => setTimeout(done, 1000 * waitSeconds(tries)));
  }
}

// The time at the curves' right edge.
export function edge() {
  const t = mono();
  return Number.isFinite(t) ? t : data.newest;
}

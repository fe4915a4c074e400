// Curves on canvases: drawn at most ten times a second, at most 1200 places each, whatever the cameras' rate.
import { now } from "./api.js";
import { data, edge, series, SPANS } from "./records.js";

const DASHES = [[], [7, 4], [2, 3], [10, 3, 2, 3]];
const MANY = 12;
const CHOSEN = ["forehead", "nose_tip"];
const $ = id => document.getElementById(id);

let span = 0, held = NaN, drawn = 0, pause = 0, seenRegions = "", seenCameras = "", colours = {};
const shown = new Set(JSON.parse(localStorage.getItem("thermoface.regions") || "null") || CHOSEN);

function readColours() {
  const style = getComputedStyle(document.documentElement);
  for (const name of ["text", "quiet", "line", "shade", "card", "warn", ...Array.from({ length: 8 }, (_, i) => `s${i}`)])
    colours[name] = style.getPropertyValue(`--${name}`).trim();
}

export function colourOf(region) {
  const order = { forehead: 0, nose_tip: 1, nostrils: 2, perinasal: 3, difference: 1, breathing: 2 };
  return colours[`s${order[region] ?? (4 + data.regions.indexOf(region)) % 8}`];
}

const words = name => name.replaceAll("_", " ");

// Degrees and counts do not share an axis: where a camera measures temperature, those that do not are left out.
function cameras() {
  const all = now.state?.cameras || [], thermal = all.filter(c => c.unit === "celsius");
  return (thermal.length ? thermal : all).map(c => c.camera);
}

function buildChips() {
  const key = data.regions.join();
  if (key === seenRegions && seenCameras === cameras().join()) return;
  seenRegions = key;
  seenCameras = cameras().join();
  const place = $("regions");
  place.querySelectorAll("label").forEach(label => label.remove());
  for (const region of data.regions) {
    const label = document.createElement("label"), box = document.createElement("input"), text = document.createElement("span");
    box.type = "checkbox";
    box.checked = shown.has(region);
    box.name = region;
    box.addEventListener("change", () => {
      box.checked ? shown.add(region) : shown.delete(region);
      localStorage.setItem("thermoface.regions", JSON.stringify([...shown]));
      drawn = 0;
    });
    const swatch = document.createElement("canvas");
    swatch.width = 22;
    swatch.height = 12;
    const context = swatch.getContext("2d");
    context.fillStyle = colourOf(region);
    context.fillRect(0, 4, 22, 4);
    text.append(swatch, words(region));
    label.append(box, text);
    place.append(label);
  }
}

function chosen() {
  const list = [];
  cameras().forEach((camera, number) => {
    for (const region of data.regions) {
      const s = shown.has(region) && data.series.get(`${camera}/${region}`);
      if (s) list.push({ s, colour: colourOf(region), dash: DASHES[number % DASHES.length], label: region });
    }
  });
  return list;
}

function each(name) {
  return cameras().map((camera, number) => ({ s: series(camera, name), colour: colourOf(name), dash: DASHES[number % DASHES.length] }));
}

// Steps of 1, 2, 5 so that at most `most` fit.
function step(range, most) {
  const raw = range / most, power = 10 ** Math.floor(Math.log10(raw));
  return [1, 2, 5, 10].find(m => m * power >= raw) * power;
}

function limits(list, from, narrowest) {
  let low = Infinity, high = -Infinity;
  for (const { s } of list) {
    const level = s.levels[span];
    for (let n = Math.max(level.first, Math.floor(from / level.bucket)); n <= level.last; n++) {
      const at = n % level.size;
      if (level.low[at] < low) low = level.low[at];
      if (level.high[at] > high) high = level.high[at];
    }
  }
  if (!(low <= high)) return null;
  const middle = (low + high) / 2, half = Math.max((high - low) * 0.58, narrowest / 2);
  return [middle - half, middle + half];
}

// "1:20" minutes and seconds, or whole minutes.
function clock(seconds) {
  const s = Math.round(seconds);
  if (s >= 60 && s % 60 === 0) return `${s / 60} min`;
  return s >= 60 ? `${Math.floor(s / 60)}:${String(s % 60).padStart(2, "0")}` : `${s} s`;
}

function draw(canvas, list, narrowest, digits) {
  const width = canvas.clientWidth, height = canvas.clientHeight, scale = devicePixelRatio || 1;
  if (!width || !height) return;
  if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(height * scale)) {
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
  }
  const c = canvas.getContext("2d"), left = 46, bottom = 18, top = 6, right = 6;
  const to = Number.isFinite(held) ? held : edge(), seconds = SPANS[span].seconds, from = to - seconds;
  c.setTransform(scale, 0, 0, scale, 0, 0);
  c.clearRect(0, 0, width, height);
  c.font = "12px system-ui, sans-serif";
  const x = t => left + (t - from) / seconds * (width - left - right);
  c.fillStyle = colours.shade;
  for (const s of data.shutters) {
    const a = Math.max(left, x(s.from)), b = Math.min(width - right, x(s.to));
    if (b >= left && a <= width - right) c.fillRect(a, top, Math.max(2, b - a), height - top - bottom);
  }
  c.fillStyle = colours.quiet;
  c.strokeStyle = colours.line;
  c.lineWidth = 1;
  c.textAlign = "center";
  const tick = seconds / (width > 500 ? 6 : 3);
  for (let back = 0; back <= seconds; back += tick) {
    const at = x(to - back);
    c.beginPath();
    c.moveTo(at, top);
    c.lineTo(at, height - bottom);
    c.stroke();
    c.textAlign = back === 0 ? "right" : back >= seconds - 1 ? "left" : "center";
    c.fillText(back ? `−${clock(back)}` : "now", at, height - 4);
  }
  const range = limits(list, from, narrowest);
  if (!range) {
    c.textAlign = "center";
    c.fillText("nothing to be trusted yet", (left + width) / 2, height / 2);
    return;
  }
  const [low, high] = range, y = v => top + (high - v) / (high - low) * (height - top - bottom);
  const by = step(high - low, height > 150 ? 6 : 3);
  c.textAlign = "right";
  for (let v = Math.ceil(low / by) * by; v <= high; v += by) {
    c.beginPath();
    c.moveTo(left, y(v));
    c.lineTo(width - right, y(v));
    c.stroke();
    c.fillText(v.toFixed(Math.max(0, Math.min(digits, Math.ceil(-Math.log10(by) - 1e-9)))), left - 5, y(v) + 4);
  }
  c.save();
  c.beginPath();
  c.rect(left, 0, width - left - right, height);
  c.clip();
  drawMarks(c, x, top, height - bottom, from);
  // Many curves: thin and plain, which a browser without a graphics card draws many times as quickly.
  const many = list.length > MANY, pixel = (high - low) / (height - top - bottom);
  c.lineWidth = many ? 1 : 1.6;
  c.lineJoin = many ? "bevel" : "round";
  for (const { s, colour, dash } of list) {
    const level = s.levels[span], bridge = Math.max(1, Math.ceil(0.35 / level.bucket));
    c.strokeStyle = colour;
    c.setLineDash(many ? [] : dash);
    c.beginPath();
    let before = -Infinity;
    for (let n = Math.max(level.first, Math.floor(from / level.bucket)); n <= level.last; n++) {
      const at = n % level.size, a = level.low[at], b = level.high[at];
      if (a !== a) continue;
      const px = x((n + 0.5) * level.bucket);
      // A bucket without a record of a slow camera is bridged; more than that is a gap.
      if (n - before > bridge) c.moveTo(px, y(a));
      else c.lineTo(px, y(a));
      if (b - a > pixel) c.lineTo(px, y(b));
      before = n;
    }
    c.stroke();
  }
  c.restore();
}

function drawMarks(c, x, top, bottom, from) {
  c.setLineDash([3, 3]);
  c.strokeStyle = colours.warn;
  c.fillStyle = colours.warn;
  c.textAlign = "left";
  for (const mark of now.record?.recent_marks || []) {
    const t = mark.t_mono_ns / 1e9;
    if (t < from || mark.undone) continue;
    c.beginPath();
    c.moveTo(x(t), top);
    c.lineTo(x(t), bottom);
    c.stroke();
    c.fillText(mark.text.slice(0, 24), x(t) + 3, top + 10);
  }
  c.setLineDash([]);
}

function values() {
  const body = $("values").tBodies[0], rows = [];
  for (const { s, label } of chosen()) rows.push([s.camera, words(label), s.value, data.units.get(s.camera) === "celsius" ? "°C" : "counts", s.t]);
  for (const camera of cameras()) {
    const d = data.series.get(`${camera}/difference`), b = data.series.get(`${camera}/breathing`);
    if (d) rows.push([camera, "nose tip less forehead", d.value, data.units.get(camera) === "celsius" ? "K" : "counts", d.t]);
    if (b) rows.push([camera, "breathing", b.value, "/min", b.t]);
  }
  while (body.rows.length > rows.length) body.deleteRow(-1);
  rows.forEach(([camera, name, value, unit, t], i) => {
    const row = body.rows[i] || body.insertRow(), old = data.latest.get(camera)?.t_mono_ns / 1e9 - t > 1;
    const texts = [camera, name, Number.isFinite(value) && !old ? `${value.toFixed(unit === "/min" ? 1 : unit === "counts" ? 0 : 2)} ${unit}` : "not valid"];
    texts.forEach((text, k) => {
      const cell = row.cells[k] || row.insertCell();
      if (cell.textContent !== text) cell.textContent = text;
    });
  });
}

export const figures = { draws: 0, ms: 0 };

function frame(t) {
  requestAnimationFrame(frame);
  if (document.hidden || $("view-live").hidden || t - drawn < Math.max(span === 0 ? 100 : 400, pause)) return;
  drawn = t;
  const began = performance.now();
  buildChips();
  const list = chosen();
  pause = list.length > MANY ? list.length * 15 : 0; // the picture goes first
  draw($("curve-regions"), list, 1, 2);
  draw($("curve-difference"), each("difference"), 0.6, 2);
  draw($("curve-breathing"), each("breathing"), 6, 1);
  figures.draws++;
  figures.ms += performance.now() - began;
}

export function hold() {
  held = Number.isFinite(held) ? NaN : edge();
  $("hold").setAttribute("aria-pressed", String(Number.isFinite(held)));
  drawn = 0;
}

export function curves() {
  readColours();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    readColours();
    seenRegions = "";
  });
  for (const input of document.querySelectorAll("input[name=span]")) input.addEventListener("change", () => {
    span = SPANS.findIndex(s => s.seconds === Number(input.value));
    drawn = 0;
  });
  $("hold").addEventListener("click", hold);
  setInterval(values, 500);
  requestAnimationFrame(frame);
}

// Recorded sessions: the list, one session's annotated video with its curves and marks in step.
import { codec, Boxes } from "./mp4.js";

const $ = id => document.getElementById(id);
const home = new URL("..", import.meta.url);
const PIECE = 8 << 20; // bytes of a table in one answer
const TABLE_MAX = 256 << 20; // of a table that is read
const AHEAD = 12, SECONDS = 15, BEHIND = 60; // of video, seconds
const INKS = ["--s0", "--s1", "--s2", "--s3", "--s4", "--s5", "--s6", "--s7"];

let token = 0; // of the session that is shown: what comes late for another one is dropped

function address(...parts) {
  return new URL(["sessions", ...parts].map(encodeURIComponent).join("/"), home);
}

async function get(url, options) {
  const response = await fetch(url, { cache: "no-store", ...options });
  if (response.ok) return response;
  let why = `the service answers ${response.status}`;
  try { why = (await response.json()).error || why; } catch { /* not JSON */ }
  throw Object.assign(new Error(why), { status: response.status });
}

function problem(text) {
  $("problem").textContent = text || "";
  $("problem").hidden = !text;
}

function time(seconds) {
  const s = Math.max(0, seconds), m = Math.floor(s / 60);
  return `${m}:${(s - 60 * m).toFixed(1).padStart(4, "0")}`;
}

// --- the list ---

let sessions = [];

function showList() {
  const wanted = $("find").value.trim().toLowerCase();
  $("sessions").replaceChildren(...sessions.filter(s => s.id.toLowerCase().includes(wanted)).map(s => {
    const item = document.createElement("li"), button = document.createElement("button");
    button.type = "button";
    button.textContent = `${s.id} · ${time(s.seconds)} · ${s.state}`;
    button.dataset.id = s.id;
    button.addEventListener("click", () => open(s.id).catch(e => problem(e.message)));
    item.append(button);
    return item;
  }));
}

async function list() {
  const told = await (await get(address())).json();
  sessions = told.sessions;
  $("none").hidden = sessions.length > 0;
  $("more").hidden = !told.more;
  showList();
  problem("");
}

// --- tables ---

// Calls `row` for each line of a table, read in parts.
async function lines(id, name, row, mine) {
  const decoder = new TextDecoder();
  let at = 0, total = 1, rest = "";
  while (at < total && at < TABLE_MAX) {
    const response = await get(address(id, name), { headers: { Range: `bytes=${at}-${at + PIECE - 1}` } });
    const data = new Uint8Array(await response.arrayBuffer());
    if (mine !== token) return;
    const range = /\/(\d+)$/.exec(response.headers.get("Content-Range") || "");
    total = range ? Number(range[1]) : data.length;
    at += data.length;
    if (!data.length) break;
    const parts = (rest + decoder.decode(data, { stream: true })).split("\n");
    rest = parts.pop();
    for (const line of parts) row(line.split("\t"));
  }
}

function unquote(cell) {
  return cell.startsWith('"') ? cell.slice(1, -1).replaceAll('""', '"') : cell;
}

async function readMarks(id, mine) {
  const marks = [];
  let head = null;
  await lines(id, `${id}_events.tsv`, cells => {
    if (!head) head = cells;
    else if (marks.length < 1000 && Number.isFinite(Number(cells[0])))
      marks.push({ t: Number(cells[0]), text: unquote(cells[2] || ""), value: cells[3] === "n/a" ? "" : unquote(cells[3] || "") });
  }, mine).catch(e => { if (e.status !== 404) throw e; });
  return marks;
}

async function readCurves(id, camera, mine) {
  const curves = { t: [], names: [], values: [] };
  let columns = null, onset = -1;
  await lines(id, `${id}_recording-${camera}_signals.tsv`, cells => {
    if (!columns) {
      onset = cells.indexOf("onset");
      columns = cells.map((name, at) => [name, at]).filter(([name]) => name.endsWith("_mean") && cells.includes(`${name.slice(0, -5)}_valid`))
        .map(([name, at]) => ({ at, valid: cells.indexOf(`${name.slice(0, -5)}_valid`), name: name.slice(0, -5) }));
      curves.names = columns.map(c => c.name);
      curves.values = columns.map(() => []);
    } else if (onset >= 0 && Number.isFinite(Number(cells[onset]))) {
      curves.t.push(Number(cells[onset]));
      columns.forEach((c, i) => curves.values[i].push(cells[c.valid] === "1" ? Number(cells[c.at]) : NaN));
    }
  }, mine).catch(e => { if (e.status !== 404) throw e; });
  return curves;
}

// --- curves ---

let curves = { t: [], names: [], values: [] }, marks = [], shown = new Set(["nose_tip", "forehead"]), start = 0;

function span() {
  const t = curves.t, end = start + ($("video").duration || 1);
  return t.length ? [t[0], Math.max(t[t.length - 1], t[0] + 1)] : [start, Number.isFinite(end) ? end : start + 1];
}

function draw() {
  const canvas = $("curves"), ratio = devicePixelRatio || 1, style = getComputedStyle(document.documentElement);
  const w = canvas.clientWidth, h = canvas.clientHeight, [t0, t1] = span();
  canvas.width = w * ratio;
  canvas.height = h * ratio;
  const c = canvas.getContext("2d"), ink = name => style.getPropertyValue(name).trim() || "#888";
  c.scale(ratio, ratio);
  c.font = "12px system-ui, sans-serif";
  const x = t => 44 + (t - t0) / (t1 - t0) * (w - 52);
  let low = Infinity, high = -Infinity;
  const lines = curves.names.map((name, i) => ({ name, i })).filter(l => shown.has(l.name));
  for (const l of lines) for (const v of curves.values[l.i]) if (v < low || v > high) { low = Math.min(low, v); high = Math.max(high, v); }
  if (!(low <= high)) { low = 0; high = 1; }
  if (high - low < 0.5) { const m = (low + high) / 2; low = m - 0.25; high = m + 0.25; }
  const y = v => 8 + (high - v) / (high - low) * (h - 30);
  c.strokeStyle = ink("--line");
  c.fillStyle = ink("--quiet");
  for (let k = 0; k <= 4; k++) {
    const v = low + (high - low) * k / 4;
    c.beginPath(); c.moveTo(44, y(v)); c.lineTo(w - 8, y(v)); c.stroke();
    c.fillText(v.toFixed(1), 4, y(v) + 4);
  }
  for (let k = 0; k <= 6; k++) { const t = t0 + (t1 - t0) * k / 6; c.fillText(time(t), Math.min(x(t), w - 40), h - 6); }
  c.strokeStyle = ink("--warn");
  marks.forEach((m, i) => { c.beginPath(); c.moveTo(x(m.t), 8); c.lineTo(x(m.t), h - 22); c.stroke(); c.fillText(String(i + 1), x(m.t) + 3, 18); });
  lines.forEach((l, n) => {
    c.strokeStyle = ink(INKS[n % INKS.length]);
    c.lineWidth = 1.5;
    c.beginPath();
    let pen = false, step = Math.max(1, Math.floor(curves.t.length / (4 * w)));
    for (let k = 0; k < curves.t.length; k += step) {
      const v = curves.values[l.i][k];
      if (Number.isFinite(v)) pen ? c.lineTo(x(curves.t[k]), y(v)) : c.moveTo(x(curves.t[k]), y(v));
      pen = Number.isFinite(v);
    }
    c.stroke();
  });
  c.strokeStyle = ink("--text");
  c.beginPath(); c.moveTo(x(now()), 4); c.lineTo(x(now()), h - 20); c.stroke();
}

// Seconds since the session's start that the video shows.
function now() {
  return start + ($("video").currentTime || 0);
}

function tell() {
  const t = now(), at = curves.t.findIndex(v => v >= t);
  const values = at < 0 ? [] : curves.names.map((name, i) => [name, curves.values[i][at]]).filter(([name, v]) => shown.has(name) && Number.isFinite(v));
  $("at").textContent = `${time(t)} ${values.map(([name, v]) => `${name} ${v.toFixed(2)}`).join(", ")}`;
  draw();
}

function seek(t) {
  const video = $("video");
  video.currentTime = Math.max(0, Math.min(t - start, (video.duration || Infinity) - 0.05));
  tell();
}

// --- the video: pieces of it into a MediaSource ---

function play(id, camera, seconds, mine) {
  const video = $("video"), source = new MediaSource();
  let buffer = null, busy = false, end = false;
  const url = URL.createObjectURL(source);
  video.src = url;
  source.addEventListener("sourceopen", () => { URL.revokeObjectURL(url); more(); });

  function until() {
    const b = video.buffered, t = video.currentTime;
    for (let i = 0; i < b.length; i++) if (b.start(i) - 0.3 <= t && t <= b.end(i) + 0.05) return b.end(i);
    return null;
  }

  function done() { return new Promise(ok => buffer.updating ? buffer.addEventListener("updateend", ok, { once: true }) : ok()); }

  async function more() {
    if (mine !== token || busy || source.readyState !== "open") return;
    const have = until();
    if (have !== null && (end || have - video.currentTime > AHEAD)) return;
    busy = true;
    try {
      const piece = address(id, "video.mp4");
      piece.searchParams.set("camera", camera);
      piece.searchParams.set("from", (have === null ? video.currentTime : have).toFixed(3));
      piece.searchParams.set("seconds", SECONDS);
      const data = new Uint8Array(await (await get(piece)).arrayBuffer());
      if (mine !== token || source.readyState !== "open") return;
      if (!buffer) {
        const moov = new Boxes().push(data).find(b => b.type === "moov"), name = moov && codec(moov.bytes);
        const type = `video/mp4; codecs="${name}"`;
        if (!name || !MediaSource.isTypeSupported(type)) throw new Error("this browser cannot play H.264");
        buffer = source.addSourceBuffer(type);
        if (seconds > 0) source.duration = seconds;
      }
      if (video.currentTime > BEHIND + 5) { buffer.remove(0, video.currentTime - BEHIND); await done(); }
      buffer.appendBuffer(data);
      await done();
      const now = until();
      if (have !== null && now !== null && now <= have + 0.001) end = true;
      if (seconds > 0 && now !== null && now >= seconds - 0.3) end = true;
    } catch (error) {
      if (mine !== token) return;
      if (error.status === 416) end = true;
      else { $("no-video").textContent = `No video: ${error.message}`; $("no-video").hidden = false; end = true; }
    } finally {
      busy = false;
    }
    if (!end) setTimeout(more, 50);
  }

  video.onseeking = () => { end = false; more(); };
  video.ontimeupdate = () => { more(); tell(); };
}

// --- a session ---

async function open(id) {
  const mine = ++token;
  const told = await (await get(address(id))).json();
  if (mine !== token) return;
  problem("");
  for (const button of $("sessions").querySelectorAll("button")) button.setAttribute("aria-current", String(button.dataset.id === id));
  $("title-session").textContent = id;
  $("session").hidden = false;
  $("camera").replaceChildren(...told.cameras.map(name => new Option(name, name)));
  $("camera").onchange = () => show(id, $("camera").value, ++token).catch(e => problem(e.message));
  $("files").replaceChildren(...told.files.map(file => {
    const item = document.createElement("li"), link = document.createElement("a");
    link.href = address(id, file.name);
    link.download = file.name;
    link.textContent = file.name;
    item.append(link, ` ${(file.bytes / 1e6).toFixed(2)} MB`);
    return item;
  }));
  if (told.cameras.length) await show(id, told.cameras[0], mine);
}

async function show(id, camera, mine) {
  $("no-video").hidden = true;
  const about = await get(address(id, `${id}_recording-${camera}_video.json`)).then(r => r.json()).catch(() => ({}));
  const [read, found] = await Promise.all([readCurves(id, camera, mine), readMarks(id, mine)]);
  if (mine !== token) return;
  curves = read;
  marks = found;
  start = Number.isFinite(about.AnnotatedStartTime) ? about.AnnotatedStartTime : curves.t.length ? curves.t[0] : 0;
  $("regions").replaceChildren($("regions").firstElementChild, ...curves.names.map(name => {
    const label = document.createElement("label"), box = document.createElement("input");
    box.type = "checkbox";
    box.checked = shown.has(name);
    box.addEventListener("change", () => { box.checked ? shown.add(name) : shown.delete(name); draw(); });
    const text = document.createElement("span");
    text.textContent = name;
    label.append(box, text);
    return label;
  }));
  $("marks").replaceChildren(...marks.map((m, i) => {
    const item = document.createElement("li"), button = document.createElement("button");
    button.type = "button";
    button.textContent = `${i + 1}: ${time(m.t)} ${m.text}${m.value ? ` = ${m.value}` : ""}`;
    button.addEventListener("click", () => seek(m.t));
    item.append(button);
    return item;
  }));
  play(id, camera, Number.isFinite(about.RecordingDuration) ? about.RecordingDuration : 0, mine);
  tell();
}

$("curves").addEventListener("click", event => {
  const [t0, t1] = span();
  seek(t0 + (event.offsetX - 44) / ($("curves").clientWidth - 52) * (t1 - t0));
});
$("curves").addEventListener("keydown", event => {
  const step = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10 }[event.key];
  if (step) { seek(now() + step); event.preventDefault(); }
});
$("find").addEventListener("input", showList);
$("again").addEventListener("click", () => list().catch(e => problem(e.message)));
addEventListener("resize", () => { if (!$("session").hidden) draw(); });
list().catch(e => problem(e.message));

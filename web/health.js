// What /state, /metrics and /log say, for people.
import { get, mayControl, now, pulse } from "./api.js";

const $ = id => document.getElementById(id);
const losses = new Map(); // "camera/place": {count, since}

const number = n => Number(n).toLocaleString("en");
export const bytes = n => n === null || n === undefined ? "not known" : n >= 1e12 ? `${(n / 1e12).toFixed(1)} TB` : n >= 1e9 ? `${(n / 1e9).toFixed(1)} GB` : `${(n / 1e6).toFixed(1)} MB`;

export function time(seconds) {
  const s = Math.max(0, Math.floor(seconds)), two = n => String(n).padStart(2, "0");
  return `${Math.floor(s / 3600)}:${two(Math.floor(s / 60) % 60)}:${two(s % 60)}`;
}

// Only what has changed is written, so that a selection and a screen reader's place stay.
export function facts(list, pairs) {
  while (list.children.length > 2 * pairs.length) list.lastChild.remove();
  pairs.flat().forEach((text, i) => {
    const item = list.children[i] || list.appendChild(document.createElement(i % 2 ? "dd" : "dt"));
    if (item.textContent !== text) item.textContent = text;
  });
}

const PLACES = { driver: "by camera and driver", capture: "in capture", inference: "not analysed", rtsp: "pictures to RTSP", http: "records to readers", video: "pictures to pages" };

// Losses, and since when: as far as this page has seen them come.
function dropped(camera) {
  const texts = [];
  for (const [place, name] of Object.entries(PLACES)) {
    const count = camera.dropped[place] || 0, key = `${camera.camera}/${place}`, before = losses.get(key);
    if (!before || count < before.count) losses.set(key, { count, last: null, first: count });
    else if (count > before.count) losses.set(key, { count, last: new Date(), first: before.first });
    if (!count) continue;
    const last = losses.get(key).last;
    texts.push(`${number(count)} ${name} (${last ? `last at ${last.toLocaleTimeString()}` : "none since this page was opened"})`);
  }
  return texts.join("; ") || "none";
}

function turn(t) {
  const way = `${t.rotate}°${t.flip ? ", flipped" : ""}`;
  return { configured: way, decided: `${way}, told from faces`, undecided: "not decided yet: no face was seen well enough", wrong: `${way}: WRONG, ${t.better}° fits the faces better`, tie: `${way}; ${t.better}° fits as well` }[t.state] ?? way;
}

const cards = new Map(); // of cameras: {section, chip, list}

function makeCard(name) {
  const section = document.createElement("section"), head = document.createElement("div"), title = document.createElement("h2"), chip = document.createElement("span"), list = document.createElement("dl");
  section.className = "card";
  section.setAttribute("aria-label", `Camera ${name}`);
  head.className = "row head";
  title.textContent = name;
  list.className = "facts";
  head.append(title, chip);
  section.append(head, list);
  $("health-cameras").append(section);
  const made = { section, chip, list };
  cards.set(name, made);
  return made;
}

function fillCard(camera) {
  const { chip, list } = cards.get(camera.camera) || makeCard(camera.camera);
  chip.className = `chip ${camera.state === "running" ? "good" : "bad"}`;
  chip.textContent = camera.state.replace("_", " ");
  const c = camera, pairs = [
    ["Source", `${c.source.name}, ${c.source.format}, ${c.width} × ${c.height}`],
    ["Rate", `${c.fps ?? "not known"} frames/s${c.clock.rate_hz ? `; ${c.clock.rate_hz.toFixed(3)} Hz by this clock` : ""}${c.clock.drift_ppm !== null && c.clock.drift_ppm !== undefined ? `, ${c.clock.drift_ppm} ppm off` : ""}`],
    ["Latency", `${(c.latency_us.last / 1000).toFixed(1)} ms, mean ${(c.latency_us.mean / 1000).toFixed(1)} ms to the record`],
    ["Frames", `${number(c.frames)}: ${Object.entries(c.states).filter(([, n]) => n).map(([name, n]) => `${number(n)} ${name.replace("_", " ")}`).join(", ")}`],
    ["Lost", dropped(c)],
    ["Faces", String(c.faces)],
    ["Upright", turn(c.turn)],
    ["Sensor", c.sensor_c === null ? "not known" : `${c.sensor_c.toFixed(1)} °C`],
    ["Nose, forehead", c.nose_c === null && c.forehead_c === null ? "not seen" : `${c.nose_c?.toFixed(2) ?? "–"}, ${c.forehead_c?.toFixed(2) ?? "–"} ${c.unit === "celsius" ? "°C" : "counts"}`],
    ["Now", c.flags.length ? c.flags.map(f => f.replaceAll("_", " ")).join(", ") : "nothing special"],
    ["Opened again", `${c.reopened} times`],
    ["Watching", `${c.rtsp_viewers} by RTSP, ${c.http_viewers} pages, ${c.http_clients} readers of records; ${number(c.encoded)} pictures encoded`],
  ];
  if (c.message) pairs.unshift(["Why", c.message]);
  if (c.notice) pairs.unshift(["Note", c.notice]);
  if (c.pair) pairs.push(["Pair", `with ${c.pair.camera}: ${number(c.pair.with)} frames paired, ${number(c.pair.without)} not${c.pair.calibrated ? "" : "; not calibrated"}`]);
  if (c.recording) pairs.push(["Recording", `${c.recording.state}: ${number(c.recording.frames)} frames, ${bytes(c.recording.bytes)}${c.recording.error ? `: ${c.recording.error}` : ""}`], ["Disk", `${bytes(c.recording.free_bytes)} free`]);
  const lostRecords = Object.entries(c.sinks_lost).filter(([, n]) => n).map(([name, n]) => `${name} ${number(n)}`).join(", ");
  if (lostRecords) pairs.push(["Not written", lostRecords]);
  facts(list, pairs);
}

let shownLog = 0;

async function log() {
  if ($("view-health").hidden) return;
  const place = $("log");
  if (!mayControl()) {
    place.textContent = "Only who may control sees the log.";
    return;
  }
  const answer = await get("log").catch(() => null);
  if (!answer) return;
  const newest = answer.lines.length ? answer.lines.at(-1).n : 0;
  if (newest === shownLog && place.childElementCount) return;
  shownLog = newest;
  const below = place.scrollHeight - place.scrollTop - place.clientHeight < 20;
  place.replaceChildren(...answer.lines.map(line => {
    const p = document.createElement("p");
    p.className = line.level;
    p.textContent = `${new Date(line.t_utc).toLocaleTimeString()}  ${line.level.padEnd(7)} ${line.camera ? `${line.camera}: ` : ""}${line.text}`;
    return p;
  }));
  if (below) place.scrollTop = place.scrollHeight;
}

function show() {
  if ($("view-health").hidden) return;
  const line = $("health-line"), state = now.state;
  const away = (state?.cameras || []).filter(c => c.state !== "running" && c.state !== "ended"), failed = (state?.cameras || []).filter(c => c.recording?.state === "failed");
  line.className = `message ${now.alive && !away.length && !failed.length ? "good" : "bad"}`;
  line.textContent = !now.alive ? "The service does not answer." : failed.length ? `The recording of ${failed.map(c => c.camera).join(", ")} has failed.` : away.length ? `${away.map(c => c.camera).join(", ")}: no frames.` : "All cameras deliver.";
  if (!state) return;
  for (const [name, made] of cards) if (!state.cameras.some(c => c.camera === name)) {
    made.section.remove();
    cards.delete(name);
  }
  state.cameras.forEach(fillCard);
  const forecast = now.check;
  facts($("health-server"), [["Version", state.version], ["Running for", time(state.uptime_s)],
    ["Disk", forecast?.free_bytes !== undefined ? `${bytes(forecast.free_bytes)} free at ${forecast.directory}` : "nothing is recorded here"],
    ["Readers of records", String(state.cameras.reduce((n, c) => n + c.http_clients, 0))],
    ["You may", mayControl() ? "look and control" : "look"]]);
}

export function health() {
  pulse.addEventListener("beat", () => { show(); log(); });
  addEventListener("hashchange", () => { show(); log(); });
}

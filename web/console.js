// The console's start: views, pictures, keys.
import { live, now, pulse } from "./api.js";
import { curves, figures, hold } from "./curves.js";
import { health, time } from "./health.js";
import { Picture, streamsAllowed } from "./live.js";
import { data, records } from "./records.js";
import { regions } from "./regions.js";
import { markKey, session, undo } from "./session.js";

const $ = id => document.getElementById(id);
const pictures = new Map();

// --- views ---

function view() {
  const name = ["live", "health", "help"].find(v => location.hash === `#${v}`) || "live";
  for (const section of document.querySelectorAll(".view")) section.hidden = section.id !== `view-${name}`;
  for (const link of document.querySelectorAll("nav a")) {
    if (link.dataset.view === name) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  settle();
}

// --- pictures ---

// Pictures are taken while somebody can see them: they cost connections, and the service its encoder.
function settle() {
  const seen = !document.hidden && !$("view-live").hidden;
  let streams = streamsAllowed();
  for (const picture of pictures.values()) {
    picture.allow(streams-- > 0);
    seen ? picture.start() : picture.stop();
  }
}

function arrange() {
  const state = now.state;
  if (!state) return;
  const wanted = new Map();
  for (const camera of state.cameras) if (camera.pictures !== false) wanted.set(`camera/${camera.camera}`, { camera: camera.camera });
  for (const pair of state.pairs || []) wanted.set(`pair/${pair}`, { pair });
  for (const [key, picture] of pictures) if (!wanted.has(key)) {
    picture.remove();
    pictures.delete(key);
  }
  for (const [key, source] of wanted) if (!pictures.has(key)) pictures.set(key, new Picture(source, $("pictures")));
  $("no-pictures").hidden = wanted.size > 0;
  settle();
}

// --- the line on top ---

let aliveBefore = true, aliveAt = performance.now();

function line() {
  const place = $("now"), r = now.record, lost = $("lost");
  if (now.alive) aliveAt = performance.now();
  const silent = performance.now() - aliveAt > 2500;
  if (!now.alive && silent !== !aliveBefore) {
    lost.textContent = "The service does not answer. This page goes on by itself when it does.";
    lost.hidden = !silent;
    aliveBefore = !silent;
  } else if (now.alive) {
    lost.hidden = true;
    aliveBefore = true;
  }
  const active = r && (r.state === "recording" || r.state === "failed");
  place.classList.toggle("recording", !!active);
  const away = (now.state?.cameras || []).filter(c => c.state !== "running" && c.state !== "ended");
  const text = !now.alive ? "no answer" : active ? `${r.state === "failed" ? "FAILED" : "Recording"} ${r.name}` : away.length ? `${away.map(c => c.camera).join(", ")}: no frames` : `${now.state.cameras.length === 1 ? "1 camera" : `${now.state.cameras.length} cameras`}, ready`;
  if (place.textContent !== text) place.textContent = text;
  const celsius = [...data.units.values()];
  $("unit").textContent = celsius.length && celsius.every(u => u === "counts") ? "counts" : "°C";
}

// --- keys ---

function key(event) {
  if (event.ctrlKey || event.altKey || event.metaKey || event.repeat || $("ask").open) return;
  if (event.target.closest("input:not([type=radio]):not([type=checkbox]), textarea, select, [contenteditable]")) return;
  const name = event.key.toLowerCase();
  if (/^[1-9]$/.test(name)) markKey(Number(name));
  else if (name === "u") undo();
  else if (name === "f") [...pictures.values()][0]?.toggleFull();
  else if (name === "h") hold();
  else if (name === "l") location.hash = "#live";
  else if (name === "e") location.hash = "#health";
  else if (name === "?") location.hash = "#help";
  else return;
  event.preventDefault();
}

view();
addEventListener("hashchange", view);
document.addEventListener("visibilitychange", settle);
addEventListener("keydown", key);
pulse.addEventListener("beat", arrange);
pulse.addEventListener("beat", line);
setInterval(() => { for (const picture of pictures.values()) picture.tick(); }, 100);
curves();
session();
health();
regions(pictures);
live();
records();

// For tests and measurements.
window.thermoface = { pictures, data, figures, now, time };

// The session: what speaks against it, start, marks, stop, shutters.
import { ask, get, mayControl, mono, now, post, pulse, Refused, utc } from "./api.js";
import { bytes, time } from "./health.js";

const $ = id => document.getElementById(id);
const TEXTS = ["stimulus", "response", "rest", "talking", "movement", "touching face", "question", "break", "other"];

let texts = read("thermoface.marks", TEXTS), editing = false, busy = false;

function read(key, otherwise) {
  try { return JSON.parse(localStorage.getItem(key)) || otherwise; } catch { return otherwise; }
}

function keep(key, value) {
  try { localStorage.setItem(key, JSON.stringify(value)); } catch { /* private windows may refuse */ }
}

function say(text, kind = "") {
  const place = $("session-message");
  place.textContent = text;
  place.className = `message ${kind}`;
  place.hidden = !text;
}

const recording = () => now.record && (now.record.state === "recording" || now.record.state === "failed");
const lostOf = c => c.refused + c.rows_lost + c.lost_driver + c.lost_capture;

// "12 by camera and driver, 3 refused"
function losses(c) {
  const places = [[c.lost_driver, "by camera and driver"], [c.lost_capture, "in capture"], [c.refused, "refused: encoder or disk too slow"], [c.rows_lost, "rows"], [c.not_analysed, "not analysed"], [c.annotated_lost, "pictures of the annotated video"]];
  return places.filter(([n]) => n).map(([n, name]) => `${n} ${name}`).join(", ");
}

// --- before the start ---

function listWarnings(warnings) {
  $("warnings").replaceChildren(...warnings.map(w => {
    const item = document.createElement("li");
    item.className = w.refuses ? "refused" : "";
    item.dataset.code = w.code;
    item.textContent = w.camera ? `${w.camera}: ${w.text}` : w.text;
    return item;
  }));
  $("overrule").hidden = !warnings.length || warnings.some(w => w.refuses) || !$("overrule").dataset.asked;
}

async function check() {
  if (!now.alive) return;
  const answer = await get("record/check").catch(() => null);
  now.check = answer;
  if (!answer || recording()) return;
  const rate = answer.bytes_per_second;
  $("forecast").textContent = answer.free_bytes === undefined ? "" :
    `${(rate / 1e6).toFixed(1)} MB/s${answer.measured ? "" : " at most"}, ${bytes(answer.free_bytes)} free: ${rate > 0 ? `${answer.hours.toFixed(1)} hours` : "…"}`;
  listWarnings(answer.warnings);
}

async function start(event) {
  event.preventDefault();
  const form = $("start-form"), body = {};
  for (const name of ["subject", "session", "task", "note"]) if (form.elements[name].value.trim()) body[name] = form.elements[name].value.trim();
  keep("thermoface.session", body);
  if (event.submitter?.id !== "overrule") body.check = true;
  await guarded(async () => {
    await post("record/start", body);
    delete $("overrule").dataset.asked;
    say("");
    await ask();
  }, error => {
    if (!error.answer?.warnings) return false;
    $("overrule").dataset.asked = "1";
    listWarnings(error.answer.warnings);
    say(error.message, "bad");
    return true;
  });
}

// One thing at a time; an error is said where it was asked for.
async function guarded(action, otherwise) {
  if (busy) return;
  busy = true;
  try {
    await action();
  } catch (error) {
    if (!otherwise?.(error)) say(error instanceof Refused ? error.message : "The service does not answer.", "bad");
  } finally {
    busy = false;
    show();
  }
}

// --- while it runs ---

function confirmStop() {
  const dialog = $("ask");
  $("ask-text").textContent = `${now.record?.name ?? "The session"} has run for ${$("run-time").textContent}.`;
  dialog.returnValue = "no";
  dialog.showModal();
}

async function stop() {
  await guarded(async () => {
    const answer = await post("record/stop", {}, 120);
    const lost = answer.cameras.map(c => [c.camera, losses(c)]).filter(([, text]) => text).map(([camera, text]) => `${camera}: ${text}`);
    const frames = answer.cameras.map(c => `${c.camera} ${c.frames.toLocaleString("en")} frames`).join(", ");
    if (answer.state === "failed") say(`Ended with errors: ${answer.error}. ${lost.join("; ")}`, "bad");
    else say(`Complete: ${answer.name}; ${frames}, ${answer.marks} marks. ${lost.length ? `Lost: ${lost.join("; ")}.` : "Nothing was lost."}`, lost.length ? "bad" : "good");
    await ask();
  });
}

// --- marks ---

export async function mark(text, value) {
  const t = mono(), body = { text };
  if (value !== undefined && value !== "") body.value = Number.isFinite(Number(value)) ? Number(value) : value;
  // The moment of the key, not that of the request's arrival.
  const age = () => Math.max(0, (mono() - t) * 1000);
  body.age_ms = Number.isFinite(t) ? age() : 0;
  try {
    await post("mark", body);
    await ask();
  } catch (error) {
    say(error instanceof Refused ? error.message : "The mark was not taken: the service does not answer.", "bad");
  }
}

export async function undo(number) {
  const marks = now.record?.recent_marks || [], last = number ?? marks.findLast(m => !m.undone)?.mark;
  if (last === undefined) return;
  try {
    await post("mark/undo", { mark: last });
    await ask();
  } catch (error) {
    say(error instanceof Refused ? error.message : "The service does not answer.", "bad");
  }
}

export function markKey(key) {
  if (recording() && mayControl() && texts[key - 1]) mark(texts[key - 1]);
  else if (mayControl()) say("Nothing is being recorded: the mark has nowhere to go.", "bad");
}

function buildKeys() {
  const place = $("keys");
  place.replaceChildren(...texts.map((text, i) => {
    const key = document.createElement("kbd");
    key.textContent = i + 1;
    if (editing) {
      const label = document.createElement("label"), input = document.createElement("input");
      input.value = text;
      input.maxLength = 60;
      input.addEventListener("input", () => {
        texts[i] = input.value;
        keep("thermoface.marks", texts);
      });
      label.append(key, input);
      return label;
    }
    const button = document.createElement("button"), name = document.createElement("span");
    button.type = "button";
    name.textContent = text;
    button.title = text;
    button.append(key, name);
    button.addEventListener("click", () => mark(text));
    button.disabled = !text || !recording() || !mayControl();
    return button;
  }));
  $("edit-marks").setAttribute("aria-pressed", String(editing));
  $("edit-marks").textContent = editing ? "Done" : "Edit texts";
}

let shownMarks = "";

function listMarks() {
  const marks = now.record?.recent_marks || [], key = JSON.stringify(marks) + mayControl();
  if (key === shownMarks) return;
  shownMarks = key;
  $("mark-list").replaceChildren(...marks.toReversed().map(m => {
    const item = document.createElement("li"), when = document.createElement("span"), text = document.createElement("span");
    when.textContent = time(m.onset);
    when.title = utc(m.t_mono_ns / 1e9).toLocaleTimeString();
    text.textContent = m.value === undefined ? m.text : `${m.text} = ${m.value}`;
    item.append(when, text);
    item.classList.toggle("undone", !!m.undone);
    if (!m.undone && mayControl()) {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = "Undo";
      button.setAttribute("aria-label", `Undo ${m.text}`);
      button.addEventListener("click", () => undo(m.mark));
      item.append(button);
    }
    return item;
  }));
}

// --- shutters ---

async function move(camera) {
  const place = $("shutter-message");
  place.textContent = `${camera}: …`;
  try {
    await post(`camera/${encodeURIComponent(camera)}/ffc`, {});
    place.textContent = `${camera}: the shutter was moved; the picture settles for some seconds.`;
  } catch (error) {
    place.textContent = `${camera}: ${error instanceof Refused ? error.message : "the service does not answer"}`;
  }
}

function shutters() {
  const able = (now.state?.cameras || []).filter(c => c.shutter.trigger).map(c => c.camera), place = $("shutter-buttons");
  $("shutters").hidden = !able.length || !mayControl();
  if (place.dataset.cameras === able.join()) return;
  place.dataset.cameras = able.join();
  place.replaceChildren(...able.map(camera => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = able.length > 1 ? `Calibrate ${camera}` : "Calibrate now";
    button.addEventListener("click", () => move(camera));
    return button;
  }));
}

// --- what is shown ---

function show() {
  const r = now.record, active = recording(), chip = $("session-state"), control = mayControl();
  chip.textContent = !now.alive ? "no answer" : active ? r.state : r?.state === "none" ? "not here" : "ready";
  chip.className = `chip ${!now.alive || r?.state === "failed" ? "bad" : active ? "bad" : "good"}`;
  $("session-role").hidden = control;
  $("session-role").textContent = "This login may look, not record, mark or move shutters.";
  $("start-form").hidden = active || !control;
  $("running").hidden = !active;
  $("stop").hidden = !control;
  $("mark-form").hidden = !control;
  $("start").disabled = busy || !now.alive;
  for (const element of $("mark-form").elements) element.disabled = !active || !now.alive;
  if (active) {
    $("run-name").textContent = [r.name, r.error].filter(Boolean).join(": ");
    $("run-time").textContent = time(mono() - r.t_start_mono_ns / 1e9);
    const body = $("run-table").tBodies[0];
    while (body.rows.length > r.cameras.length) body.deleteRow(-1);
    r.cameras.forEach((c, i) => {
      const row = body.rows[i] || body.insertRow();
      [c.camera, c.frames.toLocaleString("en"), losses(c) || "none"].forEach((text, k) => {
        const cell = row.cells[k] || row.insertCell();
        if (cell.textContent !== text) cell.textContent = text;
        cell.className = k === 2 && lostOf(c) ? "lost" : "";
      });
    });
  }
  if (!editing) buildKeysOnce();
  listMarks();
  shutters();
}

let shownKeys = "";

function buildKeysOnce() {
  const key = JSON.stringify([texts, recording(), mayControl()]);
  if (key === shownKeys) return;
  shownKeys = key;
  buildKeys();
}

export function session() {
  const form = $("start-form"), last = read("thermoface.session", {});
  for (const name of ["subject", "session", "task"]) if (last[name]) form.elements[name].value = last[name];
  form.addEventListener("submit", start);
  $("stop").addEventListener("click", confirmStop);
  $("ask").addEventListener("close", () => { if ($("ask").returnValue === "yes") stop(); });
  $("edit-marks").addEventListener("click", () => {
    editing = !editing;
    shownKeys = "";
    buildKeys();
  });
  $("mark-form").addEventListener("submit", event => {
    event.preventDefault();
    const { text, value } = event.target.elements;
    mark(text.value.trim(), value.value.trim());
    value.value = "";
  });
  pulse.addEventListener("beat", show);
  setInterval(() => { if (recording()) $("run-time").textContent = time(mono() - now.record.t_start_mono_ns / 1e9); }, 250);
  let beats = 0;
  pulse.addEventListener("beat", () => { if (beats++ % 2 === 0) check(); });
}

// Places points on frames; every change is saved at once. The API is documented in docs/training.md.
const token = new URLSearchParams(location.search).get("token") ?? "";
const $ = (id) => document.getElementById(id);
const canvas = $("view"), pen = canvas.getContext("2d");
const view = { scale: 1, x: 0, y: 0 };
let state, current = -1, item, values, picture, chosen = 0, points = [], past = [], future = [], drag, space = false, accepting = false;
let saving = Promise.resolve();

async function ask(path, options = {}) {
  const answer = await fetch(path, { ...options, headers: { Authorization: `Bearer ${token}` } });
  if (!answer.ok) throw new Error((await answer.json().catch(() => ({}))).error ?? answer.statusText);
  return answer;
}

function say(text, bad = false) {
  $("what").textContent = text;
  $("what").className = bad ? "bad" : "";
}

// ---- the list

function order() {
  const all = state.items.map((_, i) => i), how = $("filter").value;
  if (how === "open") return all.filter((i) => !state.items[i].labelled || i === current);
  if (how === "doubtful") return all.sort((a, b) => (state.items[a].confidence ?? 0) - (state.items[b].confidence ?? 0));
  return all;
}

function list() {
  const rows = order().map((i) => {
    const one = state.items[i], row = document.createElement("li"), button = document.createElement("button");
    const sure = one.confidence === null ? "no face" : `${Math.round(100 * one.confidence)} %`;
    button.textContent = `${one.labelled ? "✓ " : ""}${one.recording} ${one.frame} (${sure})`;
    button.setAttribute("aria-current", String(i === current));
    button.onclick = () => open(i);
    row.append(button);
    return row;
  });
  $("list").replaceChildren(...rows);
  const done = state.items.filter((one) => one.labelled).length;
  $("progress").textContent = `${done} of ${state.items.length} labelled`;
}

function step(by) {
  const all = order(), at = all.indexOf(current);
  const to = all[Math.min(all.length - 1, Math.max(0, at + by))];
  if (to !== undefined && to !== current) return open(to);
}

// ---- one frame

async function open(i) {
  try {
    await saving;
    const [about, pixels] = await Promise.all([ask(`/api/items/${i}`), ask(`/api/items/${i}/pixels`)]);
    item = await about.json();
    values = new Uint16Array(await pixels.arrayBuffer());
  } catch (e) {
    say(`Frame ${i} cannot be read: ${e.message}`, true);
    return;
  }
  current = i;
  points = item.points ?? item.start ?? resting();
  past = [];
  future = [];
  chosen = 0;
  $("person").value = item.person;
  $("glasses").checked = item.glasses;
  $("mask").checked = item.mask;
  $("yaw").value = item.yaw;
  $("quality").value = item.quality;
  tone();
  fit();
  list();
  say(item.points ? "Labelled." : item.start ? "These are the network's points: move what is wrong, Enter saves." :
    "The network sees no face here: put the points where they belong.");
}

// Where the network sees no face: a face of half the picture's height.
function resting() {
  const six = [[-.5, 0], [.5, 0], [0, .6], [-.4, 1], [.4, 1], [0, 1.6]], w = item.width, h = item.height, k = h / 5;
  if (state.points === 6) return six.map(([x, y]) => [w / 2 + k * x, h / 3 + k * y]);
  return Array.from({ length: 68 }, (_, i) => [w / 2 + k * Math.cos(i / 68 * 2 * Math.PI), h / 2 + k * Math.sin(i / 68 * 2 * Math.PI)]);
}

function tone() {
  const sorted = Uint16Array.from(values).sort(), n = sorted.length - 1;
  const lo = sorted[Math.round(n * $("low").value / 100)], hi = sorted[Math.round(n * Math.max(+$("low").value, +$("high").value) / 100)];
  const out = new ImageData(item.width, item.height), k = 255 / Math.max(1, hi - lo);
  values.forEach((v, i) => {
    out.data.fill(Math.max(0, Math.min(255, (v - lo) * k)), 4 * i, 4 * i + 3);
    out.data[4 * i + 3] = 255;
  });
  picture = new OffscreenCanvas(item.width, item.height);
  picture.getContext("2d").putImageData(out, 0, 0);
  draw();
}

// ---- drawing

// Pixel (0, 0) is a centre: its square begins at -0.5.
const toScreen = ([x, y]) => [(x + .5) * view.scale + view.x, (y + .5) * view.scale + view.y];
const toPicture = (x, y) => [(x - view.x) / view.scale - .5, (y - view.y) / view.scale - .5];

function fit() {
  const box = canvas.getBoundingClientRect();
  canvas.width = Math.max(1, box.width);
  canvas.height = Math.max(1, box.height);
  if (!item) return;
  view.scale = .95 * Math.min(canvas.width / item.width, canvas.height / item.height);
  view.x = (canvas.width - item.width * view.scale) / 2;
  view.y = (canvas.height - item.height * view.scale) / 2;
  draw();
}

function draw() {
  if (!picture) return;
  pen.clearRect(0, 0, canvas.width, canvas.height);
  pen.imageSmoothingEnabled = false;
  pen.drawImage(picture, view.x, view.y, item.width * view.scale, item.height * view.scale);
  pen.font = "13px system-ui";
  points.forEach((p, k) => {
    if (!p) return;
    const [x, y] = toScreen(p), r = k === chosen ? 9 : 5;
    for (const [colour, wide] of [["#000", 4], [k === chosen ? "#ff0" : "#0ff", 2]]) {
      pen.strokeStyle = colour;
      pen.lineWidth = wide;
      pen.beginPath();
      pen.moveTo(x - r, y);
      pen.lineTo(x + r, y);
      pen.moveTo(x, y - r);
      pen.lineTo(x, y + r);
      pen.stroke();
    }
    if (state.points === 6 || k === chosen) {
      pen.strokeStyle = "#000";
      pen.lineWidth = 3;
      pen.strokeText(state.names[k], x + 8, y - 6);
      pen.fillStyle = "#fff";
      pen.fillText(state.names[k], x + 8, y - 6);
    }
  });
  $("points").replaceChildren(...points.map((p, k) => {
    const row = document.createElement("li"), button = document.createElement("button");
    button.textContent = `${state.names[k]} ${p ? p.map((v) => v.toFixed(1)).join(", ") : "not visible"}`;
    button.setAttribute("aria-current", String(k === chosen));
    button.onclick = () => choose(k);
    row.append(button);
    return row;
  }));
}

function zoom(by, x, y) {
  const [px, py] = toPicture(x, y);
  view.scale = Math.min(200, Math.max(.2, view.scale * by));
  view.x = x - (px + .5) * view.scale;
  view.y = y - (py + .5) * view.scale;
  draw();
}

// ---- changes

function choose(k) {
  chosen = (k + points.length) % points.length;
  draw();
  say(`${state.names[chosen]}: ${points[chosen] ? points[chosen].map((v) => v.toFixed(1)).join(", ") : "not visible"}`);
}

const copied = () => points.map((p) => p && [...p]);

function remember() {
  past.push(copied());
  future = [];
}

function change(act) {
  remember();
  act();
  draw();
  save();
}

function swap(from, to) {
  if (!from.length) return say("Nothing to go back to.");
  to.push(copied());
  points = from.pop();
  draw();
  save();
}

// One after the other, so that the last change is what stays.
function save() {
  const id = current, body = JSON.stringify({
    points, person: $("person").value.trim() || item.person, glasses: $("glasses").checked, mask: $("mask").checked,
    yaw: $("yaw").value, quality: $("quality").value,
  });
  saving = saving.then(async () => {
    try {
      await ask(`/api/items/${id}`, { method: "PUT", body });
      state.items[id].labelled = true;
      say("Saved.");
    } catch (e) {
      say(`Not saved: ${e.message}`, true);
    }
    list();
  });
  return saving;
}

async function remove() {
  try {
    await saving;
    await ask(`/api/items/${current}`, { method: "DELETE" });
    state.items[current].labelled = false;
    await open(current);
    say("The face is taken out of the table.");
  } catch (e) {
    say(`Not taken back: ${e.message}`, true);
  }
}

const unseen = () => change(() => { points[chosen] = points[chosen] ? null : item.start?.[chosen] ?? [item.width / 2, item.height / 2]; });
const start = () => change(() => { points = (item.start ?? resting()).map((p) => [...p]); });

// One frame at a time: a second Enter before the first is saved would go past a frame without its points.
async function accept() {
  if (accepting) return;
  accepting = true;
  try {
    await save();
    await step(1);
  } finally {
    accepting = false;
  }
}

// ---- hands

canvas.onpointerdown = (e) => {
  canvas.focus();
  canvas.setPointerCapture(e.pointerId);
  if (e.button || space) {
    drag = { pan: true, x: e.offsetX, y: e.offsetY };
    return;
  }
  const near = points.map((p, k) => p ? [Math.hypot(toScreen(p)[0] - e.offsetX, toScreen(p)[1] - e.offsetY), k] : [1e9, k]);
  const [distance, k] = near.reduce((a, b) => b[0] < a[0] ? b : a);
  if (distance < 14) chosen = k;
  remember();
  drag = { pan: false };
  points[chosen] = toPicture(e.offsetX, e.offsetY);
  draw();
};
canvas.onpointermove = (e) => {
  if (!drag) return;
  if (drag.pan) {
    view.x += e.offsetX - drag.x;
    view.y += e.offsetY - drag.y;
    drag = { pan: true, x: e.offsetX, y: e.offsetY };
  } else {
    points[chosen] = toPicture(e.offsetX, e.offsetY);
  }
  draw();
};
canvas.onpointerup = () => {
  const moved = drag && !drag.pan;
  drag = undefined;
  if (moved) save();
};
canvas.oncontextmenu = (e) => e.preventDefault();
canvas.addEventListener("wheel", (e) => {
  e.preventDefault();
  zoom(Math.exp(-e.deltaY / 400), e.offsetX, e.offsetY);
}, { passive: false });

function contrast(id, by) {
  $(id).value = +$(id).value + by;
  tone();
}

const keys = {
  PageUp: () => step(-1), PageDown: () => step(1), Enter: accept, x: unseen, r: start, 0: fit,
  "+": () => zoom(1.25, canvas.width / 2, canvas.height / 2), "-": () => zoom(.8, canvas.width / 2, canvas.height / 2),
  "[": () => contrast("low", -1), "]": () => contrast("low", 1), "{": () => contrast("high", -1), "}": () => contrast("high", 1),
};
const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

addEventListener("keydown", (e) => {
  if (!item || /^(INPUT|SELECT)$/.test(e.target.tagName)) return;
  if (e.ctrlKey || e.metaKey) {
    if (e.key === "z") swap(past, future);
    else if (e.key === "y") swap(future, past);
    else return;
  } else if (e.shiftKey && e.key === "Delete") {
    remove();
  } else if (e.target === canvas && e.key === "Tab") {
    // Beyond the last point and before the first one the keyboard goes on to the rest of the page.
    const to = chosen + (e.shiftKey ? -1 : 1);
    if (to < 0 || to >= points.length) return;
    choose(to);
  } else if (e.target === canvas && moves[e.key]) {
    const k = e.shiftKey ? 2 : .25, [dx, dy] = moves[e.key];
    change(() => { const p = points[chosen] ?? [item.width / 2, item.height / 2]; points[chosen] = [p[0] + k * dx, p[1] + k * dy]; });
  } else if (/^[1-9]$/.test(e.key) && +e.key <= points.length) {
    choose(+e.key - 1);
  } else if (e.key === " " && e.target === canvas) {
    space = true;
  } else if (keys[e.key] && !(e.key === "Enter" && e.target.tagName === "BUTTON")) {
    keys[e.key]();
  } else {
    return;
  }
  e.preventDefault();
});
addEventListener("keyup", (e) => { if (e.key === " ") space = false; });
addEventListener("resize", fit);
$("previous").onclick = () => step(-1);
$("next").onclick = () => step(1);
$("undo").onclick = () => swap(past, future);
$("redo").onclick = () => swap(future, past);
$("start").onclick = start;
$("unseen").onclick = unseen;
$("remove").onclick = remove;
$("fit").onclick = fit;
$("low").oninput = $("high").oninput = tone;
$("filter").onchange = list;
for (const id of ["person", "glasses", "mask", "yaw", "quality"]) $(id).onchange = () => save();

try {
  state = await (await ask("/api/state")).json();
  if (state.items.length) await open(Math.max(0, state.items.findIndex((one) => !one.labelled)));
} catch (e) {
  say(`Nothing can be shown: ${e.message}`, true);
}

// Own regions: the list with its values, and the editor that draws, names, saves.
import { get, mayControl, now, pulse, put, Refused } from "./api.js";
import { Layer } from "./draw.js";
import { data, subject } from "./records.js";
import { converted, fromApi, numbersAsked, numbersOf, numbersText, toApi } from "./shapes.js";

const MAX = 16;
const WHY = { few_pixels: "too few pixels", outside: "reaches beyond the picture", range: "pixels that cannot be measured",
  doubtful_points: "doubtful points", covered: "covered", turned: "turned away" };
const $ = id => document.getElementById(id);
const field = name => $("own-form").elements[`own-${name}`];
const text = list => JSON.stringify(list.map(toApi));

let pictures, saved = [], editing = false, busy = false, overwrite = false, layers = [];

const editor = {
  list: [], selected: null, tool: null, coordinates: "face",

  isSaved: region => saved.some(r => text([r]) === text([region])),
  choose(region) {
    if (editor.selected === region) return;
    editor.selected = region;
    fill();
    list();
  },
  changed(region) {
    if (region === editor.selected) fill();
    show();
  },
  drawn(region) {
    arm(null);
    if (editor.list.length >= MAX) return say(`There are ${MAX} regions: more are not measured.`, "bad");
    const { camera, ...rest } = region;
    const added = { name: unused(), camera: region.coordinates === "pixels" && cameras().length > 1 ? camera : "", ...rest };
    editor.list.push(added);
    say("");
    editor.selected = null;
    editor.choose(added);
    show();
    field("name").focus();
    field("name").select();
  },
  remove(region) {
    editor.list.splice(editor.list.indexOf(region), 1);
    editor.selected = null;
    fill();
    show();
    $("own-save").focus();
  },
  cancel() {
    arm(null);
    say("");
  },
  say,
};

const dirty = () => editing && text(editor.list) !== text(saved);
const cameras = () => (now.state?.cameras || []).map(c => c.camera);
const recording = () => ["recording", "failed"].includes(now.record?.state);

function say(words, kind = "") {
  $("own-message").textContent = words;
  $("own-message").className = `message ${kind}`;
  $("own-message").hidden = !words;
}

function unused() {
  let n = 1;
  while (editor.list.some(r => r.name === `region_${n}`)) n++;
  return `region_${n}`;
}

// --- the list ---

function value(region) {
  if (!editor.isSaved(region)) return "not saved";
  const all = cameras().filter(c => !region.camera || c === region.camera);
  return all.map(camera => {
    const record = data.latest.get(camera), face = record && subject(record);
    const r = region.coordinates === "face" ? face?.regions[region.name] : record?.areas?.[region.name];
    let words = region.coordinates === "face" && !face ? "no face" : !r || r.mean === null ? "no value" : record.unit === "celsius" ? `${r.mean.toFixed(2)} °C` : `${r.mean.toFixed(0)} counts`;
    if (r && r.mean !== null && !r.valid) words += `, not valid: ${r.why.map(w => WHY[w] || w).join(", ")}`;
    return all.length > 1 ? `${camera} ${words}` : words;
  }).join("; ");
}

let listed = "";

function list() {
  const body = $("own-table").tBodies[0], key = JSON.stringify([editing, editor.list.map(r => r.name)]);
  if (key !== listed) {
    listed = key;
    body.replaceChildren(...editor.list.map(region => {
      const row = document.createElement("tr"), name = document.createElement("td"), button = document.createElement("button");
      button.type = "button";
      button.textContent = region.name;
      button.addEventListener("click", () => {
        const chosen = editor.list[row.sectionRowIndex];
        editor.choose(chosen);
        field("name").focus();
      });
      name.append(editing ? button : region.name);
      row.append(name, document.createElement("td"), document.createElement("td"));
      return row;
    }));
  }
  editor.list.forEach((region, i) => {
    const row = body.rows[i], of = region.coordinates === "face" ? "the face" : region.camera ? `picture of ${region.camera}` : "the picture", words = value(region);
    row.querySelector("button")?.setAttribute("aria-pressed", String(region === editor.selected));
    if (row.cells[1].textContent !== of) row.cells[1].textContent = of;
    if (row.cells[2].textContent !== words) row.cells[2].textContent = words;
  });
  $("own-table").hidden = !editor.list.length;
  $("own-none").hidden = !!editor.list.length;
}

// --- the form of the chosen region ---

let filled = null;

function fill() {
  const region = editor.selected;
  $("own-form").hidden = !editing || !region;
  if (!region) return;
  const options = ["", ...cameras(), ...(region.camera && !cameras().includes(region.camera) ? [region.camera] : [])], choice = field("camera");
  if (choice.dataset.options !== options.join()) {
    choice.dataset.options = options.join();
    choice.replaceChildren(...options.map(name => new Option(name || "all", name)));
  }
  $("own-asked").textContent = `${numbersAsked(region.kind)} (${region.coordinates === "face" ? "eye distances" : "pixels"})`;
  for (const [name, now] of [["name", region.name], ["camera", region.camera], ["in", region.coordinates], ["numbers", numbersText(region)]]) {
    if (document.activeElement === field(name) && filled === region && /name|numbers/.test(name)) continue; // somebody types
    field(name).value = now;
    field(name).setCustomValidity("");
  }
  filled = region;
}

function typed(event) {
  const region = editor.selected, input = event.target;
  if (!region) return;
  if (input === field("name")) region.name = input.value;
  else if (input === field("camera")) region.camera = input.value;
  else if (input === field("numbers")) {
    const v = numbersOf(region.kind, input.value);
    input.setCustomValidity(v ? "" : `expected ${numbersAsked(region.kind)}`);
    if (v) region.v = v;
  } else if (input === field("in")) {
    const axes = layers.filter(l => !region.camera || l.camera === region.camera).map(l => l.axes("face")).find(Boolean);
    if (axes) Object.assign(region, converted(region, axes, input.value));
    else say("There is no face in the picture to convert by.", "bad");
    fill();
  }
  show();
}

// --- drawing ---

const HINTS = {
  rectangle: "Press in a corner on the picture and drag to the opposite one.",
  circle: "Press in the middle of the circle on the picture and drag to its edge.",
  polygon: "Press on the picture at each corner; Enter, a double click or the first corner again finishes it.",
};

function arm(tool) {
  editor.tool = tool;
  for (const button of document.querySelectorAll("#own-editor [data-tool]")) button.setAttribute("aria-pressed", String(button.dataset.tool === tool));
  $("own-place").hidden = !tool;
  $("own-finish").hidden = tool !== "polygon";
  if (tool) say("");
  tick(); // a finger that comes at once is to draw, not to scroll
  show();
}

// For those who do not point: a region of some size, to be moved and sized by keys or numbers.
function place() {
  const { tool, coordinates } = editor, face = coordinates === "face";
  const camera = editor.selected?.camera || layers[0]?.camera || cameras()[0], c = now.state?.cameras.find(k => k.camera === camera);
  if (!face && !c?.width) return say("The camera's size is not known yet.", "bad");
  const [x, y, r] = face ? [0, 0.6, 0.2] : [Math.round(c.width / 2), Math.round(c.height / 2), Math.max(3, Math.round(Math.min(c.width, c.height) / 10))];
  const v = { rectangle: [x - r, y - r, 2 * r, 2 * r], circle: [x, y, r], polygon: [x - r, y - r, x + r, y - r, x + r, y + r, x - r, y + r] }[tool];
  editor.drawn({ camera, coordinates, kind: tool, v: v.map(n => Number(n.toFixed(3))) });
}

function finish() {
  if (!layers.some(l => l.finish())) say("A polygon has three corners at least.", "bad");
}

// --- saving ---

// `keep`: what is in the editor is newer than the answer.
function take(answer, keep = false) {
  saved = answer.regions.map(fromApi);
  $("own-configuration").value = answer.configuration;
  $("own-text").hidden = !answer.configuration;
  const name = editor.selected?.name;
  if (!keep && text(editor.list) !== text(saved)) {
    editor.list = saved.map(r => ({ ...r, v: [...r.v] }));
    editor.selected = editor.list.find(r => r.name === name) || null;
    fill();
  }
}

function mistake() {
  const names = editor.list.map(r => r.name), i = names.findIndex((name, k) => !/^[a-z][a-z0-9_]{0,31}$/.test(name) || names.indexOf(name) !== k);
  if (i < 0) return field("numbers").validationMessage && !$("own-form").hidden ? `${editor.selected.name}: ${field("numbers").validationMessage}.` : "";
  editor.choose(editor.list[i]);
  field("name").focus();
  return names.indexOf(names[i]) !== i ? `There are two regions of the name "${names[i]}".` : `"${names[i]}" is not a name: a-z, 0-9 and _, a letter first, at most 32.`;
}

async function save() {
  const wrong = mistake();
  if (wrong) return say(`Not saved. ${wrong}`, "bad");
  if (busy) return;
  if (!dirty()) return say("Nothing has changed: there is nothing to save.");
  busy = true;
  say("");
  try {
    const others = (await get("regions")).regions.map(fromApi);
    if (text(others) !== text(saved) && !overwrite) {
      overwrite = true;
      say("Not saved. Somebody else has changed the regions since: Save again puts yours in their place, Discard changes shows theirs.", "bad");
      return;
    }
    overwrite = false;
    const sent = text(editor.list);
    take(await put("regions", { regions: editor.list.map(toApi) }), sent !== text(editor.list));
    say("Saved: measured from the next frame on, until the service ends.", "good");
  } catch (error) {
    say(`Not saved. ${error instanceof Refused ? sentence(error.message) : "The service does not answer."}`, "bad");
  } finally {
    busy = false;
    show();
  }
}

const sentence = words => `${words[0].toUpperCase()}${words.slice(1)}${/[.!?]$/.test(words) ? "" : "."}`;

async function refresh(anyway) {
  if ((dirty() && !anyway) || busy || !now.alive) return;
  const answer = await get("regions").catch(error => error);
  if (busy || (dirty() && !anyway)) return;
  $("own").hidden = answer instanceof Refused && answer.status === 404;
  if (answer.regions) take(answer);
  show();
}

// --- the card ---

function edit() {
  if (dirty()) return say("Save or discard the changes first.", "bad");
  editing = !editing;
  editor.selected = null;
  listed = "";
  arm(null);
  say("");
  fill();
  show();
}

async function discard() {
  editor.selected = null;
  overwrite = false;
  arm(null);
  say("");
  await refresh(true);
  fill();
}

function show() {
  const control = mayControl(), mapped = layers.some(l => l.scale);
  if (!control && editing) {
    editing = false;
    editor.selected = null;
    fill();
  }
  $("own").classList.toggle("editing", editing);
  $("own-edit").hidden = !control;
  $("own-edit").textContent = editing ? "Done" : "Change";
  $("own-edit").setAttribute("aria-pressed", String(editing));
  $("own-role").hidden = control;
  $("own-editor").hidden = $("own-actions").hidden = !editing;
  const hint = recording() ? "A session is being recorded: regions stay as they are until it has ended." : editor.tool ? mapped ? HINTS[editor.tool] : "There is no picture to draw on yet: place it in the middle and set its numbers." : "";
  if ($("own-hint").textContent !== hint) $("own-hint").textContent = hint;
  list();
}

function tick() {
  const wanted = editing ? [...pictures.values()].filter(p => p.source.camera) : [];
  layers = layers.filter(layer => wanted.includes(layer.picture) || layer.remove());
  for (const picture of wanted) {
    const layer = layers.find(l => l.picture === picture);
    layer ? layer.tick() : layers.push(new Layer(picture, editor));
  }
}

export function regions(shown) {
  pictures = shown;
  $("own-edit").addEventListener("click", edit);
  $("own-coordinates").addEventListener("change", event => { editor.coordinates = event.target.value; });
  for (const button of document.querySelectorAll("#own-editor [data-tool]")) button.addEventListener("click", () => arm(editor.tool === button.dataset.tool ? null : button.dataset.tool));
  $("own-editor").addEventListener("keydown", event => { if (event.key === "Escape" && editor.tool) editor.cancel(); });
  $("own-place").addEventListener("click", place);
  $("own-finish").addEventListener("click", finish);
  $("own-form").addEventListener("input", typed);
  $("own-form").addEventListener("submit", event => {
    event.preventDefault();
    save();
  });
  $("own-delete").addEventListener("click", () => editor.remove(editor.selected));
  $("own-save").addEventListener("click", save);
  $("own-discard").addEventListener("click", discard);
  $("own-copy").addEventListener("click", () => {
    $("own-configuration").select();
    say(document.execCommand("copy") ? "Copied." : "It is marked: copy it with Ctrl+C.", "good");
  });
  addEventListener("beforeunload", event => { if (dirty()) event.preventDefault(); });
  let beats = 0;
  pulse.addEventListener("beat", () => {
    if (beats++ % 5 === 0) refresh();
    show();
  });
  setInterval(tick, 100);
  setInterval(list, 500);
}

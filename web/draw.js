// Own regions over a live picture: drawn, moved and sized with mouse, finger or keys.
import { now } from "./api.js";
import { data, subject } from "./records.js";
import { axesOf, circle, CORNERS_MAX, finest, fromPixels, grown, handles, moved, numbersText, outline, PIXELS, polygon, rectangle, resized, toPixels } from "./shapes.js";

const NEAR = 12, STILL = 4; // pixels of the screen: a corner is met; a hand has not moved
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

function make(kind, parent, attributes) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", kind);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  parent.append(element);
  return element;
}

function set(element, name, value) {
  if (element.getAttribute(name) !== String(value)) element.setAttribute(name, value);
}

export class Layer {
  // `editor`: {list, selected, tool, coordinates, isSaved(region), choose(region), changed(region), drawn(region), remove(region), cancel(), say(text, kind)}
  constructor(picture, editor) {
    this.picture = picture;
    this.camera = picture.source.camera;
    this.editor = editor;
    this.scale = 0; // pixels of the screen a pixel of the camera; 0: not known
    this.history = [];
    this.groups = new Map();
    this.svg = make("svg", picture.screen, { class: "draw", role: "group", tabindex: -1, preserveAspectRatio: "none", "aria-label": `Own regions on ${this.camera}` });
    this.shapes = make("g", this.svg, {});
    this.sketch = make("polyline", this.svg, { class: "sketch" });
    this.grips = make("g", this.svg, {});
    for (const [name, action] of [["pointerdown", "down"], ["pointermove", "move"], ["pointerup", "up"], ["pointercancel", "lost"], ["keydown", "key"], ["focusin", "focus"]])
      this.svg.addEventListener(name, event => this[action](event));
    this.tick();
  }

  remove() {
    this.svg.remove();
  }

  // --- where things lie ---

  state() {
    return now.state?.cameras.find(c => c.camera === this.camera);
  }

  // Over the camera's part of the annotated picture, wherever the page shows it.
  place() {
    const c = this.state(), p = c?.picture, screen = this.picture.screen.querySelector("video, canvas");
    const width = screen?.videoWidth || screen?.width, height = screen?.videoHeight || screen?.height;
    if (!p || !c.width || width !== p.width || height !== p.height || c.width * p.factor > width || c.height * p.factor > height) return 0;
    const scale = Math.min(screen.clientWidth / width, screen.clientHeight / height), style = this.svg.style;
    style.left = `${screen.offsetLeft + (screen.clientWidth - width * scale) / 2}px`;
    style.top = `${screen.offsetTop + (screen.clientHeight - height * scale) / 2}px`;
    style.width = `${c.width * p.factor * scale}px`;
    style.height = `${c.height * p.factor * scale}px`;
    set(this.svg, "viewBox", `-0.5 -0.5 ${c.width} ${c.height}`);
    this.size = [c.width, c.height];
    return p.factor * scale;
  }

  // The face as it was in the picture that is on the screen: records come earlier than pictures.
  follow() {
    const record = data.latest.get(this.camera), t = record && record.t_mono_ns / 1e9, past = this.history;
    if (record && past.at(-1)?.t !== t) past.push({ t, axes: axesOf(subject(record)) });
    if (past.length > 20) past.shift();
    const shown = this.picture.shown, away = h => Math.abs(h.t - (Number.isFinite(shown) ? shown : Infinity));
    this.face = past.length ? past.reduce((a, b) => away(b) <= away(a) ? b : a).axes : null;
  }

  axes(coordinates) {
    return coordinates === "face" ? this.face : PIXELS;
  }

  point(event) {
    const box = this.svg.getBoundingClientRect(), fit = (n, most) => Math.min(Math.max(n, 0), most) - 0.5;
    return [fit((event.clientX - box.left) / this.scale, this.size[0]), fit((event.clientY - box.top) / this.scale, this.size[1])];
  }

  far(a, b) {
    return Math.hypot(a[0] - b[0], a[1] - b[1]) * this.scale;
  }

  // --- what is shown ---

  tick() {
    this.follow();
    this.scale = this.place();
    this.svg.toggleAttribute("hidden", !this.scale);
    if (!this.scale) return;
    const { list, tool } = this.editor, here = list.filter(r => !r.camera || r.camera === this.camera);
    this.svg.classList.toggle("armed", !!tool);
    if (!tool) this.pending = null;
    for (const [region, parts] of this.groups) if (!here.includes(region)) {
      parts.g.remove();
      this.groups.delete(region);
    }
    for (const region of here) this.show(region);
    this.showGrips(here.includes(this.editor.selected) ? this.editor.selected : null);
    this.showSketch();
  }

  text(region, points) {
    const a = this.axes(region.coordinates);
    return a ? (points || outline(region)).map(p => toPixels(a, p).map(n => n.toFixed(2)).join(",")).join(" ") : "";
  }

  show(region) {
    let parts = this.groups.get(region);
    if (!parts) {
      const g = make("g", this.shapes, { class: "shape" });
      parts = { g, under: make("polygon", g, { class: "under" }), over: make("polygon", g, { class: "over", tabindex: 0, role: "button" }), label: make("text", g, { "aria-hidden": "true" }) };
      parts.over.region = region;
      this.groups.set(region, parts);
    }
    const points = this.text(region), selected = region === this.editor.selected;
    parts.g.toggleAttribute("hidden", !points);
    parts.g.classList.toggle("selected", selected);
    set(parts.under, "points", points);
    set(parts.over, "points", points);
    set(parts.over, "aria-pressed", selected);
    set(parts.over, "aria-label", `${region.name}, ${region.kind} ${numbersText(region)}`);
    if (!points) return;
    const corners = points.split(" ").map(p => p.split(",").map(Number));
    set(parts.label, "x", Math.min(...corners.map(p => p[0])).toFixed(2));
    set(parts.label, "y", (Math.max(...corners.map(p => p[1])) + 14 / this.scale).toFixed(2));
    set(parts.label, "font-size", (12 / this.scale).toFixed(3));
    const name = this.editor.isSaved(region) ? "" : region.name; // the picture itself names those that are measured
    if (parts.label.textContent !== name) parts.label.textContent = name;
  }

  showGrips(region) {
    const a = region && this.axes(region.coordinates), places = a ? handles(region) : [];
    while (this.grips.childElementCount > places.length) this.grips.lastElementChild.remove();
    while (this.grips.childElementCount < places.length) {
      const g = make("g", this.grips, { class: "grip", tabindex: 0, role: "button" });
      make("circle", g, { class: "reach" });
      make("circle", g, { class: "dot" });
    }
    [...this.grips.children].forEach((g, i) => {
      const [x, y] = toPixels(a, places[i]);
      g.number = i;
      set(g, "aria-label", `${region.name}, ${region.kind === "circle" ? "radius" : `corner ${i + 1}`}: ${places[i].map(n => Number(n.toFixed(2))).join(", ")}`);
      for (const [circle, r] of [[g.children[0], 16], [g.children[1], 6]]) {
        set(circle, "cx", x.toFixed(2));
        set(circle, "cy", y.toFixed(2));
        set(circle, "r", (r / this.scale).toFixed(3));
      }
    });
  }

  showSketch() {
    const p = this.pending;
    set(this.sketch, "points", !p ? "" : p.kind === "polygon" ? this.text(p, [...p.points, p.cursor]) : `${this.text(this.sketched())} ${this.text(this.sketched()).split(" ")[0]}`);
  }

  // --- drawing ---

  sketched() {
    const { kind, coordinates, points, cursor } = this.pending, region = { kind, coordinates };
    return { ...region, camera: this.camera, v: kind === "rectangle" ? rectangle(region, points[0], cursor) : kind === "circle" ? circle(region, points[0], cursor) : polygon(region, points) };
  }

  down(event) {
    if (event.button !== 0 || !event.isPrimary || !this.scale) return;
    const { tool, coordinates, selected } = this.editor, at = this.point(event), target = event.target;
    if (tool) return this.begin(event, tool, coordinates, at);
    const grip = target.closest(".grip"), region = grip ? selected : target.region, a = region && this.axes(region.coordinates);
    if (!a) return;
    this.drag = { region, from: { ...region }, grip: grip ? grip.number : -1, start: fromPixels(a, at), at };
    this.svg.setPointerCapture(event.pointerId);
    this.editor.choose(region);
  }

  begin(event, kind, coordinates, at) {
    const a = this.axes(coordinates);
    if (!a) return this.editor.say("There is no face in the picture that the region could be placed by. Look into the camera, or choose pixels.", "bad");
    const p = fromPixels(a, at), pending = this.pending;
    this.svg.focus({ preventScroll: true });
    if (!pending) {
      this.pending = { kind, coordinates, points: [p], cursor: p, from: at };
      if (kind !== "polygon") this.svg.setPointerCapture(event.pointerId);
      return;
    }
    const near = (i, limit) => this.far(toPixels(a, pending.points.at(i)), at) < limit, whole = pending.points.length >= 3;
    if (near(-1, STILL) || (whole && near(0, NEAR))) pending.round = whole; // a double click, or the first corner again
    else pending.points.push(p);
    pending.round ||= pending.points.length === CORNERS_MAX;
  }

  move(event) {
    const { pending, drag } = this, region = pending || drag?.region, a = region && this.scale && this.axes(region.coordinates);
    if (!a) return;
    const at = this.point(event), p = fromPixels(a, at);
    if (pending) {
      pending.cursor = p;
      this.showSketch();
    } else {
      if (this.far(at, drag.at) < STILL && !drag.moving) return;
      drag.moving = true;
      region.v = drag.grip >= 0 ? resized(drag.from, drag.grip, p) : moved(drag.from, p[0] - drag.start[0], p[1] - drag.start[1]);
      this.editor.changed(region);
      this.tick();
    }
  }

  up(event) {
    const pending = this.pending;
    this.drag = null;
    if (!pending || (pending.kind === "polygon" && !pending.round)) return;
    if (pending.kind === "polygon") return this.finish(); // now: a press takes the focus with it
    this.move(event);
    if (this.far(pending.from, this.point(event)) >= STILL) return this.finish();
    this.pending = null;
    this.showSketch();
    this.editor.say(pending.kind === "circle" ? "Press in the middle of the circle and drag to its edge." : "Press in a corner and drag to the opposite one.", "");
  }

  // Another took the finger (a scroll, the system): as if nothing had happened.
  lost() {
    if (this.drag) {
      this.drag.region.v = this.drag.from.v;
      this.editor.changed(this.drag.region);
    }
    this.drag = null;
    if (this.pending?.kind !== "polygon") this.pending = null;
    this.tick();
  }

  // Ends a sketch with what is there; false: that is nothing yet.
  finish() {
    const pending = this.pending;
    if (!pending || (pending.kind === "polygon" && pending.points.length < 3)) return false;
    const region = this.sketched();
    this.pending = null;
    this.editor.drawn(region);
    return true;
  }

  // --- keys ---

  focus(event) {
    const region = event.target.region;
    if (region && !this.editor.tool) this.editor.choose(region);
  }

  key(event) {
    const { tool, selected } = this.editor, grip = event.target.closest(".grip"), region = grip ? selected : event.target.region;
    if (tool && event.key === "Escape") this.editor.cancel();
    else if (tool && event.key === "Enter") this.finish() || this.editor.say("A polygon has three corners at least.", "bad");
    else if (!region || event.ctrlKey || event.altKey || event.metaKey || !this.scale) return;
    else if (event.key === "Delete" || event.key === "Backspace") this.editor.remove(region);
    else if (["+", "=", "-"].includes(event.key)) this.alter(region, grown(region, (event.key === "-" ? -1 : 1) * finest(region)));
    else if (ARROWS[event.key]) {
      const step = finest(region) * (event.shiftKey ? 10 : 1), [x, y] = ARROWS[event.key].map(n => n * step);
      const p = grip && handles(region)[grip.number];
      this.alter(region, grip ? resized(region, grip.number, [p[0] + x, p[1] + y]) : moved(region, x, y));
    } else if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    event.stopPropagation();
  }

  alter(region, v) {
    region.v = v;
    this.editor.changed(region);
    this.tick();
  }
}

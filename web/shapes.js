// Shapes of own regions (docs/regions.md): their numbers, and where these lie in the upright camera picture.

export const KINDS = ["rectangle", "circle", "polygon"];
export const CORNERS_MAX = 24;
const ASKED = { rectangle: "X, Y, width, height", circle: "X, Y, radius", polygon: "Corners X,Y X,Y …" };

export const numbersAsked = kind => ASKED[kind];

// --- regions of GET and PUT /regions, with all numbers of a shape in `v` ---

export function fromApi(region) {
  const kind = KINDS.find(k => region[k]);
  return { name: region.name, camera: region.camera || "", coordinates: region.coordinates || "pixels", kind, v: region[kind].flat() };
}

export function toApi({ name, camera, coordinates, kind, v }) {
  return { name, ...(camera && { camera }), coordinates, [kind]: kind === "polygon" ? pairs(v) : v };
}

const pairs = v => Array.from({ length: v.length / 2 }, (_, i) => [v[2 * i], v[2 * i + 1]]);

export function numbersText({ kind, v }) {
  return kind === "polygon" ? pairs(v).map(p => p.join(",")).join(" ") : v.join(", ");
}

// The numbers of a text, or null where they are not such a shape's.
export function numbersOf(kind, text) {
  const words = text.split(/[\s,;]+/).filter(Boolean), v = words.map(Number);
  if (!v.every(Number.isFinite)) return null;
  if (kind === "polygon") return v.length >= 6 && v.length <= 2 * CORNERS_MAX && v.length % 2 === 0 ? v : null;
  if (v.length !== (kind === "circle" ? 3 : 4) || !v.slice(2).every(n => n > 0)) return null;
  return v;
}

// --- coordinates ---

export const PIXELS = { x: 0, y: 0, rx: 1, ry: 0 };

// The axes of face coordinates: origin in pixels, and an eye distance along x. Null where the face has no points.
export function axesOf(face) {
  const points = face && (face.points_from === "visible" ? face.points_visible : face.points);
  if (!points || points.length !== 68) return null;
  const eyes = points.slice(36, 48), mean = i => eyes.reduce((sum, p) => sum + p[i], 0) / 12;
  const a = { x: mean(0), y: mean(1), rx: points[45][0] - points[36][0], ry: points[45][1] - points[36][1] };
  return Math.hypot(a.rx, a.ry) > 0 ? a : null;
}

export const toPixels = (a, [u, v]) => [a.x + u * a.rx - v * a.ry, a.y + u * a.ry + v * a.rx];

export function fromPixels(a, [x, y]) {
  const dx = x - a.x, dy = y - a.y, n = a.rx ** 2 + a.ry ** 2;
  return [(dx * a.rx + dy * a.ry) / n, (dy * a.rx - dx * a.ry) / n];
}

// --- changes; points are in the region's own coordinates ---

// In pixels a rectangle begins before its first pixel, whose centre is a whole number.
const half = region => region.coordinates === "pixels" ? 0.5 : 0;
const round = (region, n) => Number(n.toFixed(region.coordinates === "pixels" ? 1 : 3));
export const finest = region => region.coordinates === "pixels" ? 1 : 0.01;

export function outline(region) {
  const { kind, v } = region, h = half(region);
  if (kind === "polygon") return pairs(v);
  if (kind === "circle") return Array.from({ length: 48 }, (_, i) => [v[0] + v[2] * Math.cos(i * Math.PI / 24), v[1] + v[2] * Math.sin(i * Math.PI / 24)]);
  const [x, y, w, t] = [v[0] - h, v[1] - h, v[2], v[3]];
  return [[x, y], [x + w, y], [x + w, y + t], [x, y + t]];
}

export function rectangle(region, a, b) {
  const h = half(region), x = Math.min(a[0], b[0]) + h, y = Math.min(a[1], b[1]) + h;
  const right = Math.max(a[0], b[0]) + h, bottom = Math.max(a[1], b[1]) + h;
  if (h) return [Math.round(x), Math.round(y), Math.max(1, Math.round(right) - Math.round(x)), Math.max(1, Math.round(bottom) - Math.round(y))];
  return [round(region, x), round(region, y), Math.max(0.01, round(region, right - x)), Math.max(0.01, round(region, bottom - y))];
}

export const circle = (region, middle, edge) =>
  [round(region, middle[0]), round(region, middle[1]), Math.max(finest(region), round(region, Math.hypot(edge[0] - middle[0], edge[1] - middle[1])))];

export const polygon = (region, points) => points.flat().map(n => round(region, n));

export function moved(region, du, dv) {
  const whole = region.coordinates === "pixels" && region.kind === "rectangle";
  const fit = n => whole ? Math.round(n) : round(region, n);
  if (region.kind === "polygon") return region.v.map((n, i) => round(region, n + (i % 2 ? dv : du)));
  return [fit(region.v[0] + du), fit(region.v[1] + dv), ...region.v.slice(2)];
}

// Places that change size: corners, or one on a circle's right.
export const handles = region => region.kind === "circle" ? [[region.v[0] + region.v[2], region.v[1]]] : outline(region);

// `from` is the region as it was when handle `i` was taken.
export function resized(from, i, point) {
  if (from.kind === "circle") return circle(from, from.v, point);
  if (from.kind === "rectangle") return rectangle(from, outline(from)[(i + 2) % 4], point);
  return polygon(from, pairs(from.v).map((p, k) => k === i ? point : p));
}

export function grown(region, step) {
  const { kind, v } = region, least = finest(region);
  if (kind === "circle") return [v[0], v[1], Math.max(least, round(region, v[2] + step))];
  if (kind === "rectangle") return [v[0], v[1], Math.max(least, round(region, v[2] + step)), Math.max(least, round(region, v[3] + step))];
  const n = v.length / 2, x = pairs(v).reduce((s, p) => s + p[0], 0) / n, y = pairs(v).reduce((s, p) => s + p[1], 0) / n;
  return polygon(region, pairs(v).map(p => {
    const far = Math.hypot(p[0] - x, p[1] - y), factor = far > 0 ? Math.max(least, far + step) / far : 1;
    return [x + (p[0] - x) * factor, y + (p[1] - y) * factor];
  }));
}

// The same place in the other coordinates; a rectangle keeps its sides' lengths and takes the new axes' direction.
export function converted(region, a, coordinates) {
  if (region.coordinates === coordinates) return region;
  const face = coordinates === "face", scale = face ? 1 / Math.hypot(a.rx, a.ry) : Math.hypot(a.rx, a.ry);
  const map = p => face ? fromPixels(a, p) : toPixels(a, p), to = { ...region, coordinates };
  if (region.kind === "polygon") return { ...to, v: polygon(to, pairs(region.v).map(map)) };
  if (region.kind === "circle") {
    const [x, y] = map(region.v);
    return { ...to, v: circle(to, [x, y], [x + region.v[2] * scale, y]) };
  }
  const corners = outline(region), [x, y] = map([(corners[0][0] + corners[2][0]) / 2, (corners[0][1] + corners[2][1]) / 2]);
  const w = region.v[2] * scale / 2, h = region.v[3] * scale / 2;
  return { ...to, v: rectangle(to, [x - w, y - h], [x + w, y + h]) };
}

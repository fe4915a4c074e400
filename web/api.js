// The service over HTTP: requests, its clock, and what it says every second.

export const home = new URL("..", import.meta.url);

export function address(path, query) {
  const url = new URL(path, home);
  for (const [name, value] of Object.entries(query || {})) url.searchParams.set(name, value);
  return url;
}

export class Refused extends Error {
  constructor(status, answer) {
    super(answer && answer.error ? answer.error : `the service answers ${status}`);
    this.status = status;
    this.answer = answer || {};
  }
}

async function answerOf(response) {
  const text = await response.text();
  let answer = null;
  try { answer = JSON.parse(text); } catch { /* not JSON: a proxy's page, say */ }
  if (!response.ok) throw new Refused(response.status, answer);
  return answer;
}

export async function get(path, query, seconds = 5) {
  return answerOf(await fetch(address(path, query), { signal: AbortSignal.timeout(seconds * 1000), cache: "no-store" }));
}

async function send(method, path, body, seconds) {
  return answerOf(await fetch(address(path), {
    method, headers: { "Content-Type": "application/json" }, body: JSON.stringify(body || {}),
    signal: AbortSignal.timeout(seconds * 1000),
  }));
}

export const post = (path, body, seconds = 30) => send("POST", path, body, seconds);
export const put = (path, body, seconds = 30) => send("PUT", path, body, seconds);

// --- the service's CLOCK_MONOTONIC, in seconds ---

let best = null; // { delay, offset, at }

export function mono() {
  return best ? performance.now() / 1000 + best.offset : NaN;
}

export async function compareClocks() {
  const samples = [];
  for (let i = 0; i < 5; i++) {
    const t0 = performance.now() / 1000;
    const c = await get("clock");
    const t3 = performance.now() / 1000;
    const t1 = c.receive_t_mono_ns / 1e9, t2 = c.send_t_mono_ns / 1e9;
    samples.push({ delay: (t3 - t0) - (t2 - t1), offset: ((t1 - t0) + (t2 - t3)) / 2, utc: c.utc_offset_ns });
  }
  samples.sort((a, b) => a.delay - b.delay);
  best = samples[0];
}

// The wall clock of a moment of the service's.
export function utc(tMono) {
  return new Date(best ? tMono * 1000 + best.utc / 1e6 : NaN);
}

// --- what is asked every second ---

export const pulse = new EventTarget();
export const now = { state: null, record: null, access: { role: "watch" }, alive: false, check: null };

let lastUptime = Infinity;

async function beat() {
  try {
    const [state, record] = await Promise.all([get("state"), get("record").catch(refusedAs)]);
    if (!now.alive || state.uptime_s < lastUptime) {
      await compareClocks();
      now.access = await get("access");
    }
    lastUptime = state.uptime_s;
    now.state = state;
    now.record = record;
    now.alive = true;
    now.error = null;
  } catch (error) {
    now.alive = false;
    now.error = error;
  }
  pulse.dispatchEvent(new Event("beat"));
}

function refusedAs(error) {
  if (error instanceof Refused) return { state: "none", error: error.message };
  throw error;
}

export function ask() {
  return beat();
}

export async function live() {
  let n = 0;
  for (;;) {
    await beat();
    if (now.alive && ++n % 60 === 0) await compareClocks().catch(() => {});
    await new Promise(done => setTimeout(done, 1000));
  }
}

export function mayControl() {
  return now.access.role === "control";
}

// The data of a run as the page uses them: every moment is an item {t, kind, text, …}, t in microseconds.

const KINDS = {
  line: 'serial', request: 'request', w: 'wifi', l: 'network', s: 'session', d: 'status', c: 'clock', f: 'fault',
  p: 'pin', r: 'reset', o: 'power', g: 'guest fault', u: 'unmodelled', n: 'note', i: 'input', t: 'step', x: 'expectation',
};

const models = new Map();

function pad(n, width) { return String(n).padStart(width, '0'); }

// 0:45:03.120; with `fine`, microseconds where they are not zero.
function clock(us, fine) {
  const whole = Math.max(0, Math.round(us));
  const ms = Math.floor(whole / 1000);
  const text = `${Math.floor(ms / 3600000)}:${pad(Math.floor(ms / 60000) % 60, 2)}:${pad(Math.floor(ms / 1000) % 60, 2)}.${pad(ms % 1000, 3)}`;
  return fine && whole % 1000 ? text + pad(whole % 1000, 3) : text;
}

function duration(us) {
  if (us < 1000) return `${us} µs`;
  if (us < 1e6) return `${+(us / 1000).toPrecision(3)} ms`;
  if (us < 60e6) return `${+(us / 1e6).toPrecision(3)} s`;
  const s = Math.round(us / 1e6);
  return s < 3600 ? `${Math.floor(s / 60)} min ${s % 60} s` : `${Math.floor(s / 3600)} h ${Math.floor(s / 60) % 60} min`;
}

function signed(us) { return `${us < 0 ? '−' : '+'}${duration(Math.abs(us))}`; }

function statusClass(status) {
  if (!status) return 'none';
  return status < 400 ? 'ok' : status < 500 ? 'warn' : 'bad';
}

function model(index) {
  if (!models.has(index)) models.set(index, decode(JSON.parse(document.getElementById(`run-${index}`).textContent)));
  return models.get(index);
}

function decode(raw) {
  const S = raw.strings;
  const m = { ...raw, end: Math.max(raw.end_us, 1), lines: [], reqs: [], items: [], by: {} };
  let t = 0;
  for (let i = 0; i < raw.serial.length; i += 2) {
    t += raw.serial[i];
    m.lines.push({ t, kind: 'line', text: S[raw.serial[i + 1]], n: i / 2 });
  }
  for (const n of raw.usb) m.lines[n].usb = true;
  t = 0;
  for (const r of raw.requests) {
    t += r[0];
    const pairs = (h) => { const out = []; for (let i = 0; i < h.length; i += 2) out.push([S[h[i]], S[h[i + 1]]]); return out; };
    const q = {
      t, kind: 'request', n: m.reqs.length, id: r[1], connection: r[2], endpoint: r[3] < 0 ? '' : raw.endpoints[r[3]], status: r[4],
      method: S[r[5]], target: S[r[6]], body: S[r[8]], reply: S[r[10]], effect: S[r[11]], effectAt: r[12], replyAt: r[13],
    };
    Object.defineProperty(q, 'heads', { get: () => [pairs(raw.heads[r[7]]), pairs(raw.heads[r[9]])] });
    q.text = `${q.method} ${q.target} → ${q.status || 'no reply'}${q.effect ? `, ${q.effect}` : ''}`;
    m.reqs.push(q);
  }
  t = 0;
  const marks = [];
  for (const [dt, kind, a, b, text] of raw.marks) {
    t += dt;
    const item = { t, kind, a, b, text: S[text], n: marks.length };
    describe(item, raw, S);
    // An expectation stands where it was decided, which may be told later: at the end of the run, for what must never happen.
    if (kind === 'x') item.t = item.expectation.at_us;
    marks.push(item);
    (m.by[kind] ??= []).push(item);
  }
  m.by.x?.sort((x, y) => x.t - y.t);
  m.frames = [];
  let bin = 0;
  for (let i = 0; i < raw.bins.length; i += 3) {
    bin += raw.bins[i];
    m.frames.push({ t: bin * raw.bin_us, up: raw.bins[i + 1], down: raw.bins[i + 2] });
  }
  // One time order. Each part is in order already; the sort is stable.
  m.items = [...m.lines, ...m.reqs, ...marks].sort((x, y) => x.t - y.t);
  m.items.forEach((item, i) => { item.order = i; });
  m.interest = m.items.filter(interesting);
  m.bands = bands(m, S);
  return m;
}

function describe(item, raw, S) {
  switch (item.kind) {
    case 'l': if (item.b) item.text += ` (connection ${item.b})`; break;
    case 's': item.session = S[item.b]; item.text += ` (${short(item.session)})`; break;
    case 'd': item.device = S[item.b]; break;
    case 'c': item.clock = item.text; item.text = `${item.clock} clock ${signed(item.a)} from true time`; break;
    case 'f': item.name = item.text; item.text = `fault ${item.name} ${['fired', 'ended', 'never fired'][item.a]}`; break;
    case 'p': item.text = `GPIO${item.b} ${['low', 'high', 'undriven'][item.a]}`; break;
    case 't': item.text = `step ${item.b + 1} ${['started', 'done', 'failed'][item.a]}${item.text ? `: ${item.text}` : ''}`; break;
    case 'x': item.expectation = raw.expectations[item.b]; item.text = `${item.text} ${item.a ? 'held' : 'failed'}`; break;
    case 'i': item.text = `typed: ${item.text}`; break;
    case 'w': item.text = `WiFi ${item.text}`; break;
  }
}

function short(text) { return text.length > 20 ? `${text.slice(0, 16)}…` : text; }

// What the keys n and p stop at.
function interesting(item) {
  switch (item.kind) {
    case 'x': return !item.a;
    case 'f': case 'r': case 'g': return true;
    case 't': return item.a === 2;
    case 'w': return item.a === 0 || item.a === 3;
    case 's': return item.a >= 2;
    case 'd': return item.a === 2;
    case 'request': return item.endpoint === 'renew-session' || item.status >= 500 || !item.status;
    default: return false;
  }
}

// States that last: lists of {t0, t1, text, tone, item}, by lane.
function bands(m, S) {
  const out = { wifi: [], status: {}, session: {}, faults: [], power: [] };
  const close = (list, t) => { const last = list[list.length - 1]; if (last && last.t1 === undefined) last.t1 = t; };
  for (const w of m.by.w ?? []) {
    if (w.a === 1) { close(out.wifi, w.t); out.wifi.push({ t0: w.t, text: w.text.replace('WiFi associated with ', ''), tone: 'wifi', item: w }); }
    if (w.a === 0) close(out.wifi, w.t);
  }
  for (const d of m.by.d ?? []) {
    const list = (out.status[d.device] ??= []);
    close(list, d.t);
    list.push({ t0: d.t, text: ['ONLINE', 'AWAY', 'OFFLINE'][d.a], tone: ['online', 'away', 'offline'][d.a], item: d });
  }
  for (const s of m.by.s ?? []) {
    const device = s.text.split(':')[0];
    const list = (out.session[device] ??= []);
    if (s.a >= 3) {
      const open = list.findLast((x) => x.item.session === s.session && x.t1 === undefined);
      if (open) open.t1 = s.t;
    } else {
      // A renewal replaces the session; a recovery may leave an older one valid until it is said to end.
      if (s.a === 1) close(list, s.t);
      list.push({ t0: s.t, text: short(s.session), tone: list.length % 2 ? 'session2' : 'session', item: s });
    }
  }
  const open = new Map();
  for (const f of m.by.f ?? []) {
    if (f.a === 0) { const band = { t0: f.t, text: f.name, tone: 'fault', item: f }; open.set(f.name, band); out.faults.push(band); }
    if (f.a === 1 && open.has(f.name)) { open.get(f.name).t1 = f.t; open.delete(f.name); }
  }
  for (const list of [out.wifi, out.faults, ...Object.values(out.status), ...Object.values(out.session)]) {
    for (const band of list) band.t1 ??= m.end;
  }
  return out;
}

// Index of the first element of `list` (by .t) at or after t.
function lower(list, t) {
  let lo = 0, hi = list.length;
  while (lo < hi) { const mid = (lo + hi) >> 1; if (list[mid].t < t) lo = mid + 1; else hi = mid; }
  return lo;
}

function nearest(list, t) {
  const i = lower(list, t);
  const a = list[i - 1], b = list[i];
  return !a ? b : !b ? a : t - a.t <= b.t - t ? a : b;
}

function el(tag, props, ...children) {
  const node = document.createElement(tag);
  for (const [key, value] of Object.entries(props ?? {})) {
    if (value === undefined || value === false) continue;
    if (key.startsWith('on')) node.addEventListener(key.slice(2), value);
    else if (key === 'class') node.className = value;
    else node.setAttribute(key, value === true ? '' : value);
  }
  node.append(...children.filter((c) => c !== undefined && c !== null && c !== false));
  return node;
}

const $ = (id) => document.getElementById(id);

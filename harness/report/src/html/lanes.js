// The lanes of the timeline: what each draws, and what lies under a point.

let colours = {};

function readColours() {
  const style = getComputedStyle(document.documentElement);
  colours = {};
  for (const name of ['card', 'line', 'soft', 'text', 'dim', 'accent', 'hit', 'pass', 'fail', 'c-serial', 'c-ok', 'c-warn', 'c-bad', 'c-none', 'c-wifi',
    'c-frame', 'c-session', 'c-session2', 'c-clock', 'c-pin', 'c-online', 'c-away', 'c-offline', 'c-fault']) {
    colours[name] = style.getPropertyValue(`--${name}`).trim();
  }
}

// A view of the lane while it is drawn: {g, x(t), t(x), t0, t1, width, y, h}.

function clipText(v, text, x, width, y, colour, mono) {
  if (width < 26) return;
  const g = v.g;
  g.save();
  g.beginPath();
  g.rect(x, v.y, width, v.h);
  g.clip();
  g.fillStyle = colour;
  g.font = mono ? fonts.mono : fonts.small;
  g.fillText(text, x + 5, y);
  g.restore();
}

// Black or white, whichever reads better on `colour` (#rrggbb; relative luminance as in WCAG 2.2).
function textOn(colour) {
  const [r, g, b] = [1, 3, 5].map((i) => (parseInt(colour.slice(i, i + 2), 16) / 255) ** 2.2);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.18 ? '#10181f' : '#ffffff';
}

function bandLane(label, list, height = 22) {
  return {
    label, height,
    draw(v) {
      for (const b of list) {
        if (b.t1 < v.t0 || b.t0 > v.t1) continue;
        const x0 = Math.max(v.x(b.t0), -2), x1 = Math.min(v.x(b.t1), v.width + 2);
        v.g.fillStyle = colours[`c-${b.tone}`];
        v.g.fillRect(x0, v.y + 2, Math.max(x1 - x0 - 1, 2), v.h - 4);
        clipText(v, b.text, Math.max(x0, 0), x1 - Math.max(x0, 0) - 4, v.y + v.h / 2 + 1, textOn(colours[`c-${b.tone}`]));
      }
    },
    at(v, x) {
      const t = v.t(x);
      // Two pixels beside a band that is only a line still mean the band.
      const slack = v.t(x + 3) - t;
      return list.findLast((b) => b.t0 - slack <= t && t <= b.t1 + slack)?.item;
    },
  };
}

// Items as shapes; `style(item)` gives {colour, shape} and, for what lasts, until when.
function pointLane(label, list, height, style) {
  return {
    label, height,
    draw(v) {
      const drawn = new Map();
      for (let i = lower(list, v.t(-8)); i < list.length && list[i].t <= v.t1; i++) {
        const s = style(list[i]);
        const x = v.x(list[i].t);
        const key = s.shape + s.colour;
        // What falls on the same pixel looks the same: draw it once.
        if (x - (drawn.get(key) ?? -9) < 0.7) continue;
        drawn.set(key, x);
        const long = s.until === undefined ? 0 : v.x(s.until) - x;
        if (long > 4) { v.g.fillStyle = colours[s.colour]; v.g.globalAlpha = 0.35; v.g.fillRect(x, v.y + 4, long, v.h - 8); v.g.globalAlpha = 1; }
        shape(v.g, s.shape, x, v.y + v.h / 2, Math.min(v.h - 4, 16), colours[s.colour]);
      }
    },
    at(v, x) {
      let best, distance = 9;
      for (let i = lower(list, v.t(x - 9)); i < list.length && list[i].t <= v.t(x + 9); i++) {
        const d = Math.abs(v.x(list[i].t) - x);
        if (d < distance) { best = list[i]; distance = d; }
      }
      return best;
    },
  };
}

function shape(g, kind, x, y, h, colour) {
  g.fillStyle = colour;
  g.strokeStyle = colour;
  const r = Math.min(h / 2 - 1, 6);
  g.beginPath();
  switch (kind) {
    case 'tick': g.fillRect(x - 0.75, y - h / 2 + 1, 1.5, h - 2); return;
    case 'bar': g.fillRect(x - 1.5, y - h / 2 + 1, 3, h - 2); return;
    case 'diamond': g.moveTo(x, y - r - 1); g.lineTo(x + r + 1, y); g.lineTo(x, y + r + 1); g.lineTo(x - r - 1, y); g.fill(); return;
    case 'triangle': g.moveTo(x, y - r); g.lineTo(x + r, y + r); g.lineTo(x - r, y + r); g.fill(); return;
    case 'square': g.fillRect(x - r, y - r, 2 * r, 2 * r); return;
    case 'ring': g.lineWidth = 1.6; g.arc(x, y, r - 0.5, 0, 7); g.stroke(); return;
    case 'cross': g.lineWidth = 2.4; g.moveTo(x - r, y - r); g.lineTo(x + r, y + r); g.moveTo(x + r, y - r); g.lineTo(x - r, y + r); g.stroke(); return;
    case 'check': g.lineWidth = 2.2; g.moveTo(x - r, y); g.lineTo(x - r / 4, y + r - 1); g.lineTo(x + r, y - r + 1); g.stroke(); return;
    default: g.arc(x, y, r, 0, 7); g.fill();
  }
}

function serialLane(m) {
  const lane = pointLane('serial', m.lines, 34, () => ({ colour: 'c-serial', shape: 'tick' }));
  const ticks = lane.draw;
  lane.draw = (v) => {
    const from = lower(m.lines, v.t0), to = lower(m.lines, v.t1);
    if (to - from > v.width / 70) { density(v, from, to); return; }
    ticks(v);
    for (let i = Math.max(0, from - 1); i < to; i++) {
      const x = Math.max(v.x(m.lines[i].t), -3);
      const until = i + 1 < m.lines.length ? v.x(m.lines[i + 1].t) : v.width;
      clipText(v, m.lines[i].text, x + 1, Math.min(until, v.width) - x - 3, v.y + v.h / 2, colours.text, true);
    }
  };
  // Lines per pixel column, as bars: the height is their number.
  function density(v, from, to) {
    const step = 3, columns = new Map();
    for (let i = from; i < to; i++) {
      const c = Math.floor(v.x(m.lines[i].t) / step);
      columns.set(c, (columns.get(c) ?? 0) + 1);
    }
    const max = Math.max(...columns.values(), 4);
    v.g.fillStyle = colours['c-serial'];
    for (const [c, n] of columns) {
      const h = Math.max(5, Math.sqrt(n / max) * (v.h - 8));
      v.g.fillRect(c * step, v.y + v.h - 3 - h, step - 1, h);
    }
  }
  return lane;
}

function frameLane(m) {
  return {
    label: 'frames ↑↓', height: 40,
    draw(v) {
      const step = 2, columns = [];
      const first = Math.max(0, lower(m.frames, v.t0) - 1);
      const wide = v.x(v.t0 + m.bin_us);
      let max = 1;
      for (let i = first; i < m.frames.length && m.frames[i].t <= v.t1; i++) {
        const f = m.frames[i];
        const c = wide > step ? v.x(f.t) : Math.floor(v.x(f.t) / step) * step;
        const last = columns[columns.length - 1];
        if (last && last.x === c) { last.up += f.up; last.down += f.down; } else columns.push({ x: c, up: f.up, down: f.down });
      }
      for (const c of columns) max = Math.max(max, c.up, c.down);
      const mid = v.y + v.h / 2, scale = v.h / 2 - 4;
      v.g.fillStyle = colours.line;
      v.g.fillRect(0, mid - 0.5, v.width, 1);
      for (const c of columns) {
        const w = Math.max(wide > step ? wide - 1 : step - 0.5, 1.5);
        v.g.fillStyle = colours['c-frame'];
        v.g.fillRect(c.x, mid - 1, w, -Math.sqrt(c.up / max) * scale);
        v.g.fillStyle = colours['c-wifi'];
        v.g.fillRect(c.x, mid + 1, w, Math.sqrt(c.down / max) * scale);
      }
    },
    at: () => undefined,
    tip(v, x) {
      const t = v.t(x);
      const i = lower(m.frames, t - m.bin_us + 1);
      const f = m.frames[i];
      return f && f.t <= t ? `${clock(f.t)} + ${duration(m.bin_us)}\n${f.up} frames from the device, ${f.down} to it` : undefined;
    },
  };
}

// Registrations and renewals apart from the rest, in which nobody would see them; then a lane for each class
// of status.
function requestLanes(m) {
  const shapes = { ok: 'bar', warn: 'triangle', bad: 'square', none: 'ring' };
  const until = (q) => (q.replyAt >= 0 ? q.t + q.replyAt : undefined);
  const key = (q) => q.endpoint === 'renew-session' || q.endpoint === 'register';
  const look = (q) => {
    const cls = statusClass(q.status);
    return { colour: `c-${cls}`, shape: key(q) && cls === 'ok' ? 'diamond' : shapes[cls], until: until(q) };
  };
  const of = (...classes) => m.reqs.filter((q) => classes.includes(statusClass(q.status)));
  return [
    pointLane('renew, register', m.reqs.filter(key), 22, look), pointLane('requests 2xx', of('ok'), 20, look),
    pointLane('4xx', of('warn'), 20, look), pointLane('5xx, none', of('bad', 'none'), 20, look),
  ];
}

function clockLane(m) {
  const list = m.by.c ?? [];
  const names = [...new Set(list.map((c) => c.clock))];
  const tones = ['c-clock', 'c-session', 'c-warn'];
  const max = Math.max(1, ...list.map((c) => Math.abs(c.a)));
  const lane = pointLane(`clock offset\n±${duration(max)}`, list, 36, () => ({ colour: 'c-clock', shape: 'tick' }));
  lane.draw = (v) => {
    const mid = v.y + v.h / 2;
    const y = (a) => mid - (a / max) * (v.h / 2 - 5);
    v.g.fillStyle = colours.line;
    v.g.fillRect(0, mid - 0.5, v.width, 1);
    names.forEach((name, n) => {
      v.g.strokeStyle = colours[tones[n % 3]];
      v.g.lineWidth = 1.6;
      v.g.beginPath();
      let value = 0, lastX = Math.max(0, v.x(0));
      v.g.moveTo(lastX, y(0));
      for (const c of list) {
        if (c.clock !== name) continue;
        lastX = Math.max(-5, Math.min(v.x(c.t), v.width + 5));
        v.g.lineTo(lastX, y(value));
        value = c.a;
        v.g.lineTo(lastX, y(value));
      }
      v.g.lineTo(Math.min(v.x(m.end), v.width), y(value));
      v.g.stroke();
    });
  };
  return lane;
}

function pinLane(m, gpio) {
  const list = (m.by.p ?? []).filter((p) => p.b === gpio);
  const lane = pointLane(`GPIO${gpio}`, list, 24, () => ({ colour: 'c-pin', shape: 'tick' }));
  lane.draw = (v) => {
    const high = v.y + 5, low = v.y + v.h - 5, mid = v.y + v.h / 2;
    const level = (a) => (a === 2 ? mid : a ? high : low);
    let a = 2, x = Math.max(0, v.x(0)), lastDrawn = -1;
    v.g.lineWidth = 1.6;
    const line = (to) => {
      v.g.strokeStyle = a === 2 ? colours.dim : colours['c-pin'];
      v.g.setLineDash(a === 2 ? [3, 3] : []);
      v.g.beginPath();
      v.g.moveTo(x, level(a));
      v.g.lineTo(to, level(a));
      v.g.stroke();
      if (a === 1) { v.g.globalAlpha = 0.18; v.g.fillStyle = colours['c-pin']; v.g.fillRect(x, high, to - x, low - high); v.g.globalAlpha = 1; }
    };
    for (const p of list) {
      const px = Math.max(-5, Math.min(v.x(p.t), v.width + 5));
      if (px > x + 0.3) { line(px); x = px; }
      v.g.setLineDash([]);
      if (px !== lastDrawn) {
        v.g.strokeStyle = colours['c-pin'];
        v.g.beginPath(); v.g.moveTo(px, level(a)); v.g.lineTo(px, level(p.a)); v.g.stroke();
        lastDrawn = px;
      }
      a = p.a;
    }
    line(Math.min(v.x(m.end), v.width));
    v.g.setLineDash([]);
  };
  return lane;
}

function markLane(m) {
  const list = m.items.filter((i) => 'xtrogun'.includes(i.kind) && i.kind.length === 1);
  return pointLane('verdicts', list, 26, (i) => {
    switch (i.kind) {
      case 'x': return i.a ? { colour: 'pass', shape: 'check' } : { colour: 'fail', shape: 'cross' };
      case 't': return i.a === 2 ? { colour: 'fail', shape: 'cross' } : { colour: 'c-none', shape: 'tick' };
      case 'g': return { colour: 'fail', shape: 'square' };
      case 'u': return { colour: 'c-warn', shape: 'triangle' };
      case 'r': case 'o': return { colour: 'accent', shape: 'diamond' };
      default: return { colour: 'c-none', shape: 'ring' };
    }
  });
}

function lanesOf(m) {
  const lanes = [markLane(m)];
  if (m.by.f) lanes.push(bandLane('faults', m.bands.faults));
  lanes.push(serialLane(m));
  const wifi = bandLane('WiFi', m.bands.wifi);
  const refused = pointLane('', (m.by.w ?? []).filter((w) => w.a !== 1), 20, (w) => ({ colour: w.a === 2 ? 'c-none' : 'c-bad', shape: w.a === 2 ? 'ring' : 'cross' }));
  lanes.push({ ...wifi, draw(v) { wifi.draw(v); refused.draw(v); }, at: (v, x) => refused.at(v, x) ?? wifi.at(v, x) });
  const problems = (m.by.l ?? []).filter((l) => l.a || !l.b);
  if (problems.length) lanes.push(pointLane('network', problems, 20, (l) => ({ colour: l.a ? 'c-bad' : 'c-none', shape: l.a ? 'triangle' : 'tick' })));
  if (m.frames.length) lanes.push(frameLane(m));
  lanes.push(...requestLanes(m));
  const many = Object.keys(m.bands.session).length > 1 || Object.keys(m.bands.status).length > 1;
  for (const [device, list] of Object.entries(m.bands.session)) {
    const ends = pointLane('', (m.by.s ?? []).filter((s) => s.a >= 3 && s.text.startsWith(`${device}:`)), 20, () => ({ colour: 'c-bad', shape: 'cross' }));
    const band = bandLane(many ? `session ${device}` : 'session', list);
    lanes.push({ ...band, draw(v) { band.draw(v); ends.draw(v); }, at: (v, x) => ends.at(v, x) ?? band.at(v, x) });
  }
  for (const [device, list] of Object.entries(m.bands.status)) lanes.push(bandLane(many ? `status ${device}` : 'status', list));
  if (m.by.c) lanes.push(clockLane(m));
  for (const gpio of [...new Set((m.by.p ?? []).map((p) => p.b))].sort((a, b) => a - b)) lanes.push(pinLane(m, gpio));
  return lanes;
}

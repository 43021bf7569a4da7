// The timeline: one canvas, a view [t0, t1] over the run, and the hands that move it.

const RULER = 26;
const MINI_HEIGHT = 34;
const MIN_SPAN = 200; // microseconds
const fonts = {};

class Timeline {
  constructor(m, onSelect) {
    this.m = m;
    this.onSelect = onSelect;
    this.lanes = lanesOf(m);
    this.t0 = 0;
    this.t1 = m.end;
    this.hits = [];
    this.selected = undefined;
    this.hover = undefined;
    this.layout();
  }

  layout() {
    const narrow = matchMedia('(max-width: 640px)').matches;
    const style = getComputedStyle(document.body);
    fonts.small = `12px ${style.fontFamily}`;
    fonts.mono = `12px ${getComputedStyle(document.documentElement).getPropertyValue('--mono')}`;
    const labels = $('labels');
    labels.replaceChildren();
    let y = RULER;
    for (const lane of this.lanes) {
      lane.y = y + (narrow ? 14 : 0);
      const label = el('span', { style: `top:${y}px;height:${lane.height}px` }, narrow ? lane.label.replace('\n', ' ') : lane.label);
      label.style.whiteSpace = 'pre-line';
      labels.append(label);
      y += lane.height + (narrow ? 14 : 0);
    }
    this.height = y + 4;
    labels.style.minHeight = narrow ? '0' : `${this.height}px`;
    this.width = Math.max($('stage').clientWidth, 50);
    this.context = sized($('canvas'), this.width, this.height);
    this.mini = sized($('mini-canvas'), $('mini').clientWidth, MINI_HEIGHT);
    this.drawMini = true;
    this.draw();
  }

  // The view as a lane sees it.
  view(lane) {
    const scale = this.width / (this.t1 - this.t0);
    return {
      g: this.context, t0: this.t0, t1: this.t1, width: this.width, y: lane?.y ?? 0, h: lane?.height ?? this.height,
      x: (t) => (t - this.t0) * scale, t: (x) => this.t0 + x / scale,
    };
  }

  draw() {
    if (this.frame) return;
    this.frame = requestAnimationFrame(() => { this.frame = 0; this.paint(); });
  }

  paint() {
    const g = this.context, v = this.view();
    g.clearRect(0, 0, this.width, this.height);
    g.textBaseline = 'middle';
    this.lanes.forEach((lane, i) => {
      if (i % 2 === 0) { g.fillStyle = colours.soft; g.globalAlpha = 0.5; g.fillRect(0, lane.y, this.width, lane.height); g.globalAlpha = 1; }
    });
    this.ruler(g, v);
    for (const lane of this.lanes) lane.draw(this.view(lane));
    const failed = (this.m.by.x ?? []).filter((x) => !x.a);
    for (const x of failed) this.rule(g, v.x(x.t), colours.fail, [4, 4]);
    if (this.selected) {
      const x = v.x(this.selected.t);
      this.rule(g, x, colours.accent);
      g.fillStyle = colours.accent;
      g.beginPath(); g.moveTo(x - 6, 0); g.lineTo(x + 6, 0); g.lineTo(x, 8); g.fill();
    }
    if (this.hover !== undefined) this.rule(g, this.hover, colours.dim, [2, 3]);
    this.paintMini();
    $('range').textContent = `${clock(this.t0)} – ${clock(this.t1)} (${duration(Math.round(this.t1 - this.t0))})`;
  }

  rule(g, x, colour, dash = []) {
    if (x < -1 || x > this.width + 1) return;
    g.strokeStyle = colour;
    g.lineWidth = 1.25;
    g.setLineDash(dash);
    g.beginPath(); g.moveTo(x, 0); g.lineTo(x, this.height); g.stroke();
    g.setLineDash([]);
  }

  ruler(g, v) {
    const step = niceStep((this.t1 - this.t0) / (this.width / 96));
    g.font = fonts.small;
    g.strokeStyle = colours.line;
    g.lineWidth = 1;
    g.textAlign = 'left';
    for (let t = Math.ceil(this.t0 / step) * step; t <= this.t1; t += step) {
      const x = Math.round(v.x(t)) + 0.5;
      g.beginPath(); g.moveTo(x, 0); g.lineTo(x, this.height); g.stroke();
      const text = tickText(t, step);
      if (x + g.measureText(text).width + 6 < this.width) { g.fillStyle = colours.dim; g.fillText(text, x + 4, 11); }
    }
    g.fillStyle = colours.hit;
    let last = -9;
    for (let i = lower(this.hits, this.t0); i < this.hits.length && this.hits[i].t <= this.t1; i++) {
      const x = v.x(this.hits[i].t);
      if (x - last < 1) continue;
      last = x;
      g.fillRect(x - 1.5, RULER - 6, 3, 6);
    }
  }

  paintMini() {
    const w = $('mini').clientWidth, h = MINI_HEIGHT, m = this.m;
    if (this.drawMini) {
      // The background changes with the run and the theme only: keep it as a picture.
      this.drawMini = false;
      this.picture = document.createElement('canvas');
      const g = sized(this.picture, w, h);
      const x = (t) => (t / m.end) * w;
      const strip = (list, y, height) => {
        for (const b of list) { g.fillStyle = colours[`c-${b.tone}`]; g.fillRect(x(b.t0), y, Math.max(x(b.t1) - x(b.t0), 1.5), height); }
      };
      strip(Object.values(m.bands.status)[0] ?? m.bands.wifi, 25, 4);
      strip(m.bands.faults, 4, 4);
      for (const q of m.reqs) {
        const cls = statusClass(q.status);
        g.fillStyle = colours[`c-${cls}`];
        if (cls === 'ok') { g.globalAlpha = 0.35; g.fillRect(x(q.t), 12, 1, 10); g.globalAlpha = 1; } else g.fillRect(x(q.t), 10, 1.5, 14);
      }
      for (const item of m.by.x ?? []) { if (!item.a) { g.fillStyle = colours.fail; g.fillRect(x(item.t) - 1, 0, 2, h); } }
    }
    const g = this.mini;
    g.clearRect(0, 0, w, h);
    g.drawImage(this.picture, 0, 0, w, h);
    const x0 = (this.t0 / m.end) * w, x1 = Math.max((this.t1 / m.end) * w, x0 + 3);
    g.fillStyle = colours.card;
    g.globalAlpha = 0.65;
    g.fillRect(0, 0, x0, h);
    g.fillRect(x1, 0, w - x1, h);
    g.globalAlpha = 1;
    g.strokeStyle = colours.accent;
    g.lineWidth = 1.5;
    g.strokeRect(x0 + 0.75, 0.75, x1 - x0 - 1.5, h - 1.5);
  }

  // Shows [t0, t1], kept within the run.
  show(t0, t1) {
    const span = Math.min(Math.max(t1 - t0, MIN_SPAN), this.m.end);
    let from = t0 + (t1 - t0 - span) / 2;
    from = Math.min(Math.max(from, 0), this.m.end - span);
    this.t0 = from;
    this.t1 = from + span;
    this.draw();
  }

  zoom(factor, x = this.width / 2) {
    const t = this.view().t(x);
    this.show(t - (t - this.t0) * factor, t + (this.t1 - t) * factor);
  }

  pan(part) { const d = (this.t1 - this.t0) * part; this.show(this.t0 + d, this.t1 + d); }

  reveal(t, span) {
    const now = this.t1 - this.t0;
    const want = Math.min(span ?? now, now);
    if (want === now && t > this.t0 + now * 0.08 && t < this.t1 - now * 0.08) this.draw();
    else this.show(t - want / 2, t + want / 2);
  }

  laneAt(y) { return this.lanes.find((l) => y >= l.y && y < l.y + l.height); }

  itemAt(x, y) { const lane = this.laneAt(y); return lane?.at(this.view(lane), x); }

  tipAt(x, y) {
    const lane = this.laneAt(y);
    if (!lane) return clock(this.view().t(x));
    const item = lane.at(this.view(lane), x);
    return item ? `${clock(item.t)}  ${item.text}` : lane.tip?.(this.view(lane), x) ?? clock(this.view().t(x));
  }
}

function sized(canvas, width, height) {
  const ratio = Math.min(window.devicePixelRatio || 1, 3);
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  canvas.style.height = `${height}px`;
  const g = canvas.getContext('2d');
  g.scale(ratio, ratio);
  return g;
}

function niceStep(us) {
  const steps = [1, 2, 5, 10, 20, 50, 100, 200, 500].flatMap((s) => [s, s * 1000]);
  steps.push(1e6, 2e6, 5e6, 10e6, 15e6, 30e6, 60e6, 120e6, 300e6, 600e6, 900e6, 1800e6, 3600e6, 7200e6, 21600e6, 86400e6);
  steps.sort((a, b) => a - b);
  return steps.find((s) => s >= us) ?? 86400e6 * Math.ceil(us / 86400e6);
}

function tickText(t, step) {
  const text = clock(t, true);
  if (step >= 1e6) return text.slice(0, -4);
  return step >= 1000 ? clock(t) : text;
}

// Mouse, touch and keys. `current()` gives the timeline that is shown.
function wire(current) {
  const stage = $('stage'), tip = $('tip'), mini = $('mini');
  const pointers = new Map();
  let moved = 0, pinch = 0;
  const at = (e) => { const r = stage.getBoundingClientRect(); return [e.clientX - r.left, e.clientY - r.top]; };
  const hideTip = () => { tip.hidden = true; current().hover = undefined; current().draw(); };
  stage.addEventListener('pointerdown', (e) => {
    if (e.button) return;
    pointers.set(e.pointerId, at(e));
    stage.setPointerCapture(e.pointerId);
    moved = 0;
    pinch = 0;
  });
  stage.addEventListener('pointermove', (e) => {
    const tl = current(), [x, y] = at(e), before = pointers.get(e.pointerId);
    if (before) {
      pointers.set(e.pointerId, [x, y]);
      if (pointers.size === 2) {
        const [a, b] = [...pointers.values()];
        const distance = Math.hypot(a[0] - b[0], a[1] - b[1]);
        if (pinch) tl.zoom(pinch / Math.max(distance, 1), (a[0] + b[0]) / 2);
        pinch = distance;
        moved = 99;
      } else {
        moved += Math.abs(x - before[0]) + Math.abs(y - before[1]) / 4;
        if (moved > 3) { stage.classList.add('dragging'); tl.pan((before[0] - x) / tl.width); }
      }
      tip.hidden = true;
      return;
    }
    if (e.pointerType === 'touch') return;
    tl.hover = x;
    tip.textContent = tl.tipAt(x, y);
    tip.hidden = false;
    tip.style.left = `${Math.max(4, Math.min(x + 14, tl.width - tip.offsetWidth - 4))}px`;
    tip.style.top = `${y + 18 + tip.offsetHeight > tl.height ? y - tip.offsetHeight - 10 : y + 18}px`;
    tl.draw();
  });
  const up = (e) => {
    if (!pointers.delete(e.pointerId)) return;
    stage.classList.remove('dragging');
    if (e.type === 'pointerup' && moved <= 3) {
      const item = current().itemAt(...at(e));
      if (item) current().onSelect(item);
    }
  };
  stage.addEventListener('pointerup', up);
  stage.addEventListener('pointercancel', up);
  stage.addEventListener('pointerleave', hideTip);
  stage.addEventListener('dblclick', (e) => current().zoom(0.25, at(e)[0]));
  stage.addEventListener('wheel', (e) => {
    const tl = current();
    const across = e.shiftKey ? e.deltaY || e.deltaX : e.deltaX;
    if (e.ctrlKey || e.metaKey) { e.preventDefault(); tl.zoom(Math.exp(Math.max(-60, Math.min(60, e.deltaY)) * 0.008), at(e)[0]); }
    else if (Math.abs(across) > Math.abs(e.shiftKey ? 0 : e.deltaY)) { e.preventDefault(); tl.pan(across / tl.width); }
  }, { passive: false });
  stage.addEventListener('keydown', (e) => {
    const tl = current();
    const keys = {
      ArrowLeft: () => tl.pan(-0.2), ArrowRight: () => tl.pan(0.2), PageUp: () => tl.pan(-0.9), PageDown: () => tl.pan(0.9),
      '+': () => tl.zoom(0.5), '=': () => tl.zoom(0.5), '-': () => tl.zoom(2), 0: () => tl.show(0, tl.m.end),
      Home: () => tl.show(0, tl.t1 - tl.t0), End: () => tl.show(tl.m.end - (tl.t1 - tl.t0), tl.m.end),
      n: () => step(1), p: () => step(-1), Enter: () => { const i = nearest(tl.m.items, (tl.t0 + tl.t1) / 2); if (i) tl.onSelect(i); },
    };
    if (keys[e.key] && !e.ctrlKey && !e.metaKey && !e.altKey) { e.preventDefault(); keys[e.key](); }
  });
  const step = (way) => stepInterest(current(), way);
  let brushing = false;
  const brush = (e) => {
    const tl = current(), r = mini.getBoundingClientRect();
    const t = ((e.clientX - r.left) / r.width) * tl.m.end, half = (tl.t1 - tl.t0) / 2;
    tl.show(t - half, t + half);
  };
  mini.addEventListener('pointerdown', (e) => { brushing = true; mini.setPointerCapture(e.pointerId); brush(e); });
  mini.addEventListener('pointermove', (e) => { if (brushing) brush(e); });
  mini.addEventListener('pointerup', () => { brushing = false; });
  mini.addEventListener('pointercancel', () => { brushing = false; });
  $('zoom-in').addEventListener('click', () => current().zoom(0.5));
  $('zoom-out').addEventListener('click', () => current().zoom(2));
  $('zoom-fit').addEventListener('click', () => current().show(0, current().m.end));
  $('next').addEventListener('click', () => step(1));
  $('prev').addEventListener('click', () => step(-1));
}

function stepInterest(tl, way) {
  const list = tl.m.interest;
  if (!list.length) { say('nothing of note in this run'); return; }
  const from = tl.selected ? tl.selected.order : way > 0 ? -1 : Infinity;
  const next = way > 0 ? list.find((i) => i.order > from) : list.findLast((i) => i.order < from);
  if (next) tl.onSelect(next, { span: 120e6 });
  else say(way > 0 ? 'no later point of interest' : 'no earlier point of interest');
}

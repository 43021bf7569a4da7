// Two runs side by side: where they first differ.

const CONTEXT = 6;

// What of a moment is compared. The times are compared apart from it.
function comparable(item) {
  switch (item.kind) {
    case 'request': return `request ${item.method} ${item.target} ${item.status} ${item.effect}`;
    case 't': case 'x': return undefined; // the scenario's own words, not the device's doing
    default: return `${item.kind} ${item.text}`;
  }
}

function sequence(m, what) {
  return what(m).map((item) => ({ item, key: comparable(item) })).filter((x) => x.key !== undefined);
}

const VIEWS = [
  ['everything', (m) => m.items],
  ['serial lines', (m) => m.lines],
  ['requests', (m) => m.reqs],
];

// The first place at which the two differ in what happened, and the first at which the same thing came at
// another time.
function firstDifference(a, b) {
  const n = Math.min(a.length, b.length);
  let time = -1, i = 0;
  for (; i < n && a[i].key === b[i].key; i++) if (time < 0 && a[i].item.t !== b[i].item.t) time = i;
  return { at: i < n || a.length !== b.length ? i : -1, time };
}

function renderCompare(panel, state, runs, select) {
  const others = runs.map((r, i) => i).filter((i) => i !== state.index);
  state.other = others.includes(state.other) ? state.other : others[0];
  const again = () => renderCompare(panel, state, runs, select);
  const pick = el('select', { onchange: (e) => { state.other = +e.target.value; again(); } },
    ...others.map((i) => el('option', { value: i, selected: i === state.other }, runs[i])));
  const view = el('select', { onchange: (e) => { state.view = e.target.selectedIndex; again(); } },
    ...VIEWS.map(([name], i) => el('option', { selected: i === state.view }, name)));
  const bar = el('div', { class: 'filters' }, el('label', {}, 'Compare with ', pick), el('label', {}, 'by ', view));
  const left = model(state.index), right = model(state.other);
  const a = sequence(left, VIEWS[state.view][1]), b = sequence(right, VIEWS[state.view][1]);
  const { at, time } = firstDifference(a, b);
  const out = el('div', { class: 'compare' });
  const moment = (list, i) => (list[i] ? clock(list[i].item.t, true) : 'the end');
  const jump = (side, i, label) => {
    const list = side ? b : a;
    return list[i] && el('button', { type: 'button', onclick: () => select(side ? state.other : state.index, list[i].item) }, label);
  };
  if (at < 0) out.append(el('p', { class: 'verdictline' }, el('strong', {}, 'The same things happened in the same order: '), `${a.length} of them.`));
  else {
    out.append(el('p', { class: 'verdictline', id: 'first-difference' }, el('strong', {}, 'First difference '),
      `after ${at} that are alike: at ${moment(a, at)} here, at ${moment(b, at)} there. `));
    out.append(el('p', { class: 'tools' }, jump(0, at, 'Show here'), jump(1, at, 'Show in the other run')));
  }
  if (time >= 0 && (at < 0 || time < at)) {
    const d = b[time].item.t - a[time].item.t;
    out.append(el('p', { class: 'verdictline' }, el('strong', {}, 'First at another time: '),
      `“${a[time].item.text}” at ${moment(a, time)} here and ${moment(b, time)} there (${signed(d)}). `));
    if (at < 0) out.append(el('p', { class: 'tools' }, jump(0, time, 'Show here'), jump(1, time, 'Show in the other run')));
  } else if (at < 0) out.append(el('p', { class: 'verdictline' }, 'Every moment is the same too.'));
  const centre = at >= 0 ? at : time;
  if (centre >= 0) {
    const side = (list, name) => {
      const rows = [];
      for (let i = Math.max(0, centre - CONTEXT); i < Math.min(list.length, centre + CONTEXT + 1); i++) {
        rows.push(el('li', { class: at >= 0 && i >= at ? 'differs' : undefined }, el('span', { class: 'time' }, clock(list[i].item.t)), el('span', {}, list[i].item.text)));
      }
      if (centre >= list.length) rows.push(el('li', { class: 'differs' }, el('span', { class: 'time' }, ''), el('span', {}, '(the run ends)')));
      return el('div', {}, el('h3', {}, name), el('ol', {}, ...rows));
    };
    out.append(el('div', { class: 'sides' }, side(a, `here: ${runs[state.index]}`), side(b, `there: ${runs[state.other]}`)));
  }
  panel.replaceChildren(bar, out);
}

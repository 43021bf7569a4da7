// What stands below the timeline: the selected moment, and the tables.

const PAGE = 300;

// `text` with every occurrence of the search marked.
function marked(text, needle) {
  if (!needle) return [text];
  const out = [], low = text.toLowerCase();
  let done = 0;
  for (let i = low.indexOf(needle); i >= 0; i = low.indexOf(needle, i + needle.length)) {
    out.push(text.slice(done, i), el('mark', {}, text.slice(i, i + needle.length)));
    done = i + needle.length;
  }
  out.push(text.slice(done));
  return out;
}

function kindOf(item) { return item.kind === 'line' && item.usb ? 'usb serial' : KINDS[item.kind]; }

function detailOf(item, m, onSelect) {
  const out = [];
  out.push(el('p', { class: 'titleline' }, el('span', { class: 'time' }, clock(item.t, true)), el('strong', {}, titleOf(item))));
  if (item.kind === 'request') out.push(...requestDetail(item));
  else if (item.kind === 'x') out.push(...expectationDetail(item));
  else out.push(el('pre', {}, item.text));
  out.push(el('h3', {}, 'Around this moment'));
  const list = el('ol', { class: 'around' });
  for (let i = Math.max(0, item.order - 7); i <= Math.min(m.items.length - 1, item.order + 7); i++) {
    const other = m.items[i];
    list.append(el('li', {}, el('button', { type: 'button', 'aria-current': i === item.order ? 'true' : undefined, onclick: () => onSelect(other) },
      el('span', { class: 'time' }, clock(other.t)), el('span', { class: 'dim kind' }, kindOf(other)), el('span', { class: 'what' }, other.text))));
  }
  out.push(list);
  return out;
}

function titleOf(item) {
  switch (item.kind) {
    case 'request': return `Request ${item.id}${item.endpoint ? `: ${item.endpoint}` : ''}`;
    case 'line': return item.usb ? 'Serial line (USB)' : 'Serial line';
    case 'x': return `Expectation ${item.a ? 'held' : 'failed'}`;
    default: { const k = kindOf(item); return k[0].toUpperCase() + k.slice(1); }
  }
}

function requestDetail(q) {
  const cls = statusClass(q.status);
  const fields = (list) => {
    if (!list.length) return el('p', { class: 'empty' }, 'no head fields');
    const dl = el('dl', { class: 'fields' });
    for (const [name, value] of list) dl.append(el('dt', {}, name), el('dd', { class: 'mono' }, value));
    return dl;
  };
  const [head, replyHead] = q.heads;
  return [
    el('p', { class: 'mono' }, `${q.method} ${q.target}`),
    el('p', { class: `effect ${cls === 'ok' ? '' : 'bad'}` }, el('strong', {}, 'Effect: '), q.effect || 'none: nothing happened at the cloud',
      q.effectAt >= 0 ? el('span', { class: 'dim' }, ` (after ${duration(q.effectAt)})`) : ''),
    el('dl', { class: 'fields' },
      el('dt', {}, 'Status'), el('dd', {}, el('span', { class: `status ${cls}` }, q.status ? String(q.status) : 'no reply')),
      el('dt', {}, 'Connection'), el('dd', {}, String(q.connection)),
      el('dt', {}, 'Reply'), el('dd', {}, q.replyAt >= 0 ? `whole after ${duration(q.replyAt)}` : 'never handed over whole')),
    el('h3', {}, 'Request head'), fields(head),
    el('h3', {}, 'Request body'), body(q.body),
    el('h3', {}, 'Reply head'), fields(replyHead),
    el('h3', {}, 'Reply body'), body(q.reply),
  ];
}

function body(text) {
  if (!text) return el('p', { class: 'empty' }, 'empty');
  let shown = text;
  // Laid out for reading; what is not JSON stays as it came.
  try { shown = JSON.stringify(JSON.parse(text), null, 2); } catch { /* no JSON */ }
  return el('pre', { tabindex: 0, role: 'region', 'aria-label': 'body' }, shown);
}

function expectationDetail(item) {
  const x = item.expectation;
  return [
    el('p', {}, x.name), x.message ? el('pre', {}, x.message) : null,
    x.nearest ? el('p', {}, el('span', { class: 'dim' }, 'Nearest miss: '), el('code', {}, x.nearest)) : null,
    el('p', { class: 'mono dim' }, x.position),
  ];
}

const COLUMNS = {
  log: {
    title: 'Serial log', list: (m) => m.lines, heads: ['Time', 'Line'],
    cells: (i, needle) => [['td', 'text', marked(i.usb ? `usb| ${i.text}` : i.text, needle)]],
  },
  requests: {
    title: 'Requests', list: (m) => m.reqs, heads: ['Time', 'No.', 'Endpoint', 'Status', 'Took', 'Request and effect'],
    narrow: [1, 2, 4],
    cells: (q, needle) => [
      ['td', 'num hide-narrow', [String(q.id)]], ['td', 'num hide-narrow', [q.endpoint || '?']],
      ['td', '', [el('span', { class: `status ${statusClass(q.status)}` }, q.status ? String(q.status) : 'none')]],
      ['td', 'num hide-narrow', [q.replyAt >= 0 ? duration(q.replyAt) : '–']], ['td', 'text', marked(`${q.method} ${q.target}${q.effect ? `\n${q.effect}` : ''}`, needle)],
    ],
  },
  events: {
    title: 'All events', list: (m) => m.items, heads: ['Time', 'Kind', 'What'],
    cells: (i, needle) => [['td', 'num', [kindOf(i)]], ['td', 'text', marked(i.text, needle)]],
  },
  expectations: {
    title: 'Expectations', list: (m) => m.by.x ?? [], heads: ['Decided', 'Verdict', 'Expectation', 'Position'],
    cells: (x) => [
      ['td', '', [el('span', { class: `status ${x.a ? 'ok' : 'bad'}` }, x.a ? 'held' : 'failed')]],
      ['td', 'text', [x.expectation.name]], ['td', 'num mono hide-narrow', [x.expectation.position]],
    ],
    narrow: [3],
  },
};

const FILTERS = {
  requests: [['all', () => true], ['not 2xx', (q) => statusClass(q.status) !== 'ok'], ['renewals and registrations', (q) => q.endpoint === 'renew-session' || q.endpoint === 'register']],
  events: [['all', () => true], ['without serial and requests', (i) => i.kind !== 'line' && i.kind !== 'request'], ['of interest', interesting]],
};

// A table of one kind of item, a page at a time, with the selected item in sight.
class Table {
  constructor(kind, m, onSelect) {
    Object.assign(this, { kind, m, onSelect, columns: COLUMNS[kind], filter: 0, page: 0, needle: '', onlyHits: false });
    this.refilter();
  }

  refilter() {
    const keep = (FILTERS[this.kind] ?? [['all', () => true]])[this.filter][1];
    let list = this.columns.list(this.m).filter(keep);
    if (this.needle && this.onlyHits) list = list.filter((i) => matches(i, this.needle));
    this.list = list;
    this.page = Math.min(this.page, Math.max(0, Math.ceil(list.length / PAGE) - 1));
  }

  search(needle) { this.needle = needle; this.refilter(); }

  follow(item) {
    const i = item ? this.list.indexOf(item) : -1;
    const at = i >= 0 ? i : item ? Math.min(lower(this.list, item.t), this.list.length - 1) : 0;
    this.page = Math.max(0, Math.floor(at / PAGE));
  }

  render(panel, selected) {
    const from = this.page * PAGE, shown = this.list.slice(from, from + PAGE);
    const again = () => { this.render(panel, selected); };
    const bar = el('div', { class: 'filters' });
    if (FILTERS[this.kind]) {
      const select = el('select', { onchange: (e) => { this.filter = e.target.selectedIndex; this.page = 0; this.refilter(); again(); } },
        ...FILTERS[this.kind].map(([name], i) => el('option', { selected: i === this.filter }, name)));
      bar.append(el('label', {}, 'Show ', select));
    }
    if (this.needle) {
      const box = el('input', { type: 'checkbox', onchange: (e) => { this.onlyHits = e.target.checked; this.page = 0; this.refilter(); again(); } });
      box.checked = this.onlyHits;
      bar.append(el('label', {}, box, ' only what matches'));
    }
    const last = Math.max(0, Math.ceil(this.list.length / PAGE) - 1);
    const turn = (d) => { this.page += d; again(); panel.querySelector('.scroll')?.scrollTo(0, 0); };
    bar.append(el('span', { class: 'grow' }),
      el('span', {}, this.list.length ? `${from + 1}–${from + shown.length} of ${this.list.length}` : 'nothing'),
      el('button', { type: 'button', disabled: this.page === 0, onclick: () => turn(-1) }, 'Earlier'),
      el('button', { type: 'button', disabled: this.page >= last, onclick: () => turn(1) }, 'Later'));
    const hide = (i) => (this.columns.narrow?.includes(i) ? 'hide-narrow' : undefined);
    const rows = shown.map((item) => el('tr', { 'aria-selected': item === selected ? 'true' : undefined },
      el('td', {}, el('button', { type: 'button', class: 'link', onclick: () => this.onSelect(item) }, clock(item.t))),
      ...this.columns.cells(item, this.needle).map(([tag, cls, nodes]) => el(tag, { class: cls }, ...nodes))));
    const table = el('table', {}, el('caption', { class: 'sr' }, `${this.columns.title}; the button in the first column shows the moment`),
      el('thead', {}, el('tr', {}, ...this.columns.heads.map((h, i) => el('th', { scope: 'col', class: hide(i) }, h)))), el('tbody', {}, ...rows));
    panel.replaceChildren(bar, el('div', { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': this.columns.title }, table));
    // The selected item, or where it would stand.
    const row = panel.querySelector('tr[aria-selected="true"]') ?? (selected && panel.querySelectorAll('tbody tr')[lower(shown, selected.t)]);
    if (row) { const box = panel.querySelector('.scroll'); box.scrollTop = row.offsetTop - box.clientHeight / 3; }
  }
}

// What the search looks through: all that the detail of an item shows.
function matches(item, needle) {
  if (item.text.toLowerCase().includes(needle)) return true;
  if (item.kind === 'request') {
    return item.body.toLowerCase().includes(needle) || item.reply.toLowerCase().includes(needle)
      || item.heads.some((head) => head.some(([n, v]) => `${n}: ${v}`.toLowerCase().includes(needle)));
  }
  return item.kind === 'x' && item.expectation.message.toLowerCase().includes(needle);
}

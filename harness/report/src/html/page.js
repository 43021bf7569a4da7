// The page: which run is shown, what is selected, what is searched.

const links = [...document.querySelectorAll('#runs a')];
const names = links.map((a) => a.querySelector('.name').textContent);
const compare = { index: 0, other: 1, view: 0 };
let index = -1, m, timeline, tables = {}, tab = 'log', selected, needle = '', hits = [];

function say(text) { $('live').textContent = text; }

function showRun(i) {
  if (i === index) return;
  index = i;
  compare.index = i;
  m = model(i);
  selected = undefined;
  links.forEach((a, n) => { if (n === i) a.setAttribute('aria-current', 'page'); else a.removeAttribute('aria-current'); });
  document.title = `${m.name} · oceanrig report`;
  renderHead();
  timeline = new Timeline(m, select);
  tables = Object.fromEntries(Object.keys(COLUMNS).map((kind) => [kind, new Table(kind, m, select)]));
  $('stage').setAttribute('aria-label', `Timeline of ${m.name}: ${duration(m.end)}, ${m.lines.length} serial lines, ${m.reqs.length} requests`);
  const next = m.interest.length === 0;
  $('next').disabled = next;
  $('prev').disabled = next;
  // Who opens a failed run wants to see where it failed.
  selected = (m.by.x ?? []).find((x) => !x.a);
  timeline.selected = selected;
  renderDetail();
  search(needle);
}

function fact(name, value) { return value ? el('div', {}, el('dt', {}, name), el('dd', {}, value)) : null; }

function renderHead() {
  const words = { pass: 'Pass', fail: 'Fail', infra: 'Bench error', skipped: 'Skipped' };
  $('title').textContent = m.name;
  $('subtitle').textContent = m.title ?? '';
  $('verdict').textContent = m.quarantined ? 'Known failure' : words[m.outcome];
  $('verdict').className = `verdict ${m.quarantined ? 'quar' : m.outcome}`;
  $('verdict').hidden = false;
  const copy = el('button', { type: 'button', class: 'link', onclick: () => copyText(m.repeat) }, el('code', {}, m.repeat));
  copy.setAttribute('aria-label', `Copy: ${m.repeat}`);
  $('facts').replaceChildren(el('dl', {}, ...[
    fact('scenario', el('code', {}, m.path)), fact('ran', `${clock(m.end)} on ${m.backend || '?'}`), fact('time scale', m.time_scale === 1 ? '' : `${m.time_scale}: the contract's intervals are divided by it`), fact('seed', m.seed),
    fact('firmware', m.firmware && el('code', { title: m.firmware }, m.firmware.slice(0, 12))),
    fact('instructions', m.instructions ? m.instructions.toLocaleString('en') : ''), fact('repeat', m.repeat && copy),
  ].filter(Boolean)));
  const out = [];
  const box = (cls, name, message, more, item) => el('div', { class: `failure ${cls}` },
    el('p', { class: 'name' }, name), message ? el('p', {}, message) : null, more ? el('p', { class: 'dim mono' }, more) : null,
    item ? el('button', { type: 'button', class: 'jump', onclick: () => select(item, { span: 120e6, focus: true }) }, `Jump to ${clock(item.t)}`) : null);
  m.attempts.forEach((text, i) => out.push(box('warn', `Attempt ${i + 1} came to nothing.`, text)));
  if (m.quarantined) out.push(box('warn', 'A known failure, in quarantine.', m.quarantine));
  if (m.quarantine_note) out.push(box('warn', `Quarantine: ${m.quarantine_note}.`, m.quarantine));
  if (m.negative) out.push(box('declared', m.negative));
  if (m.outcome === 'skipped') out.push(box('warn', 'It did not run.', m.reasons.join('; ')));
  else if (!m.finished) out.push(box('warn', 'The run was cut off: what follows ends where it was stopped.'));
  if (m.outcome === 'infra') out.push(box('warn', `It is no verdict on the firmware: ${m.trouble}.`, m.reasons.join('; '), m.next_step && `Next step: ${m.next_step}`));
  let shown = 0;
  for (const item of m.by.x ?? []) {
    if (item.a) continue;
    const x = item.expectation, declared = x.name === m.must_fail;
    const more = [x.nearest && `nearest: ${x.nearest}`, x.position].filter(Boolean).join(' · ');
    out.push(box(declared ? 'declared' : '', `${declared ? 'Failed as declared: ' : ''}${x.name}`, x.message, more, item));
    shown++;
  }
  for (const item of [...(m.by.t ?? []).filter((t) => t.a === 2), ...(m.by.g ?? [])]) { out.push(box('', item.text.split('\n')[0], '', '', item)); shown++; }
  for (const item of (m.by.f ?? []).filter((f) => f.a === 2)) out.push(box('warn', `The fault ${item.name} was planned and never fired.`));
  if (m.outcome === 'fail' && !shown) out.push(box('', m.reasons.join('; ')));
  if (m.unmodelled) out.push(box('warn', `${m.unmodelled} accesses to what the chip model does not implement.`, '', '', (m.by.u ?? [])[0]));
  $('failures').replaceChildren(...out);
}

function copyText(text) {
  // From disk the clipboard may be closed to a page: then the text is selected instead.
  const select = () => { const code = document.querySelector('#facts button code'); getSelection().selectAllChildren(code); say('selected'); };
  if (navigator.clipboard) navigator.clipboard.writeText(text).then(() => say('copied'), select); else select();
}

function select(item, options = {}) {
  selected = item;
  timeline.selected = item;
  timeline.reveal(item.t, options.span);
  renderDetail();
  for (const table of Object.values(tables)) table.follow(item);
  renderPanel();
  history.replaceState(null, '', `#s=${index}&t=${Math.round(item.t)}`);
  say(`${clock(item.t)} ${kindOf(item)}: ${item.text.slice(0, 160)}`);
  if (options.focus) { $('timeline').scrollIntoView({ block: 'start' }); $('stage').focus({ preventScroll: true }); }
}

function renderDetail() {
  $('detail-body').replaceChildren(...(selected ? detailOf(selected, m, select) : [el('p', { class: 'empty' }, 'Choose something on the timeline or in a table.')]).filter(Boolean));
}

function tabList() {
  const list = Object.entries(COLUMNS).map(([key, c]) => [key, c.title]);
  if (names.length > 1) list.push(['compare', 'Compare']);
  return list;
}

function renderTabs() {
  const tabs = tabList();
  $('tabs').replaceChildren(...tabs.map(([key, title]) => el('button', {
    type: 'button', role: 'tab', id: `tab-${key}`, 'aria-selected': String(key === tab), 'aria-controls': 'panel', tabindex: key === tab ? 0 : -1,
    onclick: () => showTab(key),
    onkeydown: (e) => {
      const way = { ArrowRight: 1, ArrowLeft: -1 }[e.key];
      if (!way) return;
      const i = tabs.findIndex(([k]) => k === key);
      const next = tabs[(i + way + tabs.length) % tabs.length][0];
      showTab(next);
      $(`tab-${next}`).focus();
    },
  }, title)));
  $('panel').setAttribute('aria-labelledby', `tab-${tab}`);
}

function showTab(key) { tab = key; $('lower').classList.toggle('full', key === 'compare'); renderTabs(); renderPanel(); }

function renderPanel() {
  if (tab === 'compare') renderCompare($('panel'), compare, names, (i, item) => { showRun(i); select(item, { span: 120e6, focus: true }); });
  else tables[tab].render($('panel'), selected);
}

function search(text) {
  needle = text.trim().toLowerCase();
  hits = needle ? m.items.filter((i) => matches(i, needle)) : [];
  timeline.hits = hits;
  timeline.draw();
  for (const table of Object.values(tables)) { table.search(needle); table.follow(selected); }
  $('hits').textContent = needle ? `${hits.length} found` : '';
  renderPanel();
}

function stepHit(way) {
  if (!hits.length) return;
  const from = selected ? selected.order : way > 0 ? -1 : Infinity;
  const next = (way > 0 ? hits.find((i) => i.order > from) : hits.findLast((i) => i.order < from)) ?? hits[way > 0 ? 0 : hits.length - 1];
  select(next, { span: 120e6 });
  $('hits').textContent = `${hits.indexOf(next) + 1} of ${hits.length}`;
}

function fromHash() {
  const at = new URLSearchParams(location.hash.slice(1));
  const run = Math.min(Math.max(0, +at.get('s') || 0), links.length - 1);
  showRun(run);
  if (at.has('t')) { const item = nearest(m.items, +at.get('t')); if (item) select(item, { span: 120e6 }); }
}

function theme(choice) {
  const dark = choice === 'dark' || (choice === 'auto' && matchMedia('(prefers-color-scheme: dark)').matches);
  document.documentElement.dataset.theme = dark ? 'dark' : 'light';
  $('theme').textContent = `Theme: ${choice}`;
  readColours();
  if (timeline) { timeline.drawMini = true; timeline.draw(); renderLegend(); }
}

let choice = 'auto';
theme(choice);
$('theme').addEventListener('click', () => {
  choice = { auto: 'light', light: 'dark', dark: 'auto' }[choice];
  theme(choice);
});
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => theme(choice));

function renderLegend() {
  const entries = [['c-ok', '2xx'], ['c-warn', '4xx'], ['c-bad', '5xx, lost, failed'], ['c-none', 'no reply'], ['c-session', 'session valid'],
    ['c-online', 'ONLINE'], ['c-away', 'AWAY'], ['c-offline', 'OFFLINE'], ['c-fault', 'fault active'], ['accent', 'selected'], ['hit', 'found']];
  $('legend').replaceChildren(...entries.map(([c, text]) => el('li', {}, el('i', { style: `background:${colours[c]}` }), text)), el('li', {}, '◆ registration, renewal, reset'));
}

document.querySelector('.shell').classList.toggle('single', links.length < 2);
if (matchMedia('(max-width: 900px)').matches) $('runs-details').open = links.length < 4;
renderLegend();
renderTabs();
fromHash();
wire(() => timeline);
window.addEventListener('hashchange', fromHash);
let resizing;
window.addEventListener('resize', () => { clearTimeout(resizing); resizing = setTimeout(() => timeline.layout(), 60); });
let typing;
$('search').addEventListener('input', (e) => { clearTimeout(typing); typing = setTimeout(() => search(e.target.value), 120); });
$('search').addEventListener('keydown', (e) => {
  if (e.key === 'Enter') { e.preventDefault(); clearTimeout(typing); if (e.target.value.trim().toLowerCase() !== needle) search(e.target.value); stepHit(e.shiftKey ? -1 : 1); }
});
document.addEventListener('keydown', (e) => {
  if (e.key === '/' && !/^(INPUT|SELECT|TEXTAREA)$/.test(document.activeElement.tagName)) { e.preventDefault(); $('search').focus(); }
});

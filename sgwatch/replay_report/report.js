// The list of changes: filtered and sorted from columns, drawn as far as one scrolls, its details unpacked when opened.
const unpack = async id => {
  const packed = Uint8Array.from(atob(document.getElementById(id).textContent), c => c.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream('deflate'));
  return new Response(stream).json();
};
const form = document.querySelector('form'), list = document.getElementById('list'), more = document.getElementById('more');
const bars = [...document.querySelectorAll('.chart button')];
const severities = ['info', 'low', 'medium', 'high', 'critical'], drawnAtOnce = 100;
const details = new Map();
let columns, order = [], drawn = 0, words = [];

const matches = (row, wanted) => columns.severity[row] >= wanted.severity
  && (wanted.principal < 0 || columns.principal[row] === wanted.principal)
  && (wanted.group < 0 || columns.group[row] === wanted.group)
  && (!wanted.from || (columns.time[row] !== null && columns.time[row] >= wanted.from))
  && (!wanted.to || (columns.time[row] !== null && columns.time[row] < wanted.to))
  && words.every(word => haystack(row).includes(word));
const haystack = row => `${columns.title[row]}\n${columns.principals[columns.principal[row]]}\n${
  columns.groups[columns.group[row]]}`.toLowerCase();
const newest = (a, b) => (columns.time[b] ?? -1) - (columns.time[a] ?? -1) || a - b;
const sorts = { worst: (a, b) => columns.severity[b] - columns.severity[a] || newest(a, b), newest,
  oldest: (a, b) => -newest(a, b) };

function apply() {
  const { severity, principal, group, text, sort, from, to } = form.elements;
  words = text.value.toLowerCase().split(/\s+/).filter(Boolean);
  const wanted = { severity: severities.indexOf(severity.value), principal: columns.principals.indexOf(principal.value),
    group: columns.groups.indexOf(group.value), from: Number(from.value), to: Number(to.value) };
  const none = (principal.value && wanted.principal < 0) || (group.value && wanted.group < 0);
  order = none ? [] : columns.title.map((_, row) => row).filter(row => matches(row, wanted));
  order.sort(sorts[sort.value] ?? sorts.worst);
  list.replaceChildren();
  drawn = 0;
  draw();
  for (const bar of bars) bar.setAttribute('aria-pressed', String(from.value !== '' && bar.dataset.from === from.value));
  form.querySelector('output').value = `${order.length.toLocaleString('en')} of ${
    columns.title.length.toLocaleString('en')} alerts${from.value ? ', in the chosen time' : ''}`;
  const set = [...new FormData(form)].filter(([name, value]) => value && value !== form.dataset[name]);
  history.replaceState(null, '', `#${new URLSearchParams(set)}`);
}

function draw() {
  list.append(...order.slice(drawn, drawn + drawnAtOnce).map(drawRow));
  drawn = Math.min(order.length, drawn + drawnAtOnce);
  more.hidden = drawn >= order.length;
  more.textContent = `Show more (${(order.length - drawn).toLocaleString('en')} left)`;
}

function element(name, className, text) {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

function drawRow(row) {
  const severity = severities[columns.severity[row]], made = element('details', `alert ${severity}`);
  const summary = element('summary'), time = columns.time[row];
  const when = time === null ? 'time not known' : new Date(time * 1000).toISOString().slice(0, 19).replace('T', ' ');
  summary.append(element('span', 'badge', severity), element('span', 'title', columns.title[row]),
    element('time', '', when), element('span', 'who', columns.principals[columns.principal[row]]));
  made.append(summary);
  made.addEventListener('toggle', () => open(made, row), { once: true });
  return made;
}

async function open(made, row) {
  const chunk = Math.floor(row / columns.chunk), inside = element('div', 'inside', '…');
  made.append(inside);
  if (!details.has(chunk)) details.set(chunk, unpack(`details-${chunk}`));
  inside.innerHTML = (await details.get(chunk))[row % columns.chunk]; // escaped when the page was made
}

function choose(bar) {
  const { from, to } = form.elements, same = from.value === bar.dataset.from;
  from.value = same ? '' : bar.dataset.from;
  to.value = same ? '' : bar.dataset.to;
  apply();
}

function restore() {
  const given = new URLSearchParams(location.hash.slice(1));
  form.reset();
  for (const name of ['from', 'to']) form.elements[name].value = '';
  for (const [name, value] of given) if (form.elements[name]) form.elements[name].value = value;
  apply();
}

unpack('columns').then(read => {
  columns = read;
  let before = 0;
  columns.time = columns.time.map(step => step === null ? null : before += step);
  for (const [name, values] of [['principal', columns.principals], ['group', columns.groups]]) {
    const options = [...values].sort().map(value => new Option(value, value));
    form.elements[name].append(...options);
  }
  form.hidden = false;
  restore();
  form.addEventListener('input', apply);
  form.addEventListener('submit', event => event.preventDefault());
  form.addEventListener('reset', () => setTimeout(() => {
    for (const name of ['from', 'to']) form.elements[name].value = '';
    apply();
  }));
  window.addEventListener('hashchange', restore);
  more.addEventListener('click', draw);
  new IntersectionObserver(seen => seen.some(item => item.isIntersecting) && draw(), { rootMargin: '600px' }).observe(more);
  bars.forEach((bar, number) => {
    bar.tabIndex = number ? -1 : 0;
    bar.addEventListener('click', () => choose(bar));
    bar.addEventListener('keydown', event => {
      const to = { ArrowLeft: number - 1, ArrowRight: number + 1, Home: 0, End: bars.length - 1 }[event.key];
      if (to === undefined || !bars[to]) return;
      event.preventDefault();
      bar.tabIndex = -1;
      bars[to].tabIndex = 0;
      bars[to].focus();
    });
  });
  for (const button of document.querySelectorAll('td button')) button.addEventListener('click', () => {
    form.reset();
    form.elements[button.dataset.filter].value = button.value;
    apply();
    form.scrollIntoView();
  });
  document.body.dataset.ready = 'true';
});

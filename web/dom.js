// Builds elements. Text, whoever wrote it, only ever becomes text nodes: nothing here parses HTML.

const SVG = 'http://www.w3.org/2000/svg';

function fill(element, properties, children) {
  for (const [name, value] of Object.entries(properties ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? '' : String(value));
  }
  append(element, children);
  return element;
}

/** Adds children: elements, texts, numbers, lists of them; nothing for null and false. */
export function append(element, children) {
  for (const child of [children].flat(Infinity)) {
    if (child === undefined || child === null || child === false) continue;
    element.append(child instanceof Node ? child : String(child));
  }
  return element;
}

/** An HTML element. */
export const h = (tag, properties, ...children) => fill(document.createElement(tag), properties, children);

/** An SVG element. */
export const s = (tag, properties, ...children) => fill(document.createElementNS(SVG, tag), properties, children);

/** A link within the page, which app.js follows without loading. */
export const link = (href, properties, ...children) => h('a', { href, 'data-link': true, ...properties }, ...children);

/** Replaces what an element holds. */
export function show(element, ...children) {
  element.replaceChildren();
  return append(element, children);
}

/** A state as a chip: shape and word, never colour alone. */
export const chip = (state) => h('span', { class: 'chip', 'data-state': state, 'data-testid': 'state' }, state);

/** A table. Columns: {title, cell(row), number, key, hint}; `sort` and `onsort` make titles of columns with a key buttons. */
export function table({ id, caption, columns, rows, sort, onsort, empty, mark }) {
  const descending = sort?.startsWith('-');
  const by = descending ? sort.slice(1) : sort;
  const head = columns.map((column) => {
    const sorted = column.key !== undefined && column.key === by;
    const order = sorted ? (descending ? 'descending' : 'ascending') : undefined;
    const title = column.key !== undefined && onsort
      ? h('button', { type: 'button', class: 'sort', 'data-sort': column.key, onclick: () => onsort(sorted && !descending ? `-${column.key}` : sorted ? column.key : column.first ?? column.key) }, column.title, h('span', { class: 'arrow', 'aria-hidden': 'true' }, sorted ? (descending ? '▾' : '▴') : ''))
      : column.title;
    return h('th', { scope: 'col', class: column.number ? 'number' : undefined, 'aria-sort': order, title: column.hint }, title);
  });
  const body = rows.map((row) => h('tr', { 'data-testid': `${id}-row`, 'data-mark': mark?.(row) },
    columns.map((column) => h('td', { class: [column.number && 'number', column.class].filter(Boolean).join(' ') || undefined }, column.cell(row)))));
  if (rows.length === 0) body.push(h('tr', {}, h('td', { colspan: columns.length, class: 'empty' }, empty ?? 'nothing yet')));
  return h('div', { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': caption },
    h('table', { 'data-testid': id }, h('caption', {}, caption), h('thead', {}, h('tr', {}, head)), h('tbody', {}, body)));
}

const grouped = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });

/** Numbers as people read them; a dash where there is none. */
export const number = {
  whole: (value) => (Number.isFinite(value) ? grouped.format(value) : '–'),
  short: (value) => {
    if (!Number.isFinite(value)) return '–';
    const size = Math.abs(value);
    return size >= 100 || Number.isInteger(value) ? grouped.format(value) : size >= 10 ? value.toFixed(1) : value.toPrecision(3);
  },
  error: (value) => (Number.isFinite(value) ? value.toFixed(4) : '–'),
  percent: (value) => (Number.isFinite(value) ? `${(100 * value).toFixed(2)} %` : '–'),
  share: (percent) => (!Number.isFinite(percent) ? '–' : percent === 0 ? '0 %' : percent < 0.01 ? '<0.01 %' : percent < 10 ? `${percent.toFixed(2)} %` : `${percent.toFixed(0)} %`),
  ratio: (value) => (Number.isFinite(value) ? `${value.toFixed(2)} ×` : '–'),
  bytes: (value) => {
    if (!Number.isFinite(value)) return '–';
    const units = ['B', 'KiB', 'MiB', 'GiB'];
    let unit = 0;
    while (value >= 1024 && unit < 3) { value /= 1024; unit += 1; }
    return `${unit ? value.toFixed(1) : value} ${units[unit]}`;
  },
};

/** A moment: how long ago, with the full time in its title. */
export function ago(time) {
  if (!time) return '–';
  const seconds = Math.max(0, (Date.now() - new Date(time).getTime()) / 1000);
  return h('time', { datetime: time, title: new Date(time).toLocaleString() }, `${span(seconds)} ago`);
}

/** A duration in its largest unit or two. */
export function span(seconds) {
  if (!Number.isFinite(seconds)) return '–';
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 100) return `${Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  if (seconds < 129600) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86400)} d`;
}

/** Seconds between two times; up to now where the second is missing. */
export const between = (start, end) => (start ? ((end ? new Date(end) : new Date()) - new Date(start)) / 1000 : NaN);

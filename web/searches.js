// All searches, newest first.

import { get } from './api.js';
import { ago, chip, h, link, number, show, table } from './dom.js';

/** Trials by state as one bar: what is done, what runs, what failed, what is left. */
export function progress(search) {
  const { completed, failed, pruned, cancelled, leased } = search.trials;
  const parts = [['completed', completed], ['pruned', pruned], ['failed', failed], ['cancelled', cancelled], ['leased', leased]];
  const done = completed + failed + pruned + cancelled;
  const bar = h('span', { class: 'progress', role: 'progressbar', 'aria-valuemin': 0, 'aria-valuemax': search.budget, 'aria-valuenow': done, 'aria-label': 'trials ended' });
  for (const [state, count] of parts) {
    if (!count) continue;
    const part = h('span', { 'data-state': state, title: `${count} ${state}` });
    part.style.flexBasis = `${(100 * count) / search.budget}%`;
    bar.append(part);
  }
  return h('span', { class: 'progress-line' }, bar, h('span', { class: 'figure', 'data-testid': 'progress' }, `${number.whole(done)} / ${number.whole(search.budget)}`));
}

const COLUMNS = [
  { title: 'Search', cell: (s) => [link(`/searches/${s.id}`, { class: 'name' }, s.name), s.description && h('div', { class: 'faint clip' }, s.description)] },
  { title: 'State', cell: (s) => chip(s.state) },
  { title: 'Trials', cell: progress },
  { title: 'Front', number: true, cell: (s) => number.whole(s.front_size) },
  { title: 'Best accuracy', number: true, hint: 'validation split; where values are predicted, the least mean squared error', cell: (s) => (Number.isFinite(s.least_mean_squared_error_validation) ? `${number.error(s.least_mean_squared_error_validation)} MSE` : number.percent(s.best_accuracy_validation)) },
  { title: 'Smallest LUT', number: true, hint: 'estimate, on the front', cell: (s) => number.whole(s.smallest_lut_estimate ?? NaN) },
  { title: 'Synthesised', number: true, cell: (s) => (s.synthesis.completed || s.synthesis.open ? `${s.synthesis.completed}${s.synthesis.open ? ` (+${s.synthesis.open})` : ''}` : '–') },
  { title: 'Data set', cell: (s) => s.dataset.file },
  { title: 'Submitted', cell: (s) => ago(s.created_at) },
];

const empty = () => h('section', { class: 'notice', 'data-testid': 'empty' },
  h('h2', {}, 'No search yet'),
  h('p', {}, 'Three commands to the first front:'),
  h('pre', {}, 'bitfront dataset add testdata/jets/jets_small.npz --name jets-demo\nbitfront submit examples/jets.yaml --watch\nbitfront worker --url ' + location.origin));

export function searches(root) {
  const body = h('div', {});
  let shown = 50;
  root.append(h('div', { class: 'head' }, h('h1', {}, 'Searches')), body);
  return {
    title: () => 'Searches',
    events: '/events',
    async load() {
      const page = await get(`/searches?page_size=${shown}`);
      const more = page.next_page_token && h('p', {}, h('button', { type: 'button', onclick: () => { shown = Math.min(1000, shown * 4); this.load(); } }, 'More'));
      show(body, page.items.length ? [h('section', { class: 'card' }, table({ id: 'searches', caption: 'Searches, newest first', columns: COLUMNS, rows: page.items })), more] : empty());
    },
  };
}

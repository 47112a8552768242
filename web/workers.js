// Worker processes and what they can run.

import { get } from './api.js';
import { ago, chip, h, number, show, table } from './dom.js';

const state = (w) => (w.draining ? (w.lost ? 'stopped' : 'draining') : w.lost ? 'lost' : w.leased ? 'working' : 'idle');
const tools = (w) => Object.entries(w.tools).map(([tool, version]) => h('span', { class: 'tag' }, `${tool} ${version}`));

const COLUMNS = [
  { title: 'Worker', cell: (w) => [h('span', { class: 'name' }, w.name), h('div', { class: 'faint' }, w.host)] },
  { title: 'State', cell: (w) => chip(state(w)) },
  { title: 'Slots', number: true, cell: (w) => `${number.whole(w.leased)} / ${number.whole(w.slots)}` },
  { title: 'Runs', cell: (w) => w.kinds.map((kind) => h('span', { class: 'tag' }, kind)) },
  { title: 'Tools', cell: tools },
  { title: 'CPU', cell: (w) => w.cpu_level || '–' },
  { title: 'Completed', number: true, cell: (w) => number.whole(w.completed) },
  { title: 'Failed', number: true, cell: (w) => number.whole(w.failed) },
  { title: 'Version', hint: 'of Bitfront, and of what it trains and scores with', cell: (w) => `${w.version || '–'}, engine version ${w.engine_version}` },
  { title: 'Last seen', cell: (w) => ago(w.last_seen_at) },
];

export function workers(root) {
  const body = h('section', { class: 'card' });
  root.append(h('div', { class: 'head' }, h('h1', {}, 'Workers')), body,
    h('p', { class: 'faint' }, 'Add one on any machine that reaches this address: ', h('code', {}, `bitfront worker --url ${location.origin}`)));
  return {
    title: () => 'Workers',
    events: '/events',
    async load() {
      const page = await get('/workers?page_size=200');
      show(body, table({ id: 'workers', caption: 'Worker processes, youngest first', columns: COLUMNS, rows: page.items, empty: 'no worker has registered yet' }));
    },
  };
}

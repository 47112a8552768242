// One search: its progress, its front as a plot and as a table, and its trials.

import { get, post } from './api.js';
import { ago, between, chip, h, link, number, show, span, table } from './dom.js';
import { ofDevice, usageOf, withShare } from './device.js';
import { legend, onWidth, scatter } from './plot.js';
import { progress } from './searches.js';

const METRICS = {
  lut_estimate: 'LUT estimate', lut_equivalent: 'LUT equivalent (LUT + 55 DSP)', bits: 'bits', bits_parameters: 'parameter bits', bits_activations: 'activation bits',
  energy_pj: 'energy (pJ, corrected)', energy_qtools_0_8_pj: 'energy (pJ, qtools-0.8)', energy_qtools_0_9_pj: 'energy (pJ, qtools-0.9)', ebops: 'EBOPs', bops: 'BOPs', carry_estimate: 'carry cells, estimate', levels_estimate: 'logic levels, estimate', fmax_estimate_mhz: 'Fmax (MHz), modelled', ff_estimate: 'FF estimate',
  dsp_estimate: 'DSP estimate', cycles: 'cycles', initiation_interval: 'initiation interval (cycles)', latency_ns: 'latency (ns)',
  lut_measured: 'LUT measured', ff_measured: 'FF measured', dsp_measured: 'DSP measured', carry_measured: 'carry cells measured',
};
const isMeasured = (metric) => metric.endsWith('_measured');
const STATES = ['queued', 'leased', 'paused', 'completed', 'failed', 'pruned', 'cancelled'];

const cost = (trial, metric) => (isMeasured(metric) ? trial.measured : trial.scores?.costs)?.[metric] ?? NaN;
const measured = (trial) => trial.synthesis?.result ?? null;
export const trialName = (trial) => (trial.label ? `${trial.number} · ${trial.label}` : `${trial.number}`);

/** How well a trial predicts, more is better: its accuracy, or where values are predicted what part of their variance it explains. */
const quality = (trial) => trial.scores?.accuracy_validation ?? (Number.isFinite(trial.scores?.mean_squared_error_validation) ? 1 - trial.scores.mean_squared_error_validation : NaN);
/** Whether a search predicts values, not classes. */
const isOfValues = (it) => it.objectives.some((o) => o.metric === 'mean_squared_error');
const qualities = (it) => (isOfValues(it) ? ERRORS : ACCURACIES);

const ACCURACIES = [
  { title: 'Accuracy', key: 'accuracy', first: '-accuracy', number: true, hint: 'validation split: what chooses', cell: (t) => number.percent(t.scores?.accuracy_validation) },
  { title: 'Test', key: 'accuracy_test', first: '-accuracy_test', number: true, hint: 'test split: shown, never used to choose', cell: (t) => number.percent(t.scores?.accuracy_test) },
];
const ERRORS = [
  { title: 'MSE', key: 'mean_squared_error', number: true, hint: 'mean squared error of the validation split, in variances of the targets: what chooses', cell: (t) => number.error(t.scores?.mean_squared_error_validation) },
  { title: 'Test', key: 'mean_squared_error_test', number: true, hint: 'mean squared error of the test split: shown, never used to choose', cell: (t) => number.error(t.scores?.mean_squared_error_test) },
];

/** Columns that the front and the trial table share. */
const COSTS = [
  { title: 'Bits', key: 'bits', number: true, cell: (t) => number.whole(cost(t, 'bits')) },
  { title: 'Energy pJ', key: 'energy_pj', number: true, hint: '45 nm model, corrected mode', cell: (t) => number.short(cost(t, 'energy_pj')) },
  { title: 'EBOPs', key: 'ebops', number: true, cell: (t) => number.whole(cost(t, 'ebops')) },
  { title: 'LUT est.', key: 'lut_estimate', number: true, hint: 'estimated from the trained weights, with its share of the device', cell: (t) => withShare(cost(t, 'lut_estimate'), usageOf(t, 'lut')?.estimate_percent) },
];

const MEASURED = [
  { title: 'LUT meas.', key: 'lut_measured', number: true, hint: 'measured by synthesis, out of context, with its share of the device', cell: (t) => (measured(t) ? withShare(measured(t).lut_measured, usageOf(t, 'lut')?.measured_percent) : t.synthesis ? h('span', { class: 'faint' }, t.synthesis.state) : '–') },
];

const frontColumns = (qualities) => [
  { title: 'Trial', cell: (t) => link(`/trials/${t.id}`, { class: 'name' }, trialName(t)) },
  ...qualities, ...COSTS, ...MEASURED,
  { title: 'FF', number: true, hint: 'measured, with its share of the device', cell: (t) => withShare(measured(t)?.ff_measured, usageOf(t, 'ff')?.measured_percent) },
  { title: 'Carry', number: true, hint: 'measured', cell: (t) => number.whole(measured(t)?.carry_measured) },
  { title: 'DSP', number: true, hint: 'measured, with its share of the device', cell: (t) => withShare(measured(t)?.dsp_measured, usageOf(t, 'dsp')?.measured_percent) },
  { title: 'Levels', number: true, hint: 'cells on the longest path between registers, measured', cell: (t) => number.whole(measured(t)?.levels) },
].map(({ key, ...column }) => column);

const trialColumns = (qualities) => [
  { title: 'Trial', key: 'number', cell: (t) => link(`/trials/${t.id}`, { class: 'name' }, trialName(t)) },
  { title: 'State', cell: (t) => [chip(t.state), t.on_front && h('span', { class: 'tag front' }, 'front')] },
  ...qualities, ...COSTS, ...MEASURED,
  { title: 'Kernels', class: 'mono', cell: (t) => h('span', { class: 'clip wide', title: t.kernels.join('\n') }, t.kernels.map(brief).join('  ')) },
  { title: 'Time', number: true, cell: (t) => span(between(t.started_at, t.ended_at)) },
  { title: 'Worker', cell: (t) => t.worker ?? '–' },
];

/** `quantized_bits(6,0,1,alpha=1.0)` as `bits(6,0,1)`: enough to tell them apart in a table. */
const brief = (quantizer) => quantizer.replace('quantized_', '').replace(/,?alpha=1\.0/, '').replace(/\(\)$/, '');

export function search(root, id, signal) {
  let it = null;
  let front = null;
  let byMeasured = null;
  let cloud = [];
  let cloudRead = 0;
  let trials = { items: [] };
  let shown = 100;
  const view = { metric: null, log: null, focus: true, sort: '-accuracy', state: '', front: false };
  const parts = Object.fromEntries(['head', 'tiles', 'controls', 'plot', 'key', 'note', 'front', 'filters', 'trials', 'file'].map((name) => [name, h('div', { class: name })]));
  root.append(parts.head, parts.tiles,
    h('section', { class: 'card' }, h('div', { class: 'card-head' }, h('h2', {}, 'Front'), parts.controls), parts.plot, parts.key, parts.note, parts.front),
    h('section', { class: 'card' }, h('div', { class: 'card-head' }, h('h2', {}, 'Trials'), parts.filters), parts.trials),
    parts.file);
  onWidth(parts.plot, () => front && plot());

  const select = (label, value, options, onchange) => h('label', {}, h('span', {}, label), h('select', { 'data-testid': `select-${label}`, onchange: (event) => onchange(event.target.value) }, options.map(([key, text]) => h('option', { value: key, selected: key === value }, text))));
  const check = (label, value, onchange) => h('label', {}, h('input', { type: 'checkbox', checked: value, onchange: (event) => onchange(event.target.checked) }), h('span', {}, label));

  function controls() {
    show(parts.controls,
      select('cost', view.metric, Object.entries(METRICS), async (metric) => { view.metric = metric; view.log = null; await loadMeasured(); if (signal.aborted) return; controls(); plot(); }),
      check('log', view.log ?? isWide(), (log) => { view.log = log; plot(); }),
      check('near the front', view.focus, (focus) => { view.focus = focus; plot(); }));
  }

  function isWide() {
    const values = cloud.map((t) => cost(t, view.metric)).filter((v) => v > 0);
    return values.length > 1 && Math.max(...values) > 12 * Math.min(...values);
  }

  function plot() {
    const metric = view.metric;
    const yName = isOfValues(it) ? 'variance explained, 1 − MSE' : 'accuracy';
    const tip = (t) => () => [
      h('strong', {}, `Trial ${trialName(t)}`),
      h('dl', {}, [...qualities(it).map((column) => [column.title === 'Test' ? 'test' : column.title, column.cell(t)]), [METRICS[metric], number.short(cost(t, metric))], measured(t) && ['LUT measured', ofDevice(measured(t).lut_measured, usageOf(t, 'lut'), usageOf(t, 'lut')?.measured_percent)]]
        .filter(Boolean).map(([name, value]) => [h('dt', {}, name), h('dd', {}, value)])),
      h('div', { class: 'mono' }, t.kernels.map((k) => h('div', {}, brief(k))))];
    const byId = new Map([...cloud, ...front.baselines, ...front.members, ...(byMeasured?.members ?? [])].filter((t) => t.scores).map((t) => [t.id, t]));
    const drawn = byMeasured ?? front;
    const onFront = new Set(drawn.members.map((t) => t.id));
    const all = [...byId.values()];
    const points = all.map((t) => ({
      x: cost(t, metric), y: quality(t), href: `/trials/${t.id}`, label: t.label,
      kind: t.label ? 'baseline' : onFront.has(t.id) ? 'front' : 'dominated', front: onFront.has(t.id), tip: tip(t),
      ring: Boolean(measured(t)), measured: metric === 'lut_estimate' ? measured(t)?.lut_measured : undefined,
    }));
    const levels = front.baselines.filter((t) => t.scores && !t.scores.costs).map((t) => ({ y: quality(t), label: `${t.label} ${number.percent(quality(t))}` }));
    scatter(parts.plot, {
      points, levels, focus: view.focus, log: view.log ?? isWide(), empty: isMeasured(metric) ? 'No trial is measured yet: synthesis has not built one.' : undefined, xTitle: METRICS[metric], yTitle: `${yName} (validation)`,
      summary: `${yName} against ${METRICS[metric]}: ${drawn.members.length} members of the front among ${points.length} scored trials. The table below has the front's values.`,
    });
    const synthesised = all.some(measured);
    show(parts.key, legend([['front', 'front'], ['dominated', 'dominated'], ['baseline', 'baseline'],
      synthesised && ['ring', 'synthesised'], synthesised && metric === 'lut_estimate' && ['measured', 'LUT measured'], levels.length && ['line', 'float network']].filter(Boolean)));
    const { unmeasured } = drawn;
    show(parts.note, unmeasured > 0 && h('p', { class: 'faint', 'data-testid': 'unmeasured' }, `${number.whole(unmeasured)} completed ${unmeasured === 1 ? 'trial is' : 'trials are'} not measured, and so not on ${byMeasured ? 'this plot’s front' : 'the front'}.`));
  }

  /** The front by the measured cost that is looked at; rows know only the search's own. */
  async function loadMeasured() {
    const metric = view.metric;
    const own = metric === null || !isMeasured(metric) || it.objectives.some((o) => o.metric === metric);
    const found = own ? null : await get(`/searches/${id}/front?cost=${metric}`);
    if (metric === view.metric) byMeasured = found;
  }

  async function steer(verb) {
    if (verb === 'cancel' && !window.confirm('Cancel this search? It cannot be undone.')) return;
    try { await post(`/searches/${id}/${verb}`); } catch (cause) { window.alert(cause.message); }
    page.load();
  }

  function head() {
    const button = (verb, when) => when && h('button', { type: 'button', 'data-testid': verb, onclick: () => steer(verb) }, verb[0].toUpperCase() + verb.slice(1));
    const labels = Object.entries(it.labels ?? {}).map(([key, value]) => h('span', { class: 'tag' }, `${key}: ${value}`));
    show(parts.head,
      h('div', {}, h('p', { class: 'crumb' }, link('/', {}, 'Searches')), h('h1', {}, h('span', { 'data-testid': 'search-name' }, it.name), ' ', chip(it.state), !it.reproducible && h('span', { class: 'tag', title: it.engine_changed ? 'trials of more than one engine version' : 'order: arrival' }, 'not reproducible')),
        it.description && h('p', { class: 'lead' }, it.description), it.waits_for && h('p', { 'data-testid': 'waits-for' }, `waits for ${it.waits_for}; `, h('code', {}, `bitfront resume ${it.id} --engine-version NUMBER`), ' goes on without it, and the search is then not reproducible'), labels.length > 0 && h('p', {}, labels)),
      h('div', { class: 'actions' }, button('pause', it.state === 'running'), button('resume', it.state === 'paused'), button('cancel', it.state === 'running' || it.state === 'paused')));
    const tile = (title, value, note) => h('div', { class: 'tile' }, h('span', { class: 'tile-title' }, title), h('span', { class: 'tile-value' }, value), note && h('span', { class: 'faint' }, note));
    const baseline = front.baselines.find((t) => t.scores && !t.scores.costs);
    const gap = baseline && it.best_accuracy_validation ? `${(100 * (it.best_accuracy_validation - baseline.scores.accuracy_validation)).toFixed(2)} points to ${baseline.label}` : 'validation';
    const best = isOfValues(it)
      ? tile('Least MSE', number.error(it.least_mean_squared_error_validation), baseline ? `validation; ${baseline.label} ${number.error(baseline.scores.mean_squared_error_validation)}` : 'validation')
      : tile('Best accuracy', number.percent(it.best_accuracy_validation), gap);
    const { failed, leased } = it.trials;
    show(parts.tiles,
      tile('Trials', progress(it), [leased && `${leased} running`, failed && `${failed} failed`].filter(Boolean).join(', ') || null),
      tile('Front', number.whole(it.front_size), 'members'),
      best,
      tile('Smallest LUT estimate', number.whole(it.smallest_lut_estimate ?? NaN), 'on the front'),
      it.points > 0 && tile('Learned candidates', number.whole(it.points), 'left behind by runs'),
      tile('Synthesised', number.whole(it.synthesis.completed), [it.synthesis.open && `${it.synthesis.open} open`, it.synthesis.failed && `${it.synthesis.failed} failed`].filter(Boolean).join(', ') || null),
      tile(it.ended_at ? 'Took' : 'Runs for', span(between(it.created_at, it.ended_at)), ['since ', ago(it.created_at)]));
  }

  function filters() {
    show(parts.filters,
      select('state', view.state, [['', 'all states'], ...STATES.map((state) => [state, state])], (state) => { view.state = state; shown = 100; refresh(); }),
      check('front only', view.front, (only) => { view.front = only; shown = 100; refresh(); }));
  }

  async function loadTrials() {
    const query = new URLSearchParams({ sort: view.sort, page_size: shown });
    if (view.state) query.set('state', view.state);
    if (view.front) query.set('front', 'true');
    return get(`/searches/${id}/trials?${query}`);
  }

  async function refresh() {
    trials = await loadTrials();
    if (!signal.aborted) trialTable();
  }

  function trialTable() {
    const hold = parts.trials.querySelector('.scroll')?.scrollLeft ?? 0;
    const sorted = parts.trials.contains(document.activeElement) ? document.activeElement.dataset.sort : null;
    show(parts.trials, table({ id: 'trials', caption: 'Trials of this search', columns: trialColumns(qualities(it)), rows: trials.items, sort: view.sort, onsort: (sort) => { view.sort = sort; refresh(); }, empty: 'no trial matches', mark: (t) => t.on_front && 'front' }),
      trials.next_page_token && shown < 1000 && h('p', { class: 'more' }, h('button', { type: 'button', onclick: () => { shown = Math.min(1000, shown * 2); refresh(); } }, 'More')));
    parts.trials.querySelector('.scroll').scrollLeft = hold;
    if (sorted) parts.trials.querySelector(`[data-sort="${sorted}"]`)?.focus();
  }

  const page = {
    title: () => it?.name ?? 'Search',
    events: `/searches/${id}/events`,
    async load() {
      // A large cloud changes little with each trial: it is read again every few seconds, and when the search has ended.
      const wanted = cloud.length < 200 || Date.now() - cloudRead > 5000 || it.state !== 'running';
      const scored = wanted ? get(`/searches/${id}/trials?state=completed&sort=-number&page_size=1000`) : { items: cloud };
      [it, front, { items: cloud }, trials] = await Promise.all([get(`/searches/${id}`), get(`/searches/${id}/front`), scored, loadTrials()]);
      if (wanted) cloudRead = Date.now();
      if (signal.aborted) return;
      if (view.metric === null) {
        if (isOfValues(it)) {
          view.sort = 'mean_squared_error';
          trials = await loadTrials();
          if (signal.aborted) return;
        }
        view.metric = it.objectives.find((o) => o.metric in METRICS)?.metric ?? 'lut_estimate';
        filters();
        show(parts.file, h('details', { class: 'card' }, h('summary', {}, 'Search file, resolved'), h('pre', { tabindex: 0 }, JSON.stringify(it.resolved, null, 2))));
      }
      await loadMeasured();
      if (signal.aborted) return;
      if (!parts.controls.contains(document.activeElement)) controls();
      head();
      plot();
      show(parts.front, table({ id: 'front', caption: 'Members of the front, cheapest first', columns: frontColumns(qualities(it)), rows: front.members, empty: 'no member yet' }));
      trialTable();
    },
  };
  return page;
}

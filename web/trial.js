// One trial: what it scored, its layers with their quantizers, its curve, its circuit, its logs.

import { download, get, post, text } from './api.js';
import { ago, between, chip, h, link, number, show, span, table } from './dom.js';
import { deviceBars, ofDevice, usageOf } from './device.js';
import { lines, onWidth } from './plot.js';
import { trialName } from './search.js';

const COSTS = [
  ['bits', 'Stored bits', number.whole], ['bits_parameters', '· parameters', number.whole], ['bits_activations', '· activations', number.whole],
  ['energy_pj', 'Energy, corrected (pJ)', number.short], ['energy_qtools_0_8_pj', 'Energy, qtools-0.8 (pJ)', number.short], ['energy_qtools_0_9_pj', 'Energy, qtools-0.9 (pJ)', number.short],
  ['ebops', 'EBOPs', number.whole], ['bops', 'BOPs', number.whole], ['lut_equivalent', 'LUT equivalent (LUT + 55 DSP)', number.whole], ['cycles', 'Cycles', number.whole], ['initiation_interval', 'Initiation interval (cycles), streamed', number.whole], ['latency_ns', 'Latency (ns)', number.short],
  ['carry_estimate', 'Carry cells, estimate', number.whole], ['levels_estimate', 'Logic levels, estimate', number.whole], ['fmax_estimate_mhz', 'Fmax (MHz), modelled, not measured', number.short],
];

const ROOMS = [['LUT', 'lut_estimate', 'lut_measured'], ['FF', 'ff_estimate', 'ff_measured'], ['DSP', 'dsp_estimate', 'dsp_measured'], ['BRAM', 'bram_estimate', 'bram_measured'], ['URAM', null, 'uram_measured'], ['Carry cells', 'carry_estimate', 'carry_measured'], ['Logic levels', 'levels_estimate', 'levels'], ['Cycles', 'cycles', 'cycles']];

const FIGURES = [['AUC', 'auc', 'area under the one-against-rest ROC curve'], ['B at 50 %', 'background_efficiency_50', 'background efficiency at a signal efficiency of 50 %'], ['B at 80 %', 'background_efficiency_80', 'background efficiency at a signal efficiency of 80 %']];

const FITTED = [['LUT', 'lut'], ['FF', 'ff'], ['Carry cells', 'carry']];

/** Kinds and digests of the files of a synthesis job: what it made, and what runs it again. */
function filesOf(result) {
  const made = ['rtl', 'netlist', 'report'].map((kind) => [kind, result[`${kind}_digest`]]).filter(([, digest]) => digest);
  return [...made, ...Object.entries(result.files ?? {})];
}

/** What the fit with the latest job predicts of the LUTs, in a few words; nothing without one. */
function fittedLut(it) {
  const lut = it.predictions.find((fit) => fit.lut_predicted)?.lut_predicted;
  return lut ? `; fitted ${number.whole(lut.value)}, ${number.whole(lut.low)} to ${number.whole(lut.high)}` : '';
}

/** A table for each fit: the estimate beside what synthesis jobs that have ended make of it. */
function fits(it) {
  return it.predictions.map((fit) => {
    const rows = FITTED.map(([name, key]) => ({ name, estimate: it.scores.costs[`${key}_estimate`], ...fit[`${key}_predicted`] })).filter((row) => row.value !== undefined);
    const of = [`${fit.engine} ${fit.tool_version}`, fit.part, fit.options].filter(Boolean).join(', ');
    const columns = [
      { title: 'Resource', cell: (r) => r.name }, { title: 'Estimate', number: true, cell: (r) => number.whole(r.estimate) }, { title: 'Fitted', number: true, hint: 'estimate × median of measured / estimate', cell: (r) => number.whole(r.value) },
      { title: 'Within', number: true, hint: 'prediction interval and its level', cell: (r) => `${number.whole(r.low)} to ${number.whole(r.high)} (${Math.round(100 * r.level)} %)` },
      { title: 'Error', number: true, hint: 'median over the circuits, each predicted from all others', cell: (r) => number.share(100 * r.median_error) }, { title: 'Circuits', number: true, cell: (r) => number.whole(r.jobs) }];
    return rows.length > 0 ? table({ id: 'fits', caption: `Fitted to what synthesis measured: ${of}`, columns, rows }) : h('p', { class: 'faint', 'data-testid': 'no-fit' }, `Not fitted yet: ${number.whole(fit.circuits)} circuits measured by ${of}.`);
  });
}

/** A quantizer with its bits as a bar of cells: width is what this project is about. */
function quantizer(placed) {
  if (!placed) return h('span', { class: 'faint' }, '–');
  return h('span', { class: 'quantizer' }, h('span', { class: 'cells', 'aria-hidden': 'true' }, Array.from({ length: Math.min(placed.bits, 16) }, () => h('i', {}))), h('span', { class: 'faint' }, placed.least_bits === undefined ? `${placed.bits} bit${placed.bits === 1 ? '' : 's'}` : `${placed.least_bits} to ${placed.bits} bits`), h('code', {}, placed.quantizer));
}

const LAYERS = [
  { title: 'Layer', cell: (l) => h('span', { class: 'name' }, l.name) },
  { title: 'Kind', cell: (l) => l.kind.replaceAll('_', ' ') },
  { title: 'Reads', cell: (l) => l.reads.join(', ') },
  { title: 'Shape', cell: (l) => l.output_shape.join(' × ') },
  { title: 'Kernel', cell: (l) => [quantizer(l.kernel), l.pointwise_kernel ? quantizer(l.pointwise_kernel) : ''] },
  { title: 'Bias', cell: (l) => quantizer(l.bias) },
  { title: 'Activation', cell: (l) => quantizer(l.activation) },
  { title: 'Parameters', number: true, cell: (l) => number.whole(l.parameters) },
  { title: 'Bits', number: true, hint: 'to store kernel and bias', cell: (l) => number.whole(l.parameter_bits) },
  { title: 'Products', number: true, hint: 'multiplications of one inference', cell: (l) => number.whole(l.multiplications) },
];

const facts = (rows) => h('dl', { class: 'facts' }, rows.filter(Boolean).map(([name, value]) => [h('dt', {}, name), h('dd', {}, value)]));
const card = (title, ...content) => h('section', { class: 'card' }, h('div', { class: 'card-head' }, h('h2', {}, title)), ...content);

export function trial(root, id, signal) {
  let it = null;
  let opened = null;
  const parts = Object.fromEntries(['head', 'tiles', 'error', 'device', 'layers', 'pair', 'synthesis', 'attempts', 'origin'].map((name) => [name, h('div', { class: name })]));
  const log = h('pre', { class: 'log', tabindex: 0, hidden: true, 'data-testid': 'log', 'aria-label': 'Log' });
  const charts = { loss: h('div', { class: 'chart' }), accuracy: h('div', { class: 'chart' }) };
  root.append(parts.head, parts.tiles, parts.error, parts.device, card('Layers', parts.layers), card('Learning curve', h('div', { class: 'charts' }, charts.loss, charts.accuracy)), parts.pair, parts.synthesis,
    card('Attempts and logs', parts.attempts, log), parts.origin);
  onWidth(charts.loss, () => it && curve());

  /** Whether outputs are values, not classes. */
  const predictsValues = () => it.objectives.some((o) => o.metric === 'mean_squared_error');

  function curve() {
    const column = (name) => it.curve.map((p) => [p.epoch, p[name] ?? NaN]);
    const empty = it.origin?.origin === 'learned_bits' ? `Kept after epoch ${it.origin.epoch} of run ${it.origin.run}, whose log has the whole curve.` : undefined;
    lines(charts.loss, { empty, xTitle: 'epoch', yTitle: 'loss', summary: `Loss over ${it.curve.length} epochs`, lines: [{ name: 'training', kind: 'first', values: column('train_loss') }, { name: 'validation', kind: 'second', values: column('validation_loss') }] });
    charts.accuracy.hidden = predictsValues();
    if (!charts.accuracy.hidden) lines(charts.accuracy, { empty, xTitle: 'epoch', yTitle: 'accuracy', share: true, summary: `Validation accuracy over ${it.curve.length} epochs`, lines: [{ name: 'validation accuracy', kind: 'second', values: column('validation_accuracy') }] });
  }

  async function openLog(path) {
    opened = path;
    log.hidden = false;
    let said;
    try { said = await text(path); } catch (cause) { said = cause.message; }
    if (opened !== path || signal.aborted) return;
    const atEnd = log.scrollTop + log.clientHeight >= log.scrollHeight - 4;
    log.textContent = said || '(empty so far)';
    if (atEnd) log.scrollTop = log.scrollHeight;
  }

  function synthesis() {
    const jobs = it.synthesis_jobs;
    const ask = it.state === 'completed' && it.scores?.costs && jobs.length === 0
      && h('button', { type: 'button', 'data-testid': 'synthesise', onclick: async () => { try { await post(`/trials/${id}/synthesis-jobs`); } catch (cause) { window.alert(cause.message); } page.load(); } }, 'Synthesise this trial');
    const views = jobs.map((job) => {
      const { result, estimate } = job;
      // Only vendors' engines tell of memories.
      const rows = ROOMS.filter(([name, , to]) => !name.endsWith('RAM') || result?.[to] !== undefined).map(([name, from, to]) => ({ name, estimate: from ? estimate?.[from] : undefined, measured: result?.[to] }))
        .map((row) => { const use = usageOf(job, row.name.toLowerCase()); return { ...row, available: use?.available ?? NaN, share: use?.measured_percent ?? NaN }; });
      const columns = [
        { title: 'Resource', cell: (r) => r.name }, { title: 'Estimate', number: true, cell: (r) => number.whole(r.estimate) }, { title: 'Measured', number: true, cell: (r) => number.whole(r.measured) },
        { title: 'Available', number: true, cell: (r) => number.whole(r.available) }, { title: 'Measured share', number: true, cell: (r) => number.share(r.share) },
        { title: 'Measured / estimate', number: true, cell: (r) => (r.estimate && r.measured !== undefined ? number.ratio(r.measured / r.estimate) : '–') }];
      return [h('p', {}, chip(job.state), ' ', job.state === 'failed' && h('strong', {}, job.error_code, ': ', job.error_message, ' '), job.waits_for && h('span', { 'data-testid': 'waits-for' }, `waits for ${job.waits_for} `),
        h('span', { class: 'faint' }, `${job.tool}${result?.tool_version ? ` ${result.tool_version}` : ''}${job.part ? ` on ${job.part}` : ''}, asked for by ${job.requested_by}${result ? `, ${number.whole(result.vectors_checked)} vectors equal to integer inference` : ''}${job.worker ? `, on ${job.worker}` : ''}${job.shared_from ? ', taken from an equal circuit that was synthesised before' : ''}`)),
      result && table({ id: 'synthesis', caption: `Estimate and measurement, ${result.stage ?? 'synthesis'} out of context`, columns, rows }),
      result && h('details', {}, h('summary', {}, 'Cells, command, digests'), h('p', { class: 'mono' }, Object.entries(result.cells ?? {}).map(([cell, count]) => h('span', { class: 'tag' }, `${cell} ${number.whole(count)}`))),
        h('pre', { tabindex: 0 }, result.command ?? ''), facts(filesOf(result).map(([kind, digest]) => [kind, h('button', { type: 'button', class: 'plain mono', onclick: () => download(digest, `${kind}-${digest.slice(0, 12)}`) }, digest)]))),
      job.attempt > 0 && h('p', {}, h('button', { type: 'button', onclick: () => { openLog(`/synthesis-jobs/${job.id}/attempts/${job.attempt}/log`); log.scrollIntoView({ block: 'nearest' }); } }, 'Show its log'))];
    });
    const ofData = it.scores?.unseen && h('p', { 'data-testid': 'unseen' }, 'Sums within the ranges of the train rows: ', ['validation', 'test'].map((split) => { const rows = it.scores.unseen[split]; return `${number.whole(rows.outside)} of ${number.whole(rows.rows)} ${split} rows leave them, ${number.whole(rows.different)} with other outputs than integer inference (${rows.accuracy === undefined ? `MSE ${number.error(rows.mean_squared_error)}` : `accuracy ${number.percent(rows.accuracy)}`} as circuit)`; }).join('; '), '.');
    show(parts.synthesis, card('Circuit', ofData, jobs.length === 0 && h('p', { class: 'faint' }, it.scores?.costs ? 'Not synthesised: every figure here is an estimate.' : 'A float network has no circuit.'), views, ask));
  }

  function attempts() {
    const columns = [
      { title: 'Attempt', cell: (a) => a.attempt }, { title: 'Worker', cell: (a) => a.worker }, { title: 'Ended', cell: (a) => chip(a.end_reason ?? 'running') },
      { title: 'Started', cell: (a) => ago(a.started_at) }, { title: 'Took', number: true, cell: (a) => span(between(a.started_at, a.ended_at)) },
      { title: 'Error', cell: (a) => (a.error_code ? [h('code', {}, a.error_code), ' ', a.error_message] : '–') },
      { title: 'Log', cell: (a) => h('button', { type: 'button', class: 'plain', 'data-testid': 'show-log', onclick: () => openLog(`/trials/${id}/attempts/${a.attempt}/log`) }, 'show') }];
    show(parts.attempts, table({ id: 'attempts', caption: 'Attempts, first to last', columns, rows: it.attempts, empty: 'no worker has taken it yet' }));
    if (opened && it.state === 'leased') openLog(opened);
  }

  function head() {
    const { previous, next } = it.front_neighbours;
    const step = (to, rel, words) => (to ? link(`/trials/${to}`, { rel, class: 'button', title: `key ${rel === 'next' ? 'j' : 'k'}` }, words) : null);
    show(parts.head,
      h('div', {}, h('p', { class: 'crumb' }, link('/', {}, 'Searches'), ' / ', link(`/searches/${it.search_id}`, {}, it.search_name)),
        h('h1', {}, 'Trial ', h('span', { 'data-testid': 'trial-name' }, trialName(it)), ' ', chip(it.state), it.on_front && h('span', { class: 'tag front' }, 'on the front'))),
      h('div', { class: 'actions' }, step(previous, 'prev', '← smaller'), step(next, 'next', 'larger →')));
    const tile = (title, value, note) => h('div', { class: 'tile' }, h('span', { class: 'tile-title' }, title), h('span', { class: 'tile-value' }, value), note && h('span', { class: 'faint' }, note));
    const costs = it.scores?.costs ?? {};
    const done = it.measured;
    const lut = usageOf(it, 'lut');
    const isOfValues = predictsValues();
    show(parts.tiles,
      ...(isOfValues ? [tile('MSE', number.error(it.scores?.mean_squared_error_validation), 'validation: what chooses'), tile('Test MSE', number.error(it.scores?.mean_squared_error_test), 'shown, never used to choose')]
        : [tile('Accuracy', number.percent(it.scores?.accuracy_validation), 'validation: what chooses'), tile('Test accuracy', number.percent(it.scores?.accuracy_test), 'shown, never used to choose')]), it.scores?.accuracy_float_batch_norm == null ? '' : tile('With float BatchNorm', number.percent(it.scores.accuracy_float_batch_norm), 'validation, before freezing to integers'),
      tile('LUT', ofDevice(done?.lut_measured ?? costs.lut_estimate, lut, done ? lut?.measured_percent : lut?.estimate_percent), `${done ? `measured; estimate ${number.whole(costs.lut_estimate)}` : 'estimate'}${fittedLut(it)}`),
      tile('Bits', number.whole(costs.bits), 'parameters and activations'), tile('Energy', costs.energy_pj === undefined ? '–' : `${number.short(costs.energy_pj)} pJ`, '45 nm model, corrected'), tile('Latency', costs.latency_ns === undefined ? '–' : `${number.short(costs.latency_ns)} ns`, costs.cycles ? `${costs.cycles} cycles${costs.initiation_interval > 1 ? `, a row every ${costs.initiation_interval}` : ''}` : null));
    show(parts.error, it.error_code && h('p', { class: 'error', role: 'alert' }, h('code', {}, it.error_code), ' ', it.error_message));
  }

  function device() {
    const { device: on, usage } = it;
    show(parts.device, usage.length > 0 && card(['On ', h('span', { class: 'mono' }, on?.part ?? 'its device')], deviceBars(usage)));
  }

  function pair() {
    const costs = it.scores?.costs;
    show(parts.pair,
      card('Costs', costs ? [h('table', { 'data-testid': 'costs' }, h('caption', {}, 'Estimated from the trained weights'), h('tbody', {}, COSTS.filter(([key]) => key in costs).map(([key, name, print]) => h('tr', {}, h('th', { scope: 'row' }, name), h('td', { class: 'number' }, print(costs[key])))))), fits(it)] : h('p', { class: 'faint' }, it.scores ? 'A float network has no hardware costs.' : 'Not scored yet.')),
      card(predictsValues() ? 'Targets' : 'Classes', classes()));
  }

  /** Each class against the rest, and what its test rows are taken for. */
  function classes() {
    const scores = it.scores ?? {};
    if (predictsValues()) return [h('p', { class: 'faint' }, 'Mean squared errors are in variances of the targets over the training rows: 1 is what their mean alone would have. The log says what an output of 1 stands for.'), h('p', {}, it.classes.map((target) => h('span', { class: 'tag' }, target)))];
    if (!scores.auc_validation?.length) return h('p', { class: 'faint' }, 'Not measured.');
    const name = (i) => it.classes[i] ?? String(i);
    const figure = (value) => (Number.isFinite(value) ? value.toFixed(4) : '–');
    const columns = [{ title: 'Class', cell: (i) => name(i) }, ...FIGURES.flatMap(([title, key, hint]) => [
      { title, number: true, hint: `${hint}, validation split`, cell: (i) => figure(scores[`${key}_validation`]?.[i]) }, { title: 'Test', number: true, hint: `${hint}, test split`, cell: (i) => figure(scores[`${key}_test`]?.[i]) }])];
    const rows = scores.auc_validation.map((_, i) => i);
    const confusion = scores.confusion_test;
    const taken = confusion && [{ title: 'Class', cell: (i) => name(i) }, ...rows.map((of) => {
      const share = (i) => confusion[i][of] / Math.max(1, confusion[i].reduce((sum, count) => sum + count, 0));
      return { title: name(of), number: true, cell: (i) => {
        const count = h('span', { class: 'share-of-row', title: `${number.percent(share(i))} of the test rows of ${name(i)} are taken for ${name(of)}` }, number.whole(confusion[i][of]));
        count.style.setProperty('--share', `${(100 * share(i)).toFixed(1)}%`);
        return count;
      } };
    })];
    return [table({ id: 'classes', caption: 'Each class against the rest', columns, rows }), h('p', { class: 'faint' }, 'B at 50 %: background efficiency at a signal efficiency of 50 %, the share of the other classes that a cut takes for the class where it keeps half of it.'),
      taken && h('h3', {}, 'Test rows of a class, by what they are taken for'), taken && table({ id: 'confusion', caption: 'Confusion matrix of the test split: a row a class, a column what its rows are taken for', columns: taken, rows })];
  }

  function origin() {
    const from = it.origin?.origin === 'learned_bits' ? `learned bit widths: run ${it.origin.run}, epoch ${it.origin.epoch}, beta ${it.origin.beta.toExponential(2)}` : it.origin?.origin === 'learning_run' ? `run ${it.number}, which learns bit widths` : it.origin?.origin === 'evolved' ? `child of trial ${it.origin.parents.join(' and ')}` : it.origin?.origin === 'seed' ? `seed trial ${it.origin.label}` : it.origin?.origin ?? '–';
    show(parts.origin, card('Where it comes from', facts([['Proposed as', from], ['Seed', h('code', {}, it.seed)], it.engine_version !== null && ['Engine version', number.whole(it.engine_version)], ['Candidate', h('code', {}, it.candidate_digest)], it.repeat > 0 && ['Repetition', it.repeat], ['Input', quantizer(it.input_quantizer)], it.device && ['Device', `${it.device.part}, ${it.device.clock_mhz} MHz`],
      it.artifacts.length > 0 && ['Artifacts', h('ul', { class: 'plain' }, it.artifacts.map((a) => h('li', {}, h('button', { type: 'button', class: 'plain', onclick: () => download(a.digest, `${it.search_name}-${it.number}-${a.kind}`) }, a.kind), h('span', { class: 'faint' }, ` ${number.bytes(a.bytes)}, attempt ${a.attempt}, `), h('code', {}, a.digest.slice(0, 16)))))]]),
    h('details', {}, h('summary', {}, 'Candidate'), h('pre', { tabindex: 0 }, JSON.stringify(it.candidate, null, 2)))));
  }

  const page = {
    title: () => (it ? `Trial ${it.number} · ${it.search_name}` : 'Trial'),
    get events() { return `/searches/${it.search_id}/events`; },
    wants: (kind) => kind !== 'search.progress' || it.state === 'leased',
    async load() {
      it = await get(`/trials/${id}`);
      if (signal.aborted) return;
      head();
      show(parts.layers, table({ id: 'layers', caption: 'Layers, each behind what it reads', columns: LAYERS, rows: it.layers }));
      device();
      curve();
      pair();
      synthesis();
      attempts();
      if (!parts.origin.querySelector('details')?.open) origin();
    },
  };
  return page;
}

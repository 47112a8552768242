// What a circuit takes of its device: used, available and the share, resource by resource.

import { h, number } from './dom.js';

const NAMES = { lut: 'LUT', ff: 'FF', dsp: 'DSP', bram: 'BRAM', uram: 'URAM' };

/** The row of `trial.usage` for a resource (`lut`). */
export const usageOf = (trial, resource) => trial.usage?.find((row) => row.resource === resource);

/** A count with its share of the device behind it, where both are known. */
export const withShare = (count, percent) => (Number.isFinite(count) && Number.isFinite(percent) ? [number.whole(count), ' ', h('span', { class: 'faint share' }, number.share(percent))] : number.whole(count));

/** The same with what the device has: `480 of 5,280 (9.1 %)`. */
export const ofDevice = (count, use, percent) => (Number.isFinite(count) && Number.isFinite(percent) ? [number.whole(count), h('span', { class: 'faint share' }, ` of ${number.whole(use.available)} (${number.share(percent)})`)] : number.whole(count));

/** A bar a resource: filled by what synthesis measured, else by the estimate; a tick stands at the estimate beside a measurement. */
export function deviceBars(usage) {
  const row = (it) => {
    const isMeasured = it.measured !== null;
    const used = isMeasured ? it.measured : it.estimate;
    const percent = isMeasured ? it.measured_percent : it.estimate_percent;
    const known = Number.isFinite(percent);
    const over = known && percent > 100;
    const bar = h('span', { class: 'use', 'data-kind': isMeasured ? 'measured' : 'estimate', 'data-over': over || null, role: 'meter', 'aria-valuemin': 0, 'aria-valuemax': it.available, 'aria-valuenow': known ? Math.min(used, it.available) : null,
      'aria-label': NAMES[it.resource] ?? it.resource, 'aria-valuetext': known ? `${number.whole(used)} of ${number.whole(it.available)}, ${number.share(percent)}` : number.whole(used) });
    if (known && used > 0) {
      const fill = h('span', { class: 'fill' });
      fill.style.width = `max(2px, ${Math.min(100, percent)}%)`;
      bar.append(fill);
    }
    if (isMeasured && it.estimate_percent > 0) {
      const tick = h('span', { class: 'tick', title: `estimate ${number.whole(it.estimate)}` });
      tick.style.left = `min(calc(100% - 2px), ${Math.min(100, it.estimate_percent)}%)`;
      bar.append(tick);
    }
    return h('li', { 'data-testid': 'device-row', 'data-resource': it.resource }, h('span', {}, NAMES[it.resource] ?? it.resource), bar,
      h('span', { class: 'figure' }, h('strong', {}, number.whole(used)), known ? ` of ${number.whole(it.available)}` : isMeasured && it.available !== null ? ' on another part' : ' of an unknown number', known && h('span', { class: over ? 'over' : 'faint' }, ` ${number.share(percent)}${over ? ', does not fit' : ''}`), h('span', { class: 'faint' }, isMeasured ? ` measured${it.estimate === null ? '' : `, estimate ${number.whole(it.estimate)}`}` : ' estimated')));
  };
  return h('ul', { class: 'uses', 'data-testid': 'device' }, usage.map(row));
}

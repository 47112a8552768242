// Two plots in SVG: the front scatter and line charts. Colours come from the style sheet, so that both themes hold.

import { h, number, s, show } from './dom.js';

/** Calls `draw` when an element gets another width. */
export function onWidth(host, draw) {
  let width = null;
  new ResizeObserver(() => {
    if (host.clientWidth === width) return;
    width = host.clientWidth;
    draw();
  }).observe(host);
}

/** Ticks at round numbers from `low` to `high`. */
export function linearTicks(low, high, about) {
  const raw = (high - low) / Math.max(1, about);
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 2.5, 5, 10].map((m) => m * power).find((candidate) => candidate >= raw) ?? raw;
  const ticks = [];
  for (let tick = Math.ceil(low / step) * step; tick <= high + step * 1e-9; tick += step) ticks.push(Math.abs(tick) < step * 1e-9 ? 0 : tick);
  return ticks;
}

/** Ticks at 1, 2, 5 times powers of ten, thinned to about `about`. */
export function logTicks(low, high, about) {
  const every = (multiples) => {
    const ticks = [];
    for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power += 1) {
      for (const m of multiples) if (m * 10 ** power >= low * 0.999 && m * 10 ** power <= high * 1.001) ticks.push(m * 10 ** power);
    }
    return ticks;
  };
  return [[1, 2, 3, 4, 5, 6, 7, 8, 9], [1, 2, 3, 5, 7], [1, 2, 5], [1, 3], [1]].map(every).find((ticks) => ticks.length <= about) ?? every([1]);
}

function scale(low, high, from, to, log) {
  const t = log ? Math.log10 : (v) => v;
  const [a, b] = [t(low), t(high)];
  return (value) => from + ((t(value) - a) / (b - a || 1)) * (to - from);
}

/** Decimals that a tick's step needs. */
const places = (step) => [0, 1, 2, 3, 4].find((digits) => Math.abs(step * 10 ** digits - Math.round(step * 10 ** digits)) < 1e-6) ?? 4;
const percent = (value, step) => `${(100 * value).toFixed(places(100 * step))} %`;
const compact = (value) => (value >= 1e6 ? `${+(value / 1e6).toPrecision(3)} M` : value >= 1e4 ? `${+(value / 1e3).toPrecision(3)} k` : number.short(value));

const shapes = {
  dominated: (x, y) => s('circle', { cx: x, cy: y, r: 3, class: 'mark dominated' }),
  infeasible: (x, y) => s('circle', { cx: x, cy: y, r: 3, class: 'mark infeasible' }),
  front: (x, y) => s('circle', { cx: x, cy: y, r: 5.5, class: 'mark front' }),
  baseline: (x, y) => s('path', { d: `M${x} ${y - 6.5}L${x + 6.5} ${y}L${x} ${y + 6.5}L${x - 6.5} ${y}Z`, class: 'mark baseline' }),
  ring: (x, y) => s('circle', { cx: x, cy: y, r: 10, class: 'mark ring' }),
  measured: (x, y) => s('path', { d: `M${x - 5} ${y - 5}L${x + 5} ${y + 5}M${x - 5} ${y + 5}L${x + 5} ${y - 5}`, class: 'mark measured' }),
};

/** The key to the scatter's marks: shape and words. */
export function legend(entries) {
  return h('ul', { class: 'legend', 'aria-label': 'Key' }, entries.map(([shape, words]) =>
    h('li', {}, s('svg', { viewBox: '-11 -11 22 22', 'aria-hidden': 'true' }, shape === 'line' ? s('line', { x1: -10, x2: 10, y1: 0, y2: 0, class: 'level' }) : shapes[shape](0, 0)), words)));
}

/**
 * The front scatter. `points`: {x, y, kind, label, ring, measured, href, tip}; y is a share. `levels`: {y, label}
 * are drawn as lines across, for networks without a cost. `focus` leaves out what lies far below the front.
 */
export function scatter(host, { points, levels, xTitle, yTitle, log, focus, empty, summary }) {
  const width = Math.max(340, host.clientWidth || 900);
  const height = Math.round(Math.min(520, Math.max(300, width * 0.44)));
  const edge = { left: 72, right: 18, top: 14, bottom: 46 };
  const drawn = points.filter((p) => Number.isFinite(p.x) && Number.isFinite(p.y) && (!log || p.x > 0));
  if (drawn.length === 0) {
    show(host, h('p', { class: 'empty' }, empty ?? 'The first scored trial will appear here.'));
    return;
  }
  const xs = drawn.flatMap((p) => (Number.isFinite(p.measured) ? [p.x, p.measured] : [p.x]));
  const kept = focus ? drawn.filter((p) => p.kind === 'front' || p.kind === 'baseline') : drawn;
  const ys = [...(kept.length ? kept : drawn).map((p) => p.y), ...levels.map((l) => l.y)];
  let [yLow, yHigh] = [Math.min(...ys), Math.max(...ys)];
  const yPad = Math.max((yHigh - yLow) * 0.09, 0.002);
  [yLow, yHigh] = [Math.max(0, yLow - yPad), Math.min(1, yHigh + yPad)];
  let [xLow, xHigh] = [Math.min(...xs), Math.max(...xs)];
  if (log) [xLow, xHigh] = [xLow / 1.15, xHigh * 1.15];
  else [xLow, xHigh] = [Math.max(0, xLow - (xHigh - xLow) * 0.05), xHigh + Math.max((xHigh - xLow) * 0.05, 1)];
  const x = scale(xLow, xHigh, edge.left, width - edge.right, log);
  const y = scale(yLow, yHigh, height - edge.bottom, edge.top, false);
  const xTicks = (log ? logTicks : linearTicks)(xLow, xHigh, Math.floor(width / 90));
  const yTicks = linearTicks(yLow, yHigh, Math.floor(height / 60));
  const svg = s('svg', { viewBox: `0 0 ${width} ${height}`, class: 'plot', role: 'img', 'aria-label': summary, 'data-testid': 'scatter' });
  for (const tick of yTicks) {
    svg.append(s('line', { x1: edge.left, x2: width - edge.right, y1: y(tick), y2: y(tick), class: 'grid' }),
      s('text', { x: edge.left - 8, y: y(tick) + 4, class: 'tick end' }, percent(tick, yTicks[1] - yTicks[0])));
  }
  for (const tick of xTicks) {
    svg.append(s('line', { x1: x(tick), x2: x(tick), y1: edge.top, y2: height - edge.bottom, class: 'grid' }),
      s('text', { x: x(tick), y: height - edge.bottom + 18, class: 'tick middle' }, compact(tick)));
  }
  svg.append(
    s('line', { x1: edge.left, x2: width - edge.right, y1: height - edge.bottom, y2: height - edge.bottom, class: 'axis' }),
    s('line', { x1: edge.left, x2: edge.left, y1: edge.top, y2: height - edge.bottom, class: 'axis' }),
    s('text', { x: (edge.left + width - edge.right) / 2, y: height - 8, class: 'title middle' }, xTitle),
    s('text', { x: -(edge.top + height - edge.bottom) / 2, y: 15, transform: 'rotate(-90)', class: 'title middle' }, yTitle));
  for (const level of levels) {
    svg.append(s('line', { x1: edge.left, x2: width - edge.right, y1: y(level.y), y2: y(level.y), class: 'level' }),
      s('text', { x: width - edge.right - 4, y: y(level.y) - 5, class: 'note end' }, level.label));
  }
  // The step line: what is best at each cost, in the axes shown.
  const stairs = [];
  for (const p of drawn.filter((q) => q.kind === 'front' || q.front).sort((a, b) => a.x - b.x || b.y - a.y)) {
    if (stairs.length === 0 || p.y > stairs.at(-1).y) stairs.push(p);
  }
  if (stairs.length) {
    const path = stairs.map((p, i) => (i === 0 ? `M${x(p.x)} ${height - edge.bottom}V${y(p.y)}` : `H${x(p.x)}V${y(p.y)}`)).join('');
    svg.append(s('path', { d: `${path}H${width - edge.right}V${height - edge.bottom}Z`, class: 'reach' }), s('path', { d: `${path}H${width - edge.right}`, class: 'step' }));
  }
  const order = { dominated: 0, infeasible: 0, baseline: 1, front: 2 };
  const below = [];
  const marks = [];
  const names = [];
  for (const p of [...drawn].sort((a, b) => order[a.kind] - order[b.kind])) {
    if (p.y < yLow) { below.push(p); continue; }
    const at = [x(p.x), y(p.y)];
    if (Number.isFinite(p.measured) && p.measured >= xLow && p.measured <= xHigh) {
      svg.append(s('line', { x1: at[0], x2: x(p.measured), y1: at[1], y2: at[1], class: 'shift' }), shapes.measured(x(p.measured), at[1]));
    }
    if (p.ring) svg.append(shapes.ring(...at));
    svg.append(shapes[p.kind](...at));
    if (p.kind === 'baseline') names.push({ label: p.label, x: at[0], y: at[1] });
    marks.push({ p, at });
  }
  let floor = null;
  for (const name of names.sort((a, b) => a.x - b.x)) {
    const left = name.x > width - edge.right - 110;
    const clash = floor && Math.abs(floor.y - name.y) < 14 && name.x - floor.x < 90;
    const at = clash ? floor.y + 14 : name.y + 4;
    svg.append(s('text', { x: name.x + (left ? -10 : 10), y: at, class: left ? 'note end' : 'note' }, name.label));
    floor = { x: name.x, y: at };
  }
  if (below.length) svg.append(s('text', { x: width - edge.right - 4, y: height - edge.bottom - 7, class: 'note end' }, `${below.length} trial${below.length > 1 ? 's' : ''} below`));
  const tip = h('div', { class: 'tip', hidden: true });
  const halo = s('circle', { r: 9, class: 'halo', visibility: 'hidden' });
  svg.append(halo);
  const nearest = (event) => {
    const box = svg.getBoundingClientRect();
    const at = [((event.clientX - box.left) / box.width) * width, ((event.clientY - box.top) / box.height) * height];
    let best = null;
    for (const mark of marks) {
      const distance = Math.hypot(mark.at[0] - at[0], mark.at[1] - at[1]) - (mark.p.kind === 'front' ? 4 : 0);
      if (distance < 22 && (!best || distance < best.distance)) best = { ...mark, distance };
    }
    return best;
  };
  svg.addEventListener('pointermove', (event) => {
    const best = nearest(event);
    tip.hidden = !best;
    halo.setAttribute('visibility', best ? 'visible' : 'hidden');
    svg.classList.toggle('over', Boolean(best));
    if (!best) return;
    halo.setAttribute('cx', best.at[0]);
    halo.setAttribute('cy', best.at[1]);
    show(tip, best.p.tip());
    const box = svg.getBoundingClientRect();
    const right = best.at[0] > width * 0.62;
    tip.style.left = `${(best.at[0] / width) * box.width + (right ? -14 : 14)}px`;
    tip.style.top = `${(best.at[1] / height) * box.height}px`;
    tip.classList.toggle('right', right);
  });
  svg.addEventListener('pointerleave', () => { tip.hidden = true; halo.setAttribute('visibility', 'hidden'); });
  svg.addEventListener('click', (event) => {
    const best = nearest(event);
    if (best) document.dispatchEvent(new CustomEvent('bitfront:go', { detail: best.p.href }));
  });
  show(host, svg, tip);
}

/** A line chart over epochs. `lines`: {name, kind, values: [[x, y]]}. */
export function lines(host, { lines: all, xTitle, yTitle, share, summary, empty = 'No epoch has ended yet.' }) {
  const width = Math.max(300, host.clientWidth || 480);
  const height = 240;
  const edge = { left: 68, right: 14, top: 14, bottom: 42 };
  const points = all.flatMap((line) => line.values).filter(([, v]) => Number.isFinite(v));
  if (points.length === 0) {
    show(host, h('p', { class: 'empty' }, empty));
    return;
  }
  const xHigh = Math.max(2, ...points.map(([e]) => e));
  let [low, high] = [Math.min(...points.map(([, v]) => v)), Math.max(...points.map(([, v]) => v))];
  const pad = Math.max((high - low) * 0.08, 1e-4);
  [low, high] = [low - pad, high + pad];
  const x = scale(1, xHigh, edge.left, width - edge.right, false);
  const y = scale(low, high, height - edge.bottom, edge.top, false);
  const svg = s('svg', { viewBox: `0 0 ${width} ${height}`, class: 'plot', role: 'img', 'aria-label': summary, 'data-testid': 'curve' });
  const yTicks = linearTicks(low, high, 4);
  const step = yTicks.length > 1 ? yTicks[1] - yTicks[0] : 1;
  for (const tick of yTicks) {
    svg.append(s('line', { x1: edge.left, x2: width - edge.right, y1: y(tick), y2: y(tick), class: 'grid' }),
      s('text', { x: edge.left - 8, y: y(tick) + 4, class: 'tick end' }, share ? percent(tick, step) : tick.toFixed(places(step))));
  }
  for (const tick of linearTicks(1, xHigh, Math.min(8, xHigh - 1)).filter(Number.isInteger)) {
    svg.append(s('text', { x: x(tick), y: height - edge.bottom + 18, class: 'tick middle' }, tick));
  }
  svg.append(s('line', { x1: edge.left, x2: width - edge.right, y1: height - edge.bottom, y2: height - edge.bottom, class: 'axis' }),
    s('text', { x: (edge.left + width - edge.right) / 2, y: height - 8, class: 'title middle' }, xTitle),
    s('text', { x: -(edge.top + height - edge.bottom) / 2, y: 13, transform: 'rotate(-90)', class: 'title middle' }, yTitle));
  for (const line of all) {
    const finite = line.values.filter(([, v]) => Number.isFinite(v));
    svg.append(s('path', { d: finite.map(([e, v], i) => `${i ? 'L' : 'M'}${x(e)} ${y(v)}`).join(''), class: `line ${line.kind}` }));
    for (const [e, v] of finite) svg.append(s('circle', { cx: x(e), cy: y(v), r: 2.5, class: `dot ${line.kind}` }, s('title', {}, `${line.name}, epoch ${e}: ${share ? number.percent(v) : number.short(v)}`)));
  }
  show(host, svg, all.length > 1 && h('ul', { class: 'legend' }, all.map((line) => h('li', {}, s('svg', { viewBox: '-11 -11 22 22', 'aria-hidden': 'true' }, s('path', { d: 'M-10 0H10', class: `line ${line.kind}` })), line.name))));
}

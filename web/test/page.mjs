// The page in a real browser, against a running coordinator that has at least one search with a front.
// BITFRONT_URL names it, BITFRONT_TOKEN its token where it asks for one, CHROMIUM the browser.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { chromium } from 'playwright-core';

const base = process.env.BITFRONT_URL?.replace(/\/$/, '');
assert.ok(base, 'BITFRONT_URL names the coordinator to test, e.g. http://127.0.0.1:7700');
const WAIT = { timeout: 20_000 };

let browser;
before(async () => {
  browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox', '--disable-gpu'] });
});
after(() => browser?.close());

/** Opens an address, runs `check`, and asserts that nothing was logged as an error and nobody else was called. */
async function visit(path, check, { scheme = 'light', width = 1280, prepare, allow = () => false } = {}) {
  const context = await browser.newContext({ viewport: { width, height: 900 }, colorScheme: scheme });
  if (process.env.BITFRONT_TOKEN) await context.addInitScript((token) => sessionStorage.setItem('bitfront-token', token), process.env.BITFRONT_TOKEN);
  const page = await context.newPage();
  const errors = [];
  const elsewhere = [];
  page.on('console', (message) => message.type() === 'error' && !allow(message.text()) && errors.push(message.text()));
  page.on('pageerror', (error) => errors.push(error.message));
  page.on('request', (request) => new URL(request.url()).origin !== new URL(base).origin && elsewhere.push(request.url()));
  await prepare?.(page);
  await page.goto(base + path);
  await check(page);
  assert.deepEqual(errors, [], 'the console is clean');
  assert.deepEqual(elsewhere, [], 'no request goes to another origin');
  await page.unrouteAll({ behavior: 'ignoreErrors' });
  await context.close();
}

/** Address of the search with the largest front. */
async function target() {
  const headers = process.env.BITFRONT_TOKEN ? { authorization: `Bearer ${process.env.BITFRONT_TOKEN}` } : {};
  const { items } = await (await fetch(`${base}/api/v1/searches?page_size=100`, { headers })).json();
  const best = items.sort((a, b) => b.front_size - a.front_size)[0];
  assert.ok(best?.front_size > 0, 'the coordinator has a search with a front');
  return best;
}

const texts = (page, selector) => page.$$eval(selector, (all) => all.map((one) => one.textContent.trim()));

test('the searches, each with its state and progress', async () => {
  const best = await target();
  await visit('/', async (page) => {
    await page.waitForSelector('[data-testid=searches-row]', WAIT);
    assert.match(await page.title(), /Searches/);
    assert.ok((await texts(page, '[data-testid=searches-row] .name')).includes(best.name));
    assert.ok((await texts(page, '[data-testid=searches-row] [data-testid=progress]')).every((text) => /^[\d,]+ \/ [\d,]+$/.test(text)));
    await page.waitForSelector('[data-testid=live][data-state=live]', WAIT);
    await page.click(`a[href="/searches/${best.id}"]`);
    await page.waitForSelector('[data-testid=scatter]', WAIT);
    assert.equal(new URL(page.url()).pathname, `/searches/${best.id}`);
    await page.goBack();
    await page.waitForSelector('[data-testid=searches-row]', WAIT);
  });
});

test('one search: the front as a plot and as a table, the trials sorted and filtered', async () => {
  const best = await target();
  await visit(`/searches/${best.id}`, async (page) => {
    await page.waitForSelector('[data-testid=scatter]', WAIT);
    assert.equal(await page.textContent('[data-testid=search-name]'), best.name);
    const rows = await page.$$('[data-testid=front-row]');
    assert.ok(rows.length >= 1);
    // Every member is a mark, as a disc or, where it is a baseline too, as a diamond.
    const discs = (await page.$$('.mark.front')).length - 1;
    const diamonds = (await page.$$('.mark.baseline')).length - 1;
    assert.ok(discs <= rows.length && rows.length <= discs + diamonds, `${discs} discs, ${diamonds} diamonds, ${rows.length} members`);
    assert.ok(await page.$('path.step'), 'the step line');
    assert.match(await page.getAttribute('[data-testid=scatter]', 'aria-label'), /members of the front/);
    const titles = await texts(page, '[data-testid=scatter] .title');
    assert.equal(titles.length, 2);
    await page.selectOption('[data-testid=select-cost]', 'bits');
    assert.ok((await texts(page, '[data-testid=scatter] .title')).includes('bits'));
    // By what synthesis measured: only measured trials are drawn, and the others are counted.
    const answer = page.waitForResponse((response) => response.url().endsWith('/front?cost=lut_measured'), WAIT);
    await page.selectOption('[data-testid=select-cost]', 'lut_measured');
    const measured = await (await answer).json();
    if (measured.members.length > 0) {
      await page.waitForFunction(() => [...document.querySelectorAll('[data-testid=scatter] .title')].some((title) => title.textContent === 'LUT measured'), null, WAIT);
    } else {
      await page.waitForSelector('.plot .empty', WAIT);
    }
    assert.ok(measured.members.every((member) => member.measured.lut_measured > 0));
    if (measured.unmeasured > 0) assert.match(await page.textContent('[data-testid=unmeasured]'), new RegExp(`^${measured.unmeasured.toLocaleString('en')} completed`));

    const numbers = async () => (await texts(page, '[data-testid=trials-row] td:first-child')).map((text) => Number.parseInt(text, 10));
    await page.click('[data-sort=number]');
    await page.waitForSelector('th[aria-sort=ascending] [data-sort=number]', WAIT);
    const ascending = await numbers();
    assert.deepEqual(ascending, [...ascending].sort((a, b) => a - b));
    await page.click('[data-sort=number]');
    await page.waitForSelector('th[aria-sort=descending] [data-sort=number]', WAIT);
    const descending = await numbers();
    assert.deepEqual(descending, [...descending].sort((a, b) => b - a));
    await page.selectOption('[data-testid=select-state]', 'completed');
    await page.waitForFunction(() => [...document.querySelectorAll('[data-testid=trials-row] .chip')].every((chip) => chip.dataset.state === 'completed'), null, WAIT);
    assert.ok((await numbers()).length >= 1);
  });
});

test('one trial: layers with their quantizers, curve, scores, attempts and a log', async () => {
  const best = await target();
  let address;
  await visit(`/searches/${best.id}`, async (page) => {
    await page.waitForSelector('[data-testid=front-row] a', WAIT);
    address = await page.getAttribute('[data-testid=front-row] a', 'href');
  });
  await visit(address, async (page) => {
    await page.waitForSelector('[data-testid=layers-row]', WAIT);
    assert.match(await page.textContent('[data-testid=trial-name]'), /^\d+/);
    const quantizers = await texts(page, '[data-testid=layers-row] .quantizer code');
    assert.ok(quantizers.length >= 2 && quantizers.every((text) => /^[a-z_0-9]+(\(.*\))?$/.test(text)), quantizers.join());
    const rows = await texts(page, '[data-testid=layers-row]');
    assert.ok(rows.some((row) => row.includes('–')) && rows.every((row) => !/logits|null|undefined/.test(row)), rows.join('; '));
    assert.ok((await page.$$('[data-testid=curve]')).length >= 1, 'a curve');
    const { scores } = await (await fetch(`${base}/api/v1${address}`, process.env.BITFRONT_TOKEN ? { headers: { authorization: `Bearer ${process.env.BITFRONT_TOKEN}` } } : {})).json();
    const isOfValues = scores.accuracy_validation === undefined;
    assert.match(await page.textContent('.tiles'), isOfValues ? /MSE\d+\.\d{4}/ : /\d+\.\d\d %/);
    assert.match(await page.textContent('.tiles'), /LUT[\d,]+ of [\d,]+ \(\S+ %\)/);
    assert.ok((await page.$$('[data-testid=costs] tr')).length >= 5);
    // One row a class in both tables; a class's test rows are counted once each.
    const classes = await texts(page, '[data-testid=classes-row] td:first-child');
    assert.ok(isOfValues ? classes.length === 0 : classes.length >= 2 && (await texts(page, '[data-testid=classes-row]')).every((row) => !/NaN|undefined/.test(row)));
    assert.deepEqual(await texts(page, '[data-testid=confusion-row] td:first-child'), scores.confusion_test ? classes : []);
    const counts = (await texts(page, '[data-testid=confusion-row] .number')).map((text) => Number(text.replaceAll(',', '')));
    assert.deepEqual(counts, (scores.confusion_test ?? []).flat());
    // Used, available and the share of the device, each in words and as a bar of that width.
    const uses = await page.$$eval('[data-testid=device-row]', (rows) => rows.map((row) => {
      const [bar, fill] = [row.querySelector('.use'), row.querySelector('.fill')];
      return { resource: row.dataset.resource, text: row.querySelector('.figure').textContent, value: bar.getAttribute('aria-valuetext'), drawn: fill ? fill.getBoundingClientRect().width / bar.getBoundingClientRect().width : 0 };
    }));
    assert.deepEqual(uses.slice(0, 3).map((use) => use.resource), ['lut', 'ff', 'dsp']);
    for (const { resource, text, value, drawn } of uses) {
      const [, used, available, percent] = value.match(/^([\d,]+) of ([\d,]+), <?([\d.]+) %$/) ?? assert.fail(`${resource}: ${value}`);
      const [few, all] = [used, available].map((count) => Number(count.replaceAll(',', '')));
      assert.ok(Math.abs((100 * few) / all - Number(percent)) <= 0.51, `${few} of ${all} is ${percent} %`);
      assert.ok(text.startsWith(`${used} of ${available}`), text);
      assert.ok(few === 0 ? drawn === 0 : drawn > 0 && Math.abs(drawn - few / all) < 0.02, `${resource}: ${drawn}`);
    }
    assert.ok((await page.$$('[data-testid=attempts-row]')).length >= 1);
    await page.click('[data-testid=show-log]');
    await page.waitForFunction(() => document.querySelector('[data-testid=log]').textContent.length > 0, null, WAIT);
    assert.ok(await page.isVisible('[data-testid=log]'));
  });
});

test('what is fitted to measurements stands beside the estimate, and what a circuit waits for beside its job', async () => {
  const best = await target();
  let address;
  await visit(`/searches/${best.id}`, async (page) => {
    await page.waitForSelector('[data-testid=front-row] a', WAIT);
    address = await page.getAttribute('[data-testid=front-row] a', 'href');
  });
  const predicted = { value: 4321, low: 3999, high: 5001, level: 0.9, jobs: 1234, median_error: 0.0312 };
  const key = { engine: 'yosys', tool_version: '0.23', part: null, options: '-nodsp' };
  const prepare = (page) => page.route(`**/api/v1${address}`, async (route) => {
    const answer = await route.fetch();
    const body = await answer.json();
    body.synthesis_jobs = [{ ...body.synthesis_jobs[0], id: '01900000-0000-7000-8000-000000000001', tool: 'vivado', part: 'xcvu9p-flgb2104-2-i', state: 'queued', requested_by: 'user', attempt: 0, result: null, waits_for: 'a worker with vivado on PATH' }];
    body.predictions = [{ ...key, circuits: 1234, lut_predicted: predicted, ff_predicted: null, carry_predicted: null }, { ...key, tool_version: '0.40', circuits: 4 }];
    await route.fulfill({ response: answer, json: body });
  });
  await visit(address, async (page) => {
    await page.waitForSelector('[data-testid=fits-row]', WAIT);
    const [row, ...others] = await texts(page, '[data-testid=fits-row]');
    assert.deepEqual(others, [], 'a count without a fit has no row');
    for (const part of ['LUT', '4,321', '3,999 to 5,001 (90 %)', '3.12 %', '1,234']) assert.ok(row.includes(part), `${part}: ${row}`);
    assert.match(await page.textContent('[data-testid=no-fit]'), /4 circuits measured by yosys 0\.40/);
    assert.equal((await page.textContent('[data-testid=waits-for]')).trim(), 'waits for a worker with vivado on PATH');
    assert.match(await page.textContent('.tiles'), /fitted 4,321, 3,999 to 5,001/);
  }, { prepare });
});

test('the workers', () => visit('/workers', async (page) => {
  await page.waitForSelector('[data-testid=workers]', WAIT);
  assert.match(await page.title(), /Workers/);
}));

test('both themes, a narrow window, and no sideways scrolling', async () => {
  const best = await target();
  const grounds = [];
  for (const [scheme, width] of [['light', 1280], ['dark', 1280], ['dark', 390]]) {
    await visit(`/searches/${best.id}`, async (page) => {
      await page.waitForSelector('[data-testid=scatter]', WAIT);
      grounds.push(await page.evaluate(() => getComputedStyle(document.body).backgroundColor));
      assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= window.innerWidth), `${scheme} at ${width}`);
    }, { scheme, width });
  }
  assert.notEqual(grounds[0], grounds[1]);
});

test('text from users is text, whatever it says', async () => {
  const hostile = '<img src=x onerror="document.title=`pwned`"><script>document.title="pwned"</script>';
  const prepare = (page) => page.route('**/api/v1/searches?*', async (route) => {
    const answer = await route.fetch();
    const body = await answer.json();
    for (const search of body.items) Object.assign(search, { name: hostile, description: hostile });
    await route.fulfill({ response: answer, json: body });
  });
  await visit('/', async (page) => {
    await page.waitForSelector('[data-testid=searches-row]', WAIT);
    assert.equal((await texts(page, '[data-testid=searches-row] .name'))[0], hostile);
    assert.equal((await page.$$('main img, main script')).length, 0);
    assert.match(await page.title(), /Searches/);
  }, { prepare });
});

test('an address that names nothing says so', async () => {
  await visit('/no/such/page', async (page) => { await page.waitForSelector('[data-testid=not-found]', WAIT); });
  // The browser itself logs the 404 of the call.
  await visit('/trials/01900000-0000-7000-8000-00000000dead', async (page) => {
    await page.waitForSelector('[data-testid=problem]', WAIT);
    assert.match(await page.textContent('[data-testid=problem]'), /no trial 01900000/);
  }, { allow: (text) => text.includes('404') });
});

// The page's frame: which of the pages an address shows, one event stream, and what is said when a call is refused.

import { follow, hasToken, setToken } from './api.js';
import { h, show } from './dom.js';
import { searches } from './searches.js';
import { search } from './search.js';
import { trial } from './trial.js';
import { workers } from './workers.js';

const main = document.getElementById('main');
const live = document.getElementById('live');

// Address, page, and the name of its place in the navigation. A page is a function (root, id) -> {title, events, load}.
const ROUTES = [
  [/^\/$/, searches, 'searches'],
  [/^\/searches\/([0-9a-f-]{36})$/, search, 'searches'],
  [/^\/trials\/([0-9a-f-]{36})$/, trial, 'searches'],
  [/^\/workers$/, workers, 'workers'],
];

let current = null;

async function open() {
  current?.abort.abort();
  const abort = new AbortController();
  const mine = (current = { abort });
  const root = h('div', { class: 'page' });
  const route = ROUTES.map(([pattern, page, nav]) => ({ match: pattern.exec(location.pathname), page, nav })).find((r) => r.match);
  for (const anchor of document.querySelectorAll('[data-nav]')) {
    if (anchor.dataset.nav === route?.nav) anchor.setAttribute('aria-current', 'page');
    else anchor.removeAttribute('aria-current');
  }
  if (!route) {
    document.title = 'Not found · Bitfront';
    show(main, h('section', { class: 'notice', 'data-testid': 'not-found' }, h('h1', {}, 'Nothing is here'), h('p', {}, 'This address names no search, trial or page. '), h('p', {}, h('a', { href: '/', 'data-link': true }, 'All searches'))));
    return;
  }
  const page = route.page(root, route.match[1], abort.signal);
  let shown = false;
  const load = once(async () => {
    try {
      await page.load();
      if (abort.signal.aborted) return;
      shown = true;
      document.title = `${page.title()} · Bitfront`;
      if (root.parentNode !== main) show(main, root);
      main.setAttribute('aria-busy', 'false');
    } catch (cause) {
      if (abort.signal.aborted) return;
      if (cause.status === 401 || cause.status === 403) askToken(cause);
      else if (root.parentNode !== main) refused(cause);
      else live.dataset.state = 'waiting';
    }
  });
  main.setAttribute('aria-busy', 'true');
  await load();
  if (!shown || mine !== current || abort.signal.aborted) return;
  follow(page.events, {
    event: (event) => (page.wants?.(event.kind) ?? true) && load(),
    reset: load,
    state: (state) => {
      live.dataset.state = state;
      live.textContent = state === 'live' ? 'live' : 'reconnecting';
      // What happened between the first load and the stream, or while it was away.
      if (state === 'live') load();
    },
  }, abort.signal);
}

/** Runs `task` at most once at a time and once a second; a call while it runs makes it run once more. */
function once(task) {
  let running = null;
  let again = false;
  return function run() {
    if (running) { again = true; return running; }
    running = (async () => {
      await task();
      await new Promise((done) => setTimeout(done, 0));
      if (again) {
        again = false;
        setTimeout(() => { running = null; run(); }, 900);
      } else running = null;
    })();
    return running;
  };
}

function refused(cause) {
  document.title = 'Bitfront';
  const where = cause.body?.errors?.map((fault) => h('li', {}, h('code', {}, fault.pointer), ' ', fault.detail));
  show(main, h('section', { class: 'notice', role: 'alert', 'data-testid': 'problem' },
    h('h1', {}, cause.body?.title ?? 'The coordinator does not answer'),
    h('p', {}, cause.message), where && h('ul', {}, where),
    cause.body?.request_id && h('p', { class: 'faint' }, 'request ', h('code', {}, cause.body.request_id)),
    h('p', {}, h('button', { type: 'button', onclick: open }, 'Try again'))));
}

function askToken(cause) {
  document.title = 'Token · Bitfront';
  const input = h('input', { type: 'password', name: 'token', autocomplete: 'off', spellcheck: 'false', placeholder: 'bf_…', 'aria-label': 'Token', required: true });
  show(main, h('section', { class: 'notice', 'data-testid': 'token' },
    h('h1', {}, 'This coordinator asks for a token'), hasToken() && h('p', { role: 'alert' }, cause.message),
    h('p', {}, 'Make one with ', h('code', {}, 'bitfront token create --scope user --name me'), '. It is kept in this tab only.'),
    h('form', { onsubmit: (event) => { event.preventDefault(); setToken(input.value.trim()); open(); } }, input, ' ', h('button', { type: 'submit', class: 'primary' }, 'Open'))));
  input.focus();
}

function go(address) {
  history.pushState(null, '', address);
  open();
  window.scrollTo(0, 0);
  main.focus({ preventScroll: true });
}

document.addEventListener('click', (event) => {
  const anchor = event.target.closest?.('a[data-link]');
  if (!anchor || event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  go(anchor.getAttribute('href'));
});
document.addEventListener('bitfront:go', (event) => go(event.detail));
// Along the front with j and k.
document.addEventListener('keydown', (event) => {
  if (event.target.closest('input, select, textarea') || event.metaKey || event.ctrlKey || event.altKey) return;
  const rel = { j: 'next', k: 'prev' }[event.key];
  if (rel) document.querySelector(`a[rel="${rel}"]`)?.click();
});
window.addEventListener('popstate', open);
open();

// Talks to the coordinator: JSON calls, and the event stream. The token, where one is needed, lives in this tab only.

const KEY = 'bitfront-token';

/** What went wrong, as the coordinator says it (RFC 9457). */
export class Problem extends Error {
  constructor(body, status) {
    super(body.detail || body.title || `the coordinator answered ${status}`);
    this.status = status;
    this.body = body;
  }
}

export function setToken(token) {
  if (token) sessionStorage.setItem(KEY, token);
  else sessionStorage.removeItem(KEY);
}

/** Whether this tab has a token; it need not be a good one. */
export const hasToken = () => sessionStorage.getItem(KEY) !== null;

function headers(more) {
  const token = sessionStorage.getItem(KEY);
  return { ...(token ? { authorization: `Bearer ${token}` } : {}), ...more };
}

async function call(method, path, accept) {
  const answer = await fetch(`/api/v1${path}`, { method, headers: headers({ accept }) });
  if (answer.ok) return answer;
  let body = {};
  try { body = await answer.json(); } catch { /* not a problem document */ }
  throw new Problem(body, answer.status);
}

export const get = async (path) => (await call('GET', path, 'application/json')).json();
export const post = async (path) => (await call('POST', path, 'application/json')).json();
export const text = async (path) => (await call('GET', path, 'text/plain')).text();

/** Saves an artifact under a name: through a call, because a plain link carries no token. */
export async function download(digest, name) {
  const blob = await (await call('GET', `/artifacts/${digest}`, '*/*')).blob();
  const anchor = document.createElement('a');
  anchor.href = URL.createObjectURL(blob);
  anchor.download = name;
  anchor.click();
  setTimeout(() => URL.revokeObjectURL(anchor.href), 10_000);
}

/**
 * Follows the event stream for ever, reconnecting with the last id seen, until `signal` aborts.
 * `on.event({kind, data})` for each event, `on.reset()` when everything must be read again,
 * `on.state('live' | 'waiting')` for the indicator. `fetch` instead of EventSource: that cannot send a token.
 */
export async function follow(path, on, signal) {
  let last = null;
  let pause = 500;
  while (!signal.aborted) {
    try {
      const more = last === null ? {} : { 'last-event-id': last };
      const answer = await fetch(`/api/v1${path}`, { headers: headers({ accept: 'text/event-stream', ...more }), signal });
      if (!answer.ok) throw new Problem({}, answer.status);
      on.state('live');
      pause = 500;
      for await (const event of parse(answer.body, signal)) {
        if (event.id) last = event.id;
        if (event.event === 'reset') on.reset();
        else if (event.event !== 'ready') on.event({ kind: event.event, data: event.data });
      }
    } catch (cause) {
      if (signal.aborted) return;
      if (cause.status === 401 || cause.status === 403 || cause.status === 404) { on.state('waiting'); return; }
    }
    if (signal.aborted) return;
    on.state('waiting');
    await new Promise((done) => setTimeout(done, pause));
    pause = Math.min(2 * pause, 10_000);
  }
}

/** Server-Sent Events out of a body. */
async function* parse(body, signal) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  signal.addEventListener('abort', () => reader.cancel().catch(() => {}), { once: true });
  let rest = '';
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    rest += value;
    let end;
    while ((end = rest.indexOf('\n\n')) >= 0) {
      const event = { event: 'message', id: '', data: '' };
      for (const line of rest.slice(0, end).split('\n')) {
        const colon = line.indexOf(':');
        if (colon <= 0) continue;
        const field = line.slice(0, colon);
        const content = line.slice(colon + 1).replace(/^ /, '');
        if (field === 'data') event.data += content;
        else if (field in event) event[field] = content;
      }
      rest = rest.slice(end + 2);
      if (event.data) yield event;
    }
  }
}

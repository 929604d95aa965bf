// Put into every page of the browser tests, before its own scripts.

/** A request as a page's script makes it; `null` where the browser keeps the answer from the page. */
window.ask = async (url, { token, ...init } = {}) => {
  const headers = { ...(token ? { authorization: `Bearer ${token}` } : {}), ...init.headers };
  try {
    const answer = await fetch(url, { ...init, headers });
    return { status: answer.status, headers: Object.fromEntries(answer.headers), body: await answer.text() };
  } catch {
    return null;
  }
};

/** Follows until the stream is closed for good, or for `ms`: whether it was open, and how many events came. */
window.listen = (url, ms) =>
  new Promise((resolve) => {
    const source = new EventSource(url);
    const seen = { opened: false, closed: false, events: 0 };
    const end = () => {
      source.close();
      resolve(seen);
    };
    source.addEventListener('open', () => (seen.opened = true));
    for (const type of ['run.created', 'run.started', 'run.output.delta', 'run.succeeded']) {
      source.addEventListener(type, () => seen.events++);
    }
    source.addEventListener('error', () => {
      if (source.readyState !== EventSource.CLOSED) return;
      seen.closed = true;
      end();
    });
    setTimeout(end, ms);
  });

// Notes the number of every event that the page's own `EventSource`s are given, over reloads.
const Native = window.EventSource;
const TYPES = ['run.created', 'run.started', 'run.output.delta', 'run.succeeded', 'run.failed', 'run.cancelled'];
window.EventSource = class extends Native {
  constructor(url, options) {
    super(url, options);
    for (const type of TYPES) {
      this.addEventListener(type, ({ lastEventId }) => {
        sessionStorage.setItem('seen', `${sessionStorage.getItem('seen') ?? ''}${lastEventId} `);
      });
    }
  }
};

// The agent's events: server-sent events over fetch, because EventSource hides the HTTP status and does not try again
// after an error.

const SILENCE = 12_000; // ms; the router sends a comment every 5 s
const PAUSES = [500, 1000, 2000, 4000, 8000];

// parse takes whole events off the front of a text, and returns them with what is left.
export function parse(text) {
  const parts = text.split('\n\n');
  const rest = parts.pop();
  const events = [];
  for (const part of parts) {
    const event = { type: '', data: '' };
    for (const line of part.split('\n')) {
      if (line.startsWith('event: ')) event.type = line.slice(7);
      else if (line.startsWith('data: ')) event.data += line.slice(6);
    }
    if (event.data) events.push(event);
  }
  return { events, rest };
}

// connect reads events until stop() or until the session ends. on has event(type, data), state(open|retrying|ended)
// and signedOut().
export function connect(tab, on) {
  let stopped = false;
  let abort = new AbortController();
  let tries = 0;
  let timer;
  let fresh = false;

  async function once() {
    abort = new AbortController();
    let silence = setTimeout(() => abort.abort(), SILENCE);
    try {
      const response = await fetch(`/api/v1/me/events?ack=1&tab=${tab}`, { signal: abort.signal, cache: 'no-store' });
      if (response.status === 401 || response.status === 403) {
        stopped = true;
        on.state('ended');
        on.signedOut();
        return;
      }
      if (!response.ok) throw new Error(`HTTP ${response.status}`);
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      on.state('open');
      tries = 0;
      let text = '';
      for (;;) {
        const { value, done } = await reader.read();
        if (done || stopped) return;
        clearTimeout(silence);
        silence = setTimeout(() => abort.abort(), SILENCE);
        const { events, rest } = parse(text + value);
        text = rest;
        for (const e of events) on.event(e.type, JSON.parse(e.data));
      }
    } finally {
      clearTimeout(silence);
    }
  }

  async function loop() {
    while (!stopped) {
      let ended = true; // by the router, which stops: another one may be there at once
      await once().catch(() => { ended = false; });
      if (stopped) return;
      on.state('retrying');
      const pause = (ended && tries === 0) || fresh ? 20 : PAUSES[Math.min(tries, PAUSES.length - 1)] * (0.7 + Math.random() * 0.6);
      tries++;
      fresh = false;
      await new Promise((resolve) => { timer = setTimeout(resolve, pause); on.wake = resolve; });
    }
  }

  loop();
  return {
    // now tries again without waiting, when the browser says that it is online or awake.
    now() { clearTimeout(timer); on.wake?.(); },
    // again connects anew: after a page was frozen, what it had is of no use.
    again() { fresh = true; abort.abort(); on.wake?.(); },
    stop() { stopped = true; abort.abort(); clearTimeout(timer); on.wake?.(); on.state('ended'); },
  };
}

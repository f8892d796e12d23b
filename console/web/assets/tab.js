// One tab is the phone. A Web Lock says which: it ends with its tab, however that ends, and a tab that holds one is
// not put to sleep.

const BUSY = 300; // ms for the other tab to say that it is in a call

// tabID is the name of this tab; a reload keeps it.
export function tabID() {
  const KEY = 'callrouter-tab';
  let id = sessionStorage.getItem(KEY);
  if (!id) {
    id = crypto.randomUUID ? crypto.randomUUID() : `tab-${Date.now()}-${Math.random().toString(36).slice(2, 10)}`;
    sessionStorage.setItem(KEY, id);
  }
  return id;
}

// claim makes this tab the phone of an agent, now or once the other one is gone. on has owner(), other(), lost() and
// busy(), which returns whether this tab is in a call.
export function claim(agent, on) {
  const name = `callrouter-agent-${agent}`;
  const channel = new BroadcastChannel(name);
  let waiting = new AbortController();
  let release;
  let owns = false;

  const hold = () => new Promise((resolve) => {
    release = resolve;
    owns = true;
    on.owner();
  });

  function request(options) {
    let mine = false;
    navigator.locks.request(name, options, (lock) => {
      if (!lock) return wait();
      mine = true;
      return hold();
    }).catch((e) => {
      if (mine && owns && e.name === 'AbortError') { // another tab has taken over
        owns = false;
        on.lost();
        wait();
      }
    });
  }

  function wait() {
    on.other();
    waiting = new AbortController();
    request({ signal: waiting.signal });
  }

  channel.onmessage = ({ data }) => {
    if (data === 'take?' && owns && on.busy()) channel.postMessage('busy');
    if (data === 'busy') busy?.();
  };
  let busy;

  request({ ifAvailable: true });

  return {
    // takeOver makes this tab the phone; it returns false if the other tab is in a call.
    async takeOver() {
      const refused = await new Promise((resolve) => {
        busy = () => resolve(true);
        channel.postMessage('take?');
        setTimeout(() => resolve(false), BUSY);
      });
      if (refused) return false;
      waiting.abort();
      request({ steal: true });
      return true;
    },
    leave() { waiting.abort(); release?.(); owns = false; channel.close(); },
  };
}

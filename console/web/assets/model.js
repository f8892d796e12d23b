// What the agent's page knows. Views read it, and are told when it changes.

export const model = {
  signedIn: false,
  me: null, // GET /me
  sessionOver: false, // only a call in hand is left of it
  tab: 'owner', // or other
  tabID: '',
  shift: false, // the agent has started: events are connected
  stream: 'ended', // open, retrying, ended
  status: 'away', reason: '', missed: 0,
  offers: new Map(), // by id: the offer event with audio and prepared
  call: null, // in hand: the offer with state (answering, in-call), audio, muted, activeAt
  lost: null, // a call whose audio was in this tab before it was loaded again
  wrapUp: null, // {until, from, call, name}
  history: [],
  banners: new Map(), // by name: {kind, key, fill, action}
  skew: 0, // the router's time minus this machine's, ms
  audio: 'none', // none, connecting, connected, lost
  refresh() {}, // reads the own calls again; shift.js sets it
};

const listeners = [];
let queued = false;

export const listen = (f) => listeners.push(f);

// changed tells the views, once for all that changes at a time.
export function changed() {
  if (queued) return;
  queued = true;
  queueMicrotask(() => {
    queued = false;
    for (const f of listeners) f();
  });
}

// screen is the state of the page; docs name them.
export function screen() {
  const m = model;
  if (!m.signedIn) return 'signed-out';
  if (m.tab === 'other') return 'other-tab';
  if (m.call) return m.call.state;
  if (m.lost) return 'audio-lost';
  if (m.offers.size > 0) return 'ringing';
  if (!m.shift) return 'setup';
  if (m.wrapUp) return 'wrap-up';
  return m.status;
}

// now is the router's time: an agent's clock may be wrong.
export const now = () => Date.now() + model.skew;

export function setTime(at) {
  if (at) model.skew = Date.parse(at) - Date.now();
}

// left is how many ms are left until an instant of the router.
export const left = (until) => Math.max(0, Date.parse(until) - now());

// banner shows a text above everything else until it is taken away, or for some seconds.
export function banner(name, key, { kind = 'warn', fill, action, seconds } = {}) {
  const b = { kind, key, fill, action };
  model.banners.set(name, b);
  if (seconds) setTimeout(() => { if (model.banners.get(name) === b) unbanner(name); }, seconds * 1000);
  changed();
}

export function unbanner(...names) {
  for (const name of names) model.banners.delete(name);
  changed();
}

export const notice = (key, fill) => banner('notice', key, { kind: 'info', fill, seconds: 4 });

// A shift: from the click that unlocks sound, microphone and notifications to the end. In it, events are connected.

import { api } from './api.js';
import { connect } from './stream.js';
import { errorKey, mic, unlock, audioContext } from './devices.js';
import { model, changed, banner, unbanner, setTime, left, now } from './model.js';
import { offered, withdrawn, setStatus } from './desk.js';
import { happened, teardown } from './talk.js';
import { setZone } from './i18n.js';

const SHIFT = 'callrouter-shift'; // survives a reload of this tab, and nothing else
let stream;
let lateBanner;

export async function loadMe() {
  const me = await api('GET', '/me');
  setTime(me.now);
  setZone(me.timezone);
  Object.assign(model, { me, status: me.status, reason: me.reason, missed: me.missed });
  for (const c of me.calls) {
    if (!model.call && c.tab === model.tabID) happened({ ...c, state: 'active' });
  }
  changed();
}

// start begins a shift from a click. Without a microphone there is none.
export async function start() {
  if (!window.isSecureContext) return banner('mic', 'insecure', { kind: 'error' });
  await unlock();
  try {
    (await mic()).getTracks().forEach((t) => t.stop());
  } catch (e) {
    return banner('mic', errorKey(e), { kind: 'error', fill: { message: e.message } });
  }
  unbanner('mic');
  if (typeof Notification !== 'undefined' && Notification.permission === 'default') Notification.requestPermission().then(changed);
  await setStatus('available');
  open();
}

// open connects events, at the start and when the page was loaded again in the middle of a shift.
export function open() {
  sessionStorage.setItem(SHIFT, '1');
  model.shift = true;
  stream?.stop();
  stream = connect(model.tabID, { event, state: streamState, signedOut });
  watchSound();
  watchMicrophone();
  refreshHistory();
  changed();
}

export const wasOn = () => sessionStorage.getItem(SHIFT) === '1';

// stop disconnects: nothing rings here any more. A call in hand goes on.
export function stop() {
  sessionStorage.removeItem(SHIFT);
  model.shift = false;
  stream?.stop();
  stream = undefined;
  for (const o of model.offers.values()) o.audio?.close();
  model.offers.clear();
  unbanner('stream', 'away', 'sound');
  changed();
}

export async function end() {
  stop();
  await setStatus('away');
}

export const retry = () => { if (model.stream === 'retrying') stream?.now(); };

export const awake = () => stream?.again();

function streamState(state) {
  const was = model.stream;
  model.stream = state;
  if (state === 'retrying') {
    for (const o of model.offers.values()) o.audio?.close();
    model.offers.clear(); // what rings is sent again
    if (was !== 'retrying') lateBanner = setTimeout(() => banner('stream', 'streamLost', { kind: 'error' }), 2000);
  } else {
    clearTimeout(lateBanner);
    unbanner('stream');
  }
  changed();
}

function signedOut() {
  stop();
  model.sessionOver = true;
  model.signedIn = !!model.call; // a call in hand keeps its audio until it ends
  banner('session', 'signedOut', { kind: 'error' });
}

function event(type, e) {
  setTime(e.now);
  switch (type) {
    case 'offer': offered(e); break;
    case 'withdrawn': withdrawn(e); break;
    case 'call': happened(e); break;
    case 'status': status(e); break;
    case 'wrap_up': wrapUp(e); break;
  }
  changed();
}

function status(e) {
  const setByOthers = e.status === 'away' && (model.status === 'available' || e.reason === 'page asleep');
  Object.assign(model, { status: e.status, reason: e.reason, missed: e.missed });
  if (e.status === 'available') return unbanner('away');
  const back = () => setStatus('available');
  const missed = /^missed (\d+) calls/.exec(e.reason);
  if (e.reason === 'page asleep') banner('away', 'asleep', { action: back });
  else if (missed) banner('away', 'missedAway', { fill: { n: missed[1] }, action: back });
  else if (setByOthers && e.reason && e.reason !== model.ownReason) banner('away', 'setAway', { fill: { reason: e.reason }, action: back });
}

let wrapTimer;

// ofCall is what is known of a call that is over or about to be. The event of its end may come after the wrap-up's.
function ofCall(id) {
  const c = model.call;
  if (c?.id !== id) return model.last?.id === id ? model.last : model.history.find((h) => h.id === id);
  return { name: c.name, from: c.from, duration_s: c.activeAt ? (now() - Date.parse(c.activeAt)) / 1000 : 0 };
}

function wrapUp(e) {
  clearTimeout(wrapTimer);
  const same = model.wrapUp?.call === e.call;
  const from = same ? model.wrapUp.from : e.now;
  const about = same ? model.wrapUp.about : ofCall(e.call);
  model.wrapUp = e.until ? { until: e.until, from, call: e.call, about, prolonged: same } : null;
  if (e.until) wrapTimer = setTimeout(() => { model.wrapUp = null; changed(); }, left(e.until));
}

export const ready = () => api('DELETE', '/me/wrap-up').catch(() => {});
export const prolong = () => api('POST', '/me/wrap-up', { for: '60s' }).catch(() => {});

let asked;

export function refreshHistory() {
  clearTimeout(asked);
  asked = setTimeout(async () => {
    try {
      model.history = (await api('GET', '/me/calls?limit=50')).calls;
      if (model.wrapUp) model.wrapUp.about ??= model.history.find((c) => c.id === model.wrapUp.call);
      changed();
    } catch { /* the list is read again after the next call */ }
  }, 150);
}

model.refresh = refreshHistory;

// watchSound shows when the browser does not let the page ring.
function watchSound() {
  const ac = audioContext();
  const look = () => {
    if (model.shift && ac.state !== 'running') banner('sound', 'soundBlocked', { action: unlock });
    else unbanner('sound');
  };
  ac.onstatechange = look;
  setTimeout(look, 300);
}

// watchMicrophone sets the agent away when the permission is taken back: a call without a microphone helps nobody.
async function watchMicrophone() {
  const p = await navigator.permissions.query({ name: 'microphone' }).catch(() => null);
  if (!p) return;
  p.onchange = () => {
    if (p.state === 'denied' && model.shift) {
      banner('mic', 'micBlocked', { kind: 'error' });
      if (!model.call) setStatus('away', 'microphone');
    } else if (p.state === 'granted') unbanner('mic');
  };
}

export function signOut() {
  teardown();
  stop();
  return api('DELETE', '/session?role=agent').catch(() => {});
}

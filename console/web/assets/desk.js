// Calls: ringing, answering, talking, hanging up. Every way out of a call goes through teardown.

import { api, last, offerPath, callPath, myCallPath } from './api.js';
import { Audio } from './call.js';
import { errorKey, meter, micGranted, unlock } from './devices.js';
import { model, changed, banner, unbanner, notice, now } from './model.js';

let history = () => {}; // reads the own calls again
export const onHistory = (f) => { history = f; };

// offered begins to ring, and prepares the answer if the microphone needs no question.
export async function offered(e) {
  if (model.offers.has(e.offer) || model.call?.offer === e.offer) return;
  const offer = { ...e, from: e.call.from, name: e.call.name, id: e.call.id, key: e.call.key };
  model.offers.set(e.offer, offer);
  changed();
  api('POST', offerPath(e.offer, 'ringing'), { tab: model.tabID }).catch(() => {});
  if (!model.call && await micGranted() && model.offers.get(e.offer) === offer) prepare(offer);
}

function prepare(offer) {
  offer.audio?.close();
  offer.audio = new Audio(model.me.ice_servers, {
    state: (s) => audioState(offer, s),
    micGone: (device) => banner('mic', device ? 'micSwitched' : 'micGone', device ? { kind: 'info', fill: { device }, seconds: 6 } : {}),
    playBlocked: () => banner('play', 'playBlocked', { action: () => offer.audio.play().then(() => unbanner('play')) }),
  });
  offer.prepared = offer.audio.prepare(offer.sdp);
  offer.prepared.catch((e) => { // of a call that is being answered, answer() says so
    if (e instanceof DOMException && model.offers.has(offer.offer)) noMicrophone(offer, e);
  });
}

// noMicrophone passes a call on that this page cannot take, and stops the next ones.
function noMicrophone(offer, e) {
  banner('mic', errorKey(e), { kind: 'error', fill: { message: e.message } });
  decline(offer);
  model.ownReason = 'microphone';
  setStatus('away', model.ownReason);
}

const GONE = { taken: 'taken', expired: 'expired', ended: 'ended', declined: 'declined' };

// withdrawn ends the ring of an offer that somebody else ended.
export function withdrawn(e) {
  const offer = model.offers.get(e.offer);
  if (offer) drop(offer);
  else if (model.call?.offer !== e.offer || model.call.state !== 'answering') return;
  else teardown();
  if (e.reason === 'answered_elsewhere') notice('takenSelf');
  else notice(GONE[e.reason] || 'ended', { agent: e.by });
  history();
}

function drop(offer) {
  model.offers.delete(offer.offer);
  offer.audio?.close();
  changed();
}

// answer takes a call. click is when the agent wanted it.
export async function answer(offer, click = performance.now()) {
  if (model.call) return;
  unlock();
  model.offers.delete(offer.offer);
  const call = model.call = Object.assign(offer, { state: 'answering', click, muted: false });
  changed();
  for (let tries = 0; ; tries++) {
    try {
      if (!call.prepared) prepare(call);
      const sdp = await call.prepared;
      if (model.call !== call) return;
      await api('POST', offerPath(call.offer, 'answer'), { sdp, tab: model.tabID });
      break;
    } catch (e) {
      if (model.call !== call) return;
      if (e.code === 'unusable_sdp' && tries === 0) { call.prepared = undefined; continue; }
      return failed(call, e);
    }
  }
  if (call.cancelled) return hangUp('agent');
  if (model.call !== call) return last('POST', callPath(call.id, 'hang-up'), { reason: 'agent' });
  Object.assign(call, { state: 'in-call', activeAt: new Date(now()).toISOString() });
  changed();
  await call.audio.go().catch((e) => banner('failed', 'failed', { kind: 'error', fill: { message: e.message } }));
  call.warn = setTimeout(() => banner('audio', 'noAudioYet'), 5000);
  call.giveUp = setTimeout(() => { hangUp('no_audio'); banner('audio', 'noAudio', { kind: 'error', seconds: 20 }); }, 12_000);
}

// failed says why a call could not be taken, and lets the next agent have it where that helps.
function failed(call, e) {
  teardown();
  if (e instanceof DOMException) noMicrophone(call, e);
  else if (e.code === 'taken') notice(e.by === 'self' ? 'takenSelf' : 'taken', { agent: '—' });
  else if (e.code === 'ended' || e.code === 'expired') notice(e.code);
  else if (e.code === 'unusable_sdp') { banner('failed', 'unusable', { kind: 'error', seconds: 12 }); decline(call); }
  else if (e.code.startsWith('positus_')) banner('failed', 'refused', { kind: 'error', fill: { message: e.message }, seconds: 12 });
  else if (e.status === 503) banner('store', 'storeDown', { seconds: 8 });
  else banner('failed', 'failed', { kind: 'error', fill: { message: e.message }, seconds: 12 });
  history();
}

export async function setStatus(status, reason = '') {
  await api('PUT', '/me', { status, reason }).catch((e) => banner('failed', 'failed', { kind: 'error', fill: { message: e.message }, seconds: 8 }));
}

export async function decline(offer) {
  if (model.offers.has(offer.offer)) drop(offer);
  await api('POST', offerPath(offer.offer, 'decline')).catch(() => {});
  history();
}

// cancel gives up a call that is being answered. If WhatsApp has it by then, it is hung up.
export function cancel() {
  const call = model.call;
  if (call?.state !== 'answering') return;
  call.cancelled = true;
  decline(call);
}

function audioState(call, s) {
  if (model.call !== call) return;
  if (s === 'connected') {
    clearTimeout(call.warn);
    clearTimeout(call.giveUp);
    unbanner('audio');
    if (!call.connected) {
      report(call, 'connected', Math.round(performance.now() - call.click));
      call.heardAt = performance.now();
      call.deaf = meter(call.audio.stream, null, () => { call.heardAt = performance.now(); unbanner('silent'); });
    }
    call.connected = true;
  }
  if (s === 'broken') banner('audio', 'audioBroken');
  if (s === 'lost') { banner('audio', 'audioLost', { kind: 'error' }); report(call, 'lost'); }
  model.audio = s === 'broken' ? 'connected' : s;
  changed();
}

async function report(call, state, click = 0) {
  const { energy, ...m } = await call.audio.measure().catch(() => ({}));
  api('POST', myCallPath(call.id, 'audio'), { state, tab: model.tabID, click_to_audio_ms: click, ...m }).catch(() => {});
}

const SILENT = 10_000; // ms

// listenToSelf gives a hint when the agent's own microphone is silent for long.
export function listenToSelf() {
  const c = model.call;
  if (!c?.deaf || model.banners.has('silent')) return;
  if (c.muted) c.heardAt = performance.now();
  else if (performance.now() - c.heardAt > SILENT) banner('silent', 'micSilent', { kind: 'info' });
}

export function mute(is = !model.call?.muted) {
  if (model.call?.state !== 'in-call') return;
  model.call.muted = is;
  model.call.audio.mute(is);
  changed();
}

// hangUp ends the call in hand, or one without audio here. The call ends on this page once WhatsApp confirms.
export async function hangUp(reason = 'agent') {
  const call = model.call || model.lost;
  if (!call || call.hangingUp) return;
  call.hangingUp = true;
  changed();
  try {
    await api('POST', callPath(call.id, 'hang-up'), { reason });
    ended({ id: call.id, by: 'agent' });
  } catch (e) {
    call.hangingUp = false;
    if (e.code === 'not_active' || e.code === 'unknown_call') ended({ id: call.id, by: '' });
    else banner('hangup', 'hangupRetry', { seconds: 15 });
  }
  changed();
}

// happened follows the states of the agent's calls as the router knows them.
export function happened(e) {
  if (e.state === 'ended') return ended(e);
  if (model.call?.id === e.id) {
    if (e.active_at) model.call.activeAt = e.active_at;
  } else if (e.tab === model.tabID && e.state === 'active') {
    model.lost = { ...e, activeAt: e.active_at };
  } else if (e.tab && e.state === 'active') banner('elsewhere', 'elsewhere', { kind: 'info' });
  changed();
}

const WHO = { caller: 'callEndedCaller', agent: 'callEndedAgent', supervisor: 'callEndedSupervisor', network: 'callEndedNetwork' };

function ended(e) {
  unbanner('elsewhere');
  const mine = model.call?.id === e.id ? model.call : model.lost?.id === e.id ? model.lost : null;
  if (!mine) return;
  const seconds = mine.activeAt ? Math.round((now() - Date.parse(mine.activeAt)) / 1000) : 0;
  model.last = { id: mine.id, name: mine.name, from: mine.from, duration_s: seconds }; // for the wrap-up
  if (mine === model.lost) model.lost = null;
  else teardown();
  const key = e.code === 138021 ? 'callEnded138021' : WHO[e.by];
  if (key) notice(key);
  history();
}

// teardown frees the call in hand: microphone, connection, timers.
export function teardown() {
  const call = model.call;
  model.call = null;
  model.audio = 'none';
  if (call) {
    clearTimeout(call.warn);
    clearTimeout(call.giveUp);
    call.deaf?.();
    call.audio?.close();
    unbanner('audio', 'play', 'hangup', 'mic', 'silent');
  }
  changed();
}

// leaving is called when the page goes away: the caller must not talk to nobody.
export function leaving() {
  if (model.call) last('POST', callPath(model.call.id, 'hang-up'), { reason: 'tab_closed' });
  if (model.call?.state === 'answering') last('POST', offerPath(model.call.offer, 'decline'));
}

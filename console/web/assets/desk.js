// Calls that ring, up to the answer. talk.js goes on from there.

import { api, last, offerPath, callPath } from './api.js';
import { Audio } from './call.js';
import { errorKey, micGranted, unlock } from './devices.js';
import { model, changed, banner, unbanner, notice, now } from './model.js';
import { audioState, hangUp, teardown } from './talk.js';

// offered begins to ring, and prepares the answer if the microphone needs no question.
export async function offered(e) {
  if (model.offers.has(e.offer) || model.call?.offer === e.offer) return;
  const offer = { ...e, from: e.call.from, name: e.call.name, id: e.call.id, key: e.call.key };
  model.offers.set(e.offer, offer);
  unbanner('notice'); // of the last call; it would lie over the name of this one
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
  model.refresh();
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
  model.refresh();
}

export async function setStatus(status, reason = '') {
  await api('PUT', '/me', { status, reason }).catch((e) => banner('failed', 'failed', { kind: 'error', fill: { message: e.message }, seconds: 8 }));
}

export async function decline(offer) {
  if (model.offers.has(offer.offer)) drop(offer);
  await api('POST', offerPath(offer.offer, 'decline')).catch(() => {});
  model.refresh();
}

// cancel gives up a call that is being answered. If WhatsApp has it by then, it is hung up.
export function cancel() {
  const call = model.call;
  if (call?.state !== 'answering') return;
  call.cancelled = true;
  decline(call);
}

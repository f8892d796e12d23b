// The call in hand: its audio, mute, and every way out of it, which all go through teardown.

import { api, last, offerPath, callPath, myCallPath } from './api.js';
import { meter } from './devices.js';
import { model, changed, banner, unbanner, notice, now } from './model.js';

// audioState follows the connection of the call in hand.
export function audioState(call, s) {
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
  if (s === 'lost' && model.sessionOver) return teardown();
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
    else if (e.status === 401) ended({ id: call.id, by: 'agent' }); // signed out: without audio WhatsApp ends it
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
  model.refresh();
}

// teardown frees the call in hand: microphone, connection, timers.
export function teardown() {
  const call = model.call;
  model.call = null;
  model.audio = 'none';
  if (model.sessionOver) model.signedIn = false;
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

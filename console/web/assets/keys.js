// Keys for those who have their hands on the keyboard. They work outside fields, and can be switched off (WCAG 2.1.4).

import { model, changed, screen } from './model.js';
import { answer, decline, setStatus } from './desk.js';
import { hangUp, mute } from './talk.js';

const OFF = 'callrouter-keys-off';

export const keysOn = () => localStorage.getItem(OFF) !== '1';
export const switchKeys = (on) => localStorage.setItem(OFF, on ? '' : '1');

// hangUpTwice asks for a second press within 2 s.
export function hangUpTwice() {
  const call = model.call || model.lost;
  if (!call) return;
  if (call.confirming) return hangUp();
  call.confirming = true;
  setTimeout(() => { call.confirming = false; changed(); }, 2000);
  changed();
}

export const toggleStatus = () => {
  const free = model.status === 'available';
  model.ownReason = free ? document.getElementById('reason').value.trim() : '';
  return setStatus(free ? 'away' : 'available', model.ownReason);
};

export function bindKeys() {
  addEventListener('keydown', (e) => {
    if (!keysOn() || e.ctrlKey || e.metaKey || e.altKey || e.repeat || e.target.closest('input, textarea, select')) return;
    const offer = model.offers.values().next().value;
    const at = screen();
    const does = {
      a: () => at === 'ringing' && answer(offer),
      r: () => at === 'ringing' && decline(offer),
      m: () => at === 'in-call' && mute(),
      e: () => (at === 'in-call' || at === 'audio-lost') && hangUpTwice(),
      d: () => (at === 'available' || at === 'away') && toggleStatus(),
      n: () => (at === 'in-call' || at === 'wrap-up') && document.getElementById('note').focus(),
      '?': () => { const d = document.getElementById('shortcuts'); d.open = !d.open; },
    }[e.key.toLowerCase()];
    if (!does) return;
    e.preventDefault();
    does();
  });
  const session = navigator.mediaSession; // buttons of headsets
  for (const [action, does] of [['togglemicrophone', () => mute()], ['hangup', () => hangUp()]]) {
    try { session?.setActionHandler(action, does); } catch { /* not every browser knows each */ }
  }
}

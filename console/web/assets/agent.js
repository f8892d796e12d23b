// The agent's page: signing in, which tab is the phone, and the buttons.

import { api } from './api.js';
import { choose, current, other, remember } from './i18n.js';
import { model, changed, listen, notice, banner, unbanner } from './model.js';
import { cancel } from './desk.js';
import { hangUp, leaving, listenToSelf, mute, teardown } from './talk.js';
import { bindKeys, keysOn, switchKeys, toggleStatus } from './keys.js';
import { bindNotes, renderNotes } from './notes.js';
import { bindSetup, renderSetup } from './setup.js';
import { bindSignIn, signInError } from './signin-form.js';
import { awake, end, loadMe, open, prolong, ready, retry, signOut, start, stop, wasOn } from './shift.js';
import { claim, tabID } from './tab.js';
import { applyTheme, nextTheme } from './theme.js';
import { unlock } from './devices.js';
import { render, translate } from './view.js';
import { markSeen } from './view-calls.js';

const $ = (id) => document.getElementById(id);
let tab;

// enter goes on once somebody is signed in.
async function enter() {
  try {
    await loadMe();
  } catch (e) {
    if (e.status !== 401 && e.status !== 403) {
      banner('store', e.status === 503 ? 'storeDown' : 'streamLost', { kind: 'error' });
      return setTimeout(enter, 2000);
    }
    model.signedIn = false;
    return changed();
  }
  unbanner('store', 'session');
  choose(model.me.language);
  language();
  Object.assign(model, { signedIn: true, sessionOver: false });
  claimTab();
  changed();
}

function claimTab() {
  if (!navigator.locks) { // without HTTPS there are none, and no microphone either
    if (!window.isSecureContext) banner('mic', 'insecure', { kind: 'error' });
    return;
  }
  tab?.leave();
  model.tab = 'pending';
  tab = claim(model.me.agent, {
    owner() {
      model.tab = 'owner';
      if (wasOn() && !model.shift) open(); // this tab was loaded again in the middle of a shift
      else if (model.takingOver) start();
      model.takingOver = false;
      changed();
    },
    other() { model.tab = 'other'; changed(); },
    lost() { teardown(); stop(); notice('lostTab'); },
    busy: () => !!model.call,
  });
}

async function boot() {
  model.tabID = tabID();
  choose();
  applyTheme();
  translate();
  listen(() => { render(); renderSetup(); renderNotes(); });
  bind();
  const code = new URLSearchParams(location.hash.slice(1)).get('code');
  if (code) {
    history.replaceState(null, '', location.pathname);
    try {
      await api('POST', '/session', { code });
    } catch (e) {
      signInError(e, 'signinLink');
    }
  }
  await enter();
  const policy = globalThis.trustedTypes?.createPolicy('callrouter', { createScriptURL: () => '/console/sw.js' });
  navigator.serviceWorker?.register(policy ? policy.createScriptURL('') : '/console/sw.js', { scope: '/console/' }).catch(() => {});
  setInterval(() => { listenToSelf(); changed(); }, 250); // countdowns and timers
  setInterval(() => { if (model.signedIn) api('GET', '/session?role=agent').catch(() => {}); }, 3600e3); // renews it
}

function bind() {
  bindSignIn(enter);
  bindSetup();
  bindNotes();
  bindKeys();
  $('start-shift').onclick = start;
  $('end-shift').onclick = end;
  $('status-toggle').onclick = toggleStatus;
  $('takeover').onclick = async () => {
    await unlock();
    model.takingOver = true;
    if (await tab.takeOver()) return;
    model.takingOver = false;
    banner('other', 'otherBusy', { seconds: 6 });
  };
  $('call-mute').onclick = () => mute();
  $('call-hangup').onclick = () => hangUp();
  $('answer-cancel').onclick = cancel;
  $('wrapup-ready').onclick = ready;
  $('wrapup-extend').onclick = prolong;
  $('mark-seen').onclick = markSeen;
  $('sign-out').onclick = async () => { await signOut(); tab?.leave(); location.reload(); };
  $('lang-switch').onclick = () => { remember(other()); language(); };
  $('theme-switch').onclick = nextTheme;
  $('keys-on').checked = keysOn();
  $('keys-on').onchange = (e) => switchKeys(e.target.checked);
  addEventListener('pointerdown', () => { if (model.shift) unlock(); }, { capture: true });
  addEventListener('online', retry);
  document.addEventListener('resume', awake);
  document.addEventListener('visibilitychange', () => { if (!document.hidden) retry(); });
  addEventListener('beforeunload', (e) => { if (model.call) e.preventDefault(); });
  addEventListener('pagehide', leaving);
  addEventListener('pageshow', (e) => { if (e.persisted) location.reload(); });
  language();
}

function language() {
  translate();
  $('lang-switch').textContent = other() === 'pt' ? 'Português' : 'English';
  document.documentElement.dataset.language = current();
  changed();
}

boot();

// Calls on the page: those that ring, the one in hand, its wrap-up, and the day's.

import { h, icon, swap, show, setText } from './dom.js';
import { t, phone, caller, clock, timeOfDay, day } from './i18n.js';
import { model, now, left, changed } from './model.js';
import { answer, decline } from './desk.js';
import { meter } from './devices.js';

const $ = (id) => document.getElementById(id);
const KINDS = { answered: 'incoming', missed: 'missed', declined: 'hangup', taken: 'check' };
const RESULTS = { answered: 'answered', missed: 'missed', declined: 'declinedResult', taken: 'takenResult' };
const SEEN = 'callrouter-seen';

// why says which rule led here, and what the caller did before.
function why(o) {
  const rule = o.by === 'rule' || !o.by ? t('rule', { rule: o.rule }) : t('byDefault');
  const e = o.earlier;
  const past = !e ? '' : !e.last ? t('first') : t(e.last.agent ? 'earlierWith' : 'earlier', { n: e.count, when: day(e.last.at), agent: e.last.agent });
  return { rule, past, note: e?.last?.note || '' };
}

const initials = (o) => (o.name || '?').split(/\s+/).slice(0, 2).map((w) => w[0]).join('').toUpperCase();

export function offers() {
  const place = $('offers');
  for (const el of [...place.children]) if (!model.offers.has(el.dataset.offer)) el.remove();
  for (const o of model.offers.values()) {
    let el = [...place.children].find((c) => c.dataset.offer === o.offer);
    if (!el) place.append(el = offerCard(o));
    const ms = left(o.rings_until);
    if (ms === 0 && !o.over) { // the router says so in a moment; without a connection nobody does
      o.over = setTimeout(() => { model.offers.delete(o.offer); o.audio?.close(); changed(); }, 3000);
    }
    const share = Math.min(1, ms / ((o.ring_for_s || 20) * 1000));
    el.querySelector('.ring-left').style.strokeDashoffset = String(100 - 100 * share);
    setText(el.querySelector('[data-testid=offer-countdown]'), String(Math.ceil(ms / 1000)));
    el.querySelector('.answer').disabled = !!model.call;
  }
}

function offerCard(o) {
  const { rule, past, note } = why(o);
  const countdown = h('div', { class: 'countdown' });
  const svg = icon('phone');
  const ns = 'http://www.w3.org/2000/svg';
  const dial = document.createElementNS(ns, 'svg');
  dial.setAttribute('viewBox', '0 0 36 36');
  dial.setAttribute('aria-hidden', 'true');
  for (const cls of ['ring-all', 'ring-left']) {
    const c = document.createElementNS(ns, 'circle');
    for (const [k, v] of Object.entries({ cx: 18, cy: 18, r: 15.9, pathLength: 100, class: cls })) c.setAttribute(k, v);
    dial.append(c);
  }
  countdown.append(dial, h('span', { test: 'offer-countdown', 'aria-hidden': 'true' }));
  return h('section', { class: 'card offer', test: `offer-${o.offer}`, 'data-offer': o.offer, 'aria-label': t('ringing') },
    h('div', { class: 'offer-top', test: 'offer' }, h('span', { class: 'chip strong', test: 'offer-queue' }, t('queueIs', { queue: o.queue })),
      h('span', { class: 'chip', test: 'offer-number' }, t('numberIs', { number: o.number_name })), countdown),
    h('div', { class: 'person' }, h('div', { class: 'avatar pulse', 'aria-hidden': 'true' }, o.name ? initials(o) : svg),
      h('div', {}, h('h1', { test: 'offer-name' }, o.name || phone(o.from)), h('p', { class: 'lead', test: 'offer-from' }, phone(o.from)))),
    h('ul', { class: 'facts' }, h('li', { test: 'offer-rule' }, rule), h('li', { test: 'offer-earlier' }, past, note && h('q', {}, note)),
      o.listed?.length > 0 && h('li', {}, t('lists', { lists: o.listed.join(', ') }))),
    h('div', { class: 'actions split thumb' },
      h('button', { class: 'danger tall', test: 'offer-decline', 'aria-keyshortcuts': 'r', onclick: () => decline(o) }, icon('hangup'), t('decline')),
      h('button', { class: 'go tall answer', test: 'offer-answer', 'aria-keyshortcuts': 'a', onclick: () => answer(o) }, icon('phone'), t('answer'))));
}

let levels;

export function call(at) {
  const c = model.call || model.lost;
  if (at !== 'in-call' || model.audio !== 'connected') { levels?.(); levels = undefined; }
  if (!c) return;
  setText($('call-from'), c.name || phone(c.from));
  setText($('call-number'), [phone(c.from), c.queue && t('queueIs', { queue: c.queue })].filter(Boolean).join(' · '));
  setText($('call-avatar'), initials(c));
  setText($('call-timer'), c.activeAt ? clock(now() - Date.parse(c.activeAt)) : '');
  const state = at === 'answering' ? 'answering' : at === 'audio-lost' ? 'lostTitle' : c.muted ? 'muted' : model.audio === 'connected' ? 'connected' : model.audio === 'lost' ? 'audioLost' : 'connecting';
  setText($('call-audio'), t(state));
  $('call').dataset.tone = at === 'audio-lost' || model.audio === 'lost' ? 'bad' : c.muted ? 'warn' : model.audio === 'connected' && at === 'in-call' ? 'good' : '';
  const { rule, past, note } = why(c);
  setText($('call-earlier'), [rule, past, note].filter(Boolean).join(' · '));
  label($('call-mute'), c.muted ? 'micOff' : 'mic', t(c.muted ? 'unmute' : 'mute'));
  $('call-mute').setAttribute('aria-pressed', String(!!c.muted));
  label($('call-hangup'), 'hangup', t(c.confirming ? 'hangupConfirm' : 'hangup'));
  $('call-hangup').disabled = !!c.hangingUp;
  show($('answer-cancel'), performance.now() - c.click > 3000);
  if (at === 'in-call' && model.audio === 'connected' && c.audio?.remote) levels ??= meter(c.audio.remote, $('call-level'));
}

// label sets the text of a button with an icon, if it is another one.
function label(button, name, text) {
  if (button.dataset.now === name + text) return;
  button.dataset.now = name + text;
  swap(button, icon(name), text);
}

export function wrapUp(at) {
  if (at !== 'wrap-up') return;
  const w = model.wrapUp;
  const ms = left(w.until);
  setText($('wrapup-countdown'), t('wrapUpLead', { s: Math.ceil(ms / 1000) }));
  setText($('wrapup-who'), w.about ? `${caller(w.about)} · ${clock(w.about.duration_s * 1000)}` : '');
  $('wrapup-bar').value = ms / Math.max(1, Date.parse(w.until) - Date.parse(w.from));
  show($('wrapup-extend'), !w.prolonged);
}

let drawn;

export function history() {
  const seen = localStorage.getItem(SEEN) || '';
  const unseen = model.history.filter((c) => c.result === 'missed' && c.received_at > seen);
  show($('mark-seen'), unseen.length > 0);
  const key = JSON.stringify([document.documentElement.lang, seen, model.history]);
  if (drawn === key) return;
  drawn = key;
  show($('empty'), model.history.length === 0);
  swap($('rows'), model.history.map((c) => h('li', { test: `history-row-${c.key}`, class: `row ${c.result}${unseen.includes(c) ? ' unseen-row' : ''}` },
    h('span', { class: 'row-icon' }, icon(KINDS[c.result] || 'incoming')),
    h('span', { class: 'row-who' }, h('b', {}, c.name || phone(c.from)), h('small', {}, [t(RESULTS[c.result]), c.duration_s ? clock(c.duration_s * 1000) : '', c.disposition].filter(Boolean).join(' · ')),
      c.note && h('small', { class: 'row-note' }, c.note)),
    h('time', { dateTime: c.received_at }, timeOfDay(c.received_at)))));
}

export function markSeen() {
  localStorage.setItem(SEEN, new Date(now()).toISOString());
  changed();
}

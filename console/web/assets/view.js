// The page as the model says: agent.html has the structure, this file fills it in.

import { h, icon, swap, show, setText } from './dom.js';
import { call, history, offers, wrapUp } from './view-calls.js';
import { t, caller } from './i18n.js';
import { model, screen, left, unbanner } from './model.js';
import * as ring from './ring.js';

const $ = (id) => document.getElementById(id);
const main = document.querySelector('main');

// translate fills in the texts of agent.html.
export function translate() {
  for (const el of document.querySelectorAll('[data-t]')) setText(el, t(el.dataset.t));
  for (const el of document.querySelectorAll('[data-t-label]')) el.setAttribute('aria-label', t(el.dataset.tLabel));
  for (const el of document.querySelectorAll('[data-t-placeholder]')) el.placeholder = t(el.dataset.tPlaceholder);
  for (const el of document.querySelectorAll('[data-icon]:empty')) el.append(icon(el.dataset.icon));
}

export function render() {
  const at = screen();
  const before = main.dataset.state;
  main.dataset.state = at;
  main.dataset.stream = model.stream;
  main.dataset.audio = model.audio;
  for (const el of document.querySelectorAll('[data-screen]')) show(el, el.dataset.screen.split(' ').includes(at));
  header(at);
  banners();
  ringing(at);
  presence(at);
  offers();
  call(at);
  wrapUp(at);
  history();
  if (at !== before) arrive(at);
}

// arrive moves the focus where the next step is, unless somebody is typing.
function arrive(at) {
  const typing = /^(INPUT|TEXTAREA|SELECT)$/.test(document.activeElement?.tagName || '');
  if (typing) return;
  const target = { ringing: '[data-testid=offer-answer]', 'in-call': '#call-mute', setup: '#start-shift', 'wrap-up': '#wrapup-ready' }[at];
  if (target) document.querySelector(target)?.focus({ preventScroll: true });
}

function header(at) {
  const working = model.signedIn && at !== 'other-tab';
  setText($('who'), model.signedIn ? model.me?.name || '' : '');
  const state = !model.shift ? 'offline' : model.status;
  const text = state === 'away' && model.reason ? t('awayWhy', { reason: reason() }) : t(state);
  setText($('status-text'), text);
  $('status-pill').dataset.status = state;
  show($('status-pill'), working);
  show($('sign-out'), model.signedIn);
  const first = model.offers.values().next().value;
  document.title = first ? t('ringTitle', { name: caller(first) }) : `${t('title')} · callrouter`;
}

// reason is why the agent is away; what the router itself writes is translated.
function reason() {
  const missed = /^missed (\d+) calls/.exec(model.reason);
  if (missed) return t('reasonMissed', { n: missed[1] });
  return { microphone: t('setupMic'), 'page asleep': t('reasonAsleep') }[model.reason] || model.reason;
}

function banners() {
  swap($('banner'), [...model.banners].map(([name, b]) => h('div', { class: `banner ${b.kind}`, 'data-name': name },
    h('span', {}, t(b.key, b.fill)),
    b.action && h('button', { class: 'secondary', onclick: async () => { await b.action(); unbanner(name); } }, b.key === 'soundBlocked' || b.key === 'playBlocked' ? 'OK' : t('back')))));
  const said = [...model.banners.values()].map((b) => t(b.key, b.fill)).join(' ');
  setText($('live-polite'), said);
}

// ringing rings exactly while an offer is there that can be answered.
function ringing(at) {
  const first = model.offers.values().next().value;
  const rings = at === 'ringing' && left(first.rings_until) > 0;
  if (rings || main.dataset.ring !== 'off') main.dataset.ring = ring.sound(rings);
  setText($('live-assertive'), first ? t('ringSay', { name: caller(first), queue: first.queue }) : '');
  if (!rings) return ring.notify(null);
  ring.notify(first.key, t('newCall'), `${caller(first)} · ${t('queueIs', { queue: first.queue })}`);
}

function presence(at) {
  const free = at === 'available';
  $('presence').dataset.status = at;
  setText($('presence-title'), free ? t('available') : model.reason ? t('awayWhy', { reason: reason() }) : t('away'));
  setText($('presence-lead'), t(free ? 'availableLead' : 'awayLead'));
  setText($('status-toggle'), t(free ? 'goAway' : 'goAvailable'));
  $('status-toggle').className = free ? 'secondary wide' : 'primary wide';
  show($('away-reason'), free);
  const queues = model.me?.queues || [];
  const names = queues.join(' ');
  if ($('queues').dataset.names === names) return;
  $('queues').dataset.names = names;
  swap($('queues'), queues.length ? queues.map((q) => h('span', { class: 'chip', test: `queue-chip-${q}` }, q)) : h('span', { class: 'lead' }, t('noQueues')));
}

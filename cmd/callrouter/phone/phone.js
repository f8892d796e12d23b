// The simulated caller: a browser that is the loudspeaker and the microphone of a phone of the demo.

import { h, show, icon } from '/console/assets/dom.js';
import { audioContext, meter, unlock } from '/console/assets/devices.js';
import { parse } from '/console/assets/stream.js';
import { applyTheme, nextTheme } from '/console/assets/theme.js';

const texts = {
  pt: {
    product: 'callrouter', simulated: 'Telefone simulado', language: 'Idioma', theme: 'Tema claro ou escuro',
    business: 'A empresa', number: 'Seu número', name: 'Seu nome', source: 'O que você diz',
    voice: 'Uma gravação (sem microfone)', mic: 'Meu microfone', call: 'Ligar', hangup: 'Desligar', level: 'Som da empresa',
    idle: 'Pronto para ligar', calling: 'Chamando…', 'in-call': 'Em ligação', heard: 'Você ouve a empresa.',
    caller: 'Você desligou', businessEnd: 'A empresa desligou ou recusou', network: 'A ligação caiu ({code})', failed: 'Não deu: {message}',
    micBlocked: 'O navegador não deu o microfone. Escolha a gravação ou permita o microfone.',
  },
  en: {
    product: 'callrouter', simulated: 'Simulated phone', language: 'Language', theme: 'Light or dark',
    business: 'The business', number: 'Your number', name: 'Your name', source: 'What you say',
    voice: 'A recording (no microphone)', mic: 'My microphone', call: 'Call', hangup: 'Hang up', level: 'Sound of the business',
    idle: 'Ready to call', calling: 'Calling…', 'in-call': 'In call', heard: 'You hear the business.',
    caller: 'You hung up', businessEnd: 'The business hung up or rejected the call', network: 'The call dropped ({code})', failed: 'It failed: {message}',
    micBlocked: 'The browser gave no microphone. Choose the recording, or allow the microphone.',
  },
};

const $ = (id) => document.getElementById(id);
const main = document.querySelector('main');
let language = localStorage.getItem('callrouter-language') || (navigator.language.startsWith('en') ? 'en' : 'pt');
let call; // {id, pc, stream, since, stop}
let said = ['idle', {}];

const t = (key, fill = {}) => texts[language][key].replace(/\{(\w+)\}/g, (_, name) => fill[name] ?? '');

function translate() {
  document.documentElement.lang = language === 'pt' ? 'pt-BR' : 'en';
  for (const el of document.querySelectorAll('[data-t]')) el.textContent = t(el.dataset.t);
  for (const el of document.querySelectorAll('[data-t-label]')) el.setAttribute('aria-label', t(el.dataset.tLabel));
  for (const el of document.querySelectorAll('[data-icon]:empty')) el.append(icon(el.dataset.icon));
  $('lang-switch').textContent = language === 'pt' ? 'English' : 'Português';
  $('state').textContent = t(...said);
  document.title = `${t('simulated')} · callrouter`;
}

function state(s, text = s, fill = {}) {
  main.dataset.state = s;
  said = [text, fill];
  $('state').textContent = t(text, fill);
  const on = s === 'calling' || s === 'in-call';
  show($('caller'), !on);
  show($('hangup'), on);
  show($('keypad'), s === 'in-call');
  show($('level'), s === 'in-call');
  $('avatar').classList.toggle('pulse', s === 'calling');
  ringback(s === 'calling');
}

// ringback is what a caller hears while it rings: 425 Hz, one second in five.
let tone;
function ringback(on) {
  tone?.stop();
  tone = undefined;
  if (!on) return;
  const ac = audioContext();
  const buffer = ac.createBuffer(1, ac.sampleRate * 5, ac.sampleRate);
  const samples = buffer.getChannelData(0);
  for (let i = 0; i < ac.sampleRate; i++) samples[i] = 0.06 * Math.sin(2 * Math.PI * 425 * i / ac.sampleRate);
  tone = ac.createBufferSource();
  Object.assign(tone, { buffer, loop: true });
  tone.connect(ac.destination);
  tone.start();
}

async function request(path, body) {
  const response = await fetch(path, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body || {}) });
  const reply = response.status === 204 ? {} : await response.json();
  if (!response.ok) throw new Error(reply.message);
  return reply;
}

const path = (action) => `/phone/calls/${encodeURIComponent(call.id)}/${action}`;

async function place() {
  $('error').textContent = '';
  $('heard').textContent = '';
  main.dataset.end = '';
  await unlock();
  const source = $('source').value;
  const pc = new RTCPeerConnection();
  call = { pc };
  state('calling');
  try {
    if (source === 'mic') {
      call.stream = await navigator.mediaDevices.getUserMedia({ audio: true });
      for (const track of call.stream.getTracks()) pc.addTrack(track, call.stream);
    } else pc.addTransceiver('audio', { direction: 'recvonly' });
    pc.ontrack = ({ track }) => hear(track);
    await pc.setLocalDescription();
    await new Promise((resolve) => {
      if (pc.iceGatheringState === 'complete') return resolve();
      setTimeout(resolve, 1500);
      pc.onicegatheringstatechange = () => pc.iceGatheringState === 'complete' && resolve();
    });
    const reply = await request('/phone/calls', { from: $('number').value, name: $('name').value, source, sdp: pc.localDescription.sdp });
    call.id = reply.call;
    await pc.setRemoteDescription({ type: 'answer', sdp: reply.sdp });
    follow(call);
  } catch (e) {
    const text = e.name === 'NotAllowedError' || e.name === 'NotFoundError' ? t('micBlocked') : t('failed', { message: e.message });
    finish('idle', 'idle');
    $('error').textContent = text;
  }
}

function hear(track) {
  const stream = new MediaStream([track]);
  $('remote').srcObject = stream;
  $('remote').play().catch(() => {});
  call.stop = meter(stream, $('level'), () => { if (main.dataset.state === 'in-call') $('heard').textContent = t('heard'); });
}

// follow reads how far the call has come.
async function follow(c) {
  const response = await fetch(path('events'));
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let text = ''; ;) {
    const { value, done } = await reader.read();
    if (done || call !== c) break;
    const { events, rest } = parse(text + value);
    text = rest;
    for (const e of events) {
      const data = JSON.parse(e.data);
      if (e.type === 'state' && data.state === 'in-call') { c.since = Date.now(); state('in-call'); }
      if (e.type === 'end') {
        main.dataset.end = data.by === 'network' ? `network:${data.code}` : data.by;
        finish('ended', { caller: 'caller', business: 'businessEnd', network: 'network' }[data.by], data);
      }
    }
  }
}

function finish(s, text, fill) {
  call?.stop?.();
  call?.stream?.getTracks().forEach((track) => track.stop());
  call?.pc.close();
  call = undefined;
  $('timer').textContent = '';
  state(s, text, fill);
}

for (const key of '123456789*0#') {
  $('keypad').append(h('button', { class: 'secondary', type: 'button', test: `phone-keypad-${key}`, onclick: () => request(path('keys'), { keys: key }).catch(() => {}) }, key));
}
$('caller').addEventListener('submit', (e) => { e.preventDefault(); place(); });
$('hangup').onclick = () => { if (call?.id) request(path('hang-up')).catch(() => {}); else finish('idle', 'idle'); };
$('lang-switch').onclick = () => { language = language === 'pt' ? 'en' : 'pt'; localStorage.setItem('callrouter-language', language); translate(); };
$('theme-switch').onclick = nextTheme;
addEventListener('pagehide', () => { if (call?.id) fetch(path('hang-up'), { method: 'POST', keepalive: true }); });
setInterval(() => {
  if (!call?.since) return;
  const s = Math.floor((Date.now() - call.since) / 1000);
  $('timer').textContent = `${Math.floor(s / 60)}:${String(s % 60).padStart(2, '0')}`;
}, 250);
applyTheme();
translate();
state('idle');

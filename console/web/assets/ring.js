// The ring: sound, notification and the title of the page. What rings follows from the state, never from an event.

import { audioContext } from './devices.js';

let node; // the looping sound while it rings
let shown; // the notification
let buffer;

// tone is one cycle of the ringtone: two soft notes, then a pause.
function tone(ac) {
  if (buffer) return buffer;
  const rate = ac.sampleRate;
  buffer = ac.createBuffer(1, rate * 3, rate);
  const data = buffer.getChannelData(0);
  const note = (from, hz, length) => {
    for (let i = 0; i < length * rate; i++) {
      const t = i / rate;
      const envelope = Math.min(1, t / 0.01) * Math.exp(-3.2 * t);
      data[Math.floor(from * rate) + i] += 0.28 * envelope * (Math.sin(2 * Math.PI * hz * t) + 0.4 * Math.sin(4 * Math.PI * hz * t));
    }
  };
  for (const [at, hz] of [[0, 659.3], [0.18, 880], [0.7, 659.3], [0.88, 880]]) note(at, hz, 0.9);
  return buffer;
}

function start() {
  const ac = audioContext();
  const source = ac.createBufferSource();
  source.buffer = tone(ac);
  source.loop = true;
  source.connect(ac.destination);
  source.start();
  return source;
}

// sound rings or is silent, and returns on, blocked or off.
export function sound(rings) {
  const ac = audioContext();
  if (!rings) {
    node?.stop();
    node = undefined;
    return 'off';
  }
  node ??= start();
  return ac.state === 'running' ? 'on' : 'blocked';
}

// sample plays the ringtone once.
export function sample() {
  const once = start();
  once.loop = false;
}

// notify shows a notification for a call, or takes it away.
export async function notify(call, title, body) {
  if (!call) {
    shown?.close();
    shown = undefined;
    return;
  }
  if (typeof Notification === 'undefined' || Notification.permission !== 'granted' || shown?.tag === call) return;
  const options = { body, tag: call, renotify: true, requireInteraction: true };
  try {
    shown = new Notification(title, options);
    shown.onclick = () => { window.focus(); shown?.close(); };
  } catch { // phones show notifications of service workers only
    const worker = await navigator.serviceWorker?.getRegistration('/console/');
    await worker?.showNotification(title, options);
    shown = { tag: call, close: async () => (await worker?.getNotifications({ tag: call }))?.forEach((n) => n.close()) };
  }
}

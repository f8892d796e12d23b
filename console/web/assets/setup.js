// The three checks before a shift: microphone, ringtone, notifications.

import { h, swap, show, setText } from './dom.js';
import { t } from './i18n.js';
import { model, banner, unbanner, changed } from './model.js';
import { chooseMic, chooseSpeaker, chosenMic, chosenSpeaker, devices, errorKey, meter, mic, unlock } from './devices.js';
import { sample } from './ring.js';

const $ = (id) => document.getElementById(id);
let stopMeter;

export function renderSetup() {
  setText($('setup-title'), t('setupTitle', { name: (model.me?.name || '').split(' ')[0] }));
  setText($('mic-hint'), t(stopMeter ? 'setupMicOk' : 'setupMicHint'));
  const asked = typeof Notification === 'undefined' ? 'denied' : Notification.permission;
  setText($('notify-hint'), t({ granted: 'setupNotifyOk', denied: 'setupNotifyNo', default: 'setupNotifyHint' }[asked]));
  show($('setup-notify'), asked === 'default');
  show($('mic-level'), !!stopMeter);
  if (model.shift || !model.signedIn) endTest();
}

function endTest() {
  stopMeter?.();
  stopMeter = undefined;
}

async function fillDevices() {
  for (const [select, kind, chosen] of [[$('mic-select'), 'audioinput', chosenMic()], [$('speaker-select'), 'audiooutput', chosenSpeaker()]]) {
    const all = await devices(kind);
    show(select, all.length > 1);
    swap(select, h('option', { value: '' }, t('deviceDefault')), all.map((d) => h('option', { value: d.deviceId, selected: d.deviceId === chosen }, d.label || d.deviceId.slice(0, 6))));
  }
}

async function testMic() {
  await unlock();
  endTest();
  try {
    const stream = await mic();
    const end = meter(stream, $('mic-level'));
    stopMeter = () => { end(); stream.getTracks().forEach((track) => track.stop()); };
    unbanner('mic');
    fillDevices();
  } catch (e) {
    banner('mic', errorKey(e), { kind: 'error', fill: { message: e.message } });
  }
  changed();
}

export function bindSetup() {
  $('setup-mic').onclick = testMic;
  $('setup-sound').onclick = async () => { await unlock(); sample(); };
  $('setup-notify').onclick = () => Notification.requestPermission().then(changed);
  $('mic-select').onchange = (e) => { chooseMic(e.target.value); testMic(); };
  $('speaker-select').onchange = (e) => chooseSpeaker(e.target.value);
  navigator.mediaDevices?.addEventListener('devicechange', () => {
    fillDevices();
    if (!model.call && [...model.banners.keys()].includes('mic') && !model.shift) unbanner('mic');
  });
}

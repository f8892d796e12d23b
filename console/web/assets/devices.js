// Microphone, loudspeaker and the one AudioContext of the page.

const WANTED = { echoCancellation: true, noiseSuppression: true, autoGainControl: true };
const MIC = 'callrouter-mic';
const SPEAKER = 'callrouter-speaker';

let context;

// audioContext is made on first use. It is suspended until somebody clicks on the page.
export function audioContext() {
  context ??= new AudioContext();
  return context;
}

// unlock is called from a click: it allows sound.
export async function unlock() {
  const ac = audioContext();
  if (ac.state !== 'running') await ac.resume();
  return ac.state === 'running';
}

export const chosenMic = () => localStorage.getItem(MIC) || '';
export const chosenSpeaker = () => localStorage.getItem(SPEAKER) || '';
export const chooseMic = (id) => localStorage.setItem(MIC, id);

export async function chooseSpeaker(id) {
  localStorage.setItem(SPEAKER, id);
  await document.querySelector('audio').setSinkId?.(id).catch(() => {});
}

// mic opens the chosen microphone, or the default one if the chosen one is gone. null: the default one.
export async function mic(id = chosenMic()) {
  if (!navigator.mediaDevices) throw new DOMException('insecure', 'SecurityError');
  const audio = id ? { ...WANTED, deviceId: { exact: id } } : WANTED;
  try {
    return await navigator.mediaDevices.getUserMedia({ audio });
  } catch (e) {
    if (e.name === 'OverconstrainedError' && id) return mic(null);
    throw e;
  }
}

// silence is a track that sends silence.
export const silence = () => audioContext().createMediaStreamDestination().stream.getAudioTracks()[0];

export async function devices(kind) {
  const all = await navigator.mediaDevices.enumerateDevices();
  return all.filter((d) => d.kind === kind && d.deviceId && d.deviceId !== 'default' && d.deviceId !== 'communications');
}

export async function micGranted() {
  try {
    return (await navigator.permissions.query({ name: 'microphone' })).state === 'granted';
  } catch {
    return false; // Firefox asks each time
  }
}

// errorKey is the text for an error of getUserMedia.
export function errorKey(e) {
  switch (e.name) {
    case 'NotAllowedError': return 'micBlocked';
    case 'NotFoundError': return 'micNone';
    case 'NotReadableError': return 'micBusy';
    case 'SecurityError': return 'insecure';
  }
  return 'micFailed';
}

// meter shows the loudness of a stream in a <meter>, if one is given, and calls heard while it is not silent. It returns
// a function that ends it.
export function meter(stream, el, heard = () => {}) {
  const ac = audioContext();
  const source = ac.createMediaStreamSource(stream);
  const analyser = new AnalyserNode(ac, { fftSize: 512 });
  source.connect(analyser);
  const samples = new Float32Array(analyser.fftSize);
  const timer = setInterval(() => {
    analyser.getFloatTimeDomainData(samples);
    const loud = Math.sqrt(samples.reduce((sum, v) => sum + v * v, 0) / samples.length);
    if (el) el.value = Math.min(1, loud * 6);
    if (loud > 0.003) heard();
  }, 100);
  return () => { clearInterval(timer); source.disconnect(); if (el) el.value = 0; };
}

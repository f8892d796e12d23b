// The audio of one call. This is the only user of RTCPeerConnection.
//
// While it rings everything is prepared but the caller's addresses: a browser that knows them asks a phone that does not
// reply yet, and waits longer and longer between its tries. They are added once WhatsApp took the answer.

import { mic, silence } from './devices.js';

const GATHER = 1500; // ms; what was found until then is sent

// repair ends every line in CRLF, and withhold takes the candidates out.
export const repair = (sdp) => sdp.split(/\r\n|\r|\n/).map((l) => l.trim()).filter(Boolean).map((l) => l + '\r\n').join('');

export function withhold(sdp) {
  const held = [];
  const kept = repair(sdp).split('\r\n').filter((line) => {
    if (!line.startsWith('a=candidate:')) return true;
    held.push({ candidate: line.slice(2), sdpMid: 'audio', sdpMLineIndex: 0 });
    return false;
  });
  return { sdp: kept.join('\r\n'), held };
}

// WhatsApp wants addresses for UDP only.
const withoutTCP = (sdp) => sdp.split('\r\n').filter((l) => !/^a=candidate:\S+ \d+ tcp /i.test(l)).join('\r\n');

function gathered(pc) {
  if (pc.iceGatheringState === 'complete') return Promise.resolve();
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, GATHER);
    pc.onicegatheringstatechange = () => {
      if (pc.iceGatheringState !== 'complete') return;
      clearTimeout(timer);
      resolve();
    };
  });
}

// Audio is one prepared or running connection. on has state(connecting|connected|broken|lost), micGone(label or null)
// and playBlocked().
export class Audio {
  constructor(iceServers, on) {
    this.on = on;
    this.iceServers = iceServers;
    this.element = document.querySelector('audio');
  }

  // prepare makes the answer to an offer and returns its SDP.
  async prepare(offer) {
    const { sdp, held } = withhold(offer);
    this.held = held;
    this.stream = await mic(); // before the connection: without the permission its addresses are names
    if (this.closed) return this.close();
    const pc = this.pc = new RTCPeerConnection({ iceServers: this.iceServers });
    pc.ontrack = ({ track, streams }) => this.hear(streams[0] || new MediaStream([track]));
    pc.onconnectionstatechange = () => this.changed();
    await pc.setRemoteDescription({ type: 'offer', sdp });
    for (const track of this.stream.getTracks()) this.send(track);
    await pc.setLocalDescription();
    await gathered(pc);
    return this.closed ? undefined : withoutTCP(pc.localDescription.sdp);
  }

  send(track) {
    this.track = track;
    track.enabled = !this.muted;
    if (this.sender) this.sender.replaceTrack(track);
    else this.sender = this.pc.addTrack(track, this.stream);
    track.onended = () => this.unplugged();
  }

  // go connects, once WhatsApp took the answer.
  async go() {
    this.began = performance.now();
    this.on.state('connecting');
    for (const candidate of this.held) await this.pc.addIceCandidate(candidate);
  }

  hear(stream) {
    this.remote = stream;
    this.element.srcObject = stream;
    this.play();
  }

  play() {
    return this.element.play().catch((e) => { if (e.name === 'NotAllowedError') this.on.playBlocked(); });
  }

  changed() {
    clearTimeout(this.breaking);
    switch (this.pc?.connectionState) {
      case 'connected': this.on.state('connected'); break;
      case 'disconnected': this.breaking = setTimeout(() => this.on.state('broken'), 3000); break;
      case 'failed': this.on.state('lost'); break;
    }
  }

  // unplugged goes on with the default microphone, or with silence: without packets the call would end.
  async unplugged() {
    if (this.closed) return;
    this.send(silence());
    try {
      await this.use(await mic(null));
      this.on.micGone(this.track.label);
    } catch {
      this.on.micGone(null);
    }
  }

  // use changes the microphone.
  async use(stream) {
    if (this.closed) return stream.getTracks().forEach((t) => t.stop());
    const before = this.stream;
    this.stream = stream;
    this.send(stream.getAudioTracks()[0]);
    before?.getTracks().forEach((t) => { t.onended = null; t.stop(); });
  }

  mute(is) {
    this.muted = is;
    if (this.track) this.track.enabled = !is;
  }

  // measure returns what the record should know of the audio.
  async measure() {
    const found = { rtt_ms: 0, loss: 0, jitter_ms: 0 };
    for (const s of (await this.pc.getStats()).values()) {
      if (s.type === 'candidate-pair' && s.nominated) found.rtt_ms = Math.round((s.currentRoundTripTime || 0) * 1000);
      if (s.type === 'inbound-rtp') {
        found.jitter_ms = Math.round((s.jitter || 0) * 1000);
        const all = s.packetsReceived + s.packetsLost;
        found.loss = all > 0 ? Math.max(0, s.packetsLost) / all : 0;
        found.energy = s.totalAudioEnergy;
      }
    }
    return found;
  }

  // close frees everything, at any time and more than once.
  close() {
    this.closed = true;
    clearTimeout(this.breaking);
    this.stream?.getTracks().forEach((t) => { t.onended = null; t.stop(); });
    if (this.track) { this.track.onended = null; this.track.stop(); }
    this.pc?.close();
    if (this.element.srcObject === this.remote) this.element.srcObject = null;
    this.pc = this.stream = this.track = this.sender = this.remote = undefined;
  }
}

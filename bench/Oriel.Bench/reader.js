// Runs in a page of Oriel's own origin (signed in) or in noVNC's: reads the drawn time back out of the pixels of each shown picture.
(() => {
  const CELL = 16, BITS = 28, UNIT_MS = 0.1, SPAN = 2 ** BITS;
  const canvas = new OffscreenCanvas((BITS + 2) * CELL, CELL);
  const context = canvas.getContext('2d', { willReadFrequently: true });

  // The time drawn in the picture (in units), or null where there is no stamp.
  const readStamp = (source, scaleX, scaleY) => {
    context.drawImage(source, 0, 0, canvas.width * scaleX, CELL * scaleY, 0, 0, canvas.width, CELL);
    const row = context.getImageData(0, CELL / 2, canvas.width, 1).data;
    const light = cell => row[(cell * CELL + CELL / 2) * 4] > 128;
    if (!light(0) || light(1)) return null;
    let stamp = 0;
    for (let bit = 0; bit < BITS; bit++) if (light(bit + 2)) stamp += 2 ** bit;
    return stamp;
  };
  const ageMs = stamp => {
    const now = (performance.timeOrigin + performance.now()) / UNIT_MS;
    const age = ((now - stamp) % SPAN + SPAN) % SPAN;
    return age * UNIT_MS;
  };

  const run = { latencies: [], last: null, frames: 0, gaps: [], lastAt: 0, from: performance.now() };
  const see = stamp => {
    if (stamp === null || stamp === run.last) return;
    const now = performance.now();
    if (run.lastAt) run.gaps.push(now - run.lastAt);
    run.lastAt = now;
    run.last = stamp;
    run.frames++;
    const age = ageMs(stamp);
    if (age < 60000) run.latencies.push(age);
  };

  // What the server says of sampled frames, and what the browser says of the shown ones, both by RTP timestamp.
  const sampled = new Map(), shown = new Map();
  const bench = window.orielBench = { run };
  bench.reset = () => {
    Object.assign(run, { latencies: [], last: null, frames: 0, gaps: [], lastAt: 0, from: performance.now() });
    sampled.clear(); shown.clear();
  };

  // A viewer of its own beside the page's: WHEP with one codec; optionally every candidate's port replaced by that of a relay.
  bench.connect = async ({ desktop, codec, port }) => {
    const peer = bench.peer = new RTCPeerConnection();
    const video = bench.video = document.createElement('video');
    video.muted = true; video.autoplay = true; video.playsInline = true;
    document.body.append(video);
    const transceiver = peer.addTransceiver('video', { direction: 'recvonly' });
    const codecs = RTCRtpReceiver.getCapabilities('video').codecs;
    transceiver.setCodecPreferences(codecs.filter(c => c.mimeType.toLowerCase() === 'video/' + codec || /rtx/i.test(c.mimeType)));
    const control = bench.control = peer.createDataChannel('control');
    bench.opened = new Promise(done => { control.onopen = done; });
    control.onmessage = event => {
      const message = typeof event.data === 'string' ? JSON.parse(event.data) : {};
      if (message.t === 'frame') sampled.set(message.rtp, message);
    };
    peer.ontrack = event => {
      event.receiver.jitterBufferTarget = 0;
      video.srcObject = new MediaStream([event.track]);
      video.play();
    };
    await peer.setLocalDescription();
    const response = await fetch(`/api/desktops/${desktop}/whep`, { method: 'POST', headers: { 'Content-Type': 'application/sdp', 'X-Oriel': '1' }, body: peer.localDescription.sdp });
    if (!response.ok) throw new Error(`WHEP: ${response.status} ${await response.text()}`);
    bench.location = response.headers.get('Location');
    let sdp = await response.text();
    if (port) {
      // UDP only, through the relay.
      sdp = sdp.split('\r\n').filter(line => !/^a=candidate:.* tcp /i.test(line)).map(line => line.replace(/^(a=candidate:\S+ \d+ udp \d+ \S+ )\d+/i, `$1${port}`)).join('\r\n');
    }
    await peer.setRemoteDescription({ type: 'answer', sdp });
    await new Promise((resolve, reject) => {
      const look = () => { if (peer.connectionState === 'connected') resolve(); if (peer.connectionState === 'failed') reject(new Error('the connection failed')); };
      peer.addEventListener('connectionstatechange', look); look();
    });
    const each = (_, frame) => {
      const at = performance.now(), stamp = readStamp(video, 1, 1), fresh = stamp !== null && stamp !== run.last;
      if (fresh) shown.set(frame.rtpTimestamp, { ...frame, at, drawnAt: at - (ageMs(stamp) - (performance.now() - at)) });
      see(stamp);
      if (bench.video === video) video.requestVideoFrameCallback(each);
    };
    video.requestVideoFrameCallback(each);
  };
  bench.cap = async max => { await bench.opened; bench.control.send(JSON.stringify({ t: 'fps', max })); };
  bench.disconnect = async () => {
    bench.peer.close(); bench.video.remove(); bench.video = null;
    await fetch(bench.location, { method: 'DELETE', headers: { 'X-Oriel': '1' } });
  };
  bench.stats = async () => {
    for (const report of (await bench.peer.getStats()).values()) {
      if (report.type === 'inbound-rtp' && report.kind === 'video') return {
        bytes: report.bytesReceived, packets: report.packetsReceived, lost: report.packetsLost, nacks: report.nackCount, plis: report.pliCount, decoded: report.framesDecoded,
        freezes: report.freezeCount, freezeSeconds: report.totalFreezesDuration, jitterMs: 1000 * report.jitterBufferDelay / Math.max(1, report.jitterBufferEmittedCount),
        decodeMs: 1000 * report.totalDecodeTime / Math.max(1, report.framesDecoded), decoder: report.decoderImplementation,
      };
    }
    return null;
  };

  // The median time of each part of the way, in milliseconds: only of frames that the server sampled.
  bench.stages = () => {
    const columns = {};
    const add = (name, value) => (columns[name] ??= []).push(value);
    for (const [rtp, m] of sampled) {
      const f = shown.get(rtp);
      if (!f) continue;
      const guest = (m.captureUs + m.encodeUs) / 1000, relay = m.sendUs / 1000;
      add('drawn, seen and sent on', f.receiveTime - f.drawnAt - guest - relay);
      add('capture', m.captureUs / 1000);
      add('encode', m.encodeUs / 1000);
      add('agent to server', relay);
      add('decode', f.processingDuration * 1000);
      add('to composition', f.presentationTime - f.receiveTime - f.processingDuration * 1000);
      add('to the callback', f.at - f.presentationTime);
      add('whole', f.at - f.drawnAt);
      add('to composition, whole', f.presentationTime - f.drawnAt);
      add('to expected display', f.expectedDisplayTime - f.drawnAt);
      add('bytes', m.bytes); add('q', m.q);
    }
    const middle = list => list.sort((a, b) => a - b)[Math.floor(list.length / 2)];
    return Object.fromEntries(Object.entries(columns).map(([name, list]) => [name, middle(list)]).concat([['frames', shown.size]]));
  };

  // noVNC paints a canvas: look at it before every repaint of the page.
  bench.watchCanvas = () => {
    const tick = () => {
      const target = document.querySelector('canvas');
      if (target && target.width > 100) see(readStamp(target, 1, 1));
      requestAnimationFrame(tick);
    };
    requestAnimationFrame(tick);
  };
  bench.result = () => {
    const sorted = [...run.latencies].sort((a, b) => a - b);
    const at = q => sorted.length ? sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] : null;
    return { frames: run.frames, seconds: Math.max(0.001, (run.lastAt - run.from) / 1000), p50: at(0.5), p95: at(0.95), longestGapMs: Math.max(0, ...run.gaps) };
  };
})();

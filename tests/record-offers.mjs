// node tests/record-offers.mjs: records anew what players offer, into tests/Oriel.Tests/Streaming/Offers, one file an offer:
// PROGRAM-POLICY-FIRST.sdp. The players are Debian's Chromium and Firefox and GStreamer's webrtcbin, each with every bundle policy that it
// knows and each order of sections that it can make. Run it for a new version of one of them; the tests answer whatever lies there.
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const tests = dirname(fileURLToPath(import.meta.url));
const offers = join(tests, 'Oriel.Tests', 'Streaming', 'Offers');

/** Runs in the browser. Candidates are not waited for: they would name this machine, and an ICE-lite server needs none. */
async function offerAll() {
  for (const bundlePolicy of ['balanced', 'max-bundle', 'max-compat'])
    for (const first of ['video', 'audio', 'data']) {
      const pc = new RTCPeerConnection({ bundlePolicy });
      if (first === 'data') {
        // The data section of a first offer comes last; one that was there before keeps its place.
        pc.createDataChannel('control');
        await pc.setLocalDescription();
      }
      for (const kind of first === 'audio' ? ['audio', 'video'] : ['video', 'audio']) pc.addTransceiver(kind, { direction: 'recvonly' });
      if (first !== 'data') pc.createDataChannel('control');
      const { sdp } = await pc.createOffer();
      await fetch(`/${bundlePolicy}-${first}`, { method: 'POST', body: sdp });
      pc.close();
    }
  await fetch('/done', { method: 'POST', body: '' });
}

async function recordBrowser(name, program, argumentsFor) {
  const profile = mkdtempSync(join(tmpdir(), 'oriel-offers-'));
  const server = createServer(async (request, response) => {
    if (request.method === 'POST') {
      let body = '';
      for await (const part of request) body += part;
      if (request.url === '/done') server.emit('done');
      else writeFileSync(join(offers, `${name}${request.url.replace('/', '-')}.sdp`), body);
    }
    response.setHeader('Content-Type', 'text/html');
    response.end(`<!doctype html><script>(${offerAll})()</script>`);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const browser = spawn(program, argumentsFor(profile, `http://127.0.0.1:${server.address().port}/`), { stdio: 'ignore', detached: true });
  const ended = once(browser, 'exit');
  const result = await Promise.race([once(server, 'done'), ended.then(([code]) => `${name} ended with ${code} before it had offered all`)]);
  if (typeof result === 'string') throw new Error(result);
  process.kill(-browser.pid, 'SIGKILL');
  await ended;
  server.closeAllConnections();
  server.close();
  rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
}

function recordWebRtcBin() {
  const script = join(tests, 'Oriel.WebRtc.Tests', 'Browser', 'webrtcbin.py');
  for (const policy of ['none', 'balanced', 'max-compat', 'max-bundle'])
    for (const sections of [['video', 'audio'], ['audio', 'video']]) {
      if (policy !== 'none') sections.push('data');
      const said = execFileSync('/usr/bin/python3', [script, 'offer', policy, ...sections], { input: '' }).toString();
      writeFileSync(join(offers, `webrtcbin-${policy}-${sections[0]}.sdp`), said.slice(said.indexOf('v=0')));
    }
}

for (const old of readdirSync(offers)) if (old.endsWith('.sdp')) rmSync(join(offers, old));
await recordBrowser('chromium', '/usr/bin/chromium', (profile, url) =>
  ['--headless', '--no-sandbox', '--disable-gpu', '--no-first-run', `--user-data-dir=${profile}`, url]);
await recordBrowser('firefox', '/usr/bin/firefox-esr', (profile, url) => ['--headless', '--no-remote', '--profile', profile, url]);
recordWebRtcBin();
console.log(`${readdirSync(offers).length} offers in ${offers}`);

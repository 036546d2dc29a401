// What tests/script.sh asks a server: node script-client.mjs METHOD URL [TOKEN] [BODY] prints the status and then the body.
// METHOD "until:STATE" follows a desktop's events until that state, and fails when it ends in another.
// "until-warning:CODE" does the same until the desktop has that warning.
// CLIENT_SECONDS: how long it waits, 180 unless given.
const [method, url, token, body] = process.argv.slice(2);
const headers = { ...(token && { Authorization: `Bearer ${token}` }), ...(body && { 'Content-Type': 'application/json' }) };
const [until, value] = method.split(':');
const wanted = { until: `"state":"${value}"`, 'until-warning': `"code":"${value}","message"` }[until];
const answer = await fetch(url, { method: wanted ? 'GET' : method, headers, body, redirect: 'manual', signal: AbortSignal.timeout(Number(process.env.CLIENT_SECONDS ?? 180) * 1000) });
if (!wanted) {
  console.log(`${answer.status}\n${await answer.text()}`);
} else {
  let seen = '';
  for await (const piece of answer.body.pipeThrough(new TextDecoderStream())) {
    seen += piece;
    if (seen.includes(wanted)) process.exit(0);
    // What failed is destroyed next.
    if (/"state":"destroyed"/.test(seen) || (value !== 'destroyed' && /"state":"failed"/.test(seen))) break;
  }
  console.log(`never ${method}; the last that was seen: ${answer.status} ${seen.slice(-2000)}`);
  process.exit(1);
}

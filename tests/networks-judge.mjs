// node networks-judge.mjs TRIED LOG: what a guest got through in tests/networks.sh, and what the egress log says of the rest.
import { readFileSync } from 'node:fs';
const answer = (path) => JSON.parse(readFileSync(path, 'utf8').split('\n').slice(1).join('\n'));
const tried = answer(process.argv[2]);
const { log: entries } = answer(process.argv[3]);
const problems = [];

const ways = ['', '--proxytunnel', '--noproxy *'];
// No link of a guest speaks IPv6: an address of it is reached through the proxy alone.
const open = [...['7.7.7.7', 'world.test'].flatMap((host) => ways.map((way) => `${host} ${way}`)), '[2b0a::7] ', '[2b0a::7] --proxytunnel'].sort();
const got = tried.stdout.split('\n').filter(Boolean).sort();
if (got.join() !== open.join()) problems.push(`got through: ${got.join('; ')}, and not ${open.join('; ')}; ${tried.stderr ?? JSON.stringify(tried)}`);

const refusals = {
  'own-network this host': ['5.5.5.5', '2a0a:dead::1', '5.6.7.1', '2a0a:beef::1', 'own.test', 'own6.test'],
  'own-network route 5.6.7.0/24': ['5.6.7.9', 'link.test'],
  'own-network route 2a0a:beef::/64': ['2a0a:beef::9'],
  'own-network route 6.6.0.0/16': ['6.6.6.6', 'route.test'],
  'own-network route 9.9.9.0/24': ['9.9.9.1'],
  'private-address 168.63.129.16/32': ['168.63.129.16'],
  'private-address 161.26.0.0/16': ['161.26.0.10', 'platform.test'],
  'private-address 166.8.0.0/14': ['166.9.9.9'],
  'private-address ': ['169.254.169.254', '64:ff9b::505:505'],
};
const said = (entry) => `${entry.reason} ${entry.rule ?? ''}`;
for (const [reason, hosts] of Object.entries(refusals)) {
  for (const host of hosts) {
    const of = entries.filter((entry) => entry.host === host);
    if (of.length === 0) problems.push(`${host} is not in the log`);
    for (const entry of of) if (entry.verdict !== 'refused' || said(entry) !== reason) problems.push(`${host}: ${entry.verdict}, ${said(entry)}, and not ${reason}`);
  }
}
const internet = ['7.7.7.7', '2b0a::7'];
// What has no address was never dialled: the guest's browser asks for names that nobody answers for here.
for (const entry of entries) {
  if (entry.verdict !== 'refused' && entry.address && !internet.includes(entry.address)) problems.push(`to ${entry.host} (${entry.address}): ${entry.verdict}, ${said(entry)}`);
}
if (problems.length > 0) {
  console.log(problems.join('\n'));
  process.exit(1);
}

// node report.mjs RESULT [PATTERN]: reads the result of one test program (CTRF of xunit, or vitest's JSON), prints "passed failed skipped" to
// standard output and each failed test and each skip with its reason to standard error.
// PATTERN: only tests with such names count, as vitest lists the others as skipped.
// Exits with 1 where there is no result.
import { existsSync, readFileSync } from 'node:fs';

if (!existsSync(process.argv[2])) process.exit(1);
// Xunit's writer leaves control characters in its strings, such as a failed terminal's escape sequences, as they are.
const result = JSON.parse(readFileSync(process.argv[2], 'utf8').replace(/[\x00-\x1f\x7f]/g, ' '));
const chosen = new RegExp(process.argv[3] ?? '');
const all = result.results
  ? result.results.tests.map(({ name, status, message, trace }) => ({ name, status, message: [message, trace].filter(Boolean).join('\n') }))
  : [
      ...result.testResults.flatMap((file) =>
        file.assertionResults.map(({ fullName, status, failureMessages }) => ({ name: fullName, status, message: (failureMessages ?? []).join('\n') }))),
      // A file that could not even be loaded has no tests to fail.
      ...result.testResults.filter((file) => file.status === 'failed' && file.assertionResults.length === 0).map((file) => ({ name: file.name, status: 'failed', message: file.message })),
    ];
const tests = all.filter(({ name }) => chosen.test(name));

const count = { passed: 0, failed: 0, skipped: 0 };
for (const { name, status, message } of tests) {
  const kind = status === 'passed' ? 'passed' : ['skipped', 'pending', 'todo', 'disabled'].includes(status) ? 'skipped' : 'failed';
  count[kind]++;
  if (kind !== 'passed') {
    const lines = (message || 'no reason given').trim().split('\n').slice(0, kind === 'failed' ? 25 : 3);
    console.error(`   ${kind.toUpperCase()} ${name}\n      ${lines.join('\n      ')}`);
  }
}
console.log(`${count.passed} ${count.failed} ${count.skipped}`);

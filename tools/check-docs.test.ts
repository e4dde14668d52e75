import { expect, test } from 'vitest';
import { blockFaults, blocksOf, linkFaults } from './check-docs.js';
import { figureFaults, lockFaults, seedFaults, warFaults, type ReadLedger } from './check-figures.js';
import { tableFaults, withLedgerTables } from './ledger-tables.js';

test('refuses a block that does not compile', () => {
  const code =
    "import { createTokenCoordinator } from 'one-refresh';\ncreateTokenCoordinator({ nmae: 'my-app' });";
  const good =
    "import { isTokenCoordinatorError } from 'one-refresh';\nshow(String(isTokenCoordinatorError(1)));";
  const page = `# A page\n\n\`\`\`ts\n${good}\n\`\`\`\n\n\`\`\`ts\n${code}\n\`\`\`\n`;
  const faults = blockFaults(blocksOf(new Map([['planted.md', page]])));
  expect(faults).toHaveLength(1);
  expect(faults[0]).toMatch(/^planted\.md:10: .*nmae/);
});

test.each([
  ['a file that does not exist', '[x](docs/nowhere.md)', 'docs/nowhere.md, which does not exist'],
  ['a heading that does not exist', '[x](docs/faq.md#nowhere)', 'no such heading'],
  ['a test that does not exist', '[no such title](tools/size-diff.test.ts)', 'no test "no such title"'],
  [
    'an image that does not exist',
    '<img src="docs/nowhere.svg" />',
    'docs/nowhere.svg, which does not exist',
  ],
  ['a label without its definition', '[x][nowhere]', '[nowhere], which is not defined'],
  ['a definition that leads nowhere', '[y]: docs/nowhere.md', 'docs/nowhere.md, which does not exist'],
])('refuses a link to %s', (_, text, reason) => {
  expect(linkFaults('README.md', `${text}\n`)).toEqual([expect.stringContaining(reason)]);
});

test('refuses a promise without a name, and dead links', () => {
  const row = '| a promise | [takes %s](tools/check-docs.test.ts) | Node |';
  const named = row.replace('| ', '| <a id="t-promise"></a>');
  expect(linkFaults('SECURITY.md', row)).toEqual([expect.stringContaining('a row without a name')]);
  expect(linkFaults('SECURITY.md', named)).toEqual([]);
  expect(linkFaults('README.md', '[test](SECURITY.md#t-nowhere)')).toEqual([
    expect.stringContaining('no such heading or place'),
  ]);
  expect(linkFaults('README.md', '[test](SECURITY.md#t-channel)')).toEqual([]);
});

test('follows links that lead somewhere', () => {
  const text =
    '[a](docs/faq.md#questions), [b](https://example.com), [c][d], [e](docs)\n\n[d]: docs/war.md\n';
  expect(linkFaults('README.md', text)).toEqual([]);
});

const ledger: ReadLedger = () => [
  { engine: 'A', passed: 500, rate: 0.123 },
  { engine: 'B', passed: 1200, rate: 0.5 },
];

test.each([
  ['1,200<!-- =e2e.passed -->'],
  ['500<!-- =e2e[engine=A].passed -->'],
  ['1,700<!-- =sum e2e.passed -->'],
  ['12.3%<!-- =e2e[engine=A].rate -->'],
  ['12.3 %<!-- =e2e[engine=A].rate -->'],
])('takes %s', (text) => {
  expect(figureFaults('planted.md', text, ledger)).toEqual([]);
});

test.each([
  ['1,201<!-- =e2e.passed -->', 'is stale: e2e.passed is 1200'],
  ['1,200<!-- =e2e[engine=A].passed -->', 'is stale: e2e.passed is 500'],
  ['12.4%<!-- =e2e[engine=A].rate -->', 'is stale'],
  ['12.4 %<!-- =e2e[engine=A].rate -->', 'is stale'],
  ['7<!-- =e2e.nowhere -->', 'which the ledger does not have'],
])('refuses %s', (text, reason) => {
  expect(figureFaults('planted.md', text, ledger)).toEqual([expect.stringContaining(reason)]);
});

const simulation: ReadLedger = () =>
  [
    { commit: 'a', seeds: [100000000, 100000099], violations: 2 },
    { commit: 'b', seeds: [100000100, 100000199], violations: 0 },
    { commit: 'b', seeds: [200000000, 200000099], violations: 0 },
  ].map((line) => ({ command: 'npm run sim', schedules: 100, versions: 1000, requests: 1500, ...line }));

test('compares the seeds that a text names with the ledger', () => {
  expect(seedFaults('planted.md', 'Seeds 100000000 to\n  100000199', simulation)).toEqual([]);
  expect(seedFaults('planted.md', 'Seeds 100000000 to 100000198', simulation)).toEqual([
    expect.stringContaining('no seeds 100000000 to 100000198'),
  ]);
  const violations = '<!-- =sum simulation[seeds=100000000..100000199].violations -->';
  expect(figureFaults('planted.md', `2${violations}`, simulation)).toEqual([]);
  expect(figureFaults('planted.md', `3${violations}`, simulation)).toHaveLength(1);
});

test('counts the newest schedules up to the last violation', () => {
  const page = withLedgerTables('<!-- from simulation profiles -->\n<!-- end -->', simulation);
  expect(page).toMatch(/\| `everything` \| +200 \| +2,000 \| +3,000 \| +0 \| b +\|/);
});

test('adds up the runs of one kind', () => {
  const run = { command: 'npm run chaos -- --mode page --server strict --faults all', violations: 1 };
  const chaos: ReadLedger = () => [
    { ...run, rounds: 900, spentTwice: 1, lost: { response_lost: 1 }, longestWithoutTokenMs: 700 },
    { ...run, rounds: 200, spentTwice: 2, lost: {}, longestWithoutTokenMs: 1000 },
  ];
  const page = withLedgerTables('<!-- from chaos campaigns -->\n<!-- end -->', chaos);
  expect(page).toMatch(/\| page, strict, all +\| +1,100 \| +3 \| +1 response_lost \| +2 \| +1\.0 s \|/);
});

const war: ReadLedger = () => [
  {
    command: 'npm run war -- --tabs 2 --ledger l.jsonl --svg docs/war.svg',
    results: [
      {
        mode: 'client lock',
        expiries: 300,
        requests: 389,
        requestsPerExpiry: 1.2967,
        conflictRate: 0.401,
        forcedLogins: 67,
        p50: 167.2,
        p95: 1238.1,
      },
    ],
  },
];
const row = '| client lock | 300 | 389 | 1.297 | 40.1 % | 67 | 167 ms | 1238 ms |';

test('compares the war with the run that drew its picture', () => {
  expect(warFaults('planted.md', `${row}\n\n\`npm run war -- --tabs 2\``, war)).toEqual([]);
  expect(warFaults('planted.md', `${row.replace('67', '66')}\n\`npm run war -- --tabs 2\``, war)).toEqual([
    expect.stringContaining('"client lock" is stale'),
  ]);
  expect(warFaults('planted.md', `${row}\n\`npm run war -- --tabs 10\``, war)).toEqual([
    expect.stringContaining('npm run war -- --tabs 2'),
  ]);
});

const bench: ReadLedger = () => [
  {
    date: '2026-11-28T13:02:06.279Z',
    minutes: 13.1,
    commit: 'abc1234',
    command: 'npm run bench -- --effort 0.4 --json run.json --baseline',
    machine: { processors: 2, node: 'v20', chromium: '156' },
    results: ['size', 'cached', 'first-token', 'converge', 'idle', 'storm', 'failover', 'scale'].map(
      (name) => ({
        bench: name,
        tables: [{ title: 'Bytes', head: ['way', 'gzip'], rows: [['ours', '1,000']] }],
        targets: [{ says: 'small', figure: '1.00, 1.00', met: name !== 'scale' }],
      }),
    ),
  },
  {
    date: '2026-11-29',
    command: 'npm run bench -- size --only one-refresh',
    results: [{ bench: 'size', tables: [], targets: [] }],
  },
];

test('writes tables from the ledgers, and refuses a stale one', () => {
  const empty = ['runs', 'targets', 'size']
    .map((name) => `<!-- from bench ${name} -->\n<!-- end -->\n`)
    .join('');
  const page = withLedgerTables(empty, bench);
  expect(page).toContain(
    'failover, scale: `npm run bench -- --effort 0.4` at commit abc1234, 2026-11-28: 13.1 m',
  );
  expect(page).toMatch(/\| \[scale\]\(#scale\) +\| small {2}\| {3}1\.00 \| \*\*missed\*\* \|/);
  expect(page).toContain('_Bytes_\n\n| way  |  gzip |\n| ---- | ----: |\n| ours | 1,000 |\n');
  expect(tableFaults('planted.md', page, bench)).toEqual([]);
  expect(tableFaults('planted.md', page.replace('1,000', '1,001'), bench)).toEqual([
    expect.stringContaining('planted.md: the part "bench size" is stale'),
  ]);
  expect(() => withLedgerTables('<!-- from bench nowhere -->\n<!-- end -->', bench)).toThrow('nowhere');
});

test("compares the decision tree with the lock's newest size", () => {
  const sizes: ReadLedger = () => [
    { results: [{ bench: 'size', data: { bytes: { 'lock-indexed-db': { gzip: 638 } } } }] },
    { results: [{ bench: 'idle', data: {} }] },
  ];
  expect(lockFaults('README.md', 'lock["50 lines, 638 bytes"]', sizes)).toEqual([]);
  expect(lockFaults('README.md', 'lock["50 lines, 637 bytes"]', sizes)).toEqual([
    'README.md: a lock over IndexedDB takes 638 bytes',
  ]);
});

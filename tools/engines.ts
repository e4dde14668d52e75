/**
 * `npm run engines`: runs the tests about engines, missing parts, page lives and version skew in all three browsers, and writes what came
 * of it to docs/engines.md: one line per situation, one column per engine. `--from FILE` (Playwright's JSON report, again for another one)
 * writes it from runs that were made before.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { browserNames, type BrowserName } from './browsers.js';

interface Suite {
  title: string;
  file: string;
  suites?: Suite[];
  specs?: {
    title: string;
    tags: string[];
    tests: { projectName: string; status: 'expected' | 'unexpected' | 'flaky' | 'skipped' }[];
  }[];
}

interface Row {
  file: string;
  tags: string[];
  results: Partial<Record<BrowserName, 'passed' | 'skipped' | 'failed'>>;
}

const files = [
  'missing-parts',
  'browser-settings',
  'lifecycle',
  'lifecycle-chromium',
  'discarded',
  'prerender',
  'version-skew',
  'scale',
  'leader',
  'last-words',
  'storm',
  'new-tab',
  'sign-out',
  'switch-user',
  'dying-leader',
  'worker',
  'web-worker',
];

/** The reason that keeps a situation out of an engine, or how it was tried there, by the tag of its test. */
const notes: { tag: string; engines: BrowserName[]; says: string }[] = [
  {
    tag: 'chromium',
    engines: ['firefox', 'webkit'],
    says: 'only Chromium does this, or lets itself be asked to',
  },
  { tag: 'firefox', engines: ['chromium', 'webkit'], says: 'about what Firefox alone does' },
  { tag: 'page', engines: ['webkit'], says: 'the driver of WebKitGTK cannot do this' },
  { tag: 'settings', engines: ['webkit'], says: 'the driver of WebKitGTK has no such setting' },
  {
    tag: 'last-words',
    engines: ['firefox'],
    says:
      'with `dom.abort_script_on_child_shutdown` off: Firefox otherwise ends the scripts of a tab that is being closed, sometimes before ' +
      'the leader has resigned; then another leads at the next need',
  },
];

const { values } = parseArgs({ options: { from: { type: 'string', multiple: true } } });

const reports = values.from ?? [run()];
const rows = new Map<string, Row>();
for (const report of reports) {
  const { suites } = JSON.parse(readFileSync(report, 'utf8')) as { suites: Suite[] };
  for (const suite of suites) collect(suite, []);
}
writeFileSync('docs/engines.md', page());
spawnSync('npx', ['prettier', '--write', 'docs/engines.md'], { stdio: 'inherit' });
const cells = [...rows.values()].flatMap((row) => browserNames.map((engine) => cell(engine, row)));
const open = cells.filter((text) => !text.startsWith('passed') && !text.startsWith('–'));
console.log(`docs/engines.md: ${rows.size} situations, ${open.length} cells neither passed nor explained`);
process.exitCode = open.length > 0 ? 1 : 0;

function run(): string {
  const report = path.join(mkdtempSync(path.join(tmpdir(), 'one-refresh-engines-')), 'report.json');
  const specs = files.map((file) => `e2e/${file}.spec.ts`);
  spawnSync('npm', ['run', 'e2e', '--', ...specs, '--reporter=list,json'], {
    stdio: 'inherit',
    env: { ...process.env, PLAYWRIGHT_JSON_OUTPUT_NAME: report },
  });
  return report;
}

function collect(suite: Suite, titles: readonly string[]): void {
  for (const inner of suite.suites ?? []) collect(inner, [...titles, inner.title]);
  for (const { title, tags, tests } of suite.specs ?? []) {
    const file = suite.file.replace('.spec.ts', '');
    if (!files.includes(file)) continue;
    const name = [...titles, title].join(': ');
    const row = rows.get(`${file} ${name}`) ?? { file, tags, results: {} };
    rows.set(`${file} ${name}`, row);
    for (const { projectName, status } of tests) {
      const result = status === 'expected' ? 'passed' : status === 'skipped' ? 'skipped' : 'failed';
      const engine = projectName as BrowserName;
      // Of several runs the worst counts.
      if (row.results[engine] !== 'failed') row.results[engine] = result;
    }
  }
}

/** The text where an engine and a situation meet. */
function cell(engine: BrowserName, { tags, results }: Row): string {
  const note = notes.findIndex(({ tag, engines }) => tags.includes(tag) && engines.includes(engine));
  const mark = note < 0 ? '' : `[^${note + 1}]`;
  return results[engine] ? results[engine] + mark : mark && `–${mark}`;
}

function page(): string {
  const table = files.flatMap((file) => {
    const own = [...rows].filter(([, row]) => row.file === file);
    if (own.length === 0) return [];
    return [
      `## ${file.replaceAll('-', ' ')}`,
      '',
      `| situation (\`e2e/${file}.spec.ts\`) | ${browserNames.join(' | ')} |`,
      `| --- | ${browserNames.map(() => '---').join(' | ')} |`,
      ...own.map(
        ([name, row]) =>
          `| ${name.slice(file.length + 1)} | ${browserNames.map((engine) => cell(engine, row)).join(' | ')} |`,
      ),
      '',
    ];
  });
  return [
    '# Engines and situations',
    '',
    'Written by `npm run engines` from a run of the end-to-end tests; not to be edited. On a plain Debian machine the engines are Chromium,',
    'Firefox ESR and WebKitGTK; elsewhere they are those that Playwright installs.',
    '',
    ...table,
    ...notes.map(({ says }, index) => `[^${index + 1}]: ${says}.`),
    '',
  ].join('\n');
}

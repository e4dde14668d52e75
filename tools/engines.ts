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

const files = [
  'missing-parts',
  'lifecycle',
  'lifecycle-chromium',
  'prerender',
  'version-skew',
  'scale',
  'leader',
  'storm',
  'new-tab',
  'sign-out',
  'switch-user',
  'dying-leader',
];

/** Why a situation was not tried in an engine, by the tag that keeps it out. */
const limits: Record<string, string> = {
  chromium: 'only Chromium does this, or lets itself be asked to',
  'last-words':
    'Firefox sometimes loses what a page says while it closes; then another tab leads at the next need',
};

const { values } = parseArgs({ options: { from: { type: 'string', multiple: true } } });

const reports = values.from ?? [run()];
const rows = new Map<
  string,
  { file: string; tags: string[]; results: Partial<Record<BrowserName, string>> }
>();
for (const report of reports) {
  const { suites } = JSON.parse(readFileSync(report, 'utf8')) as { suites: Suite[] };
  for (const suite of suites) collect(suite, []);
}
writeFileSync('docs/engines.md', page());
spawnSync('npx', ['prettier', '--write', 'docs/engines.md'], { stdio: 'inherit' });
const failures = [...rows.values()].filter(({ results }) => Object.values(results).includes('failed'));
console.log(`docs/engines.md: ${rows.size} situations, ${failures.length} with a failure`);
process.exitCode = failures.length > 0 ? 1 : 0;

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

function page(): string {
  const notes = Object.keys(limits);
  const cell = (engine: BrowserName, { tags, results }: { tags: string[]; results: object }): string => {
    const result = (results as Partial<Record<BrowserName, string>>)[engine];
    if (result !== undefined) return result;
    const note = notes.findIndex((tag) => tags.includes(tag));
    return note < 0 ? 'not run' : `–[^${note + 1}]`;
  };
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
    ...notes.map((tag, index) => `[^${index + 1}]: ${limits[tag]}.`),
    '',
  ].join('\n');
}

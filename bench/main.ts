/**
 * `npm run bench`: the library beside the libraries that a user would pick instead, beside what one writes by hand, and beside the
 * platform's own limits; in real tabs of a real Chromium, all in one run, so that ratios mean something.
 *
 *     npm run bench                                    everything
 *     npm run bench -- cached storm --json run.json    some of it
 *     npm run bench -- --only one-refresh --effort 0.2 a quick look, without the others
 *     npm run bench -- --check                         compares ratios with bench/baseline.json
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import type { Bench, Result } from './lib/bench.js';
import { cached } from './benches/cached.js';
import { converge } from './benches/converge.js';
import { failover } from './benches/failover.js';
import { firstToken } from './benches/first-token.js';
import { idle } from './benches/idle.js';
import { scale } from './benches/scale.js';
import { size } from './benches/size.js';
import { storm } from './benches/storm.js';
import { launch } from './lib/browser.js';
import { BY_HAND, contestants, OURS } from './lib/contestants.js';
import { report } from './lib/format.js';
import { buildPages } from '../tools/build-pages.js';
import { startServer } from './lib/server.js';
import { compare, writeBaseline } from './lib/baseline.js';

const benches: Record<string, Bench> = {
  size,
  cached,
  'first-token': firstToken,
  converge,
  idle,
  storm,
  failover,
  scale,
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    /** Some contestants instead of all. */
    only: { type: 'string', multiple: true },
    /** How often to repeat, where 1 is the full measurement. */
    effort: { type: 'string', default: '1' },
    json: { type: 'string' },
    /** One line is added to this file. */
    ledger: { type: 'string' },
    /** Fails where a figure has become more than a tenth worse than in bench/baseline.json. */
    check: { type: 'boolean', default: false },
    /** Makes this run's figures the ones to compare with. */
    baseline: { type: 'boolean', default: false },
  },
});
const unknown = [
  ...positionals.filter((name) => !(name in benches)),
  ...(values.only ?? []).filter((name) => !contestants.some((contestant) => contestant.name === name)),
];
const effort = Number(values.effort);
if (unknown.length > 0 || !(effort > 0)) {
  console.error(
    unknown.length > 0
      ? `Unknown: ${unknown.join(', ')}. Benchmarks: ${Object.keys(benches).join(', ')}; contestants: ${contestants.map(({ name }) => name).join(', ')}`
      : '--effort must be a number greater than 0',
  );
  process.exit(2);
}
installPeers();

// It watches ratios to the floor and to the one to beat.
const only = values.only ?? (values.check ? [OURS, BY_HAND] : undefined);
const chosen = contestants.filter(({ name }) => only?.includes(name) ?? true);
const started = new Date();
const atCommit = commit();
// Each contestant has a file of its own, and each is compiled as browser-support.md tells apps to do it.
const page = await buildPages('bench/page', ['index.html'], {
  compileOnLoad: (module) => module.includes('/bench/contestants/'),
});
const server = await startServer(page);
const browser = await launch();
/** With the load of the machine (of the last minute) before and after. */
const results: (Result & { load: number[] })[] = [];
try {
  for (const [name, bench] of Object.entries(benches)) {
    if (positionals.length > 0 && !positionals.includes(name)) continue;
    server.latency = [0, 0];
    const load = loadavg()[0]!;
    const result = await bench({
      browser,
      server,
      contestants: chosen,
      effort,
      say: (what) => say(`${name}: ${what}`),
    });
    results.push({ ...result, load: [load, loadavg()[0]!] });
    console.log(`\n${report(result)}`);
    // A later failure does not lose an earlier measurement.
    if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(record(), null, 2)}\n`);
  }
} finally {
  await browser.close();
  await server.close();
}

if (values.ledger !== undefined) appendFileSync(values.ledger, `${JSON.stringify(record())}\n`);
if (values.baseline) writeBaseline(results);
if (values.check) {
  const faults = compare(results);
  for (const fault of faults) console.error(fault);
  console.log(faults.length === 0 ? '\nno figure is more than a tenth worse than its baseline' : '');
  process.exitCode = faults.length > 0 ? 1 : 0;
}

/** The run so far, as JSON has it. */
function record(): object {
  const manifest = readFileSync(path.join(import.meta.dirname, 'package.json'), 'utf8');
  return {
    date: started.toISOString(),
    minutes: Math.round((Date.now() - started.getTime()) / 6000) / 10,
    commit: atCommit,
    command: `npm run bench -- ${process.argv.slice(2).join(' ')}`.trim(),
    machine: {
      processors: cpus().length,
      model: cpus()[0]?.model,
      node: process.version,
      chromium: browser.version,
    },
    peers: (JSON.parse(manifest) as { dependencies: object }).dependencies,
    effort,
    results,
  };
}

/** Progress, for whoever waits. */
function say(what: string): void {
  process.stderr.write(process.stderr.isTTY ? `\r${what.padEnd(100)}\r` : `${what}\n`);
}

/** The peers are no dependencies of the project: they are installed here, when they are first needed. */
function installPeers(): void {
  if (existsSync(path.join(import.meta.dirname, 'node_modules'))) return;
  const { status } = spawnSync('npm', ['ci', '--ignore-scripts'], {
    cwd: import.meta.dirname,
    stdio: 'inherit',
  });
  if (status !== 0) process.exit(1);
}

function commit(): string {
  try {
    const git = (...args: string[]) => execFileSync('git', args, { encoding: 'utf8' }).trim();
    return (
      git('rev-parse', '--short', 'HEAD') + (git('status', '--porcelain', '--', 'src', 'bench') ? '+' : '')
    );
  } catch {
    return 'unknown';
  }
}

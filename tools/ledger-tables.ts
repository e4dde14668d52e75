/**
 * The generated parts of the documentation: each stands between `<!-- from NAME -->` and `<!-- end -->`. `npm run docs` compares
 * them with the ledgers, `npm run docs -- --write` writes them.
 *
 *     bench storm              the newest run of that benchmark with all contestants
 *     bench targets, runs      what these runs had to show, and their commands
 *     server-cost refreshes    the newest run of `npm run server-cost`; also logins, run
 *     war 883d56f              the war's run at that commit
 *     chaos campaigns          the sums over all runs of one kind
 *     simulation profiles      of each profile, the newest campaigns up to the last violation
 */
import type { ReadLedger } from './check-figures.js';
import { milliseconds, percent, type Result } from '../campaigns/war/table.js';

interface Table {
  readonly title?: string;
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

interface Run {
  readonly date: string;
  readonly minutes: number;
  readonly commit: string;
  readonly command: string;
  readonly machine: { readonly processors: number; readonly node: string; readonly chromium: string };
  readonly results: readonly {
    readonly bench: string;
    readonly tables: readonly Table[];
    readonly targets: readonly { readonly says: string; readonly figure: string; readonly met: boolean }[];
  }[];
}

interface ServerCost {
  readonly commit: string;
  readonly command: string;
  readonly medians: Readonly<Record<string, number>>;
  readonly perSecond: Readonly<Record<string, number>>;
  readonly costs: Readonly<Record<string, Readonly<Record<string, number>>>>;
}

const PART = /(<!-- from ([\w-]+ [\w-]+) -->\n)([\s\S]*?)(<!-- end -->)/g;
/** In the order of the page. */
const BENCHES = ['size', 'cached', 'first-token', 'converge', 'idle', 'storm', 'failover', 'scale'];

/** The page with its generated parts as the ledgers have them. */
export function withLedgerTables(page: string, ledger: ReadLedger): string {
  return page.replaceAll(PART, (_all, begin: string, name: string, _old: string, end: string) => {
    return `${begin}\n${part(name, ledger)}\n\n${end}`;
  });
}

/** The generated parts that are stale. */
export function tableFaults(file: string, page: string, ledger: ReadLedger): string[] {
  const wanted = [...withLedgerTables(page, ledger).matchAll(PART)].map(([, , , text]) => text);
  return [...page.matchAll(PART)].flatMap(([, , name, text], n) =>
    text === wanted[n] ? [] : [`${file}: the part "${name}" is stale: npm run docs -- --write`],
  );
}

function part(kind: string, ledger: ReadLedger): string {
  const [from, name = ''] = kind.split(' ');
  if (from === 'server-cost') return serverPart(name, ledger(from).at(-1) as ServerCost | undefined);
  if (from === 'war') return warTable(name, ledger);
  if (from === 'chaos')
    return markdownTable(chaosTable(ledger(from) as readonly unknown[] as readonly ChaosRun[]));
  if (from === 'simulation')
    return markdownTable(profilesTable(ledger(from) as readonly unknown[] as readonly SimulationRun[]));
  if (from !== 'bench') throw new Error(`there is no part ${kind}`);
  if (name === 'runs') return runs(ledger);
  if (name === 'targets') return markdownTable(targets(ledger));
  const { tables } = newest(name, ledger).result;
  return tables.map((table) => `_${table.title}_\n\n${markdownTable(table)}`).join('\n\n');
}

/** The newest run of a benchmark with all contestants. */
function newest(name: string, ledger: ReadLedger): { run: Run; result: Run['results'][number] } {
  for (const line of ledger('bench').toReversed()) {
    const run = line as unknown as Run;
    const result = run.results.find(({ bench }) => bench === name);
    if (result && !run.command.includes('--only')) return { run, result };
  }
  throw new Error(`the ledger has no benchmark ${name}`);
}

function runs(ledger: ReadLedger): string {
  const byDate = new Map<string, { run: Run; names: string[] }>();
  for (const name of BENCHES) {
    const { run } = newest(name, ledger);
    const { names } = byDate.get(run.date) ?? { names: [] };
    byDate.set(run.date, { run, names: [...names, name] });
  }
  return [...byDate.values()]
    .map(({ run: { command, commit, date, minutes, machine }, names }) => {
      const asked = command.replaceAll(/ --((json|ledger) \S+|baseline)/g, '');
      return (
        `- ${names.join(', ')}: \`${asked}\` at commit ${commit}, ${date.slice(0, 10)}: ${minutes} minutes, ` +
        `Chromium ${machine.chromium}, Node ${machine.node}, ${machine.processors} processors.`
      );
    })
    .join('\n');
}

function targets(ledger: ReadLedger): Table {
  return {
    head: ['benchmark', 'target', 'figure', ''],
    rows: BENCHES.flatMap((bench) =>
      newest(bench, ledger).result.targets.map(({ says, figure, met }) => [
        `[${bench}](#${bench})`,
        says,
        once(figure),
        met ? 'met' : '**missed**',
      ]),
    ),
  };
}

/** A figure of several rows, where all of them have the same one. */
function once(figure: string): string {
  const [first = '', ...others] = figure.split(', ');
  return others.every((other) => other === first) ? first : figure;
}

const MS = (value: number | undefined): string => (value === undefined ? '' : `${value.toFixed(2)} ms`);

function serverPart(name: string, run: ServerCost | undefined): string {
  if (!run) throw new Error('the ledger has no run of npm run server-cost');
  const { medians, perSecond, costs } = run;
  const { bare = 0 } = medians;
  switch (name) {
    case 'run':
      return `\`${run.command}\` at commit ${run.commit}.`;
    case 'refreshes':
      return markdownTable({
        head: ['way', 'median refresh', 'added', 'refreshes/s', 'of bare'],
        rows: Object.entries(medians).map(([way, ms]) => [
          way,
          MS(ms),
          way === 'bare' ? '' : MS(ms - bare),
          (perSecond[way] ?? 0).toFixed(0),
          way === 'bare' ? '' : `${(((perSecond[way] ?? 0) / (perSecond['bare'] ?? 1)) * 100).toFixed(0)} %`,
        ]),
      });
    case 'logins': {
      const counts = Object.keys(Object.values(costs)[0] ?? {});
      return markdownTable({
        head: [
          'claim and settle',
          ...counts.map((count) => `${Number(count).toLocaleString('en-US')} logins`),
        ],
        rows: Object.entries(costs).map(([store, ms]) => [store, ...counts.map((count) => MS(ms[count]))]),
      });
    }
    default:
      throw new Error(`there is no part server-cost ${name}`);
  }
}

function warTable(commit: string, ledger: ReadLedger): string {
  const run = ledger('war').findLast((line) => line['commit'] === commit);
  if (!run) throw new Error(`the ledger has no war at ${commit}`);
  return markdownTable({
    head: ['', 'expiries', 'requests', 'per expiry', 'conflict rate', 'forced log-ins', 'p50', 'p95'],
    rows: (run['results'] as readonly Result[]).map((result) => [
      result.mode,
      String(result.expiries),
      String(result.requests),
      result.requestsPerExpiry.toFixed(3),
      percent(result.conflictRate),
      String(result.forcedLogins),
      milliseconds(result.p50),
      milliseconds(result.p95),
    ]),
  });
}

interface ChaosRun {
  readonly command: string;
  readonly rounds: number;
  readonly spentTwice: number;
  readonly lost: Readonly<Record<string, number>>;
  readonly violations: number;
  readonly longestWithoutTokenMs: number;
}

function chaosTable(runs: readonly ChaosRun[]): Table {
  const kindOf = ({ command }: ChaosRun): string =>
    ['mode', 'server', 'faults'].map((name) => optionOf(command, name)).join(', ');
  const kinds = [...new Set(runs.map(kindOf))];
  return {
    head: ['mode, server, faults', 'rounds', 'spent twice', 'lost', 'violations', 'longest without a token'],
    rows: kinds.map((kind) => {
      const group = runs.filter((run) => kindOf(run) === kind);
      const sum = (count: (run: ChaosRun) => number): number => group.reduce((n, run) => n + count(run), 0);
      const reasons = [...new Set(group.flatMap(({ lost }) => Object.keys(lost)))];
      const lost = reasons.map((reason) => `${sum((run) => run.lost[reason] ?? 0)} ${reason}`);
      return [
        kind,
        sum(({ rounds }) => rounds).toLocaleString('en-US'),
        String(sum(({ spentTwice }) => spentTwice)),
        lost.join(', ') || '0',
        String(sum(({ violations }) => violations)),
        `${(Math.max(...group.map((run) => run.longestWithoutTokenMs)) / 1000).toFixed(1)} s`,
      ];
    }),
  };
}

interface SimulationRun {
  readonly commit: string;
  readonly command: string;
  readonly schedules: number;
  readonly versions: number;
  readonly requests: number;
  readonly violations: number;
}

/** Profiles that nobody has run in such numbers have no row. */
function profilesTable(runs: readonly SimulationRun[]): Table {
  return {
    head: ['profile', 'schedules', 'versions', 'requests', 'violations', 'commits'],
    rows: ['everything', 'hostile', 'redis', 'postgres', 'folder'].flatMap((profile) => {
      const all = runs.filter(({ command }) => (optionOf(command, 'profile') ?? 'everything') === profile);
      const clean = all.slice(all.findLastIndex(({ violations }) => violations > 0) + 1);
      if (clean.length === 0) return [];
      const sum = (of: 'schedules' | 'versions' | 'requests' | 'violations'): string =>
        clean.reduce((n, run) => n + run[of], 0).toLocaleString('en-US');
      const commits = [...new Set(clean.map(({ commit }) => commit))].join(', ');
      return [
        [`\`${profile}\``, sum('schedules'), sum('versions'), sum('requests'), sum('violations'), commits],
      ];
    }),
  };
}

function optionOf(command: string, name: string): string | undefined {
  return new RegExp(`--${name} (\\S+)`).exec(command)?.[1];
}

/** As Prettier would set it: the first column to the left, figures to the right. */
export function markdownTable({ head, rows }: Table): string {
  const isFigure = head.map((_, n) => n > 0 && rows.some((row) => /^[\d–]/.test(row[n] ?? '')));
  const widths = head.map((cell, n) =>
    Math.max(3, ...[cell, ...rows.map((row) => row[n] ?? '')].map((text) => text.length)),
  );
  const line = (cells: readonly string[]): string =>
    `| ${widths
      .map((width, n) => (isFigure[n] ? (cells[n] ?? '').padStart(width) : (cells[n] ?? '').padEnd(width)))
      .join(' | ')} |`;
  const rule = widths.map((width, n) => (isFigure[n] ? `${'-'.repeat(width - 1)}:` : '-'.repeat(width)));
  return [line(head), `| ${rule.join(' | ')} |`, ...rows.map(line)].join('\n');
}

/**
 * The generated parts of docs/benchmarks.md: each stands between `<!-- from bench NAME -->` and `<!-- end -->`, and comes from the newest run of
 * all benchmarks in docs/ledgers/bench.jsonl, or from the newest of `npm run server-cost`. `npm run docs` compares them, `npm run docs -- --write`
 * writes them.
 */
import type { ReadLedger } from './check-figures.js';

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

const PART = /(<!-- from bench ([\w-]+) -->\n)([\s\S]*?)(<!-- end -->)/g;
/** So many benchmarks are a run of everything. */
const ALL = 8;

/** The page with its generated parts as the ledgers have them. */
export function withBenchTables(page: string, ledger: ReadLedger): string {
  return page.replaceAll(PART, (_all, begin: string, name: string, _old: string, end: string) => {
    return `${begin}\n${part(name, ledger)}\n\n${end}`;
  });
}

/** The generated parts that are stale. */
export function benchFaults(file: string, page: string, ledger: ReadLedger): string[] {
  const wanted = [...withBenchTables(page, ledger).matchAll(PART)].map(([, , , text]) => text);
  return [...page.matchAll(PART)].flatMap(([, , name, text], n) =>
    text === wanted[n] ? [] : [`${file}: the part "${name}" is stale: npm run docs -- --write`],
  );
}

function part(name: string, ledger: ReadLedger): string {
  if (name.startsWith('server-'))
    return serverPart(name, ledger('server-cost').at(-1) as ServerCost | undefined);
  const run = ledger('bench').findLast((line) => (line as unknown as Run).results.length === ALL) as
    Run | undefined;
  if (!run) throw new Error('the ledger has no run of all benchmarks');
  if (name === 'run') return origin(run);
  if (name === 'targets') return markdownTable(targets(run));
  const result = run.results.find(({ bench }) => bench === name);
  if (!result) throw new Error(`there is no benchmark ${name}`);
  return result.tables.map((table) => `_${table.title}_\n\n${markdownTable(table)}`).join('\n\n');
}

function origin({ command, commit, date, minutes, machine }: Run): string {
  const asked = command.replaceAll(/ --((json|ledger) \S+|baseline)/g, '');
  return (
    `\`${asked}\` at commit ${commit}, ${date.slice(0, 10)}: ${minutes} minutes, Chromium ${machine.chromium}, ` +
    `Node ${machine.node}, ${machine.processors} processors.`
  );
}

function targets({ results }: Run): Table {
  return {
    head: ['benchmark', 'target', 'figure', ''],
    rows: results.flatMap(({ bench, targets }) =>
      targets.map(({ says, figure, met }) => [
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
    case 'server-run':
      return `\`${run.command}\` at commit ${run.commit}.`;
    case 'server-refreshes':
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
    case 'server-logins': {
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
      throw new Error(`there is no part ${name}`);
  }
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

/**
 * Figures in the documentation against the ledgers that they come from. A figure names its place in a comment behind it, which no reader sees:
 *
 *     1,850<!-- =soak.versions -->                                  the last line of docs/ledgers/soak.jsonl
 *     555<!-- =e2e[commit=b5a000e,engine=Chromium 156].passed -->   the last line with these members
 *     1,449<!-- =sum e2e[commit=b5a000e].passed -->                 the sum over all lines with them
 *     7<!-- =sum simulation[seeds=100..199].violations -->          … whose seeds lie between these
 *
 * The figure counts to the digits that it shows; `%` means hundredths. The table of docs/war.md and the command that repeats it are compared
 * with the ledger's line that drew the picture. Whole tables: see ledger-tables.ts.
 */
import { readFileSync } from 'node:fs';
import { milliseconds, percent } from '../campaigns/war/table.js';

type Line = Readonly<Record<string, unknown>>;
export type ReadLedger = (name: string) => readonly Line[];

export const readLedger: ReadLedger = (name) =>
  readFileSync(`docs/ledgers/${name}.jsonl`, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Line);

const FIGURE = /(\S+(?: %)?)<!-- =(sum )?(\w+)(?:\[([^\]]+)\])?\.(\S+) -->/g;

/** The stale figures of a page. */
export function figureFaults(file: string, text: string, ledger: ReadLedger = readLedger): string[] {
  return [...text.matchAll(FIGURE)].flatMap(([, shown = '', sum, name = '', wanted, place = '']) => {
    const lines = ledger(name).filter((line) =>
      (wanted?.split(',') ?? []).every((pair) => {
        const [member = '', value = ''] = pair.split('=');
        const [first, last] = value.split('..').map(Number);
        if (last === undefined) return String(line[member]) === value;
        const [from = NaN, to = NaN] = line[member] as readonly number[];
        return from >= first! && to <= last;
      }),
    );
    const found = lines.map((line) => at(line, place.split('.')));
    const value = sum ? found.reduce<number>((total, one) => total + Number(one), 0) : found.at(-1);
    if (typeof value !== 'number' || Number.isNaN(value))
      return [`${file}: "${shown}" refers to ${name}.${place}, which the ledger does not have`];
    return shows(shown, value) ? [] : [`${file}: "${shown}" is stale: ${name}.${place} is ${value}`];
  });
}

function at(value: unknown, path: readonly string[]): unknown {
  return path.reduce((one, member) => (one as Record<string, unknown> | undefined)?.[member], value);
}

/** Whether a figure in a text is this value, to the digits that it shows. */
function shows(shown: string, value: number): boolean {
  const [, digits = '', percentage] = /([\d,]+(?:\.\d+)?)\s*(%?)[^\d]*$/.exec(shown) ?? [];
  const decimals = digits.split('.')[1]?.length ?? 0;
  return digits.replaceAll(',', '') === (percentage ? value * 100 : value).toFixed(decimals);
}

const SEEDS = /\b(\d{9}) to (\d{9})\b/g;

/** Seeds that a text names from … to …, where no campaign of the ledger begins with the first, or none ends with the last. */
export function seedFaults(file: string, text: string, ledger: ReadLedger = readLedger): string[] {
  const named = [...text.replaceAll(/\s+/g, ' ').matchAll(SEEDS)];
  if (named.length === 0) return [];
  const campaigns = ledger('simulation').map((line) => line['seeds'] as readonly number[]);
  return named.flatMap(([range, first, last]) =>
    campaigns.some(([from]) => from === Number(first)) && campaigns.some(([, to]) => to === Number(last))
      ? []
      : [`${file}: the ledger has no seeds ${range}`],
  );
}

interface War extends Line {
  readonly command: string;
  readonly results: readonly {
    mode: string;
    expiries: number;
    requests: number;
    requestsPerExpiry: number;
    conflictRate: number;
    forcedLogins: number;
    p50: number;
    p95: number;
  }[];
}

/** The faults of the war's table on a page, and of the command that it names. */
export function warFaults(file: string, text: string, ledger: ReadLedger = readLedger): string[] {
  const drawn = ledger('war').findLast((line) => String(line['command']).includes('--svg')) as
    War | undefined;
  if (!drawn) return [`${file}: no line of the war's ledger has drawn the picture`];
  const faults: string[] = [];
  const command = drawn.command.replaceAll(/ --(svg|ledger|json) \S+/g, '');
  if (!text.includes(`\`${command}\``))
    faults.push(`${file}: the command that repeats the picture is \`${command}\``);
  for (const one of drawn.results) {
    const row = text.split('\n').find((line) => line.startsWith(`| ${one.mode} `));
    const cells = row
      ?.split('|')
      .slice(2, -1)
      .map((cell) => cell.trim());
    const wanted = [
      String(one.expiries),
      String(one.requests),
      one.requestsPerExpiry.toFixed(3),
      percent(one.conflictRate),
      String(one.forcedLogins),
      milliseconds(one.p50),
      milliseconds(one.p95),
    ];
    if (cells && cells.join() !== wanted.join())
      faults.push(`${file}: the row "${one.mode}" is stale: ${wanted.join(', ')}`);
    if (!cells && text.includes('| conflict rate |')) faults.push(`${file}: there is no row "${one.mode}"`);
  }
  return faults;
}

/** A diagram has no place for a comment: the bytes of the lock in the README's decision tree. */
export function lockFaults(file: string, text: string, ledger: ReadLedger = readLedger): string[] {
  const sizes = ledger('bench').flatMap((run) => run['results'] as { bench: string; data: object }[]);
  const bytes = at(
    sizes.findLast(({ bench }) => bench === 'size'),
    ['data', 'bytes', 'lock-indexed-db', 'gzip'],
  );
  return text.includes(` lines, ${String(bytes)} bytes"`)
    ? []
    : [`${file}: a lock over IndexedDB takes ${String(bytes)} bytes`];
}

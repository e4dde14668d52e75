// A campaign in figures, and the same as lines of text.
import type { Verdict } from './judge.js';

export interface Figures {
  rounds: number;
  /** Rounds in which something that was planned did not strike: they prove nothing, and are in no other figure. */
  missed: number;
  /** Rounds that the campaign itself could not play. */
  broken: number;
  spentTwice: number;
  revoked: number;
  /** Sessions lost, by the reason that users were given. */
  lost: Record<string, number>;
  /** Requests sent by pages although there is a worker. */
  byPages: number;
  violations: number;
  longestWithoutTokenMs: number;
  calls: number;
}

export function figuresOf(verdicts: readonly Verdict[], broken: number): Figures {
  const counted = verdicts.filter(({ missed }) => missed.length === 0);
  const sum = (of: (verdict: Verdict) => number): number => counted.reduce((all, one) => all + of(one), 0);
  const lost: Record<string, number> = {};
  for (const { lost: reason } of counted) if (reason !== undefined) lost[reason] = (lost[reason] ?? 0) + 1;
  return {
    rounds: counted.length,
    missed: verdicts.length - counted.length,
    broken,
    spentTwice: sum(({ spentTwice }) => spentTwice),
    revoked: sum(({ revoked }) => revoked),
    lost,
    byPages: sum(({ byPages }) => byPages),
    // A violation counts whatever else struck or did not.
    violations: verdicts.filter(({ violations }) => violations.length > 0).length,
    longestWithoutTokenMs: Math.max(0, ...counted.map(({ withoutToken }) => withoutToken)),
    calls: sum(({ calls }) => calls),
  };
}

const columns: [title: string, cell: (figures: Figures) => string | number][] = [
  ['rounds', ({ rounds }) => rounds],
  ['missed', ({ missed }) => missed],
  ['spent twice', ({ spentTwice }) => spentTwice],
  ['revoked', ({ revoked }) => revoked],
  ['lost', ({ lost }) => Object.values(lost).reduce((all, one) => all + one, 0)],
  ['violations', ({ violations }) => violations],
  ['longest without a token', ({ longestWithoutTokenMs }) => `${longestWithoutTokenMs} ms`],
];

/** One line for everything that happened, and one for all of it. */
export function table(verdicts: readonly Verdict[], broken: number): string {
  const names = [...new Set(verdicts.map(nameOf))].sort();
  const rows = [
    ['', ...columns.map(([title]) => title)],
    ...names.map((name) =>
      row(
        name,
        figuresOf(
          verdicts.filter((one) => nameOf(one) === name),
          0,
        ),
      ),
    ),
    row('all', figuresOf(verdicts, broken)),
  ];
  const widths = rows[0]!.map((_, n) => Math.max(...rows.map((cells) => cells[n]!.length)));
  return rows
    .map((cells) =>
      cells.map((cell, n) => (n === 0 ? cell.padEnd(widths[n]!) : cell.padStart(widths[n]!))).join('   '),
    )
    .join('\n');
}

function row(name: string, figures: Figures): string[] {
  return [name, ...columns.map(([, cell]) => String(cell(figures)))];
}

/** Rounds of everything are too many kinds for a table: each is listed by what came first. */
function nameOf({ what }: Verdict): string {
  return what.split(' + ')[0]!;
}

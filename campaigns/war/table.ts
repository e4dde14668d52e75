// The figures as lines of text.
import type { Figures } from './figures.js';

export interface Result extends Figures {
  mode: string;
}

const columns: [title: string, cell: (result: Result) => string][] = [
  ['', ({ mode }) => mode],
  ['expiries', ({ expiries }) => String(expiries)],
  ['requests', ({ requests }) => String(requests)],
  ['per expiry', ({ requestsPerExpiry }) => requestsPerExpiry.toFixed(3)],
  ['conflict rate', ({ conflictRate }) => percent(conflictRate)],
  ['refused', ({ refused }) => String(refused)],
  ['forced log-ins', ({ forcedLogins }) => String(forcedLogins)],
  ['p50', ({ p50 }) => milliseconds(p50)],
  ['p95', ({ p95 }) => milliseconds(p95)],
];

export function percent(share: number): string {
  return `${(share * 100).toFixed(share > 0 && share < 0.1 ? 2 : 1)} %`;
}

export function milliseconds(ms: number | undefined): string {
  return ms === undefined ? '–' : `${ms.toFixed(0)} ms`;
}

export function table(results: readonly Result[]): string {
  const rows = [
    columns.map(([title]) => title),
    ...results.map((result) => columns.map(([, cell]) => cell(result))),
  ];
  const widths = columns.map((_, n) => Math.max(...rows.map((row) => row[n]!.length)));
  return rows
    .map((row) =>
      row.map((cell, n) => (n === 0 ? cell.padEnd(widths[n]!) : cell.padStart(widths[n]!))).join('   '),
    )
    .join('\n');
}

import { markdownTable } from '../../tools/ledger-tables.js';
import type { Result, Table } from './bench.js';
import type { Spread } from './stats.js';

/** Three significant digits. */
export function figure(value: number): string {
  if (!Number.isFinite(value)) return '–';
  const digits = value === 0 ? 0 : Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value))));
  return value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

export const whole = (value: number): string => Math.round(value).toLocaleString('en-US');

/** The median, and the middle half. */
export const spreadFigure = ({ median, p25, p75, n }: Spread): string =>
  n === 0 ? '–' : `${figure(median)} (${figure(p25)}–${figure(p75)})`;

export const times = (ratio: number): string => (Number.isFinite(ratio) ? `${figure(ratio)}×` : '–');

export const markdown = (table: Table): string => `**${table.title}**\n\n${markdownTable(table)}`;

export function report({ bench, tables, targets }: Result): string {
  const verdicts = targets.map(
    ({ says, figure, met }) => `- ${met ? 'met' : '**missed**'}: ${says}: ${figure}`,
  );
  return [`### ${bench}`, ...tables.map(markdown), verdicts.join('\n')].join('\n\n');
}

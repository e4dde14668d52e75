import type { Note, Result } from './run.js';

const WIDTH = 46;
const seconds = (at: number): string => (at / 1000).toFixed(3).padStart(10);

/** All participants side by side, one column each; those to whom nothing happened are left out. */
export function timeline(notes: readonly Note[], since = 0): string {
  const shown = notes.filter(({ at }) => at >= since);
  const columns = [...new Set(shown.map(({ who }) => who))]
    .filter((who) => who !== undefined)
    .sort((a, b) => a - b);
  const lines = [`${'s'.padStart(10)} ${columns.map((who) => `t${who}`.padEnd(WIDTH)).join('│')}`];
  for (const { at, who, text } of shown) {
    const rows = wrap(text);
    for (const [n, row] of rows.entries()) {
      const time = n === 0 ? seconds(at) : ' '.repeat(10);
      const cells = columns.map((column) => (column === who || who === undefined ? row : '').padEnd(WIDTH));
      lines.push(`${time} ${cells.join('│')}`.trimEnd());
    }
  }
  return lines.join('\n');
}

/** The same, one below the other. */
export function lines(notes: readonly Note[]): string {
  return notes
    .map(({ at, who, text }) => `${seconds(at)} ${who === undefined ? '' : `t${who}`} ${text}`)
    .join('\n');
}

function wrap(text: string): string[] {
  const rows: string[] = [];
  for (let rest = text; rest; rest = rest.slice(WIDTH - 1)) rows.push(rest.slice(0, WIDTH - 1));
  return rows;
}

/** A world, on a few lines. */
export function describePlan({ plan }: Pick<Result, 'plan'>): string {
  const { participants, server, life, locks, worker, options, rates, graceMs, lengthMs } = plan;
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  return [
    `${participants} tabs, ${locks ? 'Web Locks' : 'no locks'}, ${worker ? `worker ${worker}, ` : ''}server ${server} (grace ${graceMs} ms), tokens live ${life} s, ${Math.round(lengthMs / 1000)} s`,
    `options: ${given.map(([key, value]) => `${key} ${typeof value === 'number' ? Math.round(value) : (value as string)}`).join(', ')}`,
    `rates: ${Object.entries(rates)
      .map(([key, value]) => `${key} ${value.toFixed(3)}`)
      .join(', ')}`,
  ].join('\n');
}

// The figures as a picture for the README: one panel per figure, one bar per way. It follows the reader's light or dark theme.
import { milliseconds, percent, type Result } from './table.js';

const WIDTH = 860;
const LEFT = 160;
const TOP = 52;
const ROW = 34;
const GAP = 28;
/** Characters of the caption that fit into a line. */
const CAPTION = 130;

interface Panel {
  /** Two lines. */
  title: readonly [string, string];
  value: (result: Result) => number;
  text: (result: Result) => string;
}

const panels: Panel[] = [
  {
    title: ['refreshes', 'in conflict'],
    value: ({ conflictRate }) => conflictRate,
    text: ({ conflictRate }) => percent(conflictRate),
  },
  {
    title: ['forced log-ins', 'per 100 expiries'],
    value: ({ forcedLogins, expiries }) => (forcedLogins / expiries) * 100,
    text: ({ forcedLogins, expiries }) => ((forcedLogins / expiries) * 100).toFixed(1),
  },
  {
    title: ['token requests', 'per expiry'],
    value: ({ requestsPerExpiry }) => requestsPerExpiry,
    text: ({ requestsPerExpiry }) => requestsPerExpiry.toFixed(3),
  },
  { title: ['wait for a', 'token, p95'], value: ({ p95 }) => p95 ?? 0, text: ({ p95 }) => milliseconds(p95) },
];

export function picture(results: readonly Result[], caption: string): string {
  const lines = wrapped(caption);
  const height = TOP + results.length * ROW + 29 + lines.length * 15;
  const width = (WIDTH - LEFT - GAP * (panels.length - 1) - 16) / panels.length;
  const rowOf = (n: number) => TOP + n * ROW;
  const names = results.map(({ mode }, n) => {
    const own = mode.startsWith('one-refresh') ? ' class="own"' : '';
    return `<text x="${LEFT - 14}" y="${rowOf(n) + 18}" text-anchor="end"${own}>${escape(mode)}</text>`;
  });
  const drawn = panels.map(({ title, value, text }, p) => {
    const x = LEFT + p * (width + GAP);
    const largest = Math.max(...results.map(value)) || 1;
    const bars = results.map((result, n) => {
      const long = (value(result) / largest) * (width - 52);
      const own = result.mode.startsWith('one-refresh') ? 'bar own' : 'bar';
      const bar =
        long > 0
          ? `<rect class="${own}" x="${x}" y="${rowOf(n) + 5}" width="${long.toFixed(1)}" height="18" rx="3"/>`
          : '';
      return `${bar}<text class="value" x="${(x + long + 6).toFixed(1)}" y="${rowOf(n) + 18}">${escape(text(result))}</text>`;
    });
    const axis = `<line x1="${x}" x2="${x}" y1="${TOP}" y2="${rowOf(results.length)}"/>`;
    const heading = title.map((line, n) => `<tspan x="${x}" y="${TOP - 28 + n * 15}">${line}</tspan>`);
    return `<text class="title">${heading.join('')}</text>${axis}${bars.join('')}`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-labelledby="t d">
<title id="t">The token war, measured</title>
<desc id="d">${escape(results.map((result) => `${result.mode}: ${panels.map(({ title, text }) => `${title.join(' ')} ${text(result)}`).join(', ')}`).join('. '))}</desc>
<style>
text { font: 13px system-ui, -apple-system, 'Segoe UI', sans-serif; fill: #24292f }
.title { font-weight: 600; font-size: 12px }
.caption { font-size: 11px; fill: #57606a }
.value { font-variant-numeric: tabular-nums; font-size: 12px }
text.own { font-weight: 600 }
.bar { fill: #d1615d }
.bar.own { fill: #2a9d6f }
line { stroke: #8c959f; stroke-width: 1 }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 }
  .caption { fill: #9da7b1 }
  .bar { fill: #e8837f }
  .bar.own { fill: #4cc38a }
}
</style>
${names.join('\n')}
${drawn.join('\n')}
${lines.map((line, n) => `<text class="caption" x="14" y="${height - 14 - (lines.length - 1 - n) * 15}">${escape(line)}</text>`).join('\n')}
</svg>
`;
}

/** Broken between its parts. */
function wrapped(caption: string): string[] {
  const lines: string[] = [];
  for (const part of caption.split('; ')) {
    const longer = lines.length > 0 ? `${lines.at(-1)}; ${part}` : part;
    if (lines.length > 0 && longer.length <= CAPTION) lines[lines.length - 1] = longer;
    else lines.push(part);
  }
  return lines;
}

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}

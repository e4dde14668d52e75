/** `tsx tools/size-diff.ts BEFORE.json AFTER.json`: two reports of `npm run size -- --json` as a table in Markdown. */
import { readFileSync } from 'node:fs';

type Report = Record<string, { start: { gzip: number } }>;

export function sizeDiff(before: Report, after: Report): string {
  const rows = Object.keys({ ...before, ...after }).map((name) => {
    const [was, is] = [before[name]?.start.gzip ?? 0, after[name]?.start.gzip ?? 0];
    const change = is - was;
    return `| \`${name}\` | ${was} | ${is} | ${change > 0 ? '+' : ''}${change} |`;
  });
  return ['| gzip bytes | before | after | change |', '| --- | ---: | ---: | ---: |', ...rows].join('\n');
}

if (process.argv[1] === import.meta.filename) {
  const [before, after] = process.argv
    .slice(2)
    .map((file) => JSON.parse(readFileSync(file, 'utf8')) as Report);
  if (!before || !after) throw new Error('give two reports');
  console.log(sizeDiff(before, after));
}

import { readFileSync } from 'node:fs';

const page = readFileSync('docs/troubleshooting.md', 'utf8');

/** The texts that the section of this heading does not quote. */
export function missing(heading: string, ...texts: string[]): string[] {
  const section = page.split(/^## /m).find((one) => one.startsWith(`${heading}\n`)) ?? '';
  return texts.filter((text) => !section.includes(text));
}

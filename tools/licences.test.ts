import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

interface Locked {
  packages: Record<
    string,
    { dependencies?: Record<string, string>; optionalDependencies?: Record<string, string>; license?: string }
  >;
}

test('docs/versions.md lists every runtime dependency and its licence', () => {
  const { packages } = JSON.parse(readFileSync('package-lock.json', 'utf8')) as Locked;
  const found = new Map<string, string>();
  const visit = (at: string): void => {
    const { dependencies, optionalDependencies } = packages[at] ?? {};
    for (const name of Object.keys({ ...dependencies, ...optionalDependencies })) {
      if (found.has(name)) continue;
      const nested = `${at}/node_modules/${name}`;
      const place = nested in packages ? nested : `node_modules/${name}`;
      found.set(name, packages[place]?.license ?? 'none');
      visit(place);
    }
  };
  visit('');
  const page = readFileSync('docs/versions.md', 'utf8');
  const listed = [...page.matchAll(/^\| `([^`]+)`\s*\| (\S+)/gm)].map(([, name, licence]) => [name, licence]);
  expect(listed).toEqual([...found].sort(([a], [b]) => (a < b ? -1 : 1)));
});

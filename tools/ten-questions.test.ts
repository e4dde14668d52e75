import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';

/** Each question with the words that its answer has, on the first page or on one that the first page links to. */
const questions: [question: string, page: string, answer: RegExp][] = [
  ['need', 'index.md', /Your login library is enough/],
  ['browsers', 'browser-support.md', /Chrome 98, Firefox 97, Safari 15\.4/],
  ['bytes', '../README.md', /kB gzip for the usual set/],
  ['login', 'getting-started.md', /createLogin\(/],
  ['logout', 'recipes.md', /login\.signOut\(\)/],
  ['server rendering', 'recipes.md', /ERR_UNSUPPORTED/],
  ['several APIs', 'recipes.md', /resource: 'https/],
  ['why signed out', 'failures.md', /response_lost/],
  ['from oidc-client-ts', 'migrating.md', /automaticSilentRenew: false/],
  ['roll back', 'migrating.md', /one sign-in per user/],
];

test.each(questions)('the first page leads to the answer: %s', (_, page, answer) => {
  const first = readFileSync('docs/index.md', 'utf8');
  const links = [...first.matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)].map(([, target]) => target);
  expect(['index.md', ...links]).toContain(page);
  expect(readFileSync(path.join('docs', page), 'utf8')).toMatch(answer);
});

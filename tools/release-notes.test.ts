import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { releaseNotes } from './release-notes.js';

const changelog =
  '# Changelog\n\n## [Unreleased]\n\n## [0.2.0] - 2026-11-29\n\n### Added\n\n- A thing.\n\n## [0.1.0]\n\nFirst.\n';

test('takes the section of the version', () => {
  expect(releaseNotes('v0.2.0', '0.2.0', changelog)).toBe('### Added\n\n- A thing.');
});

test.each([
  ['another tag', 'v0.3.0', '0.2.0', 'package.json has version 0.2.0'],
  ['a version without a section', 'v0.3.0', '0.3.0', 'no section [0.3.0]'],
  ['a section without a date', 'v0.1.0', '0.1.0', 'no date'],
])('refuses %s', (_, tag, version, reason) => {
  expect(() => releaseNotes(tag, version, changelog)).toThrow(reason);
});

test('finds notes for the version that is checked out', () => {
  const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
  expect(releaseNotes(`v${version}`, version, readFileSync('CHANGELOG.md', 'utf8'))).not.toBe('');
});

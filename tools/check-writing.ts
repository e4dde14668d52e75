/**
 * `npm run writing`: counts clauses whose subject is "who", "whoever" or "what" in documentation, comments and test titles. A reader stumbles over
 * them; a sentence whose subject is the actor reads at once. Questions, headings, heads of tables and code do not count, nor does "what to do".
 * The title of a test has at most ten words.
 *
 *     npm run writing -- [--list]
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import ts from 'typescript';

/** In 1,000 words. Libraries that read well have 0 to 0.2. */
const LIMIT = 0.2;
const LONGEST_TITLE = 10;

/** A clause begins with a text, a sentence, after a colon, semicolon, bar or bracket. `whoever` and `what` also begin one after a comma or "and". */
const CLAUSE =
  /(?:(?:^|[.;:!?|(] )(?:whoever|who|what)|(?:, |\band |\bbut |\bor )whoever)\b(?! to\b)[^.;:?!|]*[.;:?!|]?/gi;

export function clausesOf(text: string): string[] {
  const plain = text
    .replaceAll(/`[^`]*`/g, 'code')
    .replaceAll(/\s+/g, ' ')
    .trim();
  return [...plain.matchAll(CLAUSE)]
    .map(([clause]) => clause.replace(/^[.;:!?|(,] /, ''))
    .filter((clause) => !clause.endsWith('?'));
}

export const wordsOf = (text: string): number => text.split(/\s+/).filter((word) => word !== '').length;

/** Prose of a page, without code, headings, heads of tables and comments. */
export function proseOf(page: string): string {
  return page
    .replaceAll(/```[\s\S]*?```|<!--[\s\S]*?-->/g, '')
    .replaceAll(/^.*\n(?=\s*\| *:?-)/gm, '')
    .replaceAll(/^ *(?:#.*|\|[ :|-]*\|)$/gm, '');
}

/** Comments of a source file, neighbouring lines together, and the titles of its tests. */
export function commentsOf(source: string): string[] {
  const blocks = [...source.matchAll(/\/\*\*?([\s\S]*?)\*\//g)].map(([, text = '']) =>
    text.replaceAll(/^\s*\* ?/gm, ''),
  );
  const lines = source
    .split('\n')
    .map((line) => /(?:^|\s)\/\/ (.*)$/.exec(line)?.[1] ?? '\n')
    .join(' ')
    .split('\n')
    .filter((text) => text.trim() !== '');
  const titles = [...source.matchAll(/\b(?:test|it|describe)(?:\.\w+)*\(\s*(['"`])(.*?)\1/g)].map(
    ([, , title = '']) => title,
  );
  return [...blocks, ...lines, ...titles];
}

/** The texts of a file; the reference is written from comments, and counts there. */
export function textsOf(file: string, content: string): string[] {
  return file.endsWith('.md') ? proseOf(content).split(/\n\s*\n|\n(?=[-*|\d])/) : commentsOf(content);
}

/** The titles of tests that have more words; a placeholder is one. */
export function longTitlesOf(source: string): string[] {
  const found: string[] = [];
  const visit = (node: ts.Node): void => {
    const last = ts.isCallExpression(node) ? node.arguments.at(-1) : undefined;
    // (An extended test has a name of its own.)
    if (ts.isCallExpression(node) && last && ts.isFunctionLike(last)) {
      const [title] = node.arguments;
      const isText = title && (ts.isStringLiteralLike(title) || ts.isTemplateExpression(title));
      const text = isText ? title.getText(parsed).slice(1, -1) : '';
      if (wordsOf(text.replaceAll(/\$\{[^}]*\}/g, '…')) > LONGEST_TITLE) found.push(text);
    }
    ts.forEachChild(node, visit);
  };
  const parsed = ts.createSourceFile('tests.tsx', source, ts.ScriptTarget.ES2022, true);
  visit(parsed);
  return found;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const { values } = parseArgs({ options: { list: { type: 'boolean', default: false } } });
  const files = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
    encoding: 'utf8',
  })
    .split('\n')
    .filter((file) => /\.(md|tsx?)$/.test(file) && !file.startsWith('docs/api/'));
  let words = 0;
  const found = files.flatMap((file) =>
    textsOf(file, readFileSync(file, 'utf8')).flatMap((text) => {
      words += wordsOf(text);
      return clausesOf(text).map((clause) => `${file}: ${clause.slice(0, 100)}`);
    }),
  );
  const rate = (found.length / words) * 1000;
  if (values.list || rate > LIMIT) for (const one of found) console.log(one);
  console.log(
    `writing: ${found.length} clauses with "who", "whoever" or "what" as subject in ${words} words: ${rate.toFixed(2)} in 1,000, at most ${LIMIT}`,
  );
  const long = files
    .filter((file) => /\.(?:test|spec)\.tsx?$/.test(file))
    .flatMap((file) => longTitlesOf(readFileSync(file, 'utf8')).map((title) => `${file}: ${title}`));
  for (const one of long) console.log(`more than ${LONGEST_TITLE} words: ${one}`);
  process.exitCode = rate > LIMIT || long.length > 0 ? 1 : 0;
}

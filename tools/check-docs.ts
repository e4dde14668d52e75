/**
 * `npm run docs`: the documentation against what it speaks of.
 *
 * - Every `ts` and `tsx` block is compiled, strictly, as a module of its own beside tools/docs-context/ (the app's code that a block takes as
 *   given). Blocks marked `signature` are the reference's declarations, checked by `npm run api`.
 * - Links between the pages are followed: to files, to headings in them, and to tests by their titles.
 * - Figures are compared with their ledgers: see check-figures.ts. `-- --write` writes the generated tables anew: see ledger-tables.ts.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import ts from 'typescript';
import { figureFaults, lockFaults, readLedger, seedFaults, warFaults } from './check-figures.js';
import { entries } from './entries.js';
import { tableFaults, withLedgerTables } from './ledger-tables.js';

/** Text by file, relative to the project's folder. */
export type Pages = ReadonlyMap<string, string>;

interface Block {
  /** Where it stands. */
  readonly file: string;
  readonly line: number;
  readonly text: string;
}

const CONTEXT = 'tools/docs-context';

export function readPages(): Pages {
  const files = [
    ...readdirSync('.').filter((file) => file.endsWith('.md')),
    ...readdirSync('docs', { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.md'))
      .map((file) => path.join('docs', file)),
  ];
  return new Map(files.map((file) => [file, readFileSync(file, 'utf8')]));
}

/** Every `ts` and `tsx` block, by the name of the module that it is compiled as. */
export function blocksOf(pages: Pages): ReadonlyMap<string, Block> {
  const blocks = new Map<string, Block>();
  for (const [file, text] of pages) {
    for (const match of text.matchAll(/^( *)```(tsx?)(.*)\n([\s\S]*?)^ *```/gm)) {
      const [, indent = '', language = '', info = '', code = ''] = match;
      if (info.includes('signature')) continue;
      const line = text.slice(0, match.index).split('\n').length + 1;
      const own = indent ? code.replaceAll(new RegExp(`^${indent}`, 'gm'), '') : code;
      const isExample = file.startsWith(path.join('docs', 'api')) && !own.includes('import ');
      const name = path.resolve(CONTEXT, `${file.replaceAll(/\W/g, '-')}-${line}.${language}`);
      blocks.set(name, { file, line, text: `${isExample ? importsFor(own) : ''}${own}` });
    }
  }
  return blocks;
}

/** The faults of blocks that do not compile. */
export function blockFaults(blocks: ReadonlyMap<string, Block>): string[] {
  const { config } = ts.readConfigFile('tsconfig.json', (file) => ts.sys.readFile(file)) as {
    config: object;
  };
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, process.cwd());
  Object.assign(options, { moduleDetection: ts.ModuleDetectionKind.Force, allowImportingTsExtensions: true });
  const host = ts.createCompilerHost(options);
  const fileExists = host.fileExists.bind(host);
  const readFile = host.readFile.bind(host);
  const getSourceFile = host.getSourceFile.bind(host);
  host.fileExists = (file) => blocks.has(path.resolve(file)) || fileExists(file);
  host.readFile = (file) => blocks.get(path.resolve(file))?.text ?? readFile(file);
  host.getSourceFile = (file, languageOrOptions, ...rest) => {
    const block = blocks.get(path.resolve(file));
    return block
      ? ts.createSourceFile(file, block.text, languageOrOptions, true)
      : getSourceFile(file, languageOrOptions, ...rest);
  };
  const program = ts.createProgram([...blocks.keys(), path.resolve(CONTEXT, 'globals.d.ts')], options, host);
  return [...blocks].flatMap(([name, block]) => {
    const source = program.getSourceFile(name);
    return [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)].map(
      ({ start, messageText }) => {
        const { line } = source?.getLineAndCharacterOfPosition(start ?? 0) ?? { line: 0 };
        return `${block.file}:${block.line + line}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`;
      },
    );
  });
}

/** The reference's examples come from docstrings, which stand beside what they show and import nothing of it. All on one line: lines count. */
function importsFor(example: string): string {
  return entries
    .flatMap(({ name }) => {
      const page = readFileSync(path.join('docs/api', `${name.split('/').at(-1)}.md`), 'utf8');
      return [...page.matchAll(/^function (\w+)/gm)].map(([, exported = '']) => ({ name, exported }));
    })
    .filter(({ exported }, i, all) => all.findIndex((one) => one.exported === exported) === i)
    .filter(({ exported }) => new RegExp(`\\b${exported}\\(`).test(example))
    .map(({ name, exported }) => `import { ${exported} } from '${name}'; `)
    .join('');
}

/** Links that lead nowhere. */
export function linkFaults(file: string, text: string): string[] {
  const faults: string[] = [];
  const prose = text.replaceAll(/```[\s\S]*?```/g, '');
  // A link to a test is labelled with its title, or with its file.
  for (const [, title = '', target = ''] of prose.matchAll(
    /\[([^\]]+)\]\(([^)\s]+\.(?:test|spec)\.tsx?)\)/g,
  )) {
    const linked = path.join(path.dirname(file), target);
    if (!target.endsWith(title) && existsSync(linked) && !readFileSync(linked, 'utf8').includes(title))
      faults.push(`${file}: link to ${target}, in which there is no test "${title}"`);
  }
  const targets = [
    ...prose.matchAll(/\]\(([^)\s]+)\)/g),
    ...prose.matchAll(/^\[[^\]^][^\]]*\]: (\S+)/gm),
    ...prose.matchAll(/ (?:src|srcset|href)="([^"]+)"/g),
  ];
  for (const [, target = ''] of targets) {
    if (/^[a-z]+:/.test(target)) continue;
    const [relative = '', heading] = target.split('#');
    const linked = relative === '' ? file : path.join(path.dirname(file), relative);
    if (!existsSync(linked)) faults.push(`${file}: link to ${target}, which does not exist`);
    else if (heading !== undefined && !placesIn(readFileSync(linked, 'utf8')).includes(heading))
      faults.push(`${file}: link to ${target}, but there is no such heading or place`);
  }
  // The text can point at a promise that a test shows.
  if (file === 'SECURITY.md') {
    for (const [row] of prose.matchAll(/^\|.*\.(?:test|spec)\.tsx?\).*$/gm))
      if (!row.startsWith('| <a id="t-')) faults.push(`${file}: a row without a name: ${row.slice(0, 60)}`);
  }
  // A shorthand link without its definition is shown as plain text.
  for (const [, label = ''] of prose.matchAll(/\]\[([^\]]+)\]/g))
    if (!prose.includes(`\n[${label}]: `)) faults.push(`${file}: link to [${label}], which is not defined`);
  return faults;
}

/** Headings, named as GitHub does it, and places that a page names itself. */
function placesIn(text: string): string[] {
  const named = [...text.matchAll(/<a id="([^"]+)"><\/a>/g)].map(([, id = '']) => id);
  return [...named, ...headingsOf(text)];
}

function headingsOf(text: string): string[] {
  return [...text.matchAll(/^#+ (.*)$/gm)].map(([, title = '']) =>
    title
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-'),
  );
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  if (process.argv.includes('--write')) {
    for (const [file, text] of readPages()) {
      const written = withLedgerTables(text, readLedger);
      if (written !== text) writeFileSync(file, written);
    }
  }
  const pages = readPages();
  const blocks = blocksOf(pages);
  const faults = [
    ...blockFaults(blocks),
    ...[...pages].flatMap(([file, text]) => [
      ...linkFaults(file, text),
      ...figureFaults(file, text),
      ...seedFaults(file, text),
    ]),
    ...['README.md', 'docs/war.md'].flatMap((file) => warFaults(file, pages.get(file) ?? '')),
    ...lockFaults('README.md', pages.get('README.md') ?? ''),
    ...[...pages].flatMap(([file, text]) => tableFaults(file, text, readLedger)),
  ];
  for (const fault of faults) console.error(fault);
  console.log(`documentation: ${pages.size} pages, ${blocks.size} blocks compiled, ${faults.length} faults`);
  process.exitCode = faults.length > 0 ? 1 : 0;
}

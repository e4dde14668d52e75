/**
 * Compiles every `ts` and `tsx` block of the documentation, strictly, as a module of its own beside tools/docs-context/ (the app's code that
 * a block takes as given). Blocks marked `signature` are the reference's declarations, checked by `npm run api`. Links between the pages are
 * followed too: to files, to headings in them, and to tests by their titles.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import ts from 'typescript';
import { entries } from './entries.js';

interface Block {
  /** Where it stands. */
  readonly file: string;
  readonly line: number;
  readonly text: string;
}

const CONTEXT = 'tools/docs-context';
const pages = [
  ...readdirSync('.').filter((file) => file.endsWith('.md')),
  ...readdirSync('docs', { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.md'))
    .map((file) => path.join('docs', file)),
];
const faults: string[] = [];
const blocks = new Map<string, Block>();

for (const file of pages) {
  const text = readFileSync(file, 'utf8');
  for (const match of text.matchAll(/^( *)```(tsx?)(.*)\n([\s\S]*?)^ *```/gm)) {
    const [, indent = '', language = '', info = '', code = ''] = match;
    if (info.includes('signature')) continue;
    const line = text.slice(0, match.index).split('\n').length + 1;
    const own = indent ? code.replaceAll(new RegExp(`^${indent}`, 'gm'), '') : code;
    const isExample = file.startsWith(path.join('docs', 'api')) && !own.includes('import ');
    const name = path.resolve(CONTEXT, `${file.replaceAll(/\W/g, '-')}-${line}.${language}`);
    blocks.set(name, { file, line, text: `${isExample ? importsFor(own) : ''}${own}` });
  }
  checkLinks(file, text);
}

const { config } = ts.readConfigFile('tsconfig.json', (file) => ts.sys.readFile(file)) as { config: object };
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
for (const name of blocks.keys()) {
  const source = program.getSourceFile(name);
  for (const diagnostic of [
    ...program.getSyntacticDiagnostics(source),
    ...program.getSemanticDiagnostics(source),
  ]) {
    const block = blocks.get(name);
    const { line } = source?.getLineAndCharacterOfPosition(diagnostic.start ?? 0) ?? { line: 0 };
    const sentence = ts.flattenDiagnosticMessageText(diagnostic.messageText, ' ');
    faults.push(`${block?.file}:${(block?.line ?? 0) + line}: ${sentence}`);
  }
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

function checkLinks(file: string, text: string): void {
  const prose = text.replaceAll(/```[\s\S]*?```/g, '');
  // A link to a test is labelled with its title, or with its file.
  for (const [, title = '', target = ''] of prose.matchAll(
    /\[([^\]]+)\]\(([^)\s]+\.(?:test|spec)\.tsx?)\)/g,
  )) {
    const linked = path.join(path.dirname(file), target);
    if (!target.endsWith(title) && existsSync(linked) && !readFileSync(linked, 'utf8').includes(title))
      faults.push(`${file}: link to ${target}, in which there is no test "${title}"`);
  }
  for (const [, target = ''] of prose.matchAll(/\]\(([^)\s]+)\)/g)) {
    if (/^[a-z]+:/.test(target)) continue;
    const [relative = '', heading] = target.split('#');
    const linked = relative === '' ? file : path.join(path.dirname(file), relative);
    if (!existsSync(linked)) faults.push(`${file}: link to ${target}, which does not exist`);
    else if (heading !== undefined && !headingsOf(readFileSync(linked, 'utf8')).includes(heading))
      faults.push(`${file}: link to ${target}, but there is no such heading`);
  }
}

/** As GitHub makes them. */
function headingsOf(text: string): string[] {
  return [...text.matchAll(/^#+ (.*)$/gm)].map(([, title = '']) =>
    title
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-'),
  );
}

for (const fault of faults) console.error(fault);
console.log(`documentation: ${pages.length} pages, ${blocks.size} blocks compiled, ${faults.length} faults`);
process.exitCode = faults.length > 0 ? 1 : 0;

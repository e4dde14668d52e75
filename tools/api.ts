/**
 * `npm run api` writes docs/api/ from the types and docstrings of every entry of package.json. It is the reference that users read and, since
 * `npm run api -- --check` fails if it differs from what is committed, the report that a change of the public surface has to pass.
 *
 * It also fails for what a reader would miss: an export or a member without a docstring; a function that does not say what it throws (or
 * that it throws nothing); an option without its default; a duration or an instant without its unit.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import * as prettier from 'prettier';
import ts from 'typescript';
import { entries, type Entry } from './entries.js';

type Member = ts.TypeElement | ts.ClassElement;

export interface Reference {
  /** File name and content, one per entry. */
  readonly pages: ReadonlyMap<string, string>;
  /** One `file:line: sentence` each. */
  readonly faults: readonly string[];
}

export function readReference(from: readonly Entry[]): Reference {
  const program = ts.createProgram(
    from.map(({ source }) => source),
    {
      target: ts.ScriptTarget.ES2022,
      lib: ['lib.es2022.d.ts', 'lib.dom.d.ts', 'lib.dom.iterable.d.ts'],
      module: ts.ModuleKind.ESNext,
      moduleResolution: ts.ModuleResolutionKind.Bundler,
      types: [],
      strict: true,
    },
  );
  const checker = program.getTypeChecker();
  const faults = new Set<string>();
  const pages = new Map<string, string>();

  for (const { name, source } of from) {
    const file = program.getSourceFile(source);
    const module = file && checker.getSymbolAtLocation(file);
    if (!module) {
      faults.add(`${source}: exports nothing`);
      continue;
    }
    const sections = checker
      .getExportsOfModule(module)
      .map((symbol) => (symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol))
      .sort((a, b) => rank(a) - rank(b) || (a.name < b.name ? -1 : 1))
      .map((symbol) => section(symbol, faults));
    pages.set(pageOf(name), `# \`${name}\`\n\n${HEAD}\n\n${sections.join('\n\n')}\n`);
  }
  const list = from.map(({ name }) => `- [\`${name}\`](${pageOf(name)})`).join('\n');
  pages.set('README.md', `# API reference\n\n${HEAD}\n\n${list}\n`);
  return { pages, faults: [...faults] };
}

const HEAD =
  '<!-- Written by `npm run api` from the docstrings in src/. Change them, run it, commit both. -->';

function pageOf(name: string): string {
  return `${name.split('/').at(-1)}.md`;
}

/** Functions first, then what they throw, then types. */
function rank({ flags }: ts.Symbol): number {
  if (flags & ts.SymbolFlags.Function) return 0;
  return flags & ts.SymbolFlags.Value ? 1 : 2;
}

function section(symbol: ts.Symbol, faults: Set<string>): string {
  const declarations = (symbol.declarations ?? []).filter(
    // An implementation behind overloads is not callable itself.
    (one, _, all) => !(ts.isFunctionDeclaration(one) && one.body && all.length > 1),
  );
  const title = `## \`${symbol.name}\``;
  const signatures: string[] = [];
  let members: string[] = [];
  const documented = declarations.find((one) => docOf(one).text) ?? declarations[0];
  if (!documented) return title;
  const doc = docOf(documented);
  const fault = faultAt(documented, symbol.name, faults);
  if (!doc.text) fault('has no docstring');

  for (const declaration of declarations) {
    if (ts.isFunctionDeclaration(declaration)) {
      signatures.push(textOf(declaration, declaration.body).replace(/^export /, ''));
      if (!mentionsErrors(doc)) fault('does not say what it throws (or that it throws nothing)');
    } else if (ts.isInterfaceDeclaration(declaration) || ts.isClassDeclaration(declaration)) {
      const shown = declaration.members.filter(isPublic);
      signatures.push(headOf(declaration));
      members = shown.map((member) => memberLine(member, symbol.name, doc, faults));
    } else if (ts.isTypeAliasDeclaration(declaration)) {
      signatures.push(textOf(declaration).replace(/^export /, ''));
      if (ts.isFunctionTypeNode(declaration.type) && !mentionsErrors(doc)) fault('does not say how it fails');
    } else if (ts.isVariableDeclaration(declaration)) {
      signatures.push(`const ${symbol.name}: ${declaration.type?.getText() ?? 'unknown'};`);
    }
  }
  const parts = [title, code(signatures.join('\n')), doc.text, doc.tags, members.join('\n')];
  return parts.filter(Boolean).join('\n\n');
}

function memberLine(member: Member, owner: string, ownerDoc: Doc, faults: Set<string>): string {
  const doc = docOf(member);
  const name = ts.isConstructorDeclaration(member) ? 'constructor' : (member.name?.getText() ?? '[…]');
  const fault = faultAt(member, `${owner}.${name}`, faults);
  const signature = textOf(member, 'body' in member ? (member.body as ts.Node | undefined) : undefined)
    .replace(/^(readonly|declare|override|public) /g, '')
    .replace(/;$/, '');
  const all = `${doc.text} ${doc.tags}`;
  // A literal brand or name that a base class already explains.
  const told = doc.text || doc.tags || /\boverride\b|\bname =/.test(member.getText());
  if (!told && !ts.isIndexSignatureDeclaration(member)) fault('has no docstring');
  const type = (ts.isPropertySignature(member) || ts.isPropertyDeclaration(member)) && member.type;
  const optional = 'questionToken' in member && member.questionToken !== undefined;
  if (type) {
    const text = type.getText();
    // Functions that the user supplies fail in the user's own way.
    if (ts.isFunctionTypeNode(type) && /Promise</.test(text) && !optional && !mentionsErrors(doc))
      fault('does not say what it rejects with (or that it never rejects)');
    if (owner.endsWith('Options') && optional && !/default/i.test(all)) fault('does not say its default');
    const timed = /(?:Ms|At|_in)$|^at$/.test(name) && /\bnumber\b/.test(text);
    const unit = /second|epoch/i;
    if (timed && !unit.test(all) && !(name.endsWith('Ms') && unit.test(ownerDoc.text)))
      fault('does not say its unit');
  }
  if (ts.isMethodSignature(member) && /Promise</.test(member.type?.getText() ?? '') && !mentionsErrors(doc))
    fault('does not say what it rejects with (or that it never rejects)');
  const rest = [doc.text, doc.tags].filter(Boolean).join('\n\n').replaceAll('\n', '\n  ');
  return `- \`${signature.replace(/\s+/g, ' ')}\`${rest ? `\n\n  ${rest}\n` : ''}`;
}

interface Doc {
  readonly text: string;
  readonly tags: string;
}

function docOf(node: ts.Node): Doc {
  // A variable's docstring stands before its whole statement.
  const host = ts.isVariableDeclaration(node) ? node.parent.parent : node;
  const blocks = ts.getJSDocCommentsAndTags(host).filter(ts.isJSDoc);
  const doc = blocks.at(-1);
  if (!doc) return { text: '', tags: '' };
  const tags = (doc.tags ?? []).map((tag) => {
    const comment = plain(ts.getTextOfJSDocComment(tag.comment) ?? '').replace(/^- /, '');
    const name = tag.tagName.text;
    if (ts.isJSDocParameterTag(tag)) return `- Parameter \`${tag.name.getText()}\`: ${comment}`;
    if (name === 'example') return `\nExample:\n\n${code(comment, 'ts')}`;
    // TypeScript reads what follows `@throws` or `@returns` in backticks as text, as it should be.
    return `- ${name === 'throws' ? 'Throws' : name === 'returns' ? 'Returns' : name}: ${comment}`;
  });
  return { text: plain(ts.getTextOfJSDocComment(doc.comment) ?? ''), tags: tags.join('\n') };
}

function plain(text: string): string {
  return text.replace(/\{@link (\w+)\s*\}/g, '`$1`').trim();
}

function mentionsErrors({ text, tags }: Doc): boolean {
  return /\b(throw|reject)/i.test(`${text} ${tags}`);
}

function isPublic(member: Member): boolean {
  return !(
    ts.canHaveModifiers(member) &&
    ts.getModifiers(member)?.some((m) => m.kind === ts.SyntaxKind.PrivateKeyword)
  );
}

/** A declaration as it is written, without its comments, and without what follows `end`. */
function textOf(node: ts.Node, end?: ts.Node): string {
  const source = node.getSourceFile();
  const text = source.text.slice(node.getStart(source), end ? end.getStart(source) : node.getEnd());
  return text
    .replace(/\/\*\*[\s\S]*?\*\//g, '')
    .replace(/\n\s*\n/g, '\n')
    .trim();
}

function headOf(node: ts.InterfaceDeclaration | ts.ClassDeclaration): string {
  const source = node.getSourceFile();
  return source.text
    .slice(node.getStart(source), node.members.pos)
    .replace(/^export /, '')
    .replace(/\s*\{$/, ' { … }');
}

function code(text: string, language = 'ts signature'): string {
  return `\`\`\`${language}\n${text}\n\`\`\``;
}

function faultAt(node: ts.Node, what: string, faults: Set<string>): (sentence: string) => void {
  const source = node.getSourceFile();
  const { line } = source.getLineAndCharacterOfPosition(node.getStart(source));
  const file = path.relative(process.cwd(), source.fileName);
  return (sentence) => faults.add(`${file}:${line + 1}: ${what} ${sentence}`);
}

async function main(check: boolean): Promise<void> {
  const directory = 'docs/api';
  const { pages, faults } = readReference(entries);
  const changed: string[] = [];
  mkdirSync(directory, { recursive: true });
  for (const [name, text] of pages) {
    const file = path.join(directory, name);
    const formatted = await prettier.format(text, {
      ...(await prettier.resolveConfig(file)),
      parser: 'markdown',
      // The signatures are the source's own, formatted already.
      embeddedLanguageFormatting: 'off',
    });
    if (existsSync(file) && readFileSync(file, 'utf8') === formatted) continue;
    changed.push(file);
    if (!check) writeFileSync(file, formatted);
  }
  for (const name of readdirSync(directory)) {
    if (pages.has(name)) continue;
    changed.push(path.join(directory, name));
    if (!check) rmSync(path.join(directory, name));
  }
  for (const fault of faults) console.error(fault);
  if (check && changed.length > 0) {
    console.error(
      `The public surface is not what ${changed.join(', ')} say: run npm run api, and commit what it changes.`,
    );
  }
  console.log(
    `API: ${pages.size - 1} entries, ${changed.length} pages ${check ? 'differ' : 'written'}, ${faults.length} faults`,
  );
  process.exitCode = faults.length > 0 || (check && changed.length > 0) ? 1 : 0;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href)
  await main(process.argv.includes('--check'));

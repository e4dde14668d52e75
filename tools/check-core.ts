/**
 * Proves that src/core is pure: every import stays inside it (a `#name` of package.json under each of its conditions), and the only globals it touches are the deterministic ones of the
 * language itself. The tsconfig there already rejects DOM and Node; this closes what types leave open. Globals are allowed by a list
 * rather than forbidden by one, so nothing has to be thought of in advance. Then compares the guards that comments in `src` name with the
 * mutants: sim/mutants.ts and tools/unit-mutants.ts.
 */
import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import ts from 'typescript';
import { mutants } from '../sim/mutants.js';
import { internalSources } from './entries.js';
import { compareGuards, readSources } from './guards.js';
import { unitMutants } from './unit-mutants.js';

const allowedGlobals = new Set(
  (
    'Array BigInt Boolean Error Infinity JSON Map Math NaN Number Object RangeError RegExp Set String Symbol TypeError ' +
    'Uint8Array WeakMap decodeURIComponent encodeURIComponent undefined'
  ).split(' '),
);

/** The impure parts of a directory's TypeScript files, tests excepted: one `file:line: sentence` each. */
export function checkCore(directory: string): string[] {
  const root = path.resolve(directory);
  const files = readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter((file) => /\.[cm]?[jt]sx?$/.test(file) && !file.endsWith('.test.ts'))
    .map((file) => path.join(root, file));
  if (files.length === 0) return [`${directory}: no files to check`];

  const program = ts.createProgram(files, {
    target: ts.ScriptTarget.ES2022,
    lib: ['lib.es2022.d.ts'],
    types: [],
    module: ts.ModuleKind.ESNext,
    moduleResolution: ts.ModuleResolutionKind.Bundler,
    noEmit: true,
  });
  const checker = program.getTypeChecker();
  const faults: string[] = [];

  for (const file of files) {
    const source = program.getSourceFile(file);
    if (!source) {
      faults.push(`${file}: not a TypeScript module`);
      continue;
    }
    const fault = (position: number, sentence: string): void => {
      const line = source.getLineAndCharacterOfPosition(position).line + 1;
      faults.push(`${path.relative(process.cwd(), file)}:${line}: ${sentence}`);
    };

    const { referencedFiles, typeReferenceDirectives, libReferenceDirectives } = source;
    for (const reference of [...referencedFiles, ...typeReferenceDirectives, ...libReferenceDirectives]) {
      fault(reference.pos, 'a /// reference brings in foreign types');
    }
    for (const match of source.text.matchAll(/@ts-(?:ignore|expect-error|nocheck)/g)) {
      fault(match.index, `${match[0]} switches the proof off`);
    }

    const checkImport = (specifier: ts.Node): void => {
      const text = ts.isStringLiteralLike(specifier) ? specifier.text : specifier.getText(source);
      const targets = text.startsWith('#')
        ? internalSources(text).map((target) => path.resolve(target))
        : text.startsWith('.')
          ? [path.resolve(path.dirname(file), text.replace(/\.js$/, '.ts'))]
          : [];
      const isInside = (target: string): boolean => target.startsWith(root + path.sep) && existsSync(target);
      if (!targets[0] || !targets.every(isInside))
        fault(specifier.getStart(source), `import of ${text} leaves the core`);
    };

    const visit = (node: ts.Node): void => {
      if ((ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) && node.moduleSpecifier) {
        checkImport(node.moduleSpecifier);
      } else if (ts.isImportTypeNode(node)) {
        checkImport(node.argument);
      } else if (ts.isImportEqualsDeclaration(node)) {
        checkImport(node.moduleReference);
      } else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
        checkImport(node.arguments[0] ?? node);
      } else if (ts.isMetaProperty(node) && node.keywordToken === ts.SyntaxKind.ImportKeyword) {
        fault(node.getStart(source), 'import.meta depends on the environment');
      } else if (node.kind === ts.SyntaxKind.AsyncKeyword || ts.isAwaitExpression(node)) {
        fault(node.getStart(source), 'the core never waits');
      } else if (node.kind === ts.SyntaxKind.DeclareKeyword && !ts.isPropertyDeclaration(node.parent)) {
        fault(node.getStart(source), 'an ambient declaration hides a global');
      } else if (ts.isIdentifier(node) && isGlobalValue(node, checker, program)) {
        if (!allowedGlobals.has(node.text)) {
          fault(node.getStart(source), `${node.text} is not a global that the core may use`);
        } else if (node.text === 'Math' && !isDeterministicMath(node.parent)) {
          fault(node.getStart(source), 'Math may only be used member by member, and not for random()');
        }
      }
      ts.forEachChild(node, visit);
    };
    visit(source);
  }
  return faults;
}

/** Is this identifier a value that nothing in the checked files declares? Names of types and of members are not values. */
function isGlobalValue(node: ts.Identifier, checker: ts.TypeChecker, program: ts.Program): boolean {
  const { parent } = node;
  if (ts.isPropertyAccessExpression(parent) && parent.name === node) return false;
  if (ts.isShorthandPropertyAssignment(parent)) {
    return isForeign(checker.getShorthandAssignmentValueSymbol(parent), program);
  }
  if (!ts.isExpression(node) || !isExpressionPosition(node)) return false;
  return isForeign(checker.getSymbolAtLocation(node), program);
}

function isForeign(symbol: ts.Symbol | undefined, program: ts.Program): boolean {
  const declarations = symbol?.declarations;
  return !declarations || declarations.every((d) => program.isSourceFileDefaultLibrary(d.getSourceFile()));
}

/** Declarations, labels, keys and type names are identifiers too, but nothing is read there. */
function isExpressionPosition(node: ts.Identifier): boolean {
  const { parent } = node;
  if (ts.isPartOfTypeNode(node)) return false;
  if (ts.isTypeNode(parent) && !ts.isExpressionWithTypeArguments(parent)) return false;
  if (ts.isQualifiedName(parent) || ts.isImportSpecifier(parent) || ts.isExportSpecifier(parent))
    return false;
  if (ts.isImportClause(parent) || ts.isNamespaceImport(parent) || ts.isMetaProperty(parent)) return false;
  if (ts.isLabeledStatement(parent) || ts.isBreakOrContinueStatement(parent)) return false;
  if (ts.isBindingElement(parent)) return parent.initializer === node;
  return !('name' in parent && parent.name === node);
}

function isDeterministicMath(use: ts.Node): boolean {
  return ts.isPropertyAccessExpression(use) && use.name.text !== 'random';
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const directory = process.argv[2] ?? 'src/core';
  const impure = checkCore(directory);
  const unnamed = compareGuards(readSources('src'), [...mutants, ...unitMutants]);
  for (const fault of [...impure, ...unnamed]) console.error(fault);
  console.log(impure.length ? `${directory} is not pure: ${impure.length} faults` : `${directory} is pure`);
  console.log(unnamed.length ? `guards and mutants: ${unnamed.length} faults` : 'each guard has its mutant');
  process.exitCode = impure.length || unnamed.length ? 1 : 0;
}

// Guards by name. In the code a comment names each guard, and its mutant leaves out the piece of code that follows. `npm run core` compares
// the two lists.
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

/** Leaves one guard out. */
export interface Patch {
  /** The name, as the comment has it. */
  readonly guard: string;
  /** The piece of code: the next such text behind the comment. */
  readonly anchor: string;
  readonly replacement: string;
}

/** By its path. */
export type Sources = ReadonlyMap<string, string>;

/** A guard stands close below its comment. */
const MOST_LINES = 16;

/** The TypeScript files below a directory, tests excepted. */
export function readSources(directory: string): Sources {
  const files = readdirSync(directory, { recursive: true, encoding: 'utf8' });
  return new Map(
    files
      .filter((file) => /\.tsx?$/.test(file) && !/\.test\.tsx?$/.test(file))
      .map((file) => path.join(directory, file))
      .map((file) => [file, readFileSync(file, 'utf8')]),
  );
}

/** The file whose comment names the guard. */
export function fileOf(guard: string, sources: Sources): string {
  const files = [...sources].filter(([, code]) => namesGuard(code, guard));
  if (files.length !== 1) throw new Error(`${files.length} files have the comment "guard: ${guard}"`);
  return files[0]![0];
}

/** The code without the guard. Throws if the mutant does not fit. */
export function without(code: string, { guard, anchor, replacement }: Patch): string {
  const named = code.split(`// guard: ${guard}\n`);
  if (named.length !== 2) throw new Error(`guard: ${guard}: named ${named.length - 1} times instead of once`);
  const [before = '', after = ''] = named;
  const at = after.indexOf(anchor);
  if (at < 0 || after.slice(0, at).split('\n').length > MOST_LINES)
    throw new Error(`guard: ${guard}: not within ${MOST_LINES} lines below its comment:\n${anchor}`);
  return before + after.slice(0, at) + replacement + after.slice(at + anchor.length);
}

/** What is wrong with the guards of these sources and their mutants, a sentence each. */
export function compareGuards(sources: Sources, mutants: readonly Patch[]): string[] {
  const faults: string[] = [];
  const known = new Set(mutants.map(({ guard }) => guard));
  if (known.size < mutants.length) faults.push('two mutants have one name');
  for (const [file, code] of sources)
    for (const guard of namesIn(code))
      if (!known.has(guard)) faults.push(`${file}: guard: ${guard}: no mutant leaves it out`);
  for (const mutant of mutants) {
    try {
      without(sources.get(fileOf(mutant.guard, sources))!, mutant);
    } catch (error) {
      faults.push((error as Error).message);
    }
  }
  return faults;
}

export function namesGuard(code: string, guard: string): boolean {
  return namesIn(code).includes(guard);
}

function namesIn(code: string): string[] {
  return [...code.matchAll(/^ *\/\/ guard: (.+)$/gm)].map(([, name = '']) => name);
}

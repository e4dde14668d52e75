/**
 * The public entry points, and the modules that a condition chooses. They are declared once, as `exports` and `imports` of package.json; a
 * tool that needs them reads them here.
 */
import { readFileSync } from 'node:fs';

const manifest = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
  name: string;
  exports: Record<string, string>;
  imports: Record<string, { development?: string; node?: string; default: string }>;
};

export interface Entry {
  /** The name that users import: `one-refresh/oauth`. */
  name: string;
  /** `src/oauth/index.ts` */
  source: string;
  /** `dist/oauth/index.js` */
  output: string;
  /** Runs on a server only; no browser loads it. */
  forServers: boolean;
}

const FOR_SERVERS = ['./node', './server'];

export const entries: Entry[] = Object.entries(manifest.exports).map(([subpath, output]) => ({
  name: manifest.name + subpath.slice(1),
  source: sourceOf(output),
  output: output.slice(2),
  forServers: FOR_SERVERS.includes(subpath),
}));

/** The source module of each `#name`: for Node, or for a page under development or in production. */
export function internals(condition: 'node' | 'development' | 'default'): { name: string; source: string }[] {
  return Object.entries(manifest.imports).map(([name, outputs]) => ({
    name,
    source: sourceOf(outputs[condition] ?? outputs.default),
  }));
}

/** Every source module that `#name` may mean. */
export function internalSources(name: string): string[] {
  return Object.values(manifest.imports[name] ?? {}).map(sourceOf);
}

function sourceOf(output: string): string {
  return output.replace('./dist/', 'src/').replace(/\.js$/, '.ts');
}

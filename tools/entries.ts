/** The public entry points. They are declared once, as `exports` of package.json; whatever needs them reads them here. */
import { readFileSync } from 'node:fs';

const manifest = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
  name: string;
  exports: Record<string, string>;
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
  source: output.replace('./dist/', 'src/').replace(/\.js$/, '.ts'),
  output: output.slice(2),
  forServers: FOR_SERVERS.includes(subpath),
}));

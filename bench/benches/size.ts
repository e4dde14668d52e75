// The bytes that a page loads for it: the least that an app must import, bundled and minified as an app's bundler does it, everything included.
import { brotliCompressSync, gzipSync } from 'node:zlib';
import path from 'node:path';
import { rolldown } from 'rolldown';
import { entries } from '../../tools/entries.js';
import type { Bench, Target } from '../lib/bench.js';
import { OURS } from '../lib/contestants.js';
import { times, whole } from '../lib/format.js';

const directory = path.resolve(import.meta.dirname, '..');

/** The imports of an app; the client alone: signing in is extra for those whose library does not do it. */
const imports: Record<string, string> = {
  'auth0-spa-js': `export { Auth0Client } from '@auth0/auth0-spa-js'`,
  'supabase-auth-js': `export { GoTrueClient } from '@supabase/auth-js'`,
  'okta-auth-js': `export { OktaAuth } from '@okta/okta-auth-js'`,
  'oidc-client-ts': `export { UserManager, WebStorageStateStore } from 'oidc-client-ts'`,
  'axa-fr-oidc-client': `export { OidcClient } from '@axa-fr/oidc-client'`,
  'msal-browser': `export { createStandardPublicClientApplication } from '@azure/msal-browser'`,
};
const LEAST = `export { createTokenCoordinator } from 'one-refresh'`;
const features: Record<string, string> = {
  'refreshTokenGrant() (oauth)': `export { refreshTokenGrant } from 'one-refresh/oauth'`,
  'createFetch() (fetch)': `export { createFetch } from 'one-refresh/fetch'`,
  'useAccessToken() (react)': `export { useAccessToken } from 'one-refresh/react'`,
  'createMonitor() (monitor)': `export { createMonitor } from 'one-refresh/monitor'`,
};

interface Bytes {
  minified: number;
  gzip: number;
  brotli: number;
  /** Of chunks that only an `import()` loads, gzip. */
  lazy: number;
}

async function weigh(source: string): Promise<Bytes> {
  const build = await rolldown({
    input: 'app.ts',
    platform: 'browser',
    external: /^react(-dom)?(\/|$)/,
    logLevel: 'silent',
    plugins: [
      {
        name: 'app',
        resolveId: (id) =>
          id === 'app.ts'
            ? path.join(directory, 'app.ts')
            : entries
                .filter(({ name }) => name === id)
                .map(({ source }) => path.resolve(directory, '..', source))[0],
        load: (id) => (id === path.join(directory, 'app.ts') ? source : undefined),
      },
    ],
  });
  const { output } = await build.generate({ minify: true, chunkFileNames: '[name].js' });
  const chunks = new Map(output.flatMap((file) => (file.type === 'chunk' ? [[file.fileName, file]] : [])));
  const atStart = new Set<string>();
  const load = (fileName: string): void => {
    const chunk = chunks.get(fileName);
    if (!chunk || atStart.has(fileName)) return;
    atStart.add(fileName);
    chunk.imports.forEach(load);
  };
  for (const chunk of chunks.values()) if (chunk.isEntry) load(chunk.fileName);
  const bytes: Bytes = { minified: 0, gzip: 0, brotli: 0, lazy: 0 };
  for (const { fileName, code } of chunks.values()) {
    const gzip = gzipSync(code, { level: 9 }).length;
    if (!atStart.has(fileName)) {
      bytes.lazy += gzip;
      continue;
    }
    bytes.minified += Buffer.byteLength(code);
    bytes.gzip += gzip;
    bytes.brotli += brotliCompressSync(code).length;
  }
  return bytes;
}

export const size: Bench = async ({ contestants }) => {
  const bytes: Record<string, Bytes> = {};
  for (const { name, kind } of contestants) {
    const byHand = `export { create } from './contestants/${name}.js'`;
    bytes[name] = await weigh(kind === 'ours' ? LEAST : kind === 'by hand' ? byHand : imports[name]!);
  }
  const ours = (bytes[OURS] ??= await weigh(LEAST));
  const grant = await weigh(`${LEAST};${features['refreshTokenGrant() (oauth)']}`);
  const added: Record<string, Bytes> = {};
  for (const [name, source] of Object.entries(features)) {
    const { minified, gzip, brotli, lazy } = await weigh(`${LEAST};${source}`);
    added[name] = {
      minified: minified - ours.minified,
      gzip: gzip - ours.gzip,
      brotli: brotli - ours.brotli,
      lazy: lazy - ours.lazy,
    };
  }

  const cells = ({ minified, gzip, brotli, lazy }: Bytes): string[] =>
    [minified, gzip, brotli, lazy].map(whole);
  const row = (name: string, weight: Bytes): string[] => [
    name,
    ...cells(weight),
    times(weight.gzip / ours.gzip),
  ];
  const peers = contestants.filter(({ kind }) => kind === 'library').map(({ name }) => bytes[name]!);
  const smallest = Math.min(...peers.map(({ gzip }) => gzip));
  const targets: Target[] = [
    {
      says: `${OURS} at most 7,500 bytes gzip`,
      figure: `${whole(ours.gzip)} bytes`,
      met: ours.gzip <= 7500,
    },
  ];
  if (peers.length > 0) {
    targets.push({
      says: 'smaller than every library by a factor of two',
      figure: `the smallest is ${times(smallest / ours.gzip)} as large`,
      met: smallest >= 2 * ours.gzip,
    });
  }
  const head = ['bytes', 'minified', 'gzip', 'brotli', 'lazy, gzip'];
  return {
    bench: 'size',
    settings: { bundler: 'rolldown, minified', gzipLevel: 9, brotliQuality: 11 },
    data: { bytes, withGrant: grant, added },
    tables: [
      {
        title: 'What a page loads',
        head: [...head, 'gzip, to ours'],
        rows: [
          ...contestants.map(({ name }) => row(name, bytes[name]!)),
          row(`${OURS} + refreshTokenGrant()`, grant),
        ].sort((a, b) => Number(a[2]?.replaceAll(',', '')) - Number(b[2]?.replaceAll(',', ''))),
      },
      {
        title: 'What each feature adds to one-refresh',
        head,
        rows: Object.entries(added).map(([name, weight]) => [`+ ${name}`, ...cells(weight)]),
      },
    ],
    targets,
    watched: { 'gzip bytes of the least': { value: ours.gzip, atBest: ours.gzip } },
  };
};

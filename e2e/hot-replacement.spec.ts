// A developer's daily case: Vite replaces the module that makes the coordinator, under React's Fast Refresh, in a page that stays.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { TokenCoordinator } from 'one-refresh';
import { createLogger, createServer, type Plugin } from 'vite';
import { expect, test } from './fixtures.js';

declare global {
  interface Window {
    /** Every coordinator that this page has made. */
    made: TokenCoordinator[];
    /** Begun before the answer is given. */
    ownCall: Promise<string>;
  }
}

const repository = fileURLToPath(new URL('..', import.meta.url));
// Vite compiles the page while it loads.
test.slow();

/** As the documentation has it. */
const files = {
  'index.html':
    '<link rel="icon" href="data:," /><div id="root"></div><script type="module" src="/main.tsx"></script>',
  'main.tsx': `
    import { StrictMode } from 'react';
    import { createRoot } from 'react-dom/client';
    import { Session } from './session';
    createRoot(document.getElementById('root')!).render(<StrictMode><Session /></StrictMode>);`,
  'session.tsx': `
    import { useAccessToken } from 'one-refresh/react';
    import { coordinator, edition } from './coordinator';
    export function Session() {
      const { status, accessToken } = useAccessToken(coordinator);
      return <p>edition {edition}, {status}, {accessToken}</p>;
    }`,
};
/** The party that closes the coordinator of the replaced module. */
const closers = {
  // As the first page of the documentation has it.
  successor: `
    if (import.meta.hot) {
      void import.meta.hot.data.coordinator?.close();
      import.meta.hot.data.coordinator = coordinator;
    }`,
  // Asked only of modules that accept themselves, so this one does, and has its importers replaced as well.
  dispose: `
    if (import.meta.hot) {
      import.meta.hot.dispose(() => void coordinator.close());
      import.meta.hot.accept(() => import.meta.hot.invalidate());
    }`,
};
const coordinatorModule = (edition: number, closer: string): string => `
    import { createTokenCoordinator } from 'one-refresh';
    export const edition = ${edition};
    export const coordinator = createTokenCoordinator({
      name: 'hot',
      async refresh({ refreshToken }) {
        return (await fetch('/refresh', { method: 'POST', body: refreshToken })).json();
      },
    });
    (window.made ??= []).push(coordinator);
    ${closer}`;

// A build in this process, of another test's page, leaves `production` behind, and Fast Refresh off.
let nodeEnv: string | undefined;
test.beforeAll(() => {
  nodeEnv = process.env['NODE_ENV'];
  process.env['NODE_ENV'] = 'development';
});
test.afterAll(() => {
  if (nodeEnv === undefined) delete process.env['NODE_ENV'];
  else process.env['NODE_ENV'] = nodeEnv;
});

test.skip(
  ({ webDriver }) => webDriver !== undefined,
  'complaints are heard where Playwright drives the engine',
);

for (const [name, closer] of Object.entries(closers)) {
  test(`a replaced module, closed by its ${name}, leaves nothing behind`, async ({ page }) => {
    mkdirSync(path.join(repository, 'temp'), { recursive: true });
    const root = mkdtempSync(path.join(repository, 'temp', 'hot-'));
    const save = (file: string, text: string): string => {
      writeFileSync(path.join(root, file), text);
      return path.join(root, file);
    };
    for (const [file, text] of Object.entries(files)) save(file, text);
    save('coordinator.ts', coordinatorModule(1, closer));

    const spent: string[] = [];
    let answer: (() => void) | undefined;
    const tokenEndpoint: Plugin = {
      name: 'token-endpoint',
      configureServer({ middlewares }) {
        middlewares.use('/refresh', (req, res) => {
          req.setEncoding('utf8').on('data', (token: string) => spent.push(token));
          answer = () => {
            const version = spent.length + 1;
            const pair = { access_token: `access-${version}`, refresh_token: `refresh-${version}` };
            res.end(JSON.stringify({ ...pair, expires_in: 600 }));
          };
        });
      },
    };
    const complaints: string[] = [];
    const vite = await createServer({
      configFile: path.join(repository, 'vite.config.ts'),
      root,
      cacheDir: path.join(root, '.vite'),
      // It says why it reloads a page, if it does.
      customLogger: {
        ...createLogger('error'),
        info: (line) => line.includes('reload') && complaints.push(line),
      },
      plugins: [tokenEndpoint],
      // (A watcher misses one of two changes that come soon after each other; so here it is told.)
      server: { host: '127.0.0.1', port: 0, fs: { allow: [repository] }, watch: null },
      optimizeDeps: {
        include: ['react', 'react-dom/client', 'react/jsx-dev-runtime', 'jose/jwt/decode', 'idb-keyval'],
      },
    });
    await vite.listen();
    const saveEdition = (edition: number): void =>
      void vite.watcher.emit('change', save('coordinator.ts', coordinatorModule(edition, closer)));

    page.on('pageerror', (error) => complaints.push(error.message));
    page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));
    try {
      await page.goto(vite.resolvedUrls!.local[0]!);
      const shown = page.locator('p');
      await expect(shown).toHaveText('edition 1, signed-out,');
      await page.evaluate(() => {
        const pair = { access_token: 'access-1', refresh_token: 'refresh-1' };
        return window.made[0]!.setSession({ ...pair, expires_in: 600 });
      });
      await expect(shown).toHaveText('edition 1, signed-in, access-1');

      // With a refresh on the wire: the next module waits for its answer instead of asking once more.
      await page.evaluate(() => void window.made[0]!.getAccessToken({ forceRefresh: true }).catch(() => {}));
      await expect.poll(() => spent).toEqual(['refresh-1']);
      saveEdition(2);
      await expect(shown).toHaveText('edition 2, signed-in, access-1');
      expect(complaints).toEqual([]);
      await page.evaluate(
        () => void (window.ownCall = window.made[1]!.getAccessToken({ forceRefresh: true })),
      );
      answer?.();
      expect(await page.evaluate(() => window.ownCall)).toBe('access-2');
      await expect(shown).toHaveText('edition 2, signed-in, access-2');
      expect(spent).toEqual(['refresh-1']);

      for (let edition = 3; edition <= 6; edition++) {
        saveEdition(edition);
        await expect(shown).toHaveText(`edition ${edition}, signed-in, access-2`);
      }
      const refreshed = page.evaluate(() => window.made.at(-1)!.getAccessToken({ forceRefresh: true }));
      await expect.poll(() => spent).toEqual(['refresh-1', 'refresh-2']);
      answer?.();
      expect(await refreshed).toBe('access-3');
      await expect(shown).toHaveText('edition 6, signed-in, access-3');

      // One page all the while, with one coordinator that lives, and no lock.
      const codes = await page.evaluate(() =>
        Promise.all(
          window.made.map((one) => one.getAccessToken().catch(({ code }: { code: string }) => code)),
        ),
      );
      expect(codes).toEqual([...Array<string>(5).fill('ERR_CLOSED'), 'access-3']);
      await expect
        .poll(() =>
          page.evaluate(async () => {
            const { held = [], pending = [] } = await navigator.locks.query();
            return [...held, ...pending].map(({ name }) => name);
          }),
        )
        .toEqual([]);
      expect(complaints).toEqual([]);
    } finally {
      await vite.close();
      rmSync(root, { recursive: true });
    }
  });
}

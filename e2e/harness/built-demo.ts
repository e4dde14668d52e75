// The demo's pages, built and served from memory: `npm run demo` serves every module by itself, 450 of them whenever the lab is opened.
import { fileURLToPath } from 'node:url';
import { build, type Rolldown } from 'vite';
import type { PagesFactory } from '../../demo/server/server.js';
import { filesOf } from './app-pages.js';

const repository = fileURLToPath(new URL('../..', import.meta.url));

export const builtDemo: PagesFactory = async () => {
  const result = await build({
    configFile: `${repository}vite.config.ts`,
    root: `${repository}demo`,
    // With the library's long messages, as `npm run demo` has them.
    mode: 'development',
    logLevel: 'error',
    build: {
      write: false,
      minify: false,
      target: 'es2022',
      rolldownOptions: {
        input: ['index.html', 'lab.html', 'lab-tab.html'].map((file) => `${repository}demo/${file}`),
      },
    },
  });
  const files = filesOf(result as Rolldown.RolldownOutput);
  return {
    handle(req, res) {
      const { pathname } = new URL(req.url ?? '/', 'http://page');
      // The provider sends users back to an address of the app's own.
      const file = files.get(/\.\w+$/.test(pathname) ? pathname : '/index.html');
      if (file === undefined) res.writeHead(404).end();
      else res.writeHead(200, { 'content-type': file.type }).end(file.body);
    },
    async close() {},
  };
};

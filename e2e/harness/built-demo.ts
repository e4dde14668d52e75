// The demo's pages, built and served from memory: `npm run demo` serves every module by itself, 450 of them whenever the lab is opened.
import type { PagesFactory } from '../../demo/server/server.js';
import { buildPages } from '../../tools/build-pages.js';
import { send } from './app-pages.js';

export const builtDemo: PagesFactory = async () => {
  // With the library's long messages, as `npm run demo` has them.
  const files = await buildPages('demo', ['index.html', 'lab.html', 'lab-tab.html'], {
    mode: 'development',
    minify: false,
  });
  return {
    handle(req, res) {
      const { pathname } = new URL(req.url ?? '/', 'http://page');
      // The provider sends users back to an address of the app's own.
      const file = files.get(/\.\w+$/.test(pathname) ? pathname : '/index.html');
      if (file === undefined) res.writeHead(404).end();
      else send(res, file.type, file.body);
    },
    async close() {},
  };
};

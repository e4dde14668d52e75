// The React pages, served by Vite from source, on the same port and in the same process as the API.
import { fileURLToPath } from 'node:url';
import { createServer } from 'vite';
import type { PagesFactory } from './server.js';

const repository = fileURLToPath(new URL('../..', import.meta.url));

export const devPages: PagesFactory = async (server) => {
  const vite = await createServer({
    configFile: `${repository}vite.config.ts`,
    root: `${repository}demo`,
    appType: 'spa',
    logLevel: 'warn',
    clearScreen: false,
    server: { middlewareMode: true, hmr: { server }, fs: { allow: [repository] } },
    // Everything at once: a dependency that Vite discovers later would reload every open tab.
    optimizeDeps: {
      include: [
        'react',
        'react-dom/client',
        'react/jsx-dev-runtime',
        'jose',
        'oauth4webapi',
        'idb-keyval',
        'broadcast-channel',
        'uplot',
      ],
    },
  });
  return {
    handle(req, res) {
      // Chromium then gives the refresh worker a process of its own, which no tab takes with it. The pages stay as they are.
      if (req.url?.startsWith('/src/refresh-worker.')) {
        res.setHeader('cross-origin-embedder-policy', 'credentialless');
      }
      vite.middlewares(req, res);
    },
    close: () => vite.close(),
  };
};

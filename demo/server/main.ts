// `npm run demo`: one process, one URL, no configuration.
import { devPages } from './dev-pages.js';
import { startDemoServer, type DemoServer } from './server.js';

const FAVOURITE_PORT = 5173;

const demo = await startOnAFreePort();
console.log(`\n  one-refresh demo: ${demo.url}\n`);

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    demo.close().then(
      () => process.exit(0),
      () => process.exit(1),
    );
  });
}

/** The same address every time where possible, since a browser keeps a session by it. */
async function startOnAFreePort(): Promise<DemoServer> {
  try {
    return await startDemoServer({ pages: devPages, port: FAVOURITE_PORT });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
    return startDemoServer({ pages: devPages });
  }
}

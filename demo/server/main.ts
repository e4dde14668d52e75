// `npm run demo`: one process, one URL, no configuration.
import { devPages } from './dev-pages.js';
import { startDemoServer, type DemoServer, type DemoServerOptions } from './server.js';

const FAVOURITE_PORT = 5173;

const options: DemoServerOptions = {
  pages: devPages,
  // An app that somebody writes beside the demo, to try what the documentation says.
  alsoAllowOrigin: (origin) => /^http:\/\/(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/.test(origin),
};
const demo = await startOnAFreePort();
const { issuer, clientId } = demo.config;
console.log(`\n  one-refresh demo: ${demo.url}\n`);
console.log(`  For an app of your own on this machine: issuer '${issuer}', clientId '${clientId}'\n`);

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
    return await startDemoServer({ ...options, port: FAVOURITE_PORT });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
    return startDemoServer(options);
  }
}

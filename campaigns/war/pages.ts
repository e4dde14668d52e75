// A page served from memory; and, in the war, the person who logs in when asked.
import type { Logins } from '../../demo/server/logins.js';
import type { PagesFactory } from '../../demo/server/server.js';
import type { BuiltPages } from '../../tools/build-pages.js';

export function servePage(page: BuiltPages, logins: () => Logins): PagesFactory {
  return async () => ({
    async handle(req, res) {
      const { pathname, searchParams } = new URL(req.url ?? '/', 'http://page');
      if (req.method === 'POST' && pathname === '/__war/sign-in') {
        const answer = await logins().after(Number(searchParams.get('lost')));
        res.writeHead(200, { 'content-type': 'application/json' });
        res.end(JSON.stringify(answer));
        return;
      }
      const file = page.get(pathname === '/' ? '/index.html' : pathname);
      res.writeHead(file === undefined ? 404 : 200, { 'content-type': file?.type ?? 'text/plain' });
      res.end(file?.body);
    },
    async close() {},
  });
}

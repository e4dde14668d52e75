// OpenAuth as it comes, on a loopback port: no OpenID Connect, no ID token, metadata of RFC 8414. Everybody who comes is signed in.
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { issuer } from '@openauthjs/openauth';
import { MemoryStorage } from '@openauthjs/openauth/storage/memory';
import { createSubjects } from '@openauthjs/openauth/subject';

interface User {
  user: string;
}

export interface OtherServer {
  readonly issuer: string;
  close(): Promise<void>;
}

/** @param pages - where the app is; its redirect page is allowed */
export async function startOtherServer(pages: string): Promise<OtherServer> {
  const validate = (value: unknown) => ({ value: value as User });
  const app = issuer({
    subjects: createSubjects({ user: { '~standard': { version: 1, vendor: 'test', validate } } }),
    storage: MemoryStorage(),
    allow: ({ redirectURI }) => Promise.resolve(new URL(redirectURI).origin === pages),
    providers: {
      test: {
        type: 'test',
        init: (routes, { success }) =>
          void routes.get('/authorize', (context) => success(context, { user: 'alice' })),
      },
    },
    success: (context, { user }: User) => context.subject('user', { user }),
  });
  const server = http.createServer((req, res) => {
    void (async () => {
      const chunks: Buffer[] = [];
      for await (const chunk of req) chunks.push(chunk as Buffer);
      const headers = Object.entries(req.headers).flatMap(([name, value]) =>
        [value ?? []].flat().map((one): [string, string] => [name, one]),
      );
      const body = chunks.length > 0 ? { body: Buffer.concat(chunks) } : {};
      const answer = await app.fetch(
        new Request(`http://${req.headers.host}${req.url}`, {
          method: req.method ?? 'GET',
          headers,
          ...body,
        }),
      );
      res.writeHead(answer.status, [...answer.headers].flat());
      res.end(Buffer.from(await answer.arrayBuffer()));
    })();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    issuer: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

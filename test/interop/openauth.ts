import { issuer } from '@openauthjs/openauth';
import { MemoryStorage } from '@openauthjs/openauth/storage/memory';
import { createSubjects } from '@openauthjs/openauth/subject';
import type { TokenResponse } from '../../src/core/types.js';
import { ACCESS_TOKEN_SECONDS, type RealServer } from './real-server.js';

const ORIGIN = 'https://openauth.example';
const CALLBACK = `${ORIGIN}/callback`;

interface User {
  user: string;
}
const validate = (value: unknown) => ({ value: value as User });

/** OpenAuth as it comes: a used refresh token is good for another 60 s, and brings the same successor. */
export function startOpenAuth(): RealServer {
  const app = issuer({
    subjects: createSubjects({ user: { '~standard': { version: 1, vendor: 'test', validate } } }),
    storage: MemoryStorage(),
    ttl: { access: ACCESS_TOKEN_SECONDS, refresh: 86_400 },
    providers: {
      test: {
        type: 'test',
        init: (routes, { success }) =>
          void routes.get('/authorize', (context) => success(context, { user: 'alice' })),
      },
    },
    success: (context, { user }: User) => context.subject('user', { user }),
  });
  const handle = async (request: Request): Promise<Response> => app.fetch(request);

  return {
    tokenEndpoint: `${ORIGIN}/token`,
    clientId: 'app',
    handle,
    async signIn() {
      const query = { client_id: 'app', redirect_uri: CALLBACK, response_type: 'code' };
      const begun = await handle(new Request(`${ORIGIN}/authorize?${new URLSearchParams(query)}`));
      const cookie = begun.headers.getSetCookie().map((line) => line.split(';', 1)[0]);
      const done = await handle(
        new Request(new URL(begun.headers.get('location') ?? '', ORIGIN), {
          headers: { cookie: cookie.join('; ') },
        }),
      );
      const code = new URL(done.headers.get('location') ?? '', ORIGIN).searchParams.get('code') ?? '';
      const body = new URLSearchParams({
        grant_type: 'authorization_code',
        client_id: 'app',
        redirect_uri: CALLBACK,
        code,
      });
      const response = await handle(new Request(`${ORIGIN}/token`, { method: 'POST', body }));
      return (await response.json()) as TokenResponse;
    },
  };
}

import { issuer } from '@openauthjs/openauth';
import { MemoryStorage } from '@openauthjs/openauth/storage/memory';
import { createSubjects } from '@openauthjs/openauth/subject';
import type { Place, RealServer } from './real-server.js';

interface User {
  user: string;
}
const validate = (value: unknown) => ({ value: value as User });

/** OpenAuth: for `reuseSeconds` (60 by default) a used refresh token brings the same successor again. */
export function startOpenAuth({ origin, accessTokenSeconds }: Place, reuseSeconds?: number): RealServer {
  const app = issuer({
    subjects: createSubjects({ user: { '~standard': { version: 1, vendor: 'test', validate } } }),
    storage: MemoryStorage(),
    ttl: {
      access: accessTokenSeconds,
      refresh: 86_400,
      ...(reuseSeconds !== undefined && { reuse: reuseSeconds }),
    },
    // Stands for a login page: every user is Alice.
    providers: {
      test: {
        type: 'test',
        init: (routes, { success }) =>
          void routes.get('/authorize', (context) => success(context, { user: 'alice' })),
      },
    },
    success: (context, { user }: User) => context.subject('user', { user }),
  });
  return {
    client: {
      clientId: 'app',
      scope: 'read',
      endpoints: { authorization_endpoint: `${origin}/authorize`, token_endpoint: `${origin}/token` },
    },
    handle: async (request) => app.fetch(request),
  };
}

import { expect, test } from 'vitest';
import { createServer, readToken, type Server, type ServerKind } from './server.js';

let time = 0;

function twice(kind: ServerKind, later = 0): { server: Server; answers: string[]; revoked: unknown } {
  time = 0;
  const server = createServer(kind, 10_000, 60, () => time);
  const { family, tokens } = server.signIn();
  const request = { refreshToken: tokens.refresh_token!, version: 1, idempotencyKey: 'k', audience: '' };
  const first = server.handle(request);
  time += later;
  const second = server.handle(request);
  return { server, answers: [first.kind, second.kind], revoked: family.revoked };
}

test.each([
  ['strict', 0, 'lost', 'replay'],
  ['refusing', 0, 'lost', undefined],
  ['grace-same', 0, 'tokens', undefined],
  ['grace-new', 0, 'tokens', undefined],
  ['grace-new', 20_000, 'lost', 'replay'],
  ['grace-latest', 0, 'tokens', undefined],
  ['static', 0, 'tokens', undefined],
  ['idempotent', 60_000, 'tokens', undefined],
  ['versioned', 0, 'conflict', undefined],
] as const)('%s, the same token again after %i ms: %s', (kind, later, second, revoked) => {
  expect(twice(kind, later)).toMatchObject({ answers: ['tokens', second], revoked });
});

test('says whose an access token is, and for what', () => {
  const server = createServer('strict', 0, 60, () => 0);
  const { family, tokens } = server.signIn();
  expect(readToken(tokens.access_token)).toEqual({ family: family.id, audience: '' });
  const audience = '["https://a.test",[]]';
  const request = { refreshToken: tokens.refresh_token!, version: 1, idempotencyKey: 'k', audience };
  const answer = server.handle(request);
  expect(answer.kind === 'tokens' && readToken(answer.tokens.access_token).audience).toBe(audience);
});

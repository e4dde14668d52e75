// A server that renders, as Next.js does: the coordinator is made where the module is loaded, there is no DOM, and nothing may throw or keep
// the process alive.
import assert from 'node:assert/strict';
import { createElement } from 'react';
import { renderToString } from 'react-dom/server';
import { createTokenCoordinator } from 'one-refresh';
import { createFetch } from 'one-refresh/fetch';
import { refreshTokenGrant } from 'one-refresh/oauth';
import { TokenCoordinatorProvider, useAccessToken } from 'one-refresh/react';
import { createFakeCoordinator } from 'one-refresh/testing';

const coordinator = createTokenCoordinator({
  name: 'server',
  refresh: refreshTokenGrant({ issuer: 'https://id.example.com', clientId: 'app' }),
});
createFetch(coordinator, { allowedOrigins: ['https://api.example.com'] });
createFakeCoordinator();

const Session = () => createElement('p', null, useAccessToken().status);
const page = createElement(TokenCoordinatorProvider, { coordinator }, createElement(Session));
assert.equal(renderToString(page), '<p>loading</p>');
await coordinator.ready;
assert.equal(coordinator.getSnapshot().status, 'loading');
assert.equal(coordinator.peekAccessToken(), undefined);
// Node has the sentences, whatever runs there.
await assert.rejects(coordinator.getAccessToken(), {
  code: 'ERR_UNSUPPORTED',
  message: 'Tokens exist in browsers only',
});
console.log('rendered');

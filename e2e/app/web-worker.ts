// A coordinator in a web worker of the page. It is asked as `window.lab.get` is, one port for each question.
import { createTokenCoordinator, type AccessTokenOptions, type TokenCoordinator } from 'one-refresh';
import { createClient } from './client.js';
import { describeError, describeToken } from './facts.js';

export interface Question {
  name: string;
  issuer: string;
  clientId: string;
  request: AccessTokenOptions | undefined;
}

let coordinator: TokenCoordinator | undefined;

addEventListener('message', ({ data, ports }: MessageEvent<Question>) => {
  const { request, ...client } = data;
  coordinator ??= createTokenCoordinator({
    name: client.name,
    refresh: createClient({
      ...client,
      tab: 'web-worker',
      by: 'grant',
      dpop: false,
      role: () => coordinator?.getSnapshot().role ?? 'none',
    }),
  });
  void coordinator
    .getAccessToken(request)
    .then(describeToken, describeError)
    .then((answer) => ports[0]?.postMessage(answer));
});

import { createTokenCoordinator } from 'one-refresh';
import { requestRefresh } from './by-hand.js';
import type { Client } from './contestant.js';

export function create(): Client {
  const coordinator = createTokenCoordinator({
    name: 'bench',
    refresh: ({ refreshToken }) => requestRefresh(refreshToken!),
  });
  return {
    getToken: () => coordinator.getAccessToken(),
    peek: () => coordinator.peekAccessToken(),
    signIn: (tokens) => coordinator.setSession(tokens),
  };
}

// The one coordinator of this tab. An application needs no more than this file, its refresh worker, and its own sign-in.
import { createTokenCoordinator, type TokenCoordinator } from 'one-refresh';
// oxlint-disable-next-line import/default -- with `?worker&url` Vite gives the script's address
import workerScript from './refresh-worker.js?worker&url';
import { tokenOptions, type DemoConfig } from './token-options.js';

export async function loadConfig(): Promise<DemoConfig> {
  const response = await fetch('/config.json');
  return (await response.json()) as DemoConfig;
}

export function createDemoCoordinator(config: DemoConfig): TokenCoordinator {
  const url = new URL(workerScript, location.href);
  url.searchParams.set('issuer', config.issuer);
  url.searchParams.set('clientId', config.clientId);
  return createTokenCoordinator({
    ...tokenOptions(config, 'tab'),
    // Under one scope, so that the worker of a demo that was started again takes the place of the one before.
    worker: { url, scope: new URL('one-refresh-demo/', url).href },
  });
}

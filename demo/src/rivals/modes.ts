// The ways that are compared, and what each needs of the server.
import { createClientLock } from './client-lock.js';
import { createCoordinated, type CoordinatedSource } from './coordinated.js';
import { indexedDbStorage, slowly, tokenStorage } from './stored-tokens.js';
import type { TokenSource } from './token-source.js';
import { createUncoordinated, type RivalOptions } from './uncoordinated.js';
import type { TokenCoordinatorOptions } from 'one-refresh';

export interface Mode {
  name: string;
  client: 'none' | 'lock' | 'indexed-db-lock' | 'library';
  sessionTable: boolean;
  versionCheck: boolean;
}

const mode = (name: string, client: Mode['client'], sessionTable = false, versionCheck = false): Mode => ({
  name,
  client,
  sessionTable,
  versionCheck,
});

export const modes: readonly [Mode, ...Mode[]] = [
  mode('no coordination', 'none'),
  mode('client lock', 'lock'),
  mode('lock over IndexedDB', 'indexed-db-lock'),
  mode('session table', 'none', true),
  mode('version check', 'none', false, true),
  mode('one-refresh', 'library'),
  mode('one-refresh + all', 'library', true, true),
];

/** This tab's way to a token, in this mode. `coordinator` are options in place of its defaults. */
export function createSource(
  { client, versionCheck, sessionTable }: Mode,
  rival: Omit<RivalOptions, 'sendsVersion'>,
  coordinator: Partial<TokenCoordinatorOptions> = {},
): TokenSource & Partial<CoordinatedSource> {
  const options = { ...rival, sendsVersion: versionCheck };
  if (client === 'none') return createUncoordinated(options);
  if (client === 'lock') return createClientLock(options, slowly(tokenStorage(options.name)));
  if (client === 'indexed-db-lock') return createClientLock(options, indexedDbStorage(options.name));
  return createCoordinated({ ...options, sendsIdempotencyKey: sessionTable, coordinator });
}

// The session table and the version check on one database file, which exists as long as the server does.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { openSessionStore, type SessionStore } from './session-store.js';
import { sessionTable } from './session-table.js';
import type { TokenEndpointMiddleware } from './token-endpoint.js';
import { versionCheck } from './version-check.js';
import { openVersionStore, type VersionStore } from './version-store.js';

export interface RemedySettings {
  /** How long the session table gives an answer again, milliseconds; 0 switches it off. */
  sessionTableMs: number;
  versionCheck: boolean;
}

export interface Remedies {
  /**
   * The session table is the outer one: it gives a lost answer again, which a version check alone would refuse for ever.
   */
  readonly middlewares: readonly TokenEndpointMiddleware[];
  close(): void;
}

/** `settings` are read at every request; nothing is opened before one of them is on. */
export function createRemedies(settings: RemedySettings): Remedies {
  let folder: string | undefined;
  let sessions: SessionStore | undefined;
  let versions: VersionStore | undefined;
  const file = (name: string): string => {
    folder ??= mkdtempSync(path.join(tmpdir(), 'one-refresh-demo-'));
    return path.join(folder, name);
  };

  return {
    middlewares: [
      sessionTable({
        store: () => (sessions ??= openSessionStore(file('sessions.db'))),
        windowMs: () => settings.sessionTableMs,
      }),
      versionCheck({
        store: () => (versions ??= openVersionStore(file('versions.db'))),
        enabled: () => settings.versionCheck,
      }),
    ],
    close() {
      sessions?.close();
      versions?.close();
      if (folder !== undefined) rmSync(folder, { recursive: true });
    },
  };
}

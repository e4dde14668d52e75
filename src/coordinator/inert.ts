import { say } from '#texts';
import { TokenCoordinatorError } from '../core/errors.js';
import type { TokenCoordinator } from '../types.js';
import { initialSnapshot } from './snapshot.js';

/** Where there is neither a document nor a worker scope (server rendering): opens nothing, promises nothing. */
export function createInertCoordinator(): TokenCoordinator {
  const refuse = async (): Promise<never> => {
    throw new TokenCoordinatorError('ERR_UNSUPPORTED', say('ERR_UNSUPPORTED', 'browser'));
  };
  const nothing = (): undefined => undefined;
  return {
    name: '',
    ready: Promise.resolve(),
    setSession: refuse,
    getAccessToken: refuse,
    peekAccessToken: nothing,
    peekIdToken: nothing,
    getAuthorizationHeaders: refuse,
    getSnapshot: () => initialSnapshot,
    subscribe: () => nothing,
    on: () => nothing,
    signOut: refuse,
    exportSession: refuse,
    close: async () => {},
  };
}

import { TokenCoordinatorError } from '../core/errors.js';
import type { Snapshot } from '../core/types.js';
import type { TokenCoordinator } from '../types.js';
import { checkCoordinator } from './options.js';

/**
 * For route loaders and guards: waits until the store has been read, then lets only those pass who are signed in.
 *
 * @returns the snapshot of the session
 * @throws `ERR_CONFIGURATION` if `coordinator` is none, `ERR_SIGNED_OUT` without a session, `ERR_REAUTH_REQUIRED` if it was lost (with its
 * `reason`), `ERR_UNSUPPORTED` where there are no sessions (server rendering)
 * @example
 * import { requireSession } from 'one-refresh/login';
 *
 * const loader = async () => (await requireSession(coordinator)).subject;
 */
export async function requireSession(coordinator: TokenCoordinator): Promise<Snapshot> {
  checkCoordinator(coordinator);
  await coordinator.ready;
  const snapshot = coordinator.getSnapshot();
  switch (snapshot.status) {
    case 'signed-in':
      return snapshot;
    case 'signed-out':
      throw new TokenCoordinatorError('ERR_SIGNED_OUT', 'Nobody is signed in');
    case 'reauth-required':
      throw (
        snapshot.error ??
        new TokenCoordinatorError('ERR_REAUTH_REQUIRED', 'The session has ended: sign in again')
      );
    case 'loading':
      throw new TokenCoordinatorError('ERR_UNSUPPORTED', 'Sessions exist in browsers only');
  }
}

import { say } from '#texts';
import type { Guard } from '../coordinator/coordinator.js';
import { fault } from '../core/calls.js';
import type { TokenCoordinator, TokenCoordinatorOptions } from '../types.js';
import type * as page from './idle-page.js';

/**
 * Loads the idle time-out for apps that want one. Until it is there, and has looked when the user was active last, no token is handed out;
 * where it cannot be loaded, none at all: a time-out that silently does not work is worse.
 */
export function lazyIdle(
  { name, idle }: TokenCoordinatorOptions,
  load = (): Promise<Pick<typeof page, 'guardPage'>> => import('./idle-page.js'),
): Guard | undefined {
  if (!idle || typeof document === 'undefined') return undefined;
  return (coordinator, notify) => {
    let guarded: TokenCoordinator | undefined;
    let loading: Promise<TokenCoordinator> | undefined;
    const loaded = (): Promise<TokenCoordinator> =>
      (loading ??= load()
        .then(({ guardPage }) => guardPage(name, idle, coordinator, notify))
        .then(
          (one) => (guarded = one),
          () => {
            // Its file is gone after a deploy, say: tried again.
            loading = undefined;
            throw fault('ERR_UNSUPPORTED', undefined, say('ERR_UNSUPPORTED', 'idle-module'));
          },
        ));
    const late =
      <A extends unknown[], R>(call: (from: TokenCoordinator) => (...all: A) => Promise<R>) =>
      (...all: A): Promise<R> =>
        loaded().then((one) => call(one)(...all));
    return {
      ...coordinator,
      ready: loaded().then(
        () => {},
        () => coordinator.ready,
      ),
      setSession: late((one) => one.setSession),
      getAccessToken: late((one) => one.getAccessToken),
      getAuthorizationHeaders: late((one) => one.getAuthorizationHeaders),
      exportSession: late((one) => one.exportSession),
      peekAccessToken: (selector) => guarded?.peekAccessToken(selector),
      peekIdToken: () => guarded?.peekIdToken(),
      close() {
        loaded().then(
          (one) => one.close(),
          () => {},
        );
        return coordinator.close();
      },
    };
  };
}

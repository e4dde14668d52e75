// The documentation takes this as given: the app's own code around each block.
import type { TokenCoordinator, TokenResponse } from 'one-refresh';

declare global {
  /** The answer to the code exchange of the app's own login. */
  const tokenResponse: TokenResponse;
  /** The app's own login: leaves the page. */
  function startSignIn(): void;
  /** Whatever the app shows or reports with. */
  function show(message: string): void;
  /** The app's own monitoring. */
  function report(...what: unknown[]): void;
  /** Made as on the first page. */
  const coordinator: TokenCoordinator;
}

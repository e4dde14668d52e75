import { createContext, useContext, useEffect, useMemo, useState, type Context } from 'react';
import { TokenCoordinatorError } from '../core/errors.js';
import type { Login } from '../login/create-login.js';
import type { LoginError } from '../login/login-error.js';

/** The login of the nearest `TokenCoordinatorProvider`. */
export const LoginContext: Context<Login | undefined> = createContext<Login | undefined>(undefined);

/** The result of `useLogin`. The methods are the login's own, but never reject: the fault is in `error`. */
export interface LoginState {
  /** Leaves the page for the authorization server. Never rejects. */
  readonly start: (...args: Parameters<Login['start']>) => Promise<void>;
  /** Signs in in a window of its own; call it on a click. Never rejects. */
  readonly popup: (...args: Parameters<Login['popup']>) => Promise<void>;
  /** Has the user authenticate again, as an API demands it. Never rejects. */
  readonly stepUp: (...args: Parameters<Login['stepUp']>) => Promise<void>;
  /** Ends the session here, then at the provider. Never rejects. */
  readonly signOut: (...args: Parameters<Login['signOut']>) => Promise<void>;
  /** On the redirect page, for apps that do not finish before they render; safe in an effect, in Strict Mode too. Never rejects. */
  readonly finish: () => Promise<{ readonly returnTo: string } | undefined>;
  /** Something of this component's is under way. */
  readonly pending: boolean;
  /** The last fault, until the next call. */
  readonly error: LoginError | TokenCoordinatorError | undefined;
}

interface Progress extends Pick<LoginState, 'error'> {
  /** The calls under way. */
  readonly calls: number;
}

const IDLE: Progress = { calls: 0, error: undefined };

/**
 * Signing in and out from a component, with what is under way and what went wrong. The methods are the same from render to render.
 *
 * @param login - default: the one given to the nearest `TokenCoordinatorProvider`
 * @throws `ERR_CONFIGURATION` if there is no login
 * @example
 * const { start, pending, error } = useLogin();
 */
export function useLogin(login?: Login): LoginState {
  const provided = useContext(LoginContext);
  const used = login ?? provided;
  if (!used) {
    throw new TokenCoordinatorError(
      'ERR_CONFIGURATION',
      'useLogin: pass a login, or render the component under <TokenCoordinatorProvider login={…}>.',
    );
  }
  const [progress, setProgress] = useState(IDLE);
  const methods = useMemo(() => {
    const watched =
      (method: (...args: unknown[]) => Promise<unknown>) =>
      async (...args: unknown[]): Promise<unknown> => {
        setProgress(({ calls }) => ({ calls: calls + 1, error: undefined }));
        // (None is left after the page has come back from the cache.)
        const end = (error?: LoginError): void =>
          setProgress((now) => ({ calls: Math.max(0, now.calls - 1), error: error ?? now.error }));
        try {
          const result = await method(...args);
          end();
          return result;
        } catch (error) {
          end(error as LoginError);
          return;
        }
      };
    const all = Object.entries(used).map(([name, method]) => [name, watched(method as never)]);
    return Object.fromEntries(all) as Omit<LoginState, 'pending' | 'error'>;
  }, [used]);
  useEffect(() => {
    // Back from the server's page by the back button: nothing is under way any more.
    const shown = ({ persisted }: PageTransitionEvent): void => {
      if (persisted) setProgress(IDLE);
    };
    addEventListener('pageshow', shown);
    return () => removeEventListener('pageshow', shown);
  }, []);
  const { calls, error } = progress;
  return { ...methods, pending: calls > 0, error };
}

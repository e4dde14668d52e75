// Svelte: `const { signIn, signOut, error } = loginStore(login)`, then `$error?.code`.
import type { Login, LoginError, StartOptions } from 'one-refresh/login';
import { writable, type Readable } from 'svelte/store';

export function loginStore(login: Login): {
  signIn: (options?: StartOptions) => Promise<void>;
  signOut: () => Promise<void>;
  error: Readable<LoginError | undefined>;
} {
  const error = writable<LoginError | undefined>();
  const report = (thrown: unknown): void => error.set(thrown as LoginError);
  return {
    signIn: (options) => login.start(options).catch(report),
    signOut: () => login.signOut().catch(report),
    error,
  };
}

// Vue: `const { signIn, signOut, error } = useLogin(login)` in `<script setup>`.
import type { Login, LoginError, StartOptions } from 'one-refresh/login';
import { shallowRef, type ShallowRef } from 'vue';

export function useLogin(login: Login): {
  signIn: (options?: StartOptions) => Promise<void>;
  signOut: () => Promise<void>;
  error: ShallowRef<LoginError | undefined>;
} {
  const error = shallowRef<LoginError>();
  const report = (thrown: unknown): void => void (error.value = thrown as LoginError);
  return {
    signIn: (options) => login.start(options).catch(report),
    signOut: () => login.signOut().catch(report),
    error,
  };
}

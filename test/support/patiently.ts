import { vi } from 'vitest';

/** Waits until the check passes, as long as the test may take: Vitest's own second is too short for a busy machine. */
export const patiently = <T>(check: () => T | Promise<T>): Promise<T> =>
  vi.waitFor(check, { timeout: 60_000 });

import type { CoreOptions } from '../../src/core/options.js';

/** Options of a tab's core in unit tests: it refreshes for callers only. */
export const coreOptions: CoreOptions = {
  proactive: 'never',
  refreshTimeoutMs: 5_000,
  leaderTimeoutMs: 1_500,
  broadcast: 'pair',
  locks: true,
  answers: true,
  worker: false,
  candidate: true,
  leases: false,
};

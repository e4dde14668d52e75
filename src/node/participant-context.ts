import type { Hub } from './hub.js';
import type { Shared } from './shared.js';

/** The parts that all participants of a process share. */
export interface ParticipantContext {
  readonly shared: Shared;
  readonly hub: Hub;
  /** Keeps the process alive until the returned function is called. */
  readonly hold: () => () => void;
}

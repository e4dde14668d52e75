import type { SessionRecord } from '../../src/core/record.js';
import type { Effect, Event, State } from '../../src/core/state.js';
import type { Exchange } from '../world/network.js';
import type { Call, Participant } from '../world/participant.js';

export type Violate = (invariant: string, message: string) => void;

/** One invariant, or a few that look at the same things; told of everything that happens, when it happens. */
export interface Check {
  readonly step?: (
    by: Participant,
    event: Event,
    before: State | undefined,
    after: State,
    effects: readonly Effect[],
  ) => void;
  readonly sent?: (exchange: Exchange, by: Participant) => void;
  readonly heard?: (exchange: Exchange, by: Participant) => void;
  readonly executed?: (
    by: Participant,
    before: SessionRecord | undefined,
    after: SessionRecord | undefined,
  ) => void;
  readonly written?: (by: Participant, before: SessionRecord | undefined, after: SessionRecord) => void;
  readonly posted?: (by: Participant, message: object) => void;
  readonly revoked?: (refreshToken: string, by: Participant) => void;
  readonly asked?: (call: Call) => void;
  readonly settled?: (call: Call) => void;
  /** It was told that it leaves, or is frozen. */
  readonly retired?: (by: Participant) => void;
  readonly lossAnnounced?: (by: Participant, version: string) => void;
  readonly endAnnounced?: (by: Participant, end: string) => void;
}

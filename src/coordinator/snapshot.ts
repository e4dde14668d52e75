import { standingError } from '../core/calls.js';
import { leads, tokenOf } from '../core/knowledge.js';
import { isForeign, isOpen } from '../core/record.js';
import type { State } from '../core/state.js';
import type { Snapshot } from '../core/types.js';
import type { TokenClient } from '../types.js';

export const initialSnapshot: Snapshot = Object.freeze({
  status: 'loading',
  refreshStatus: 'idle',
  role: 'none',
  storage: 'memory',
  version: 0,
});

/**
 * The part of this state that an app is shown.
 * @param before - the state that was shown before, as `shown`
 */
export function snapshotOf(
  s: State,
  before: State | undefined,
  shown: Snapshot,
  client: TokenClient,
): Snapshot {
  const { record, pause } = s;
  const open = s.loaded && isOpen(record);
  const { ended, version, sessionId, subject } = open
    ? record
    : ({ version: 0 } as Partial<NonNullable<typeof record>>);
  const isSame =
    isForeign(record) === isForeign(before?.record) && record?.binding === before?.record?.binding;
  const unchanged =
    before && isSame && pause === before.pause && ended?.reason === before.record?.ended?.reason;
  const busy = s.flight && s.flight.phase !== 'electing' && open && !ended;
  return {
    status: !s.loaded ? 'loading' : !open ? 'signed-out' : ended ? 'reauth-required' : 'signed-in',
    refreshStatus: busy ? 'refreshing' : pause ? 'paused' : 'idle',
    role: !open || s.closed ? 'none' : leads(s) ? 'leader' : 'follower',
    storage: s.storage,
    version: version!,
    sessionId,
    subject,
    expiresAt: tokenOf(s, '')?.expiresAt,
    sessionExpiresAt: open ? record.end?.at : undefined,
    dpopNonces: open ? client.offersNonces?.() : undefined,
    error: unchanged ? shown.error : open || isForeign(record) ? standingError(s) : undefined,
  };
}

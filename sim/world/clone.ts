import type { Revocation, SessionRecord } from '../../src/core/record.js';

type Stored = Omit<SessionRecord, 'withheld'> & { readonly revocations?: readonly Revocation[] };

type Whole<T> = { [K in keyof Required<T>]: T[K] };

/** A store or a channel hands over a copy. Member by member: of one shape, or engines copy it slowly from then on. */
export function cloneRecord(record: Stored): Whole<Stored> {
  return {
    schema: record.schema,
    startedAt: record.startedAt,
    term: record.term,
    leader: record.leader,
    sessionId: record.sessionId,
    binding: record.binding,
    version: record.version,
    subject: record.subject,
    refreshToken: record.refreshToken,
    idToken: record.idToken,
    accessTokens: record.accessTokens,
    journal: record.journal,
    spares: record.spares,
    end: record.end,
    ended: record.ended,
    revocations: record.revocations,
  };
}

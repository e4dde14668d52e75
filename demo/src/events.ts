// The events of this tab, in words. Kept outside React: events come whether or not anything is on the screen.
import type { CoordinatorEvent, EventType, LossReason, TokenCoordinator } from 'one-refresh';

export interface Happening {
  id: number;
  at: number;
  kind: 'good' | 'bad' | 'plain';
  /** The event, in a few words. */
  text: string;
  /** The event explained, for somebody who does not know the library. */
  why?: string | undefined;
}

const KEPT = 60;

type Sentence = (event: CoordinatorEvent, coordinator: TokenCoordinator) => Omit<Happening, 'id' | 'at'>;

const losses: Record<LossReason, [text: string, why: string]> = {
  refresh_rejected: [
    'The server ended the session: sign in again',
    'It refused the newest refresh token that any tab has.',
  ],
  response_lost: [
    'The answer was lost: sign in again',
    'The server had replaced the token, and no tab heard the new one.',
  ],
  interaction_required: [
    'The server wants to see the user: sign in again',
    'It asks for a password or a consent, which a refresh cannot give.',
  ],
  no_refresh_token: [
    'The session is over: sign in again',
    'There is no refresh token, or its time is up, so the server is not asked.',
  ],
  refresh_unanswered: [
    'The server refused without a reason: sign in again',
    'It did so three times in a row. The tokens stay, and a later success brings the session back.',
  ],
};

const sentences: Record<EventType, Sentence> = {
  'session-started': (_event, { getSnapshot }) =>
    good(`${nameOf(getSnapshot().subject)} signed in`, 'Every tab of this page now shares one session.'),
  'signed-out': () =>
    plain('Signed out, in every tab', 'The tokens are gone, and the server was asked to revoke them.'),
  'reauth-required': ({ reason = 'refresh_rejected' }) => bad(...losses[reason as LossReason]),
  'session-ending': ({ endsAt = 0, at }) =>
    plain(
      `The session ends in ${Math.round((endsAt - at) / 1000)} s: time to sign in again`,
      'The server said in advance how long it lasts. Only one tab is told.',
    ),
  'leader-changed': ({ term }, { getSnapshot }) =>
    getSnapshot().role === 'leader'
      ? good(
          `This tab leads now (term ${term})`,
          'It refreshes shortly before expiry, so that the others need not.',
        )
      : plain(
          `Another tab leads (term ${term})`,
          'This tab only refreshes if it needs a token and nobody else does.',
        ),
  'refresh-started': ({ attempt }) =>
    (attempt ?? 1) > 1
      ? plain(`Asking the server for a new pair, attempt ${attempt}`, 'No answer came to the attempt before.')
      : plain('Asking the server for a new pair', 'This tab has the lock, so no other one asks meanwhile.'),
  'refresh-succeeded': ({ durationMs }) =>
    plain(
      `It answered after ${Math.round(durationMs ?? 0)} ms`,
      'The pair is stored; now the other tabs are told.',
    ),
  'refresh-failed': ({ reason }) =>
    bad(
      `No new pair (${reason ?? 'unknown'}); the session stays`,
      'It is tried again by itself, a little later.',
    ),
  conflict: ({ reason }) =>
    bad(
      `The server saw a conflict (${reason ?? 'unknown'})`,
      'It says that this refresh token was used before.',
    ),
  'in-doubt': () =>
    plain(
      'The server may have rotated all the same: in doubt',
      'The request left, and no answer came. It is repeated.',
    ),
  takeover: () =>
    plain('A silent tab was relieved of its lock', 'It stood still in mid-refresh; another tab goes on.'),
  'storage-changed': (_event, { getSnapshot }) =>
    getSnapshot().storage === 'memory'
      ? bad(
          'No storage here: working from memory',
          'Tabs share the session for as long as one of them is open.',
        )
      : good('Storage is back', 'The session survives closing all tabs again.'),
};

const good = (text: string, why?: string) => ({ kind: 'good', text, why }) as const;
const bad = (text: string, why?: string) => ({ kind: 'bad', text, why }) as const;
const plain = (text: string, why?: string) => ({ kind: 'plain', text, why }) as const;

export function nameOf(subject: string | undefined): string {
  return subject === undefined ? 'Somebody' : subject.charAt(0).toUpperCase() + subject.slice(1);
}

export interface Diary {
  /** Newest first; a new array after each change. */
  getSnapshot: () => readonly Happening[];
  subscribe: (listener: () => void) => () => void;
  note: (happening: Omit<Happening, 'id' | 'at'>) => void;
}

export function keepDiary(coordinator: TokenCoordinator): Diary {
  let happenings: readonly Happening[] = [];
  let ids = 0;
  const listeners = new Set<() => void>();
  const note: Diary['note'] = (happening) => {
    happenings = [{ ...happening, id: ++ids, at: Date.now() }, ...happenings].slice(0, KEPT);
    for (const listener of listeners) listener();
  };
  let known = coordinator.getSnapshot();
  coordinator.subscribe(() => {
    // By any tab: another tab, or the refresh worker, where the events of a refresh happen then.
    const { sessionId, version } = coordinator.getSnapshot();
    if (sessionId === known.sessionId && version > known.version)
      note(good(`Version ${version} is here`, 'A new pair of tokens: fetched once, used by every tab.'));
    known = coordinator.getSnapshot();
  });
  for (const type of Object.keys(sentences) as EventType[]) {
    coordinator.on(type, (event) => note(sentences[type](event, coordinator)));
  }
  return {
    getSnapshot: () => happenings,
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    note,
  };
}

// The events of this tab, in words. Kept outside React: events come whether or not anything is on the screen.
import type { CoordinatorEvent, EventType, TokenCoordinator } from 'one-refresh';

export interface Happening {
  id: number;
  at: number;
  kind: 'good' | 'bad' | 'plain';
  text: string;
}

const KEPT = 60;

type Sentence = (event: CoordinatorEvent, coordinator: TokenCoordinator) => Omit<Happening, 'id' | 'at'>;

const sentences: Record<EventType, Sentence> = {
  'session-started': (_event, { getSnapshot }) => good(`${nameOf(getSnapshot().subject)} signed in`),
  'signed-out': () => plain('Signed out, in every tab'),
  'reauth-required': ({ reason }) =>
    bad(
      reason === 'response_lost'
        ? 'The answer was lost: sign in again'
        : 'The server ended the session: sign in again',
    ),
  'leader-changed': ({ term }, { getSnapshot }) =>
    getSnapshot().role === 'leader'
      ? good(`This tab leads now (term ${term})`)
      : plain(`Another tab leads (term ${term})`),
  'refresh-started': ({ attempt }) =>
    plain(`Asking the server for a new pair${(attempt ?? 1) > 1 ? `, attempt ${attempt}` : ''}`),
  'refresh-succeeded': ({ durationMs }) => plain(`It answered after ${Math.round(durationMs ?? 0)} ms`),
  'refresh-failed': ({ reason }) => bad(`No new pair (${reason ?? 'unknown'}); the session stays`),
  conflict: ({ reason }) => bad(`The server saw a conflict (${reason ?? 'unknown'})`),
  'in-doubt': () => plain('The server may have rotated all the same: in doubt'),
  takeover: () => plain('A silent tab was relieved of its lock'),
  'storage-changed': (_event, { getSnapshot }) =>
    getSnapshot().storage === 'memory'
      ? bad('No storage here: working from memory')
      : good('Storage is back'),
};

const good = (text: string) => ({ kind: 'good', text }) as const;
const bad = (text: string) => ({ kind: 'bad', text }) as const;
const plain = (text: string) => ({ kind: 'plain', text }) as const;

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
    if (sessionId === known.sessionId && version > known.version) note(good(`Version ${version} is here`));
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

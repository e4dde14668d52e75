import type { IdleOptions, TokenCoordinator } from '../types.js';
import { guardIdle, type Activity, type IdlePorts, type Notify } from './idle.js';

/** Signs of a user. All are heard passively, so none of them makes scrolling wait. */
const SIGNS = ['pointerdown', 'pointermove', 'keydown', 'wheel', 'scroll', 'touchmove'];
/** Moments at which a page may have stood still before. */
const WAKES = ['pageshow', 'focus', 'online'];

/** The idle time-out of this page. */
export function guardPage(
  name: string,
  idle: IdleOptions,
  coordinator: TokenCoordinator,
  notify: Notify,
): Promise<TokenCoordinator> {
  return guardIdle(idle, coordinator, notify, idlePorts(name));
}

/** The page's own events, with `localStorage` for what all tabs know: it is read at once, and writing it wakes no tab. */
function idlePorts(name: string): IdlePorts {
  const prefix = `one-refresh:${name}:idle`;
  return {
    ...(shared(prefix) ?? posted(prefix)),
    isVisible: () => document.visibilityState === 'visible',
    listen(active, woken, leaving) {
      const visible = (): void => {
        woken();
        if (document.visibilityState === 'visible') active();
      };
      const options = { passive: true, capture: true };
      for (const type of SIGNS) addEventListener(type, active, options);
      for (const type of WAKES) addEventListener(type, woken);
      addEventListener('pagehide', leaving);
      document.addEventListener('resume', woken);
      document.addEventListener('visibilitychange', visible);
      return () => {
        for (const type of SIGNS) removeEventListener(type, active, options);
        for (const type of WAKES) removeEventListener(type, woken);
        removeEventListener('pagehide', leaving);
        document.removeEventListener('resume', woken);
        document.removeEventListener('visibilitychange', visible);
      };
    },
    async alone(work) {
      const { locks } = navigator as Partial<Navigator>;
      if (!locks) return work();
      return locks.request(prefix, { ifAvailable: true }, (lock) => (lock ? work() : undefined));
    },
  };
}

type Shared = Pick<IdlePorts, 'read' | 'write'>;

/** `undefined` where pages have no `localStorage`. */
function shared(key: string): Shared | undefined {
  try {
    const { localStorage } = globalThis;
    localStorage.getItem(key);
    return {
      read() {
        try {
          return parse(localStorage.getItem(key));
        } catch {
          // Firefox, in a page on its way out.
          return undefined;
        }
      },
      write(activity) {
        try {
          localStorage.setItem(key, JSON.stringify(activity));
        } catch {
          // Full: an old time stays, and the session ends early.
        }
      },
    };
  } catch {
    return undefined;
  }
}

/** The same by a message, which is also sent at most once a minute. */
function posted(name: string): Shared {
  let known: Activity | undefined;
  let channel: BroadcastChannel | undefined;
  const open = (): void => {
    try {
      channel = new BroadcastChannel(name);
      channel.onmessage = ({ data }) => {
        const heard = parse(data);
        if (heard && heard.at >= (known?.at ?? -Infinity)) known = heard;
      };
    } catch {
      // An opaque origin: alone.
    }
  };
  open();
  // An open channel keeps pages out of the back/forward cache.
  addEventListener('pagehide', () => {
    channel?.close();
    // A write as the page goes would throw on a closed one.
    channel = undefined;
  });
  addEventListener('pageshow', ({ persisted }) => persisted && open());
  return {
    read: () => known,
    write(activity) {
      known = activity;
      channel?.postMessage(JSON.stringify(activity));
    },
  };
}

/** Any script of the origin may have written it. */
function parse(text: unknown): Activity | undefined {
  try {
    const { at, written, warned } = JSON.parse(String(text)) as Activity;
    return Number.isFinite(at) && Number.isFinite(written) ? { at, written, warned } : undefined;
  } catch {
    return undefined;
  }
}

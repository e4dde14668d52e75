import type { LifecycleChange, LifecyclePort } from '../core/ports.js';

/** The page's life (Page Lifecycle, Page Visibility, back/forward cache, prerendering). No `unload` handler: it costs the cache. */
const pageLifecycle: LifecyclePort = {
  state: () => ({
    active: !(document as { prerendering?: boolean }).prerendering,
    visible: document.visibilityState === 'visible',
  }),
  listen(listener) {
    // No abort signal: jsdom, in which apps run their tests, takes none but its own.
    const stops: (() => void)[] = [];
    const on = (
      target: EventTarget,
      type: string,
      change: (event: Event) => LifecycleChange | false,
    ): void => {
      const hear = (event: Event): void => {
        const now = change(event);
        if (now) listener(now);
      };
      target.addEventListener(type, hear);
      stops.push(() => target.removeEventListener(type, hear));
    };
    on(window, 'pagehide', () => 'leave');
    // Other shows of a page are its load, which is no return.
    on(window, 'pageshow', (event) => (event as PageTransitionEvent).persisted && 'return');
    on(window, 'online', () => 'online');
    on(window, 'focus', () => 'focus');
    on(document, 'freeze', () => 'freeze');
    on(document, 'resume', () => 'return');
    on(document, 'prerenderingchange', () => 'return');
    on(document, 'visibilitychange', () => document.visibilityState);
    return () => stops.forEach((stop) => stop());
  },
};

/** A worker is ended, never frozen or cached, and nobody sees it. */
export const workerLifecycle: LifecyclePort = {
  state: () => ({ active: true, visible: false }),
  listen: () => () => {},
};

/**
 * The life of this page or worker; `undefined` where there is neither, and where no identifier can be made that nobody guesses. One
 * global alone says nothing: code that renders on a server brings a `document` without events, Expo and Deno a `location`.
 */
export function lifecycleHere(): LifecyclePort | undefined {
  const { crypto, document, window, location } = globalThis as Partial<typeof globalThis>;
  if (typeof crypto?.getRandomValues !== 'function') return undefined;
  if (document)
    return document.visibilityState && typeof window?.addEventListener === 'function'
      ? pageLifecycle
      : undefined;
  return location && typeof indexedDB === 'object' ? workerLifecycle : undefined;
}

import type { LifecycleChange, LifecyclePort } from '../core/ports.js';

/** The page's life (Page Lifecycle, Page Visibility, back/forward cache, prerendering). No `unload` handler: it costs the cache. */
export const pageLifecycle: LifecyclePort = {
  state: () => ({
    active: !(document as { prerendering?: boolean }).prerendering,
    visible: document.visibilityState === 'visible',
  }),
  listen(listener) {
    const stop = new AbortController();
    const on = (target: EventTarget, type: string, change: (event: Event) => LifecycleChange | false): void =>
      target.addEventListener(
        type,
        (event) => {
          const now = change(event);
          if (now) listener(now);
        },
        stop,
      );
    on(window, 'pagehide', () => 'leave');
    // Other shows of a page are its load, which is no return.
    on(window, 'pageshow', (event) => (event as PageTransitionEvent).persisted && 'return');
    on(window, 'online', () => 'online');
    on(window, 'focus', () => 'focus');
    on(document, 'freeze', () => 'freeze');
    on(document, 'resume', () => 'return');
    on(document, 'prerenderingchange', () => 'return');
    on(document, 'visibilitychange', () => document.visibilityState);
    return () => stop.abort();
  },
};

import type { LifecycleChange, LifecyclePort } from '../core/ports.js';

/** The page's life (Page Lifecycle, Page Visibility, back/forward cache, prerendering). No `unload` handler: it costs the cache. */
export const pageLifecycle: LifecyclePort = {
  state: () => ({
    active: !(document as { prerendering?: boolean }).prerendering,
    visible: document.visibilityState === 'visible',
  }),
  listen(listener) {
    const stops: (() => void)[] = [];
    const on = (target: EventTarget, type: string, change: () => LifecycleChange | undefined): void => {
      const handler = (): void => {
        const now = change();
        if (now) listener(now);
      };
      target.addEventListener(type, handler);
      stops.push(() => target.removeEventListener(type, handler));
    };
    let left = false;
    on(window, 'pagehide', () => ((left = true), 'leave'));
    // The first `pageshow` of a page is its load, which is no return.
    on(window, 'pageshow', () => (left ? ((left = false), 'return') : undefined));
    on(document, 'freeze', () => 'freeze');
    on(document, 'resume', () => 'return');
    on(document, 'prerenderingchange', () => 'return');
    on(document, 'visibilitychange', () => (document.visibilityState === 'visible' ? 'visible' : 'hidden'));
    on(window, 'online', () => 'online');
    on(window, 'focus', () => 'focus');
    return () => stops.forEach((stop) => stop());
  },
};

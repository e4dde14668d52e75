// Loaded when a sign-in uses a window. It imports nothing that the rest of the login has, so that a bundler makes one chunk of it.
import type { TokenCoordinator } from '../types.js';

/** How often the opener looks whether the window is still there. */
const LOOK_MS = 500;
/** How long a window may take to close, and a session to arrive from another tab. */
const PATIENCE_MS = 2_000;

/** The reported part of an error. */
export interface Failure {
  readonly code: string;
  readonly message: string;
  readonly errorDescription?: string | undefined;
}

/** How it ended, as the window tells the page that opened it. */
interface Outcome {
  readonly sessionId?: string | undefined;
  readonly failure?: Failure;
}

/**
 * Only this attempt's two windows know its name. A channel, not a reference to the opener: a provider with Cross-Origin-Opener-Policy cuts
 * that for good.
 */
const channelOf = (state: string): BroadcastChannel => new BroadcastChannel(`one-refresh-login ${state}`);

/**
 * Sends a window that was just opened to the server, and waits until the sign-in there has ended, and the session is here.
 *
 * @param limitMs - no user takes longer
 * @returns how it failed, if it did
 * @throws what `begin` throws
 */
export async function waitForPopup(
  opened: Window | null,
  coordinator: TokenCoordinator,
  begin: () => Promise<{ state: string; url: URL }>,
  limitMs: number,
): Promise<Failure | undefined> {
  if (!opened) {
    return { code: 'popup_blocked', message: 'The browser did not open a window; call popup() on a click' };
  }
  let channel: BroadcastChannel;
  try {
    const { state, url } = await begin();
    channel = channelOf(state);
    opened.location.replace(url.href);
  } catch (error) {
    opened.close();
    throw error;
  }
  const outcome = await outcomeOf(channel, opened, Date.now() + limitMs);
  if (!outcome)
    return { code: 'popup_closed', message: 'The window was closed before the sign-in had ended' };
  if (!outcome.failure) await arrival(coordinator, outcome.sessionId);
  return outcome.failure;
}

/** The window's answer, or `undefined` if it is gone. */
function outcomeOf(channel: BroadcastChannel, opened: Window, end: number): Promise<Outcome | undefined> {
  return new Promise((resolve) => {
    let seenClosed = false;
    const timer = setInterval(() => {
      // A window that was cut off from us looks closed, too; but then the user is there, not here.
      const closed = opened.closed && document.hasFocus();
      if ((closed && seenClosed) || Date.now() > end) done(undefined);
      seenClosed = closed;
    }, LOOK_MS);
    const done = (outcome: Outcome | undefined): void => {
      clearInterval(timer);
      channel.close();
      resolve(outcome);
    };
    channel.addEventListener('message', ({ data }: MessageEvent<Outcome>) => done(data));
  });
}

/** The session comes over the coordinator's own channel; soon, if not yet. */
function arrival(coordinator: TokenCoordinator, sessionId: string | undefined): Promise<void> {
  return new Promise((resolve) => {
    const check = (): void => {
      if (coordinator.getSnapshot().sessionId === sessionId) done();
    };
    const stop = coordinator.subscribe(check);
    const timer = setTimeout(() => done(), PATIENCE_MS);
    const done = (): void => {
      clearTimeout(timer);
      stop();
      resolve();
    };
    check();
  });
}

/** In the window: tells the opener how it ended, and closes. Resolves where closing is not allowed; then it is a tab like any other. */
export async function reportToOpener(
  state: string,
  coordinator: TokenCoordinator,
  failed: { readonly error: unknown } | undefined,
): Promise<void> {
  const { code, message, errorDescription } = Object(failed?.error) as Failure;
  const { sessionId } = coordinator.getSnapshot();
  const channel = channelOf(state);
  channel.postMessage(failed ? { failure: { code, message, errorDescription } } : { sessionId });
  channel.close();
  window.close();
  await new Promise((resolve) => setTimeout(resolve, PATIENCE_MS));
}

/**
 * The kind way to ask for a new sign-in. One tab asks, a visible one if there is any; the others say what is going on, and follow by
 * themselves. Nobody is sent away unasked, "Not now" is an answer, and after signing in users are back where they were.
 */
import type { TokenCoordinator } from 'one-refresh';
import { useAccessToken } from 'one-refresh/react';
import { useEffect, useRef, useState, useSyncExternalStore } from 'react';

/** Whether this is the tab that shall ask, and when the session will end, if it is to ask ahead of that. */
export interface ReauthRequest {
  readonly isHere: () => boolean;
  readonly endsAt: () => number | undefined;
  readonly subscribe: (listener: () => void) => () => void;
}

/** Made beside the coordinator, outside of components: the request may come before anything is on the screen. */
export function watchReauthRequest(coordinator: TokenCoordinator): ReauthRequest {
  let here = false;
  let endsAt: number | undefined;
  coordinator.on('reauth-required', () => (here = true));
  coordinator.on('session-ending', (event) => (endsAt = event.endsAt));
  coordinator.on('session-started', () => {
    here = false;
    endsAt = undefined;
  });
  return {
    isHere: () => here,
    endsAt: () => endsAt,
    subscribe(listener) {
      const stops = (['reauth-required', 'session-ending', 'session-started'] as const).map((type) =>
        coordinator.on(type, listener),
      );
      return () => stops.forEach((stop) => stop());
    },
  };
}

export interface ReauthPromptProps {
  readonly request: ReauthRequest;
  /** The name of the signed-in user. */
  readonly name: string;
  /** Leaves for the login: `rememberPlace(…)`, and then the app's own. */
  readonly onSignIn: () => void;
}

/** Once in the page, under the provider. Shows nothing while the session lives; each loss is asked about anew. */
export function ReauthPrompt(props: ReauthPromptProps) {
  const session = useAccessToken(({ status, error, sessionExpiresAt }) => ({
    status,
    why: error?.reason,
    endsAt: sessionExpiresAt,
  }));
  const announced = useSyncExternalStore(props.request.subscribe, props.request.endsAt);
  if (session.status === 'reauth-required') return <LostSession {...props} reason={session.why} />;
  // (A refresh may have moved the end since it was announced.)
  const isEnding = session.status === 'signed-in' && announced !== undefined && announced === session.endsAt;
  return isEnding ? <EndingSession key={announced} {...props} endsAt={announced} /> : null;
}

/** Ahead of the end nothing is lost yet: a line, no dialog. */
function EndingSession({ onSignIn, endsAt }: ReauthPromptProps & { endsAt: number }) {
  const [later, setLater] = useState(false);
  if (later) return null;
  return (
    <aside className="banner" role="status" data-testid="ending-banner">
      <p>
        Your session ends at {new Date(endsAt).toLocaleTimeString()}. Sign in again now, and nothing is
        interrupted.
      </p>
      <button type="button" onClick={onSignIn}>
        Sign in again
      </button>
      <button type="button" onClick={() => setLater(true)}>
        Not now
      </button>
    </aside>
  );
}

const reasons: Record<string, string> = {
  refresh_rejected: 'The server has ended your session.',
  response_lost:
    'The server had renewed your session, but its answer got lost on the way, and it does not give the same one twice.',
  no_refresh_token: 'Your session has reached its end.',
};

function LostSession({
  request,
  name,
  onSignIn,
  reason,
}: ReauthPromptProps & { reason: string | undefined }) {
  const asks = useSyncExternalStore(request.subscribe, request.isHere);
  const [later, setLater] = useState(false);
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    if (asks && dialog.current?.open === false) dialog.current.showModal();
  }, [asks]);

  if (!asks || later) {
    return (
      <aside className="banner" role="status" data-testid="reauth-banner">
        <p>
          {asks
            ? 'The session has ended. Sign in again whenever you are ready.'
            : 'The session has ended. Another tab asks you to sign in again; this one will follow.'}
        </p>
        <button type="button" onClick={onSignIn}>
          Sign in here
        </button>
      </aside>
    );
  }
  return (
    <dialog
      ref={dialog}
      className="reauth"
      onClose={() => setLater(true)}
      aria-labelledby="reauth"
      data-testid="reauth-prompt"
    >
      <h2 id="reauth">Please sign in again, {name}</h2>
      <p>{reasons[reason ?? ''] ?? reasons['refresh_rejected']}</p>
      <p>
        Your other tabs stay as they are, and go on as soon as you are back; this one returns to where you
        are.
      </p>
      <form method="dialog">
        <button type="submit">Not now</button>
        <button type="button" className="primary" onClick={onSignIn}>
          Sign in again
        </button>
      </form>
    </dialog>
  );
}

const PLACE = 'place-before-sign-in';

/** Before this tab leaves for the login: where it is, and what the user has typed but not sent. Each tab remembers its own. */
export function rememberPlace(unsent?: unknown): void {
  sessionStorage.setItem(PLACE, JSON.stringify({ address: location.href, unsent }));
}

/** On the page that the server redirects to, once its answer is read: back to the address, before the app renders; gives what was unsent. */
export function returnToPlace(): unknown {
  const saved = sessionStorage.getItem(PLACE);
  sessionStorage.removeItem(PLACE);
  const { address, unsent } = JSON.parse(saved ?? '{}') as { address?: string; unsent?: unknown };
  // Neither a reload nor the back button shall offer the code of the login again.
  history.replaceState(null, '', address ?? '/');
  return unsent;
}

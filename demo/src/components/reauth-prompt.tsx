import { useEffect, useRef, useState } from 'react';

interface ReauthPromptProps {
  /** The tab that was asked to announce it shows a dialog; the others only say what is going on. */
  announced: boolean;
  reason: string | undefined;
  subject: string;
  onSignIn: () => void;
}

const reasons: Record<string, string> = {
  response_lost:
    'The server had renewed your session, but its answer got lost on the way, and it does not give the same one twice.',
  refresh_rejected: 'The server has ended your session.',
};

export function ReauthPrompt({ announced, reason, subject, onSignIn }: ReauthPromptProps) {
  const [later, setLater] = useState(false);
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    if (announced && dialog.current?.open === false) dialog.current.showModal();
  }, [announced]);

  if (!announced || later) {
    return (
      <aside className="banner" role="status" data-testid="reauth-banner">
        <p>
          {announced
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
      <h2 id="reauth">Please sign in again, {subject}</h2>
      <p>{reasons[reason ?? ''] ?? reasons['refresh_rejected']}</p>
      <p>Nothing you have open is lost: once you are back, every tab goes on where it was.</p>
      <form method="dialog">
        <button type="submit">Not now</button>
        <button type="button" className="primary" onClick={onSignIn}>
          Sign in again
        </button>
      </form>
    </dialog>
  );
}

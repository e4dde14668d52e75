import { Crown } from './crown.js';

export function Welcome({ onSignIn }: { onSignIn: () => void }) {
  return (
    <section className="welcome">
      <div className="tabs-drawing" aria-hidden="true">
        <i />
        <i />
        <i data-leader>
          <Crown />
        </i>
        <i />
        <i />
      </div>
      <h1>Many tabs, one refresh.</h1>
      <p>
        Sign in once, open as many tabs as you like, and watch: whenever the access token runs out, one tab
        fetches the next one, and all of them have it. The authorization server is a strict one. Two requests
        with the same refresh token, and everybody is out.
      </p>
      <button type="button" className="primary big" onClick={onSignIn}>
        Sign in
      </button>
    </section>
  );
}

import { users } from './users.js';

/** The authorization server's own page; it looks like the demo, since both are one product here. */
export function renderSignInPage(action: string): string {
  const buttons = users
    .map(
      ({ id, name, greeting }) => `
      <button name="user" value="${id}" class="${id}">
        <span class="face" aria-hidden="true">${name[0]}</span>
        <span><b>${name}</b><small>${greeting}</small></span>
      </button>`,
    )
    .join('');
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Sign in · one-refresh demo</title>
<link rel="icon" href="data:,">
<style>${STYLE}</style>
<main>
  <p class="issuer">Authorization server</p>
  <h1>Who is there?</h1>
  <p>No password: this OpenID provider lives in the demo&rsquo;s own process and forgets everything when it stops.</p>
  <form method="post" action="${action}">${buttons}
      <button name="user" value="nobody" class="nobody">Go back without signing in</button>
  </form>
</main>
</html>`;
}

const STYLE = `
:root { color-scheme: light dark; --ground: #f4f3ef; --card: #fff; --ink: #1d1b22; --soft: #6b6774; --line: #dcd9e2; --accent: #5b3df5; }
@media (prefers-color-scheme: dark) { :root { --ground: #131218; --card: #1d1b24; --ink: #f1eff6; --soft: #a29eb0; --line: #35323f; --accent: #a794ff; } }
* { box-sizing: border-box; }
body { margin: 0; min-height: 100dvh; display: grid; place-items: center; padding: 1rem; background: var(--ground); color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif; }
main { width: min(26rem, 100%); background: var(--card); border: 1px solid var(--line); border-radius: 20px; padding: 2rem; }
.issuer { margin: 0; font-size: .8rem; letter-spacing: .06em; text-transform: uppercase; color: var(--accent); font-weight: 650; }
h1 { margin: .25rem 0 .5rem; font-size: 1.75rem; letter-spacing: -.02em; }
main > p:not(.issuer) { margin: 0; color: var(--soft); }
form { display: grid; gap: .75rem; margin-top: 1.5rem; }
button { display: flex; gap: .9rem; align-items: center; width: 100%; padding: .8rem; text-align: left; font: inherit; color: inherit;
  background: none; border: 1px solid var(--line); border-radius: 14px; cursor: pointer; }
button:hover { border-color: var(--accent); }
button:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
.nobody { justify-content: center; border-color: transparent; color: var(--soft); }
b, small { display: block; }
small { color: var(--soft); font-size: .9rem; }
.face { display: grid; place-items: center; width: 2.75rem; height: 2.75rem; border-radius: 50%; font-weight: 700; font-size: 1.1rem; color: #fff; }
.alice .face { background: #c2410c; }
.bob .face { background: #0f766e; }
`;

// The app of somebody who has read the README and nothing else.
import { createTokenCoordinator, type TokenResponse } from 'one-refresh';
import { createFetch } from 'one-refresh/fetch';
import { refreshTokenGrant } from 'one-refresh/oauth';
import { TokenCoordinatorProvider, useAccessToken } from 'one-refresh/react';
import { StrictMode, useState } from 'react';
import { createRoot } from 'react-dom/client';

const { issuer, clientId } = (await (await fetch('/config.json')).json()) as {
  issuer: string;
  clientId: string;
};
const coordinator = createTokenCoordinator({
  name: 'vite-react',
  refresh: refreshTokenGrant({ issuer, clientId }),
});
const apiFetch = createFetch(coordinator);

async function signIn() {
  const tokens = (await (await fetch('/sign-in')).json()) as TokenResponse;
  await coordinator.setSession(tokens, { subject: 'alice' });
}

function Session() {
  const { status, claims, signOut } = useAccessToken();
  const [name, setName] = useState('');
  const ask = async () => {
    const answer = (await (await apiFetch('/api/me')).json()) as { name: string };
    setName(answer.name);
  };
  return (
    <>
      <p id="status">{status}</p>
      <p id="subject">{claims?.sub}</p>
      <p id="name">{name}</p>
      <button id="ask" onClick={() => void ask()}>
        Who am I?
      </button>
      <button id="sign-in" onClick={() => void signIn()}>
        Sign in
      </button>
      <button id="sign-out" onClick={() => void signOut()}>
        Sign out
      </button>
    </>
  );
}

function Version() {
  // Not the status: one that renders with every refresh.
  const token = useAccessToken((state) => state.accessToken);
  return <p id="version">{token === undefined ? '' : coordinator.getSnapshot().version}</p>;
}

createRoot(document.getElementById('root')!).render(
  <StrictMode>
    <TokenCoordinatorProvider coordinator={coordinator}>
      <Session />
      <Version />
    </TokenCoordinatorProvider>
  </StrictMode>,
);

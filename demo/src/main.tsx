import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { TokenCoordinatorProvider } from 'one-refresh/react';
import { watchReauthRequest } from '../../examples/reauth-prompt.js';
import { App } from './app.js';
import { createDemoCoordinator, loadConfig } from './coordinator.js';
import { keepDiary } from './events.js';
import { createDemoLogin } from './login.js';
import { followInTabIcon } from './tab-icon.js';
import { tabName } from './tab-name.js';

const config = await loadConfig();
const coordinator = createDemoCoordinator(config);
const login = createDemoLogin(config, coordinator);
const diary = keepDiary(coordinator);
const reauthRequest = watchReauthRequest(coordinator);
const tab = tabName();
followInTabIcon(coordinator, tab);
import.meta.hot?.dispose(() => void coordinator.close());

const root = document.getElementById('root');
if (root === null) throw new Error('index.html has lost its root element');

// Before the first render, so that the page never shows "signed out" to somebody who has just signed in.
try {
  const done = await login.finish();
  if (done) history.replaceState(null, '', done.returnTo);
} catch (error) {
  diary.note({
    kind: 'bad',
    text: `Signing in did not work: ${error instanceof Error ? error.message : 'unknown'}`,
  });
}

await coordinator.ready;
if (diary.getSnapshot().length === 0 && coordinator.getSnapshot().status === 'signed-in') {
  diary.note({ kind: 'good', text: 'Found the session in the store: no request was needed' });
}

createRoot(root).render(
  <StrictMode>
    <TokenCoordinatorProvider coordinator={coordinator} login={login}>
      <App coordinator={coordinator} diary={diary} reauthRequest={reauthRequest} tab={tab} />
    </TokenCoordinatorProvider>
  </StrictMode>,
);

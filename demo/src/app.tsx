import { useState, useSyncExternalStore } from 'react';
import { TokenCoordinatorError, type TokenCoordinator } from 'one-refresh';
import { useAccessToken, useLogin } from 'one-refresh/react';
import { ReauthPrompt, type ReauthRequest } from '../../examples/reauth-prompt.js';
import { Actions } from './components/actions.js';
import { ApiResult, type ApiCall } from './components/api-result.js';
import { Crown } from './components/crown.js';
import { Happenings } from './components/happenings.js';
import { ServerView } from './components/server-view.js';
import { ThisTab } from './components/this-tab.js';
import { Trouble } from './components/trouble.js';
import { Welcome } from './components/welcome.js';
import { nameOf, type Diary } from './events.js';
import { useServerLog } from './server-log.js';
import type { TabName } from './tab-name.js';

interface AppProps {
  coordinator: TokenCoordinator;
  diary: Diary;
  reauthRequest: ReauthRequest;
  tab: TabName;
}

export function App({ coordinator, diary, reauthRequest, tab }: AppProps) {
  const snapshot = useSyncExternalStore(coordinator.subscribe, coordinator.getSnapshot);
  const { status, getAccessToken } = useAccessToken();
  const { start, signOut, error: loginError } = useLogin();
  const log = useServerLog(coordinator);
  const [call, setCall] = useState<ApiCall>();

  const signIn = () => void start();
  const report = (error: unknown) => diary.note({ kind: 'bad', text: describe(error).message });

  const callApi = async () => {
    setCall({ state: 'waiting' });
    const startedAt = performance.now();
    try {
      const headers = await coordinator.getAuthorizationHeaders({
        url: new URL('/api/me', location.href).href,
      });
      const response = await fetch('/api/me', { headers });
      const body: unknown = await response.json();
      setCall({ state: 'answered', status: response.status, body, ms: performance.now() - startedAt });
    } catch (error) {
      setCall({ state: 'failed', ...describe(error) });
    }
  };

  const makeTrouble = async (label: string, rule: object) => {
    const response = await fetch('/__lab/faults', { method: 'POST', body: JSON.stringify(rule) });
    if (response.ok) diary.note({ kind: 'plain', text: `Trouble ahead: ${label.toLowerCase()}` });
  };

  return (
    <>
      <header className="top">
        <p className="logo">
          <Crown /> one-refresh
        </p>
        <nav>
          <a href="/lab.html">The token war</a>
          {status === 'signed-in' && (
            <button type="button" className="link" onClick={signIn}>
              Switch user
            </button>
          )}
        </nav>
      </header>
      <main>
        {status !== 'signed-out' && <h1 className="visually-hidden">The session in this tab</h1>}
        {loginError && <p role="alert">{describe(loginError).message}</p>}
        {status === 'loading' && <p className="hint loading">Reading the store…</p>}
        {status === 'signed-out' && <Welcome onSignIn={signIn} />}
        <ReauthPrompt request={reauthRequest} name={nameOf(snapshot.subject)} onSignIn={signIn} />
        {(status === 'signed-in' || status === 'reauth-required') && (
          <div className="grid">
            <ThisTab snapshot={snapshot} tab={tab} lifeMs={(log?.accessTokenTtl ?? 30) * 1000} />
            <div className="column">
              <Actions
                onOpenTab={() => window.open('/', '_blank', 'noopener')}
                onCallApi={() => void callApi()}
                onRefresh={() => void getAccessToken({ forceRefresh: true }).catch(report)}
                onSignOut={() => void signOut()}
              />
              <ApiResult call={call} />
            </div>
            <div className="column wide">
              <ServerView log={log} />
              <Happenings diary={diary} />
            </div>
            <Trouble onAsk={(label, rule) => void makeTrouble(label, rule)} />
          </div>
        )}
      </main>
    </>
  );
}

function describe(error: unknown): { code: string; message: string } {
  if (error instanceof TokenCoordinatorError) return { code: error.code, message: error.message };
  return { code: 'error', message: error instanceof Error ? error.message : 'Something went wrong' };
}

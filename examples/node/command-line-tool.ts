/**
 * A command-line tool whose processes share one login: an editor starts ten of them at once, and one refreshes.
 *
 *     tool sign-in < tokens.json     after the device flow, or any other login
 *     tool token
 *     tool sign-out
 */
import { text } from 'node:stream/consumers';
import { pathToFileURL } from 'node:url';
import type { TokenCoordinator, TokenResponse } from 'one-refresh';
import { createSessions, folderShared, refreshTokenGrant, type Sessions } from 'one-refresh/node';

export async function main(command: string | undefined, env = process.env): Promise<number> {
  const { sessions, session } = open(env);
  try {
    if (command === 'sign-in') {
      await session.setSession(JSON.parse(await text(process.stdin)) as TokenResponse);
    } else if (command === 'sign-out') await session.signOut();
    else console.log(await session.getAccessToken());
    return 0;
  } catch (error) {
    const { code, message } = error as { code?: string; message: string };
    const over = code === 'ERR_SIGNED_OUT' || code === 'ERR_REAUTH_REQUIRED';
    console.error(over ? 'Please sign in: tool sign-in' : message);
    return over ? 2 : 1;
  } finally {
    await sessions.close();
  }
}

function open(env: NodeJS.ProcessEnv): { sessions: Sessions; session: TokenCoordinator } {
  const folder = env['TOOL_FOLDER'] ?? '~/.my-tool';
  const tokenEndpoint = env['TOOL_TOKEN_ENDPOINT'] ?? 'https://login.example.com/token';
  const sessions = createSessions({
    shared: folderShared(folder),
    refresh: refreshTokenGrant({ tokenEndpoint, clientId: 'my-tool' }),
    // A person waits.
    refreshTimeoutMs: 10_000,
  });
  return { sessions, session: sessions.open('default') };
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href)
  process.exitCode = await main(process.argv[2]);

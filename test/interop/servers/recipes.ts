/**
 * The servers that `npm run interop` starts: how each is started, how its user is signed in, and what it is known to do. An app that talks to
 * them differs in its settings only. The library knows none of them.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Send } from '../code-flow.js';
import { logInAtBetterAuth } from './better-auth-user.js';
import { endSessionAtGlewlwyd, logInAtGlewlwyd, startGlewlwyd } from './glewlwyd.js';
import { startProgram, type RunningServer, type StartOptions } from './process.js';
import type { ClientSettings, Place } from './real-server.js';

/** The outcome for the session in the browser: it goes on, or it is lost for a reason. */
export type Fate = 'goes on' | 'refresh_rejected' | 'response_lost' | 'refresh_unanswered';

export interface Recipe {
  /** As `--only` takes it. */
  readonly name: string;
  readonly source: 'npm' | 'Debian';
  /** The packages to install. The first one's version is the server's. */
  readonly packages: readonly string[];
  readonly start: (options: StartOptions) => Promise<RunningServer>;
  /** Signs the user in at the server. Default: the server's stand-in for a login page lets everybody in. */
  readonly logIn?: (send: Send, place: Place) => Promise<void>;
  /** Ends the app's session as the user can at the server, for one that lets no public client revoke. */
  readonly endSession?: (send: Send, place: Place) => Promise<void>;
  /** It issues no access tokens of a shorter life. Default: any. */
  readonly leastSeconds?: number;
  /** How long a used refresh token is forgiven. */
  readonly forgivesSeconds: number;
  /** This server's known behaviour. The run fails if it does something else. */
  readonly known: {
    /** Whether a used refresh token that comes back from outside is answered with tokens. */
    readonly replayAnswered: boolean;
    readonly afterReplay: Fate;
    readonly afterLostAnswer: Fate;
  };
}

const repository = fileURLToPath(new URL('../../..', import.meta.url));
const servers = fileURLToPath(new URL('.', import.meta.url));

function fromNpm(name: string): Recipe['start'] {
  return async ({ port, folder, ...place }) => {
    const { message, stop } = await startProgram({
      file: process.execPath,
      args: [
        '--import',
        import.meta.resolve('tsx'),
        `${servers}serve.ts`,
        name,
        String(port),
        JSON.stringify(place),
      ],
      folder,
      port,
      tells: true,
    });
    return { client: message as ClientSettings, stop };
  };
}

/** A program that reads its place in its environment; its client has these endpoints. */
function program(
  command: readonly [file: string, ...args: string[]],
  endpoints: { readonly authorize: string; readonly token: string; readonly revoke: string },
): Recipe['start'] {
  return async ({ origin, redirectUri, accessTokenSeconds, port, folder }) => {
    const [file, ...args] = command;
    const { stop } = await startProgram({
      file,
      args,
      folder,
      port,
      env: {
        PORT: String(port),
        REDIRECT_URI: redirectUri,
        ACCESS_TOKEN_SECONDS: String(accessTokenSeconds),
      },
    });
    const client = {
      clientId: 'app',
      scope: 'read',
      endpoints: {
        authorization_endpoint: origin + endpoints.authorize,
        token_endpoint: origin + endpoints.token,
        revocation_endpoint: origin + endpoints.revoke,
      },
    };
    return { client, stop };
  };
}

/** Its stand-in for a login page is one address. */
const logInByAddress: Recipe['logIn'] = async (send, { origin }) =>
  void (await send(new Request(`${origin}/login`)));

/** By default it is 60. The run waits for its end. */
export const OPENAUTH_REUSE_SECONDS = 5;

export const recipes: readonly Recipe[] = [
  {
    name: 'oidc-provider',
    source: 'npm',
    packages: ['oidc-provider'],
    start: fromNpm('oidc-provider'),
    forgivesSeconds: 0,
    known: { replayAnswered: false, afterReplay: 'refresh_rejected', afterLostAnswer: 'response_lost' },
  },
  {
    name: 'openauth',
    source: 'npm',
    packages: ['@openauthjs/openauth'],
    start: fromNpm('openauth'),
    forgivesSeconds: OPENAUTH_REUSE_SECONDS,
    known: { replayAnswered: true, afterReplay: 'goes on', afterLostAnswer: 'goes on' },
  },
  {
    name: 'workers-oauth-provider',
    source: 'npm',
    packages: ['@cloudflare/workers-oauth-provider'],
    start: fromNpm('workers-oauth-provider'),
    leastSeconds: 60,
    forgivesSeconds: 0,
    known: { replayAnswered: true, afterReplay: 'refresh_rejected', afterLostAnswer: 'goes on' },
  },
  {
    name: 'node-oauth2-server',
    source: 'npm',
    packages: ['@node-oauth/oauth2-server'],
    start: fromNpm('node-oauth2-server'),
    forgivesSeconds: 0,
    known: { replayAnswered: false, afterReplay: 'goes on', afterLostAnswer: 'response_lost' },
  },
  {
    name: 'better-auth',
    source: 'npm',
    packages: ['@better-auth/oauth-provider', 'better-auth'],
    start: fromNpm('better-auth'),
    logIn: logInAtBetterAuth,
    forgivesSeconds: 0,
    known: { replayAnswered: false, afterReplay: 'refresh_rejected', afterLostAnswer: 'response_lost' },
  },
  {
    name: 'glewlwyd',
    source: 'Debian',
    packages: ['glewlwyd', 'sqlite3'],
    start: startGlewlwyd,
    logIn: logInAtGlewlwyd,
    endSession: endSessionAtGlewlwyd,
    forgivesSeconds: 0,
    // It refuses with an empty answer.
    known: {
      replayAnswered: false,
      afterReplay: 'refresh_unanswered',
      afterLostAnswer: 'refresh_unanswered',
    },
  },
  {
    name: 'django-oauth-toolkit',
    source: 'Debian',
    packages: ['python3-django-oauth-toolkit'],
    // The system's own Python has the packages of the system.
    start: program(['/usr/bin/python3', `${servers}django-oauth-toolkit/app.py`], {
      authorize: '/o/authorize/',
      token: '/o/token/',
      revoke: '/o/revoke_token/',
    }),
    logIn: logInByAddress,
    forgivesSeconds: 0,
    known: { replayAnswered: false, afterReplay: 'goes on', afterLostAnswer: 'response_lost' },
  },
  {
    name: 'doorkeeper',
    source: 'Debian',
    packages: ['ruby-doorkeeper', 'ruby-rails', 'ruby-sqlite3', 'puma'],
    start: program(['/usr/bin/ruby', `${servers}doorkeeper/app.rb`], {
      authorize: '/oauth/authorize',
      token: '/oauth/token',
      revoke: '/oauth/revoke',
    }),
    logIn: logInByAddress,
    forgivesSeconds: 0,
    known: { replayAnswered: false, afterReplay: 'goes on', afterLostAnswer: 'response_lost' },
  },
];

/** The installed version, or `undefined` where it is not installed. */
export function versionOf({ source, packages }: Recipe): string | undefined {
  const [first = ''] = packages;
  try {
    if (source === 'npm') {
      const description = readFileSync(`${repository}node_modules/${first}/package.json`, 'utf8');
      return (JSON.parse(description) as { version: string }).version;
    }
    const states = packages.map((name) =>
      execFileSync('dpkg-query', ['-W', '-f', '${db:Status-Status} ${Version}', name], {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'ignore'],
      }).split(' '),
    );
    return states.every(([state]) => state === 'installed') ? states[0]?.[1] : undefined;
  } catch {
    return undefined;
  }
}

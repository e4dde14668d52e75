import { createHash } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createFakeCoordinator, type FakeCoordinator } from '../../test/support/fake-coordinator.js';
import {
  APP,
  CLIENT_ID,
  idToken,
  optionsFor,
  startLoginWorld,
  type LoginWorld,
} from '../../test/support/login-world.js';
import { json } from '../../test/support/loopback-server.js';
import { TokenCoordinatorError } from '../core/errors.js';
import { createLogin, type Login, type LoginError, type LoginOptions, type StartOptions } from './index.js';
import { patiently } from '../../test/support/patiently.js';

let world: LoginWorld;
let coordinator: FakeCoordinator;
beforeEach(async () => {
  world = await startLoginWorld();
  coordinator = createFakeCoordinator({ status: 'signed-out' });
  world.open('/orders?page=2#top');
});
afterEach(async () => {
  vi.restoreAllMocks();
  vi.useRealTimers();
  vi.unstubAllGlobals();
  await world.server.close();
});

const make = (options: Partial<LoginOptions> = {}): Login =>
  createLogin({ ...optionsFor(world, coordinator), ...options });

/** Sends the page away, and resolves when it has been. */
async function leave(login: Login, options?: StartOptions): Promise<void> {
  const before = world.visited.length;
  let failure: { error: unknown } | undefined;
  login.start(options).catch((error: unknown) => (failure = { error }));
  await patiently(() => {
    if (failure) throw failure.error;
    expect(world.visited.length).toBe(before + 1);
  });
}

const failureOf = async (promise: Promise<unknown>): Promise<LoginError> => {
  const outcome: unknown = await promise.then(
    (value) => ({ value }),
    (error: unknown) => error,
  );
  expect(outcome).toBeInstanceOf(Error);
  return outcome as LoginError;
};

describe('start', () => {
  test('sends the browser with all that protects the sign-in', async () => {
    await leave(make());
    const request = new URL(world.visited[0] ?? '');
    expect(request.origin + request.pathname).toBe(`${world.server.origin}/authorize`);
    const { state, nonce, code_challenge: challenge, ...rest } = Object.fromEntries(request.searchParams);
    expect(rest).toEqual({
      tenant: 'a',
      response_type: 'code',
      client_id: CLIENT_ID,
      redirect_uri: `${APP}/callback`,
      scope: 'openid offline_access',
      code_challenge_method: 'S256',
    });
    expect(new Set([state, nonce, challenge]).size).toBe(3);
    for (const secret of [state, nonce, challenge]) expect(secret).toHaveLength(43);
  });

  test('says what was asked for', async () => {
    const login = make({ scope: 'openid email', parameters: { audience: 'shop', ui_locales: 'de' } });
    await leave(login, {
      prompt: 'login',
      loginHint: 'ada@example.com',
      acrValues: ['gold', 'silver'],
      maxAge: 0,
      resource: ['https://a.example', 'https://b.example'],
      parameters: { ui_locales: 'fr' },
    });
    const request = world.request();
    expect(Object.fromEntries(request)).toMatchObject({
      scope: 'openid email',
      audience: 'shop',
      ui_locales: 'fr',
      prompt: 'login',
      login_hint: 'ada@example.com',
      acr_values: 'gold silver',
      max_age: '0',
    });
    expect(request.getAll('resource')).toEqual(['https://a.example', 'https://b.example']);
  });

  test.each(['state', 'nonce', 'redirect_uri', 'code_challenge', 'client_id', 'scope'])(
    'refuses %s among the parameters',
    async (name) => {
      const error = await failureOf(make({ parameters: { [name]: 'mine' } }).start());
      expect(error).toMatchObject({ code: 'ERR_CONFIGURATION' });
      expect(world.visited).toEqual([]);
    },
  );

  test('refuses a redirect page of another origin', async () => {
    const error = await failureOf(make({ redirectUri: 'https://other.example/callback' }).start());
    expect(error.code).toBe('ERR_CONFIGURATION');
    expect(error.message).toContain(APP);
  });

  test.each(['http://evil.example/authorize', 'javascript:alert(1)', undefined])(
    'does not go to %s, should the server publish it',
    async (endpoint) => {
      world.metadata['authorization_endpoint'] = endpoint;
      expect((await failureOf(make().start())).code).toBe('ERR_CONFIGURATION');
      expect(world.visited).toEqual([]);
    },
  );

  test('says that the server cannot be reached for now', async () => {
    const login = make();
    world.answers['/.well-known/openid-configuration'] = json(503, {});
    expect((await failureOf(login.start())).code).toBe('server_unavailable');
    delete world.answers['/.well-known/openid-configuration'];
    await leave(login);
  });

  test('says that nothing can be kept', async () => {
    vi.stubGlobal('localStorage', undefined);
    expect((await failureOf(make().start())).code).toBe('storage_unavailable');
    expect(world.visited).toEqual([]);
  });

  test('is not possible on a server or without Web Crypto', async () => {
    vi.stubGlobal('crypto', {});
    expect((await failureOf(make().start())).code).toBe('ERR_UNSUPPORTED');
    vi.stubGlobal('document', undefined);
    expect((await failureOf(make().start())).code).toBe('ERR_UNSUPPORTED');
    expect(await make().finish()).toBeUndefined();
  });
});

describe('returnTo', () => {
  test.each([
    [undefined, '/orders?page=2#top'],
    ['/cart?x=1#y', '/cart?x=1#y'],
    [`${APP}/cart`, '/cart'],
    ['?page=3', '/orders?page=3'],
    // Its path would be another host.
    [`${APP}//evil.example/x`, '/evil.example/x'],
    ['/.//evil.example', '/evil.example'],
    [`${APP}/\\evil.example`, '/evil.example'],
  ])('%s leads to %s', async (returnTo, expected) => {
    const login = make();
    await leave(login, { returnTo });
    world.comeBack();
    expect(await login.finish()).toEqual({ returnTo: expected });
  });

  test.each([
    'https://evil.example/',
    '//evil.example',
    '/\\evil.example',
    '\\\\evil.example',
    '/\t/evil.example',
    'javascript:alert(1)',
    ' javascript:alert(1)',
    'data:text/html,x',
    `blob:${APP}/1`,
    'http://app.example/',
    'https://app.example:444/',
    'https://app.example@evil.example/',
    'https://',
  ])('%s is refused', async (returnTo) => {
    expect((await failureOf(make().start({ returnTo }))).code).toBe('return_to_invalid');
    expect(world.visited).toEqual([]);
  });

  test('from the redirect page itself leads to the app', async () => {
    world.open('/app/callback?error=old');
    const login = make({ redirectUri: '/app/callback' });
    await leave(login);
    world.comeBack();
    expect(await login.finish()).toEqual({ returnTo: '/app/' });
  });
});

describe('finish', () => {
  test('begins the session and cleans the address', async () => {
    const setSession = vi.spyOn(coordinator, 'setSession');
    const login = make({ resource: ['https://a.example', 'https://b.example'] });
    await leave(login);
    const challenge = world.request().get('code_challenge');
    world.comeBack({ session_state: 'x' });
    const finished = login.finish();
    expect(world.address(), 'before anything else').toBe(`${APP}/callback`);
    expect(await finished).toEqual({ returnTo: '/orders?page=2#top' });

    const { code_verifier: verifier, ...form } = Object.fromEntries(world.exchanges()[0] ?? []);
    expect(form).toEqual({
      grant_type: 'authorization_code',
      client_id: CLIENT_ID,
      code: 'the-code',
      redirect_uri: `${APP}/callback`,
      resource: 'https://a.example',
    });
    expect(createHash('sha256').update(String(verifier)).digest('base64url')).toBe(challenge);
    expect(setSession).toHaveBeenCalledExactlyOnceWith(
      expect.objectContaining({ access_token: 'access-1', refresh_token: 'refresh-1', expires_in: 60 }),
      { subject: 'ada', dpopKeyPair: undefined },
    );
    expect(Object.keys(localStorage)).toEqual([]);
  });

  test.each(['/', '/callback', '/callback?code=1', '/callback?state=1', '/other?code=1&state=1'])(
    'is nothing on %s',
    async (url) => {
      world.open(url);
      expect(await make().finish()).toBeUndefined();
      expect(world.address()).toBe(APP + url);
    },
  );

  test('calls at once share one exchange', async () => {
    const login = make();
    await leave(login);
    world.comeBack();
    const answers = await Promise.all([login.finish(), login.finish(), make().finish()]);
    expect(answers).toEqual([
      { returnTo: '/orders?page=2#top' },
      { returnTo: '/orders?page=2#top' },
      undefined,
    ]);
    expect(await login.finish()).toBeUndefined();
    expect(world.exchanges()).toHaveLength(1);
  });

  test('twice with one address exchanges the code once', async () => {
    const login = make();
    await leave(login);
    world.comeBack();
    const answer = world.address();
    const first = login.finish();
    // A duplicate of the tab, while the first is not through.
    world.open(answer);
    const second = await failureOf(make().finish());
    await first;
    world.open(answer);
    const third = await failureOf(make().finish());
    expect([second.code, third.code]).toEqual(['state_unknown', 'state_unknown']);
    expect(world.address()).toBe(`${APP}/callback`);
    expect(world.exchanges()).toHaveLength(1);
  });

  test('knows each of several attempts, in any order', async () => {
    const [login, other] = [make(), make()];
    await leave(login, { returnTo: '/first' });
    const first = world.request().get('state') ?? '';
    await leave(other, { returnTo: '/second' });
    world.comeBack();
    expect(await other.finish()).toEqual({ returnTo: '/second' });
    world.comeBack({ state: first });
    world.claims = { nonce: new URL(world.visited[0] ?? '').searchParams.get('nonce') };
    expect(await login.finish()).toEqual({ returnTo: '/first' });
  });

  test('refuses a state that nobody began', async () => {
    const login = make();
    await leave(login);
    world.comeBack({ state: 'forged' });
    expect((await failureOf(login.finish())).code).toBe('state_unknown');
    expect([world.address(), world.exchanges()]).toEqual([`${APP}/callback`, []]);
  });

  test('refuses an attempt that is older than an hour', async () => {
    const login = make();
    await leave(login);
    world.comeBack();
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 3_600_001 });
    expect((await failureOf(login.finish())).code).toBe('state_unknown');
    expect(world.exchanges()).toEqual([]);
  });

  test('leaves the answer to another login of the origin alone', async () => {
    const other = make({ clientId: 'other' });
    await leave(other);
    world.comeBack();
    const answer = world.address();
    expect(await make().finish()).toBeUndefined();
    expect(world.address()).toBe(answer);
    world.claims = { aud: 'other' };
    expect(await other.finish()).toEqual({ returnTo: '/orders?page=2#top' });
  });

  test('refuses the answer of another issuer', async () => {
    const login = make();
    for (const iss of ['https://evil.example', `${world.server.origin}/`, undefined]) {
      await leave(login);
      world.comeBack({ iss });
      expect((await failureOf(login.finish())).code).toBe('issuer_mismatch');
    }
    expect(world.exchanges()).toEqual([]);
  });

  test('asks for no iss where the server promises none', async () => {
    delete world.metadata['authorization_response_iss_parameter_supported'];
    const login = make();
    await leave(login);
    world.comeBack({ iss: undefined });
    expect(await login.finish()).toBeDefined();
  });

  test.each(['access_denied', 'login_required', 'interaction_required', 'strange_error'])(
    'says %s as the server does',
    async (error) => {
      const login = make();
      await leave(login);
      world.comeBack({ error, error_description: 'The user "said" no', code: undefined });
      expect(await failureOf(login.finish())).toMatchObject({
        name: 'LoginError',
        code: error,
        errorDescription: 'The user said no',
      });
      expect(world.address()).toBe(`${APP}/callback`);
      expect(world.exchanges()).toEqual([]);
      expect(Object.keys(localStorage)).toEqual([]);
    },
  );

  test('says what the token endpoint says', async () => {
    world.answers['/token'] = json(400, { error: 'invalid_grant', error_description: 'expired' });
    const login = make();
    await leave(login);
    world.comeBack();
    expect(await failureOf(login.finish())).toMatchObject({
      code: 'invalid_grant',
      errorDescription: 'expired',
    });
  });

  test.each([
    ['an outage', 503, { error: 'server_error' }],
    ['no tokens', 200, {}],
  ])('says that there was no usable answer: %s', async (_what, status, body) => {
    world.answers['/token'] = json(status, body);
    const login = make();
    await leave(login);
    world.comeBack();
    expect((await failureOf(login.finish())).code).toBe('server_unavailable');
  });

  test('keeps secrets out of errors, though the server repeats them', async () => {
    const login = make();
    await leave(login);
    const { state = '', nonce = '' } = Object.fromEntries(world.request());
    const echo = (form: URLSearchParams) => [...form.values(), state, nonce].join(' ');
    world.answers['/token'] = ({ form }, response) =>
      json(400, { error: `invalid_grant ${form.get('code')}`, error_description: echo(form) })(
        {} as never,
        response,
      );
    world.comeBack();
    const error = await failureOf(login.finish());
    const all = [error.message, error.stack, JSON.stringify(error), String(error.cause)].join();
    const { code = '', code_verifier: verifier = '' } = Object.fromEntries(world.exchanges()[0] ?? []);
    for (const secret of [code, verifier, state, nonce]) {
      expect(secret).not.toBe('');
      expect(all.includes(secret)).toBe(false);
    }
    expect(error.code).toMatch(/^invalid_grant/);
  });

  test('passes on why there is no session', async () => {
    const cause = new TokenCoordinatorError('ERR_STORAGE', 'full');
    vi.spyOn(coordinator, 'setSession').mockRejectedValue(cause);
    const login = make();
    await leave(login);
    world.comeBack();
    expect(await failureOf(login.finish())).toBe(cause);
  });

  test('revokes what the server gave and nobody can have', async () => {
    world.metadata['revocation_endpoint'] = `${world.server.origin}/revoke`;
    world.answers['/revoke'] = json(200, {});
    world.claims = { nonce: 'of another attempt' };
    const login = make();
    await leave(login);
    world.comeBack();
    expect((await failureOf(login.finish())).code).toBe('id_token_invalid');
    await patiently(() => {
      const revoked = world.server.received.filter(({ url }) => url === '/revoke');
      expect(revoked.map(({ form }) => form.get('token'))).toEqual(['refresh-1']);
    });
  });
});

describe('the ID token', () => {
  const outcome = async (
    claims: Record<string, unknown>,
    options?: StartOptions,
    tokens = {},
  ): Promise<unknown> => {
    const login = make();
    await leave(login, options);
    world.claims = claims;
    world.tokens = tokens;
    world.comeBack();
    return login.finish().then(
      () => 'fine',
      ({ code, message }: LoginError) => `${code}: ${/'s (\w+)/.exec(message)?.[1]}`,
    );
  };
  const now = Math.floor(Date.now() / 1000);

  test.each<[string, Record<string, unknown>]>([
    ['nonce', { nonce: 'other' }],
    ['nonce', { nonce: undefined }],
    ['iss', { iss: 'https://evil.example' }],
    ['aud', { aud: 'other' }],
    ['aud', { aud: ['other', 'third'] }],
    ['aud', { aud: undefined }],
    ['azp', { aud: [CLIENT_ID, 'other'] }],
    ['azp', { azp: 'other' }],
    ['exp', { exp: now - 61 }],
    ['exp', { exp: undefined }],
    ['sub', { sub: undefined }],
    ['sub', { sub: '' }],
    ['sub', { sub: 7 }],
    ['at_hash', { at_hash: 'other' }],
  ])('with a wrong %s begins no session: %o', async (name, claims) => {
    const setSession = vi.spyOn(coordinator, 'setSession');
    expect(await outcome(claims)).toBe(`id_token_invalid: ${name}`);
    expect(setSession).not.toHaveBeenCalled();
  });

  test('may have more audiences, and a token hash', async () => {
    // OpenID Connect Core §A.3
    const accessToken = 'jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y';
    const claims = { aud: [CLIENT_ID, 'other'], azp: CLIENT_ID, at_hash: '77QmUPtjPfzWtF2AnpK9RQ' };
    expect(await outcome(claims, undefined, { access_token: accessToken })).toBe('fine');
  });

  test('has to be there, and to be one', async () => {
    expect(await outcome({}, undefined, { id_token: undefined })).toBe('id_token_invalid: iss');
    expect(await outcome({}, undefined, { id_token: 'a.b.c' })).toBe('id_token_invalid: iss');
    expect(await outcome({}, undefined, { id_token: idToken({}) })).toBe('id_token_invalid: iss');
  });

  test('says that the user authenticated no longer ago than asked', async () => {
    expect(await outcome({}, { maxAge: 10 })).toBe('id_token_invalid: auth_time');
    expect(await outcome({ auth_time: now - 120 }, { maxAge: 10 })).toBe('id_token_invalid: auth_time');
    expect(await outcome({ auth_time: now }, { maxAge: 10 })).toBe('fine');
  });

  test('is not needed without the scope openid', async () => {
    const setSession = vi.spyOn(coordinator, 'setSession');
    world.tokens = { id_token: undefined };
    const login = make({ scope: 'api' });
    await leave(login);
    world.comeBack();
    await login.finish();
    expect(setSession.mock.calls[0]?.[1]).toEqual({ subject: undefined, dpopKeyPair: undefined });
  });
});

describe('attempts', () => {
  test('are bounded: the oldest give way, and invalid ones', async () => {
    const login = make();
    localStorage.setItem('one-refresh-login:broken', '{');
    localStorage.setItem('of-the-app', '1');
    vi.useFakeTimers({ toFake: ['Date'] });
    for (let i = 0; i < 25; i++) {
      vi.advanceTimersByTime(1_000);
      await leave(login);
    }
    const keys = Object.keys(localStorage).filter((key) => key.startsWith('one-refresh-login:'));
    const newest = world.visited.slice(-20).map((url) => new URL(url).searchParams.get('state'));
    expect(new Set(keys)).toEqual(new Set(newest.map((state) => `one-refresh-login:${state}`)));
    expect(localStorage.getItem('of-the-app')).toBe('1');
  });
});

describe('without discovery', () => {
  test('the given endpoints are used, and nothing is asked for', async () => {
    const { origin } = world.server;
    const endpoints = { authorization_endpoint: `${origin}/auth`, token_endpoint: `${origin}/token` };
    const login = make({ issuer: undefined, endpoints });
    await leave(login);
    expect(world.visited[0]).toMatch(`${origin}/auth?`);
    world.comeBack({ iss: undefined });
    expect(await login.finish()).toBeDefined();
    expect(world.server.received.map(({ url }) => url)).toEqual(['/token']);
  });
});

describe('options that cannot work', () => {
  test.each<[string, object]>([
    ['coordinator', { coordinator: {} }],
    ['clientId', { clientId: '' }],
    ['redirectUri', { redirectUri: undefined }],
    ['issuer', { issuer: undefined }],
    ['issuer', { issuer: 'login.example' }],
    ['issuer', { issuer: 'http://login.example' }],
    ['token_endpoint', { endpoints: { authorization_endpoint: 'https://a.example' } }],
    [
      'end_session_endpoint',
      {
        endpoints: {
          authorization_endpoint: 'https://a.example',
          token_endpoint: 'https://a.example',
          end_session_endpoint: 'javascript:1',
        },
      },
    ],
    ['scope', { scope: ['openid'] }],
  ])('are refused at once: %s', (name, options) => {
    expect(() => make(options)).toThrow(
      expect.objectContaining({ code: 'ERR_CONFIGURATION', message: expect.stringContaining(name) }) as Error,
    );
  });

  test('an issuer whose metadata is of another', async () => {
    world.metadata['issuer'] = 'https://evil.example';
    const error = await failureOf(make().start());
    expect(error).toMatchObject({ code: 'ERR_CONFIGURATION' });
    expect(error.message).toContain('names another issuer');
  });
});

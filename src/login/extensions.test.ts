// Additions of servers to the flow: pushed requests, tokens bound to a key, step-up.
import { IDBFactory } from 'fake-indexeddb';
import { calculateJwkThumbprint, decodeJwt, decodeProtectedHeader, exportJWK, type JWK } from 'jose';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createFakeCoordinator, type FakeCoordinator } from '../../test/support/fake-coordinator.js';
import {
  CLIENT_ID,
  idToken,
  optionsFor,
  startLoginWorld,
  type LoginWorld,
} from '../../test/support/login-world.js';
import { json } from '../../test/support/loopback-server.js';
import { createLogin, type Login, type LoginError, type LoginOptions } from './index.js';
import { patiently } from '../../test/support/patiently.js';

let world: LoginWorld;
let coordinator: FakeCoordinator;
beforeEach(async () => {
  world = await startLoginWorld();
  coordinator = createFakeCoordinator({ status: 'signed-out' });
  world.open('/orders');
});
afterEach(async () => {
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
  await world.server.close();
});

const make = (options: Partial<LoginOptions> = {}): Login =>
  createLogin({ ...optionsFor(world, coordinator), ...options });

/** Resolves when the page has been sent away, rejects with what kept it. */
async function left(start: Promise<never>): Promise<void> {
  const before = world.visited.length;
  await Promise.race([start, patiently(() => expect(world.visited.length).toBe(before + 1))]);
}

const codeOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => 'none',
    ({ code }: LoginError) => code,
  );

describe('pushed authorization requests', () => {
  const offer = (): void => {
    world.metadata['pushed_authorization_request_endpoint'] = `${world.server.origin}/par`;
    world.answers['/par'] = json(201, { request_uri: 'urn:request:1', expires_in: 60 });
  };

  test('are made where the server has them', async () => {
    offer();
    const login = make({ resource: ['https://a.example', 'https://b.example'] });
    await left(login.start({ prompt: 'login' }));
    expect(Object.fromEntries(world.request())).toEqual({
      tenant: 'a',
      client_id: CLIENT_ID,
      request_uri: 'urn:request:1',
    });
    const pushed = world.server.received.find(({ url }) => url === '/par')?.form ?? new URLSearchParams();
    expect(Object.fromEntries(pushed)).toMatchObject({
      client_id: CLIENT_ID,
      response_type: 'code',
      code_challenge_method: 'S256',
      prompt: 'login',
    });
    expect(pushed.getAll('resource')).toEqual(['https://a.example', 'https://b.example']);
    world.comeBack({ state: pushed.get('state') ?? '' });
    expect(await login.finish()).toEqual({ returnTo: '/orders' });
  });

  test('are not made where they are not wanted', async () => {
    offer();
    await left(make({ par: false }).start());
    expect(world.request().get('state')).toBeTruthy();
    expect(world.server.received.some(({ url }) => url === '/par')).toBe(false);
  });

  test('that fail end the sign-in where the server insists', async () => {
    offer();
    world.metadata['require_pushed_authorization_requests'] = true;
    world.answers['/par'] = json(503, {});
    expect(await codeOf(make().start())).toBe('server_unavailable');
    expect(world.visited).toEqual([]);
  });

  test('that fail are made openly, unless the app insists', async () => {
    offer();
    world.answers['/par'] = json(401, { error: 'invalid_client' });
    await left(make().start());
    expect(world.request().get('state')).toBeTruthy();
    expect(await codeOf(make({ par: true }).start())).toBe('invalid_client');
  });

  test('without an address are made openly, unless the app insists', async () => {
    offer();
    world.answers['/par'] = json(201, { expires_in: 60 });
    await left(make().start());
    expect(world.request().get('state')).toBeTruthy();
    expect(await codeOf(make({ par: true }).start())).toBe('server_unavailable');
  });

  test('cannot be insisted on where there are none', async () => {
    expect(await codeOf(make({ par: true }).start())).toBe('ERR_CONFIGURATION');
  });
});

describe('DPoP', () => {
  beforeEach(() => vi.stubGlobal('indexedDB', new IDBFactory()));

  test('binds the tokens to a new key', async () => {
    const setSession = vi.spyOn(coordinator, 'setSession');
    world.tokens = { token_type: 'DPoP' };
    const login = make({ dpop: true });
    const proofs: { jwk?: JWK; claims: Record<string, unknown> }[] = [];
    const usual = world.answers['/token'];
    expect(usual).toBeUndefined();
    for (let i = 0; i < 2; i++) {
      await left(login.start());
      world.comeBack();
      await login.finish();
      const proof = String(world.server.received.findLast(({ url }) => url === '/token')?.headers['dpop']);
      proofs.push({ jwk: decodeProtectedHeader(proof).jwk as JWK, claims: decodeJwt(proof) });
    }
    const thumbprints = await Promise.all(proofs.map(({ jwk }) => calculateJwkThumbprint(jwk as JWK)));
    expect(thumbprints[0], 'a key for each sign-in').not.toBe(thumbprints[1]);
    for (const [i, { claims }] of proofs.entries()) {
      expect(claims).toMatchObject({ htm: 'POST', htu: `${world.server.origin}/token` });
      const { dpopKeyPair } = setSession.mock.calls[i]?.[1] ?? {};
      expect(await calculateJwkThumbprint(await exportJWK(dpopKeyPair!.publicKey))).toBe(thumbprints[i]);
      expect(dpopKeyPair?.privateKey.extractable).toBe(false);
    }
  });

  test('repeats the exchange with the nonce that the server wants', async () => {
    const login = make({ dpop: true });
    await left(login.start());
    let asked = 0;
    world.answers['/token'] = ({ headers }, response) => {
      asked++;
      const { nonce } = decodeJwt(String(headers['dpop']));
      if (nonce === 'nonce-1') delete world.answers['/token'];
      return json(400, { error: 'use_dpop_nonce' }, { 'dpop-nonce': 'nonce-1' })({} as never, response);
    };
    world.comeBack();
    expect(await codeOf(login.finish()), 'a server that is never content').toBe('use_dpop_nonce');
    expect(asked).toBe(2);

    await left(login.start());
    world.answers['/token'] = ({ headers }, response) => {
      delete world.answers['/token'];
      expect(decodeJwt(String(headers['dpop']))['nonce']).toBe('nonce-1');
      return json(400, { error: 'use_dpop_nonce' }, { 'dpop-nonce': 'nonce-2' })({} as never, response);
    };
    world.comeBack();
    expect(await login.finish()).toBeDefined();
    const proof = String(world.server.received.findLast(({ url }) => url === '/token')?.headers['dpop']);
    expect(decodeJwt(proof)['nonce']).toBe('nonce-2');
  });
});

describe('step-up', () => {
  const challenge = (header: string): Response =>
    new Response(null, { status: 401, headers: { 'www-authenticate': header } });

  beforeEach(() => coordinator.set({ status: 'signed-in', subject: 'ada' }));

  test('asks for what the challenge demands', async () => {
    const text =
      'Basic realm="x", DPoP error="insufficient_user_authentication", error_description="acr_values=\\"none\\"", acr_values="gold silver", max_age="5"';
    await left(make().stepUp(challenge(text)));
    expect(Object.fromEntries(world.request())).toMatchObject({ acr_values: 'gold silver', max_age: '5' });
  });

  test('asks for no more than the challenge demands', async () => {
    await left(make().stepUp(challenge('Bearer error="insufficient_user_authentication", max_age=0')));
    expect([world.request().get('acr_values'), world.request().get('max_age')]).toEqual([null, '0']);
  });

  test('takes what the app knows', async () => {
    await left(make().stepUp({ acrValues: ['gold'] }));
    expect(world.request().get('acr_values')).toBe('gold');
  });

  test.each(['', 'Bearer error="invalid_token"', 'Bearer realm="insufficient_user_authentication"'])(
    'is not for another challenge: %s',
    async (header) => {
      expect(await codeOf(make().stepUp(challenge(header)))).toBe('challenge_invalid');
      expect(world.visited).toEqual([]);
    },
  );

  test('brings nobody else back than the user who left', async () => {
    const setSession = vi.spyOn(coordinator, 'setSession');
    const login = make();
    await left(login.stepUp({ acrValues: 'gold' }));
    world.claims = { sub: 'bob' };
    world.comeBack();
    expect(await codeOf(login.finish())).toBe('subject_changed');
    expect(setSession).not.toHaveBeenCalled();
    world.open('/orders');
    await left(login.stepUp({ acrValues: 'gold' }));
    world.claims = {};
    world.comeBack();
    expect(await login.finish()).toEqual({ returnTo: '/orders' });
  });

  test.each([
    ['before the first read', { status: 'loading', subject: undefined }, 'ada'],
    ['by the ID token alone', { status: 'signed-in', subject: undefined }, undefined],
  ] as const)('knows its user %s', async (_, snapshot, later) => {
    coordinator.set(snapshot, { idToken: idToken({ sub: 'ada' }) });
    const ready = Promise.resolve().then(() => coordinator.set({ status: 'signed-in', subject: later }));
    const login = make({ coordinator: { ...coordinator, ready } });
    await left(login.stepUp({ acrValues: 'gold' }));
    world.claims = { sub: 'bob' };
    world.comeBack();
    expect(await codeOf(login.finish())).toBe('subject_changed');
  });

  test('says that the server cannot meet the demand', async () => {
    const login = make();
    await left(login.stepUp({ acrValues: 'gold' }));
    world.comeBack({ code: undefined, error: 'unmet_authentication_requirements' });
    expect(await codeOf(login.finish())).toBe('unmet_authentication_requirements');
  });
});

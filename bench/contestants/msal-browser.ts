import {
  createStandardPublicClientApplication,
  loadExternalTokens,
  type Configuration,
  type ExternalTokenResponse,
  type INetworkModule,
  type NetworkRequestOptions,
  type NetworkResponse,
} from '@azure/msal-browser';
import type { Client } from './contestant.js';

const authority = 'https://issuer.bench/';

/** It insists on https, which the server does not speak; so its requests go through this, an option of its own. */
const networkClient: INetworkModule = {
  sendGetRequestAsync: (url, options) => send('GET', url, options),
  sendPostRequestAsync: (url, options) => send('POST', url, options),
};

async function send<T>(
  method: string,
  url: string,
  options?: NetworkRequestOptions,
): Promise<NetworkResponse<T>> {
  const { headers, body } = options ?? {};
  const response = await fetch(new URL(url).pathname, { method, headers: headers ?? {}, body: body ?? null });
  return {
    status: response.status,
    headers: Object.fromEntries(response.headers),
    body: (await response.json()) as T,
  };
}

/** Another provider than Microsoft's, the cache in localStorage, which the tabs share. */
const configuration: Configuration = {
  auth: {
    clientId: 'bench',
    authority,
    knownAuthorities: ['issuer.bench'],
    redirectUri: location.origin,
    authorityMetadata: JSON.stringify({
      issuer: authority,
      authorization_endpoint: `${authority}authorize`,
      token_endpoint: `${authority}token`,
      end_session_endpoint: `${authority}logout`,
      jwks_uri: `${authority}jwks`,
    }),
  },
  cache: { cacheLocation: 'localStorage' },
  system: { protocolMode: 'OIDC', networkClient },
};

export async function create(): Promise<Client> {
  const client = await createStandardPublicClientApplication(configuration);
  let [account] = client.getAllAccounts();
  const scopes = ['openid', 'profile', 'email', 'offline_access'];
  return {
    async getToken() {
      return (await client.acquireTokenSilent({ scopes, account: account! })).accessToken;
    },
    async signIn(tokens) {
      const response = tokens as ExternalTokenResponse;
      const loaded = await loadExternalTokens(configuration, { scopes, authority }, response, {});
      account = loaded.account!;
    },
  };
}

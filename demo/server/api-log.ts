// Every request that the API answered, as it saw it, and a hand on what it refuses: for the tests.
export interface ApiRequest {
  path: string;
  /** Of the `Authorization` header, if there was one. */
  scheme?: string;
  /** The access token's `jti`, as far as the token holds. */
  tokenId?: string;
  /** The thumbprint of the key that a proof was signed with. */
  jkt?: string;
  status: number;
  error?: string;
}

export interface ApiLog {
  readonly requests: readonly ApiRequest[];
  add(request: ApiRequest): void;
  clear(): void;
  /** Access tokens with these ids are answered 401 from now on, as if revoked. */
  refuse(tokenId: string): void;
  isRefused(tokenId: string | undefined): boolean;
}

export function createApiLog(): ApiLog {
  let requests: ApiRequest[] = [];
  const refused = new Set<string>();
  return {
    get requests() {
      return requests;
    },
    add: (request) => void requests.push(request),
    clear() {
      requests = [];
    },
    refuse: (tokenId) => void refused.add(tokenId),
    isRefused: (tokenId) => tokenId !== undefined && refused.has(tokenId),
  };
}

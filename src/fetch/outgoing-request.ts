/** A request as it was when `fetch` was called, to be sent once or, with other headers, again. */
export interface OutgoingRequest {
  readonly url: URL;
  readonly method: string;
  readonly signal: AbortSignal | undefined;
  /** `false` if its body is a stream: that can be sent once only. */
  readonly replayable: boolean;
  /** The treatment of a redirect; as the caller gave it. */
  readonly redirect: RequestRedirect;
  /** Sends it with these headers added. */
  readonly send: (headers: Readonly<Record<string, string>>, change?: RequestInit) => Promise<Response>;
}

type Fetch = typeof globalThis.fetch;
type Input = Parameters<Fetch>[0];

/** The URL that `fetch` would request, or `undefined` if it would throw. */
export function resolveUrl(input: Input): URL | undefined {
  const page = globalThis as { document?: { baseURI?: string }; location?: { href?: string } };
  try {
    return new URL(
      isRequest(input) ? input.url : String(input),
      page.document?.baseURI ?? page.location?.href,
    );
  } catch {
    return undefined;
  }
}

/** Whether the caller has set this header. */
export function hasHeader(input: Input, init: RequestInit | undefined, name: string): boolean {
  const headers = init?.headers ?? (isRequest(input) ? input.headers : undefined);
  return new Headers(headers).has(name);
}

/**
 * Takes the request over from the caller, at once, as `fetch` does: later changes of headers or body are not
 * seen, though the request leaves later. Nothing of the caller's is changed either; a header set on their `Request`
 * would go wherever they send a copy of it.
 *
 * @param url - what `resolveUrl` made of `input`; it is this URL that is requested, not one resolved later
 */
export function takeRequest(fetch: Fetch, url: URL, input: Input, init: RequestInit = {}): OutgoingRequest {
  // `fetch(url, request)` is legal; its members are getters, which cannot be spread.
  const plain = [Object.prototype, null].includes(Object.getPrototypeOf(init) as object | null);
  return isRequest(input) || !plain
    ? takeRequestObject(fetch, new Request(isRequest(input) ? input : url, init), init)
    : takeInit(fetch, url, init);
}

function takeRequestObject(fetch: Fetch, request: Request, { body }: RequestInit): OutgoingRequest {
  const replayable = !isStream(body);
  return {
    url: new URL(request.url),
    method: request.method,
    signal: request.signal,
    replayable,
    redirect: request.redirect,
    send(headers, change) {
      const copy = replayable ? request.clone() : request;
      for (const [name, value] of Object.entries(headers)) copy.headers.set(name, value);
      return fetch(change ? new Request(copy, change) : copy);
    },
  };
}

function takeInit(fetch: Fetch, url: URL, init: RequestInit): OutgoingRequest {
  const { method = 'GET' } = init;
  const taken = { ...init };
  if (init.body) taken.body = copyBody(init.body);
  const own = new Headers(init.headers);
  return {
    url,
    // The methods that `fetch` writes in capitals; "patch" it leaves alone.
    method: /^(?:delete|get|head|options|post|put)$/i.test(method) ? method.toUpperCase() : method,
    signal: init.signal ?? undefined,
    replayable: !isStream(init.body),
    redirect: init.redirect ?? 'follow',
    send(headers, change) {
      const merged = new Headers(own);
      for (const [name, value] of Object.entries(headers)) merged.set(name, value);
      return fetch(url.href, { ...taken, ...change, headers: merged });
    },
  };
}

/** The name of its interface: an object of another realm (an iframe's) is no `instanceof` ours, but `fetch` takes it all the same. */
function nameOf(value: unknown): string {
  return Object.prototype.toString.call(value).slice(8, -1);
}

function isRequest(input: unknown): input is Request {
  return input instanceof Request || nameOf(input) === 'Request';
}

/** Node's `fetch` takes any async iterable; a `Blob` or a form is none. */
function isStream(body: unknown): boolean {
  return (
    typeof body === 'object' &&
    body !== null &&
    (nameOf(body) === 'ReadableStream' || Symbol.asyncIterator in body)
  );
}

/** The same content, out of reach of later changes. Strings and blobs cannot change; a stream cannot be copied. */
function copyBody(body: BodyInit): BodyInit {
  if (ArrayBuffer.isView(body)) return new Uint8Array(body.buffer, body.byteOffset, body.byteLength).slice();
  switch (nameOf(body)) {
    case 'URLSearchParams':
      return new URLSearchParams(body as URLSearchParams);
    case 'ArrayBuffer':
      return (body as ArrayBuffer).slice(0);
    case 'FormData': {
      const copy = new FormData();
      for (const [name, value] of body as FormData) copy.append(name, value);
      return copy;
    }
    default:
      return body;
  }
}

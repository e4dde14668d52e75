import type { Handler } from './http.js';

/** CORS for a server that leaves it to its surroundings: pages of one origin may use it. */
export function withCors(origin: string, handler: Handler): Handler {
  return async (request) => {
    const response =
      request.method === 'OPTIONS' ? new Response(null, { status: 204 }) : await handler(request);
    const headers = new Headers(response.headers);
    headers.set('access-control-allow-origin', origin);
    headers.set('access-control-allow-headers', '*');
    return new Response(response.body, { status: response.status, headers });
  };
}

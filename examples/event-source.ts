/**
 * `EventSource` cannot send an `Authorization` header either. Server-sent events are an ordinary response that goes on: read it with the fetch
 * that has the token. A reconnect asks for the newest token, and says where the stream broke off.
 */
export interface ServerEvent {
  readonly type: string;
  readonly data: string;
}

/**
 * @param fetch - `createFetch(coordinator)` of `one-refresh/fetch`; it throws when the session is over, which ends the stream
 * @param options - `signal` ends it as well; `retryMs`: pause before a reconnect, unless the server names one
 */
export async function* serverEvents(
  url: string,
  fetch: typeof globalThis.fetch,
  { signal = new AbortController().signal, retryMs = 3_000 }: { signal?: AbortSignal; retryMs?: number } = {},
): AsyncGenerator<ServerEvent> {
  let lastEventId = '';
  while (!signal.aborted) {
    const headers = { accept: 'text/event-stream', ...(lastEventId && { 'last-event-id': lastEventId }) };
    const response = await fetch(url, { headers, cache: 'no-store', signal }).catch((error: unknown) => {
      // Offline: that is what reconnecting is for. An error of the coordinator is final.
      if (!(error instanceof TypeError) && !signal.aborted) throw error;
    });
    if (response && !response.ok) throw new Error(`No events (${response.status})`);
    for await (const fields of blocks(response?.body)) {
      const values = (name: string) =>
        fields.flatMap(([, field, value]) => (field === name ? [value ?? ''] : []));
      lastEventId = values('id').at(-1) ?? lastEventId;
      // Digits only, says the specification; anything else is ignored.
      retryMs = Number(values('retry').findLast((value) => /^\d+$/.test(value)) ?? retryMs);
      const data = values('data');
      if (data.length > 0) yield { type: values('event').at(-1) ?? 'message', data: data.join('\n') };
    }
    if (signal.aborted) return;
    await new Promise((resolve) => setTimeout(resolve, retryMs));
  }
}

/** The fields of each event, until the stream ends or breaks off; an unfinished event is dropped. */
async function* blocks(body: ReadableStream<Uint8Array<ArrayBuffer>> | null | undefined) {
  const reader = body?.pipeThrough(new TextDecoderStream()).getReader();
  if (!reader) return;
  let rest = '';
  try {
    for (;;) {
      const { done, value = '' } = await reader.read().catch(() => ({ done: true, value: '' }));
      if (done) return;
      const complete = (rest + value).split(/\r?\n\r?\n/);
      rest = complete.pop() ?? '';
      for (const block of complete)
        yield block.split(/\r?\n/).map((line) => /^(\w*): ?(.*)$/.exec(line) ?? []);
    }
  } finally {
    // Breaking out of the loop ends the response as well.
    await reader.cancel().catch(() => {});
  }
}

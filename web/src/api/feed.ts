import { Backoff, delay, errorOf, ServerError } from "@oriel/desktop/internal";
import { pageHeaders } from "./client.js";
import { SseParser, type ServerEvent } from "./sse.js";

export interface FeedTarget {
  event(event: ServerEvent): void;
  /** Connected, or waiting to connect again because of `error`. */
  online(online: boolean, error: ServerError | null): void;
}

export interface FeedOptions {
  fetch?: typeof fetch;
  backoff?: Backoff;
}

/** Follows an event stream until aborted or its `end` event, and picks it up where it broke (Last-Event-ID). */
export async function followFeed(url: string, target: FeedTarget, signal: AbortSignal, options: FeedOptions = {}): Promise<void> {
  const backoff = options.backoff ?? new Backoff(300, 2500);
  const get = options.fetch ?? fetch;
  let lastId = "";
  while (!signal.aborted) {
    const parser = new SseParser(lastId);
    let error: ServerError | null = null;
    try {
      if (await readOnce(get, url, parser, target, backoff, signal)) return;
    } catch (caught) {
      if (signal.aborted) return;
      error = caught instanceof ServerError ? caught : new ServerError(0, "server-unreachable", "The server does not answer.");
      if (error.final) {
        target.online(false, error);
        return;
      }
    }
    lastId = parser.lastId;
    target.online(false, error);
    await delay(Math.max(backoff.next(), parser.retryMs ?? 0), signal).catch(() => undefined);
  }
}

/** Answers whether the stream came to its own end. */
async function readOnce(
  get: typeof fetch,
  url: string,
  parser: SseParser,
  target: FeedTarget,
  backoff: Backoff,
  signal: AbortSignal,
): Promise<boolean> {
  const headers = pageHeaders({ Accept: "text/event-stream", ...(parser.lastId ? { "Last-Event-ID": parser.lastId } : {}) });
  const response = await get(url, { headers, signal, cache: "no-store" });
  if (!response.ok) throw await errorOf(response);
  if (!response.body) throw new ServerError(0, "server-unreachable", "The server sent no events.");
  target.online(true, null);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return false;
      for (const event of parser.push(value)) {
        backoff.reset();
        target.event(event);
        if (event.type === "end") return true;
      }
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

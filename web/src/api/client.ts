import { errorOf, headersFor, ServerError, socketFor } from "@oriel/desktop/internal";
import type { CreateRequest, Desktop, EgressView, FileEntry, Image, Policy, Process, Session, SessionInfo } from "./types.js";

const ownServer = { base: "", token: null };

/** The headers of a request to the page's own server. */
export function pageHeaders(more: Record<string, string> = {}): Record<string, string> {
  return headersFor(ownServer, more);
}

/** Address and subprotocols of a WebSocket of the page's own server. */
export function pageSocket(path: string, protocol: string): { url: string; protocols: string[] } {
  return socketFor(ownServer, path, protocol);
}

export function desktopUrl(id: string, rest = ""): string {
  return `/api/desktops/${encodeURIComponent(id)}${rest}`;
}

/** One API call. Throws ServerError: status 0 with `server-unreachable` when nothing answers. */
async function call(method: string, url: string, body?: unknown, signal?: AbortSignal): Promise<Response> {
  const headers = pageHeaders(body === undefined ? {} : { "Content-Type": "application/json" });
  let response: Response;
  try {
    response = await fetch(url, {
      method,
      headers,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...(signal ? { signal } : {}),
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new ServerError(0, "server-unreachable", "The server does not answer.");
  }
  if (!response.ok) {
    const error = await errorOf(response);
    if (error.status === 401) window.dispatchEvent(new CustomEvent("oriel-signed-out"));
    throw error;
  }
  return response;
}

async function json<T>(method: string, url: string, body?: unknown, signal?: AbortSignal): Promise<T> {
  return (await (await call(method, url, body, signal)).json()) as T;
}

export const api = {
  session: (signal?: AbortSignal) => json<SessionInfo>("GET", "/api/session", undefined, signal),
  signOut: async () => void (await call("DELETE", "/api/session")),
  /** Newest first. */
  sessions: async (signal?: AbortSignal) => (await json<{ sessions: Session[] }>("GET", "/api/sessions", undefined, signal)).sessions,
  endSession: async (id: string) => void (await call("DELETE", `/api/sessions/${encodeURIComponent(id)}`)),
  endOtherSessions: async () => void (await call("DELETE", "/api/sessions")),
  desktops: async (signal?: AbortSignal) => (await json<{ desktops: Desktop[] }>("GET", "/api/desktops", undefined, signal)).desktops,
  desktop: (id: string, signal?: AbortSignal) => json<Desktop>("GET", desktopUrl(id), undefined, signal),
  /** Newest first. */
  images: async (signal?: AbortSignal) => (await json<{ images: Image[] }>("GET", "/api/images", undefined, signal)).images,
  create: (request: CreateRequest) => json<Desktop>("POST", "/api/desktops", request),
  fork: (id: string) => json<Desktop>("POST", desktopUrl(id, "/fork"), {}),
  resume: (id: string) => json<Desktop>("POST", desktopUrl(id, "/resume")),
  destroy: async (id: string) => void (await call("DELETE", desktopUrl(id))),
  egress: (id: string, signal?: AbortSignal) => json<EgressView>("GET", desktopUrl(id, "/egress"), undefined, signal),
  setEgress: (id: string, policy: Policy) => json<EgressView>("PUT", desktopUrl(id, "/egress"), policy),
  files: async (id: string, path: string, signal?: AbortSignal) =>
    (await json<{ entries: FileEntry[] }>("GET", desktopUrl(id, `/files?path=${encodeURIComponent(path)}`), undefined, signal)).entries,
  removeFile: async (id: string, path: string, recursive: boolean) =>
    void (await call("DELETE", desktopUrl(id, `/files?path=${encodeURIComponent(path)}&recursive=${recursive}`))),
  /** Whatever it is, as it comes. */
  fetch: (url: string) => call("GET", url),
  process: (id: string, process: string, signal?: AbortSignal) =>
    json<Process>("GET", desktopUrl(id, `/processes/${encodeURIComponent(process)}`), undefined, signal),
  /** The user's shell in a terminal of its own. */
  startTerminal: (id: string, columns: number, rows: number) =>
    json<Process>("POST", desktopUrl(id, "/processes"), { pty: true, columns, rows }),
  log: async (id: string, signal?: AbortSignal) =>
    (await json<{ lines: string[] }>("GET", desktopUrl(id, "/log"), undefined, signal)).lines,
};

export function asError(error: unknown): ServerError {
  if (error instanceof ServerError) return error;
  return new ServerError(0, "page-error", error instanceof Error ? error.message : String(error));
}

import type { Reason } from "./messages.js";
import { sessionSecret } from "./session-secret.js";

/** A refusal by the server, with its problem document's `reason` (RFC 9457 and docs/protocol.md). */
export class ServerError extends Error {
  constructor(
    readonly status: number,
    readonly reason: string,
    message: string,
    readonly details: Partial<Reason> = {},
  ) {
    super(message);
    this.name = "ServerError";
  }

  /** Asking again cannot help until the user does something. */
  get final(): boolean {
    return this.status === 401 || this.status === 403 || this.status === 404 || this.status === 410;
  }
}

/** Reads a problem document, whatever a server or a proxy on the way has sent. */
export async function errorOf(response: Response): Promise<ServerError> {
  let body: Record<string, unknown> = {};
  try {
    const value: unknown = await response.json();
    if (typeof value === "object" && value !== null) body = value as Record<string, unknown>;
  } catch {
    // Not JSON: the status has to do.
  }
  const text = (name: string) => (typeof body[name] === "string" ? body[name] : undefined);
  const code = text("reason") ?? (response.status === 401 ? "signed-out" : `http-${response.status}`);
  const message = text("detail") ?? text("title") ?? `The server answered ${response.status}.`;
  const details: Partial<Reason> = { code };
  const step = text("step");
  const lastSeen = text("lastSeen");
  if (step) details.step = step;
  if (lastSeen) details.lastSeen = lastSeen;
  if (Array.isArray(body["log"])) details.log = body["log"].filter((line) => typeof line === "string");
  return new ServerError(response.status, code, message, details);
}

export interface Access {
  /** Base of the API without a slash at the end; empty for the page's own server. */
  base: string;
  token: string | null;
}

export function headersFor(access: Access, more: Record<string, string> = {}): Record<string, string> {
  return { "X-Oriel": sessionSecret(), ...(access.token ? { Authorization: `Bearer ${access.token}` } : {}), ...more };
}

/** Address and subprotocols of a WebSocket, which has no headers. */
export function socketFor(access: Access, path: string, protocol: string): { url: string; protocols: string[] } {
  const url = new URL(`${access.base}${path}`, document.baseURI);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  return { url: url.href, protocols: [protocol, access.token ? `oriel.bearer.${access.token}` : `oriel.session.${sessionSecret()}`] };
}

export interface WhepSession {
  answer: string;
  location: string;
  etag: string | null;
}

/** WHEP (draft-ietf-wish-whep) against one desktop. Every call throws ServerError for a refusal and TypeError for no network. */
export class Whep {
  constructor(
    private readonly access: Access,
    private readonly desktop: string,
  ) {}

  async offer(sdp: string, signal: AbortSignal): Promise<WhepSession> {
    const url = `${this.access.base}/api/desktops/${encodeURIComponent(this.desktop)}/whep`;
    const response = await fetch(url, {
      method: "POST",
      headers: headersFor(this.access, { "Content-Type": "application/sdp", Accept: "application/sdp" }),
      body: sdp,
      signal,
    });
    if (response.status !== 201) throw await errorOf(response);
    const location = response.headers.get("Location");
    if (!location) throw new ServerError(502, "bad-answer", "The server's WHEP answer has no Location.");
    return {
      answer: await response.text(),
      location: new URL(location, new URL(url, document.baseURI)).href,
      etag: response.headers.get("ETag"),
    };
  }

  /** Sends the fragment of an ICE restart; answers the server's, or null when it has none to give (204). */
  async restart(session: WhepSession, fragment: string, signal: AbortSignal): Promise<string | null> {
    const response = await fetch(session.location, {
      method: "PATCH",
      headers: headersFor(this.access, { "Content-Type": "application/trickle-ice-sdpfrag", "If-Match": "*" }),
      body: fragment,
      signal,
    });
    if (!response.ok) throw await errorOf(response);
    session.etag = response.headers.get("ETag") ?? session.etag;
    return response.status === 204 ? null : await response.text();
  }

  /** Ends the viewer. Best effort: the server also notices by itself (consent, RFC 7675). */
  async end(session: WhepSession): Promise<void> {
    try {
      await fetch(session.location, { method: "DELETE", headers: headersFor(this.access), keepalive: true });
    } catch {
      // The server is away; the viewer ends there by its consent check.
    }
  }
}

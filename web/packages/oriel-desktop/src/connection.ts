import { Backoff, delay } from "./backoff.js";
import { deferredEvents } from "./deferred-events.js";
import type { CodecChoice, Link, LinkEvents, TransportChoice } from "./link.js";
import { PeerLink } from "./peer.js";
import { ServerError, Whep, type Access } from "./signalling.js";
import { SocketLink, webCodecsAvailable } from "./socket.js";

export type ConnectionState =
  | { name: "connecting" }
  | { name: "connected"; link: Link; webrtcBlocked: boolean }
  | { name: "interrupted" }
  /** Waiting to try again; `error` says what the last attempt met. */
  | { name: "reconnecting"; attempt: number; inMs: number; error: ServerError | null }
  /** Given up for a reason that trying again does not mend. */
  | { name: "failed"; error: ServerError }
  | { name: "closed" };

export interface ConnectionOptions {
  access: Access;
  desktop: string;
  codec: CodecChoice;
  transport: TransportChoice;
  video: HTMLVideoElement;
  canvas: HTMLCanvasElement;
  events: Omit<LinkEvents, "interrupted">;
  changed(state: ConnectionState): void;
}

/** WebRTC has this long to come up before the WebSocket is tried. */
const webrtcMs = 6000;
const socketMs = 6000;
/** From the WebSocket back to WebRTC: the first attempt after this long, then doubling up to the most. What blocked it may have been a moment's load. */
const recoverFirstMs = 15_000;
const recoverMostMs = 300_000;

/** Keeps one link to a desktop up: opens it, watches it, opens it anew. One owner loop; `close` ends it. */
export class Connection {
  readonly #abort = new AbortController();
  readonly #wake = new EventTarget();
  readonly #backoff = new Backoff();
  #link: Link | null = null;
  #blocked = false;
  #running: Promise<void> | null = null;

  constructor(private readonly options: ConnectionOptions) {}

  get link(): Link | null {
    return this.#link;
  }

  open(): void {
    this.#running ??= this.#run().catch((error: unknown) => {
      if (this.#abort.signal.aborted) return;
      this.options.changed({ name: "failed", error: asServerError(error) });
    });
  }

  /** The network or the page came back: do not wait out the pause, and look at the path. `network`: WebRTC may work from here. */
  wake(network: boolean): void {
    if (network) this.#blocked = false;
    this.#wake.dispatchEvent(new Event("wake"));
    this.#link?.check(network);
  }

  async close(): Promise<void> {
    this.#abort.abort(new DOMException("Closed.", "AbortError"));
    await this.#running;
    this.options.changed({ name: "closed" });
  }

  async #run(): Promise<void> {
    const { signal } = this.#abort;
    this.options.changed({ name: "connecting" });
    while (!signal.aborted) {
      let error: ServerError | null = null;
      try {
        let link: Link | null = await this.#openLink(signal);
        while (link) link = await this.#hold(link, signal);
      } catch (caught) {
        if (signal.aborted) return;
        error = asServerError(caught);
        if (error.final) {
          this.options.changed({ name: "failed", error });
          return;
        }
      }
      if (signal.aborted) return;
      const inMs = this.#backoff.next();
      this.options.changed({ name: "reconnecting", attempt: this.#backoff.attempts, inMs, error });
      await delay(inMs, signal, this.#wake).catch(() => undefined);
    }
  }

  /** Resolves when the link is over: with the one that takes its place, or null. */
  async #hold(link: Link, signal: AbortSignal): Promise<Link | null> {
    const close = () => void link.close();
    const over = new AbortController();
    signal.addEventListener("abort", close);
    this.#link = link;
    this.#backoff.reset();
    try {
      if (signal.aborted) close();
      else this.options.changed({ name: "connected", link, webrtcBlocked: this.#blocked });
      const recovery = this.#blocked ? this.#recover(AbortSignal.any([signal, over.signal])) : Promise.resolve(null);
      await Promise.race([link.ended, recovery.then((better) => (better ? undefined : link.ended))]);
      over.abort();
      return await recovery;
    } finally {
      this.#link = null;
      signal.removeEventListener("abort", close);
      await link.close();
    }
  }

  /** Beside the WebSocket: tries WebRTC until it comes up. */
  async #recover(signal: AbortSignal): Promise<Link | null> {
    const backoff = new Backoff(recoverFirstMs, recoverMostMs);
    for (;;) {
      await delay(backoff.next(), signal, this.#wake).catch(() => undefined);
      if (signal.aborted) return null;
      const { events, release } = deferredEvents(this.#events);
      // Whatever is wrong is the WebSocket's to notice.
      const link = await this.#openPeer(events, signal).catch(() => null);
      if (link) {
        this.#blocked = false;
        release();
        return link;
      }
    }
  }

  async #openLink(signal: AbortSignal): Promise<Link> {
    const { access, desktop, transport, canvas } = this.options;
    const webrtc = transport !== "websocket" && typeof RTCPeerConnection === "function";
    const socket = (transport === "websocket" || transport === "auto") && webCodecsAvailable();

    if (webrtc && !(this.#blocked && socket)) {
      const link = await this.#openPeer(this.#events, signal);
      if (link) return link;
      this.#blocked = transport === "auto";
    }
    if (socket) {
      const link = await SocketLink.open(access, desktop, canvas, this.#events, socketMs, signal);
      if (link) return link;
      this.#blocked = false;
      throw new ServerError(0, "no-connection", "Neither WebRTC nor the WebSocket came up.");
    }
    throw new ServerError(0, "webrtc-blocked", "WebRTC did not connect, and this browser cannot show the fallback (no WebCodecs).");
  }

  #openPeer(events: LinkEvents, signal: AbortSignal): Promise<PeerLink | null> {
    const { access, desktop, transport, video, codec } = this.options;
    const only = transport === "udp" || transport === "tcp" ? transport : null;
    return PeerLink.open({ whep: new Whep(access, desktop), video, codec, only, events, connectMs: webrtcMs }, signal);
  }

  get #events(): LinkEvents {
    return { ...this.options.events, interrupted: (on) => this.#interrupted(on) };
  }

  #interrupted(on: boolean): void {
    if (on) this.options.changed({ name: "interrupted" });
    else if (this.#link) this.options.changed({ name: "connected", link: this.#link, webrtcBlocked: this.#blocked });
  }
}

function asServerError(error: unknown): ServerError {
  if (error instanceof ServerError) return error;
  if (error instanceof TypeError) return new ServerError(0, "server-unreachable", "The server does not answer.");
  return new ServerError(0, "viewer-error", error instanceof Error ? error.message : String(error));
}

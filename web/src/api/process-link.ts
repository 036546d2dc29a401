import { Backoff, delay } from "@oriel/desktop/internal";
import { api, asError, desktopUrl, pageSocket } from "./client.js";

const protocol = "oriel.process.v1";
const input = 0;

export interface ProcessTarget {
  output(bytes: Uint8Array): void;
  /** So much of its output is lost: more was written than is kept. */
  gap(bytes: number): void;
  /** Attached, or waiting to attach again. */
  online(online: boolean): void;
}

export interface ProcessLinkOptions {
  open?: (url: string, protocols: string[]) => WebSocket;
  /** Whether there is such a process still; throws as the API does. */
  look?: () => Promise<unknown>;
  backoff?: Backoff;
}

/** The page's end of a process's socket: it attaches again where it broke, from the byte that it has not seen. */
export class ProcessLink {
  #socket: WebSocket | null = null;
  #next = 0;
  #exitCode: number | null = null;

  constructor(
    private readonly desktop: string,
    private readonly process: string,
    private readonly target: ProcessTarget,
    private readonly options: ProcessLinkOptions = {},
  ) {}

  /** Follows the process until it has exited, and answers its exit code. Throws when there is no such process any more, or when aborted. */
  async run(signal: AbortSignal): Promise<number> {
    const backoff = this.options.backoff ?? new Backoff(300, 2500);
    const look = this.options.look ?? (() => api.process(this.desktop, this.process, signal));
    signal.addEventListener("abort", () => this.#socket?.close());
    for (;;) {
      await this.#attach(signal, backoff);
      signal.throwIfAborted();
      if (this.#exitCode !== null) return this.#exitCode;
      this.target.online(false);
      // A browser does not tell why a socket could not be opened.
      await look().catch((error: unknown) => {
        if (asError(error).final) throw error;
      });
      await delay(backoff.next(), signal);
    }
  }

  /** What is typed while nothing is attached is not kept: it would come when nobody expects it any more. */
  write(bytes: Uint8Array): void {
    this.#send(new Uint8Array([input, ...bytes]));
  }

  resize(columns: number, rows: number): void {
    this.#send(JSON.stringify({ window: { columns, rows } }));
  }

  #send(message: Uint8Array<ArrayBuffer> | string): void {
    if (this.#socket?.readyState === 1) this.#socket.send(message);
  }

  #attach(signal: AbortSignal, backoff: Backoff): Promise<void> {
    if (signal.aborted) return Promise.resolve();
    const path = desktopUrl(this.desktop, `/processes/${encodeURIComponent(this.process)}/socket?from=${this.#next}`);
    const { url, protocols } = pageSocket(path, protocol);
    const open = this.options.open ?? ((address, names) => new WebSocket(address, names));
    const socket = open(url, protocols);
    socket.binaryType = "arraybuffer";
    this.#socket = socket;
    return new Promise((resolve) => {
      socket.addEventListener("open", () => {
        backoff.reset();
        this.target.online(true);
      });
      socket.addEventListener("message", ({ data }: MessageEvent<ArrayBuffer | string>) => this.#message(data));
      socket.addEventListener("close", () => resolve());
    });
  }

  #message(data: ArrayBuffer | string): void {
    if (typeof data === "string") {
      const { from, exit } = JSON.parse(data) as { from?: number; exit?: { exitCode: number } };
      if (from !== undefined) {
        if (from > this.#next) this.target.gap(from - this.#next);
        this.#next = from;
      }
      if (exit) this.#exitCode = exit.exitCode;
      return;
    }
    const bytes = new Uint8Array(data, 1);
    this.#next += bytes.length;
    this.target.output(bytes);
  }
}

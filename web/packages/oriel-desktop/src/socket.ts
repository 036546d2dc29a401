import { codecString, parseAccessUnit } from "./annexb.js";
import type { Link, LinkEnd, LinkEvents, LinkSample } from "./link.js";
import { unwrapControl, wrap, type ControlRequest, type InputMessage } from "./messages.js";
import { Scope } from "./scope.js";
import { socketFor, type Access } from "./signalling.js";

/** Undecoded frames beyond which acknowledgements wait for the decoder, so that the server skips frames instead of this page. */
const mostQueued = 2;

export function webCodecsAvailable(): boolean {
  return typeof VideoDecoder === "function" && typeof EncodedVideoChunk === "function";
}

/** The fallback: H.264 over a WebSocket, decoded by WebCodecs and drawn on a canvas. */
export class SocketLink implements Link {
  readonly kind = "websocket";
  readonly ended: Promise<LinkEnd>;
  readonly #scope = new Scope();
  readonly #received = new Map<number, number>();
  readonly #draw: CanvasRenderingContext2D;
  #unacknowledged: number[] = [];
  #decoder: VideoDecoder | null = null;
  #codec = "";
  #needsKey = true;
  #bytes = 0;
  #frames = 0;
  #dropped = 0;
  #end!: (why: LinkEnd) => void;
  #over = false;

  private constructor(
    private readonly socket: WebSocket,
    private readonly canvas: HTMLCanvasElement,
    private readonly events: LinkEvents,
  ) {
    this.ended = new Promise((resolve) => (this.#end = resolve));
    const context = canvas.getContext("2d", { alpha: false, desynchronized: true });
    if (!context) throw new Error("This browser gives no canvas to draw on.");
    this.#draw = context;
    this.#scope.on<MessageEvent>(socket, "message", ({ data }) => this.#message(data));
    this.#scope.on(socket, "close", () => this.#finish("lost"));
  }

  /** Resolves when the socket is open; null when it is refused or does not open in time (a browser does not tell why). */
  static open(
    access: Access,
    desktop: string,
    canvas: HTMLCanvasElement,
    events: LinkEvents,
    ms: number,
    signal: AbortSignal,
  ): Promise<SocketLink | null> {
    const { url, protocols } = socketFor(access, `/api/desktops/${encodeURIComponent(desktop)}/stream`, "oriel.v1");
    const socket = new WebSocket(url, protocols);
    socket.binaryType = "arraybuffer";
    return new Promise((resolve) => {
      const scope = new Scope();
      const done = (open: boolean) => {
        scope.close();
        clearTimeout(timer);
        if (!open) socket.close();
        resolve(open ? new SocketLink(socket, canvas, events) : null);
      };
      const timer = setTimeout(() => done(false), ms);
      scope.on(socket, "open", () => done(true));
      scope.on(socket, "close", () => done(false));
      scope.on(signal, "abort", () => done(false));
    });
  }

  input(message: InputMessage): void {
    this.#send(wrap("input", message));
  }

  control(message: ControlRequest): void {
    this.#send(wrap("control", message));
  }

  pointer(x: number, y: number): void {
    this.#send(wrap("pointer", { x, y }));
  }

  sample(): Promise<LinkSample> {
    return Promise.resolve({
      at: performance.now(),
      bytes: this.#bytes,
      frames: this.#frames,
      dropped: this.#dropped,
      rttMs: null,
      transport: "WebSocket",
      codec: "H264",
      jitterBufferMs: null,
      freezes: 0,
    });
  }

  check(suspect: boolean): void {
    if (suspect || this.socket.readyState > WebSocket.OPEN) this.#finish("lost");
  }

  close(): Promise<void> {
    this.#finish("closed");
    return Promise.resolve();
  }

  #send(text: string): void {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(text);
  }

  #message(data: unknown): void {
    if (typeof data === "string") {
      const event = unwrapControl(data);
      if (event) this.events.control(event);
    } else if (data instanceof ArrayBuffer) {
      this.#accessUnit(data);
    }
  }

  #accessUnit(buffer: ArrayBuffer): void {
    this.#bytes += buffer.byteLength;
    const unit = parseAccessUnit(buffer);
    if (!unit) return;
    if (unit.key) {
      const codec = codecString(unit.data);
      if (codec && (codec !== this.#codec || this.#decoder?.state !== "configured")) this.#configure(codec);
      this.#needsKey = false;
    }
    this.#unacknowledged.push(unit.captureUs);
    const decoder = this.#decoder;
    if (this.#needsKey || decoder?.state !== "configured") {
      this.#dropped++;
      this.#acknowledge();
      return;
    }
    this.#received.set(unit.captureUs, performance.now());
    decoder.decode(new EncodedVideoChunk({ type: unit.key ? "key" : "delta", timestamp: unit.captureUs, data: unit.data }));
    if (decoder.decodeQueueSize <= mostQueued) this.#acknowledge();
  }

  #acknowledge(): void {
    for (const captureUs of this.#unacknowledged) this.#send(wrap("ack", { captureUs }));
    this.#unacknowledged = [];
  }

  #configure(codec: string): void {
    if (this.#decoder && this.#decoder.state !== "closed") this.#decoder.close();
    this.#codec = codec;
    this.#received.clear();
    this.#decoder = new VideoDecoder({
      output: (frame) => this.#show(frame),
      // A new link starts with a key frame; this one could only wait for the next.
      error: () => this.#finish("lost"),
    });
    this.#decoder.ondequeue = () => {
      if ((this.#decoder?.decodeQueueSize ?? 0) <= mostQueued) this.#acknowledge();
    };
    this.#decoder.configure({ codec, optimizeForLatency: true });
  }

  #show(frame: VideoFrame): void {
    const { displayWidth: width, displayHeight: height, timestamp } = frame;
    if (this.canvas.width !== width || this.canvas.height !== height) {
      this.canvas.width = width;
      this.canvas.height = height;
    }
    this.#draw.drawImage(frame, 0, 0);
    frame.close();
    this.#frames++;
    const now = performance.now();
    const receivedAt = this.#received.get(timestamp) ?? null;
    for (const key of this.#received.keys()) if (key <= timestamp) this.#received.delete(key);
    this.events.frame({ rtp: null, width, height, receivedAt, decodeMs: receivedAt === null ? 0 : now - receivedAt, displayAt: now });
  }

  #finish(why: LinkEnd): void {
    if (this.#over) return;
    this.#over = true;
    this.#scope.close();
    this.socket.close();
    if (this.#decoder && this.#decoder.state !== "closed") this.#decoder.close();
    this.#end(why);
  }
}

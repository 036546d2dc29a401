import { Asks } from "./asks.js";
import { PieceJoiner, toPieces } from "./clipboard-pieces.js";
import { ClipboardSync } from "./clipboard.js";
import { Connection, type ConnectionState } from "./connection.js";
import { CursorView } from "./cursor.js";
import { containedBox, desktopSizeFor, type Box, type Size } from "./geometry.js";
import { KeyboardInput } from "./keyboard.js";
import { LatencyStages } from "./latency.js";
import { LatencyView, ratesOf } from "./latency-view.js";
import type { CodecChoice, Link, LinkSample, ShownFrame, TransportChoice } from "./link.js";
import type { ControlEvent, InputMessage, Reason } from "./messages.js";
import { PointerInput } from "./pointer.js";
import { Scope } from "./scope.js";
import type { Access } from "./signalling.js";
import type { ShadowTree } from "./shadow-tree.js";

export interface SessionOptions {
  access: Access;
  desktop: string;
  codec: CodecChoice;
  transport: TransportChoice;
}

/** What a session tells its element. */
export interface SessionEvents {
  connection(state: ConnectionState): void;
  /** The first frame of a link is on the screen. */
  playing(): void;
  size(size: Size): void;
  clipboard(text: string): void;
  /** A copied text is over the bound and was not passed on. */
  clipboardTooLong(from: "page" | "desktop"): void;
  desktopState(state: string, reason: Reason | null): void;
  leave(): void;
}

/** For a text on its way into the guest's clipboard; then it is held for lost. */
const pasteMs = 3000;
const probeMs = 1500;
const resizePauseMs = 150;
const sampleMs = 1000;
const pingMs = 20_000;
/** Pings (one a second) without an answer after which the path is held for broken. */
const mostUnanswered = 5;

/** One desktop shown in one viewer: joins connection, input, clipboard, cursor and numbers; `close` takes all of it down. */
export class Session {
  remoteResize = false;
  readonly #scope = new Scope();
  readonly #connection: Connection;
  readonly #keyboard: KeyboardInput;
  readonly #pointer: PointerInput;
  readonly #clipboard: ClipboardSync;
  readonly #cursor: CursorView;
  readonly #stages = new LatencyStages();
  readonly #asks = new Asks();
  readonly #pieces = new PieceJoiner();
  #unanswered = 0;
  #size: Size = { width: 0, height: 0 };
  #sizeTold = false;
  #asked: Size | null = null;
  #resizeTimer: ReturnType<typeof setTimeout> | undefined;
  #sample: LinkSample | null = null;
  #rttMs: number | null = null;
  #playing = false;
  #movedAt = -Infinity;

  constructor(
    options: SessionOptions,
    private readonly tree: ShadowTree,
    private readonly latency: LatencyView,
    private readonly events: SessionEvents,
  ) {
    const { video, canvas, stage, keys, ghost } = tree;
    this.#connection = new Connection({
      ...options,
      video,
      canvas,
      events: { control: (event) => this.#control(event), frame: (frame) => this.#frame(frame) },
      changed: (state) => this.#changed(state),
    });
    this.#cursor = new CursorView(stage, ghost);
    this.#clipboard = new ClipboardSync({
      toGuest: (text) => this.#clipboardToGuest(text),
      focused: () => keys.matches(":focus"),
      tooLong: () => this.events.clipboardTooLong("page"),
    });
    this.#keyboard = new KeyboardInput(keys, {
      input: (message) => this.#input(message),
      paste: (text) => this.#clipboard.toGuest(text),
      leave: () => this.events.leave(),
    });
    this.#pointer = new PointerInput(stage, {
      picture: () => this.#picture(),
      guest: () => this.#size,
      input: (message) => this.#input(message),
      pointer: (x, y) => this.#move(x, y),
      touched: (event) => this.#touched(event),
    });
    this.#watch();
  }

  get size(): Size {
    return this.#size;
  }

  get guestClipboard(): string {
    return this.#clipboard.guestText;
  }

  open(): void {
    this.#connection.open();
  }

  retry(): void {
    this.#connection.wake(true);
  }

  /** There is a hint that the server is gone: no answer to a ping now means that the path is broken. */
  async probe(): Promise<void> {
    const link = this.#connection.link;
    if (link && !(await this.#ping(link, probeMs)) && this.#connection.link === link) link.check(true);
  }

  send(messages: InputMessage[]): void {
    this.#keyboard.send(messages);
  }

  setClipboard(text: string): Promise<void> {
    return this.#clipboard.toGuest(text);
  }

  allowClipboard(): Promise<boolean> {
    return this.#clipboard.allow();
  }

  /** Something of the layout changed: the element's size, its scale, or whether the desktop follows. */
  layout(): void {
    this.#placeSurface();
    const picture = this.#picture();
    if (this.#size.width > 0) void this.#cursor.rescale(picture.width / this.#size.width);
    clearTimeout(this.#resizeTimer);
    if (this.remoteResize) this.#resizeTimer = setTimeout(() => this.#askSize(), resizePauseMs);
  }

  async close(): Promise<void> {
    this.#pointer.release();
    this.#pointer.close();
    this.#keyboard.close();
    this.#clipboard.close();
    this.#cursor.close();
    clearTimeout(this.#resizeTimer);
    this.#scope.close();
    this.#asks.close();
    await this.#connection.close();
  }

  #watch(): void {
    const scope = this.#scope;
    const observer = new ResizeObserver(() => this.layout());
    observer.observe(this.tree.stage);
    scope.onClose(() => observer.disconnect());
    scope.on(document, "visibilitychange", () => {
      this.#connection.link?.control({ t: "visible", visible: !document.hidden });
      if (!document.hidden) this.#connection.wake(false);
    });
    scope.on(window, "online", () => this.#connection.wake(true));
    scope.on(window, "pageshow", () => this.#connection.wake(false));
    // A page that goes says so: the server need not count it as a viewer until its consent expires. One that comes back connects anew.
    scope.on(window, "pagehide", () => void this.#connection.link?.close());
    scope.on(this.tree.stage, "pointerleave", () => this.#keyboardSafe());
    const timer = setInterval(() => void this.#measure(), sampleMs);
    scope.onClose(() => clearInterval(timer));
  }

  #changed(state: ConnectionState): void {
    this.#stages.clear();
    this.#sample = null;
    this.#unanswered = 0;
    if (state.name === "connected") {
      const socket = state.link.kind === "websocket";
      this.tree.canvas.hidden = !socket;
      this.tree.video.hidden = socket;
      state.link.control({ t: "visible", visible: !document.hidden });
      this.#asked = null;
      this.layout();
    } else if (state.name !== "interrupted") {
      this.#playing = false;
      this.#sizeTold = false;
    }
    this.events.connection(state);
    // The first frame may come before the channels are open, which is what connected means.
    if (state.name === "connected" && this.#playing) this.events.playing();
  }

  #control(event: ControlEvent): void {
    switch (event.t) {
      case "hello":
      case "size":
        this.#sizeTold ||= event.width > 0;
        this.#setSize(event);
        break;
      case "cursor":
        void this.#cursor.show(event);
        break;
      case "position":
        this.#guestMoved(event.x, event.y);
        break;
      case "clipboard":
        this.#clipboardFromGuest(event.text, event.more === true);
        break;
      case "clipboard-too-long":
        this.events.clipboardTooLong("desktop");
        break;
      case "pong":
        this.#unanswered = 0;
        this.#asks.answered(event.id);
        break;
      case "frame": {
        const stages = this.#stages.sampled(event, this.#rttMs);
        if (stages) this.latency.add(stages);
        break;
      }
      case "state":
        this.events.desktopState(event.state, event.reason ?? null);
        break;
      case "rate":
        break;
    }
  }

  #frame(frame: ShownFrame): void {
    // What the server says counts; a frame's own size only until it has said it.
    if (!this.#sizeTold) this.#setSize(frame);
    if (!this.#playing) {
      this.#playing = true;
      this.events.playing();
    }
    const stages = this.#stages.shown(frame, this.#rttMs);
    if (stages) this.latency.add(stages);
  }

  #setSize({ width, height }: Size): void {
    if (width <= 0 || height <= 0 || (width === this.#size.width && height === this.#size.height)) return;
    this.#size = { width, height };
    this.#placeSurface();
    void this.#cursor.rescale(this.#picture().width / width);
    this.events.size(this.#size);
  }

  #input(message: InputMessage): void {
    this.#connection.link?.input(message);
  }

  #move(x: number, y: number): void {
    this.#movedAt = performance.now();
    this.#cursor.hideGhost();
    this.#connection.link?.pointer(x, y);
  }

  #touched(event: PointerEvent): void {
    this.tree.keys.focus({ preventScroll: true });
    this.#keyboard.sync(event);
    void this.#clipboard.exchange();
  }

  #keyboardSafe(): void {
    if (!this.tree.keys.matches(":focus")) this.#keyboard.release();
  }

  /** Someone else (a program, another viewer) moved the pointer; one's own moves come back late and are not news. */
  #guestMoved(x: number, y: number): void {
    if (performance.now() - this.#movedAt < 400 || this.#size.width === 0) return;
    const picture = this.#picture();
    const host = this.tree.stage.getBoundingClientRect();
    const left = picture.left - host.left + (x / this.#size.width) * picture.width;
    const top = picture.top - host.top + (y / this.#size.height) * picture.height;
    this.#cursor.ghostAt(left, top);
  }

  #clipboardFromGuest(piece: string, more: boolean): void {
    const text = this.#pieces.add(piece, more);
    if (text === null) return;
    this.events.clipboard(text);
    void this.#clipboard.fromGuest(text);
  }

  /** Resolves when the guest's programs can paste the text; throws when it did not get there. */
  async #clipboardToGuest(text: string): Promise<void> {
    const link = this.#connection.link;
    const pieces = toPieces(text);
    const last = pieces.pop();
    if (!link || !last) throw new Error("Not connected.");
    for (const piece of pieces) link.control(piece);
    if (!(await this.#asks.ask(pasteMs, (id) => link.control({ ...last, id })))) throw new Error("The guest did not take the text.");
  }

  #ping(link: Link, ms: number): Promise<boolean> {
    return this.#asks.ask(ms, (id) => link.control({ t: "ping", id }));
  }

  #askSize(): void {
    const { clientWidth: width, clientHeight: height } = this.tree.stage;
    if (width < 200 || height < 120) return;
    const size = desktopSizeFor({ width, height }, window.devicePixelRatio);
    const same = (other: Size | null) => other?.width === size.width && other.height === size.height;
    if (same(this.#size) || same(this.#asked)) return;
    const link = this.#connection.link;
    if (!link) return;
    this.#asked = size;
    link.control({ t: "resize", ...size });
  }

  get #surface(): HTMLElement {
    return this.tree.video.hidden ? this.tree.canvas : this.tree.video;
  }

  get #actualSize(): boolean {
    return (this.tree.stage.getRootNode() as ShadowRoot).host.getAttribute("scale") === "actual";
  }

  #picture(): Box {
    const box = this.#surface.getBoundingClientRect();
    return this.#actualSize ? box : containedBox(box, this.#size);
  }

  /** At 1:1 a desktop pixel is a screen pixel, centred when there is room, else scrolled. */
  #placeSurface(): void {
    const actual = this.#actualSize && this.#size.width > 0;
    const ratio = window.devicePixelRatio || 1;
    const { clientWidth, clientHeight } = this.tree.stage;
    const { width, height } = { width: this.#size.width / ratio, height: this.#size.height / ratio };
    for (const surface of [this.tree.video, this.tree.canvas]) {
      surface.style.width = actual ? `${width}px` : "";
      surface.style.height = actual ? `${height}px` : "";
      surface.style.left = actual ? `${Math.max(0, (clientWidth - width) / 2)}px` : "";
      surface.style.top = actual ? `${Math.max(0, (clientHeight - height) / 2)}px` : "";
    }
  }

  async #measure(): Promise<void> {
    const link = this.#connection.link;
    if (!link || document.hidden) return;
    const started = performance.now();
    void this.#ping(link, pingMs).then((answered) => {
      if (answered && link.kind === "websocket") this.#rttMs = performance.now() - started;
    });
    if (++this.#unanswered > mostUnanswered) {
      this.#unanswered = 0;
      link.check(true);
    }
    const sample = await link.sample().catch(() => null);
    if (!sample || this.#connection.link !== link) return;
    if (sample.rttMs !== null) this.#rttMs = sample.rttMs;
    this.latency.rates(ratesOf(this.#sample, { ...sample, rttMs: this.#rttMs }));
    this.#sample = sample;
  }
}

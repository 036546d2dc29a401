import { toGuest, type Box, type Size } from "./geometry.js";
import type { InputMessage } from "./messages.js";
import { Scope } from "./scope.js";
import { longPressMs, TouchGestures, type TouchAction } from "./touch.js";
import { WheelSum } from "./wheel.js";

export interface PointerTarget {
  /** Where the picture is on the page, and how large the desktop is. */
  picture(): Box;
  guest(): Size;
  input(message: InputMessage): void;
  pointer(x: number, y: number): void;
  /** The person moved or pressed here: focus, lifted modifiers. */
  touched(event: PointerEvent): void;
}

/** The last position is sent once more after this pause, since the pointer channel may lose it. */
const settleMs = 80;

/** PointerEvent.buttons: which button each bit stands for (Pointer Events, section 3.1.1.1). */
const buttonBits = [0, 2, 1, 3, 4];

/** Mouse, pen and touch over the picture, as the guest's pointer. */
export class PointerInput {
  readonly #scope = new Scope();
  readonly #wheel = new WheelSum();
  readonly #touch = new TouchGestures((action) => this.#touched(action));
  readonly #pressed = new Set<number>();
  #latest: { x: number; y: number } | null = null;
  #sentThisFrame = false;
  #frame = 0;
  #settle: ReturnType<typeof setTimeout> | undefined;
  #longPress: ReturnType<typeof setTimeout> | undefined;
  #at = { x: 0, y: 0 };

  constructor(
    private readonly surface: HTMLElement,
    private readonly target: PointerTarget,
  ) {
    const move = "onpointerrawupdate" in surface ? "pointerrawupdate" : "pointermove";
    this.#scope.on<PointerEvent>(surface, move, (event) => this.#moved(event));
    this.#scope.on<PointerEvent>(surface, "pointermove", (event) => this.#buttons(event));
    this.#scope.on<PointerEvent>(surface, "pointerdown", (event) => this.#down(event));
    this.#scope.on<PointerEvent>(surface, "pointerup", (event) => this.#up(event));
    this.#scope.on<PointerEvent>(surface, "pointercancel", (event) => this.#cancelled(event));
    this.#scope.on<WheelEvent>(surface, "wheel", (event) => this.#wheeled(event), { passive: false });
    this.#scope.on(surface, "contextmenu", (event) => event.preventDefault());
    this.#scope.on(surface, "auxclick", (event) => event.preventDefault());
    this.#scope.on(surface, "dragstart", (event) => event.preventDefault());
    this.#scope.onClose(() => {
      cancelAnimationFrame(this.#frame);
      clearTimeout(this.#settle);
      clearTimeout(this.#longPress);
    });
  }

  /** Lifts every button that is held. */
  release(): void {
    for (const button of this.#pressed) this.target.input({ t: "button", ...this.#at, button, down: false });
    this.#pressed.clear();
  }

  close(): void {
    this.#scope.close();
  }

  #guest(x: number, y: number): { x: number; y: number } {
    return toGuest(x, y, this.target.picture(), this.target.guest());
  }

  #moved(event: PointerEvent): void {
    if (event.pointerType === "touch") {
      this.#touch.move(event.pointerId, event.clientX, event.clientY);
      if (!this.#touch.waitsForLongPress) clearTimeout(this.#longPress);
      return;
    }
    const newest = event.getCoalescedEvents?.().at(-1) ?? event;
    this.#moveTo(newest.clientX, newest.clientY);
  }

  /** The first move of a frame goes at once, later ones together at the frame's end. */
  #moveTo(x: number, y: number): void {
    const at = this.#guest(x, y);
    if (at.x === this.#at.x && at.y === this.#at.y) return;
    this.#at = at;
    if (this.#sentThisFrame) {
      this.#latest = at;
      return;
    }
    this.#sendMove(at);
    this.#sentThisFrame = true;
    this.#nextFrame();
  }

  #nextFrame(): void {
    if (this.#frame !== 0) return;
    this.#frame = requestAnimationFrame(() => {
      this.#frame = 0;
      this.#sentThisFrame = false;
      if (this.#latest) this.#sendMove(this.#latest);
      this.#latest = null;
      const step = this.#wheel.take();
      if (step) this.target.input({ t: "wheel", ...this.#at, ...step });
    });
  }

  #sendMove(at: { x: number; y: number }): void {
    this.target.pointer(at.x, at.y);
    clearTimeout(this.#settle);
    this.#settle = setTimeout(() => this.target.pointer(this.#at.x, this.#at.y), settleMs);
  }

  #down(event: PointerEvent): void {
    event.preventDefault();
    this.target.touched(event);
    this.surface.setPointerCapture(event.pointerId);
    if (event.pointerType === "touch") {
      this.#touch.start(event.pointerId, event.clientX, event.clientY);
      clearTimeout(this.#longPress);
      if (this.#touch.waitsForLongPress) this.#longPress = setTimeout(() => this.#touch.longPress(), longPressMs);
      return;
    }
    this.#buttons(event);
  }

  #up(event: PointerEvent): void {
    event.preventDefault();
    if (event.pointerType === "touch") {
      clearTimeout(this.#longPress);
      this.#touch.end(event.pointerId);
      return;
    }
    this.#buttons(event);
  }

  /** A second button that goes down or up while another is held comes as a move: the bits tell what is true now. */
  #buttons(event: PointerEvent): void {
    if (event.pointerType === "touch") return;
    buttonBits.forEach((button, bit) => {
      const down = (event.buttons & (1 << bit)) !== 0;
      if (down !== this.#pressed.has(button)) this.#button(event.clientX, event.clientY, button, down);
    });
  }

  #cancelled(event: PointerEvent): void {
    clearTimeout(this.#longPress);
    if (event.pointerType === "touch") this.#touch.cancel(event.pointerId);
    this.release();
  }

  #button(x: number, y: number, button: number, down: boolean): void {
    if (button < 0) return;
    const at = this.#guest(x, y);
    this.#at = at;
    this.#latest = null;
    clearTimeout(this.#settle);
    if (down) this.#pressed.add(button);
    else if (!this.#pressed.delete(button)) return;
    this.target.input({ t: "button", ...at, button, down });
  }

  #wheeled(event: WheelEvent): void {
    event.preventDefault();
    this.#at = this.#guest(event.clientX, event.clientY);
    this.#wheel.add(event.deltaX, event.deltaY, event.deltaMode);
    this.#nextFrame();
  }

  #touched(action: TouchAction): void {
    if (action.kind === "move") this.#moveTo(action.x, action.y);
    else if (action.kind === "button") this.#button(action.x, action.y, action.button, action.down);
    else {
      this.#at = this.#guest(action.x, action.y);
      this.#wheel.add(action.dx, action.dy, 0);
      this.#nextFrame();
    }
  }
}

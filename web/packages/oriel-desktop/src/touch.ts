/** What fingers mean: the recogniser is pure, its clock and output are given. */

export type TouchAction =
  | { kind: "move"; x: number; y: number }
  | { kind: "button"; x: number; y: number; button: number; down: boolean }
  | { kind: "scroll"; x: number; y: number; dx: number; dy: number };

interface Finger {
  x: number;
  y: number;
  startX: number;
  startY: number;
}

/** CSS pixels that a finger may wander and still be a tap. */
const slop = 10;
export const longPressMs = 500;

/**
 * Tap: click. Drag: the left button held from where the finger came down. Long press: right click. Two fingers: scroll.
 * Coordinates are CSS pixels of the page; the caller maps them to the guest.
 */
export class TouchGestures {
  readonly #fingers = new Map<number, Finger>();
  #mode: "idle" | "pending" | "drag" | "scroll" | "done" = "idle";

  constructor(private readonly emit: (action: TouchAction) => void) {}

  /** Whether a timer for {@link longPress} should run. */
  get waitsForLongPress(): boolean {
    return this.#mode === "pending";
  }

  start(id: number, x: number, y: number): void {
    this.#fingers.set(id, { x, y, startX: x, startY: y });
    if (this.#fingers.size === 1) {
      this.#mode = "pending";
      this.emit({ kind: "move", x, y });
    } else if (this.#mode === "pending") {
      this.#mode = "scroll";
    }
  }

  move(id: number, x: number, y: number): void {
    const finger = this.#fingers.get(id);
    if (!finger) return;
    if (this.#mode === "scroll") {
      // Every finger gives its share, so that two moving together scroll by their own way.
      const share = 1 / this.#fingers.size;
      this.emit({ kind: "scroll", x: finger.startX, y: finger.startY, dx: (finger.x - x) * share, dy: (finger.y - y) * share });
    }
    finger.x = x;
    finger.y = y;
    if (this.#mode === "pending" && Math.hypot(x - finger.startX, y - finger.startY) > slop) {
      this.#mode = "drag";
      this.emit({ kind: "button", x: finger.startX, y: finger.startY, button: 0, down: true });
    }
    if (this.#mode === "drag") this.emit({ kind: "move", x, y });
  }

  longPress(): void {
    const finger = this.#only();
    if (this.#mode !== "pending" || !finger) return;
    this.#mode = "done";
    this.#click(finger.startX, finger.startY, 2);
  }

  end(id: number): void {
    const finger = this.#fingers.get(id);
    this.#fingers.delete(id);
    if (!finger) return;
    if (this.#mode === "pending") this.#click(finger.startX, finger.startY, 0);
    if (this.#mode === "drag") {
      this.emit({ kind: "button", x: finger.x, y: finger.y, button: 0, down: false });
      this.#mode = "done";
    }
    if (this.#fingers.size === 0) this.#mode = "idle";
    else if (this.#mode === "pending") this.#mode = "done";
  }

  /** The browser took the touch away. */
  cancel(id: number): void {
    const finger = this.#fingers.get(id);
    if (finger && this.#mode === "drag") {
      this.emit({ kind: "button", x: finger.x, y: finger.y, button: 0, down: false });
    }
    this.#fingers.delete(id);
    this.#mode = this.#fingers.size === 0 ? "idle" : "done";
  }

  #only(): Finger | undefined {
    return this.#fingers.size === 1 ? [...this.#fingers.values()][0] : undefined;
  }

  #click(x: number, y: number, button: number): void {
    this.emit({ kind: "button", x, y, button, down: true });
    this.emit({ kind: "button", x, y, button, down: false });
  }
}
